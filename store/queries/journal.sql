-- name: AddEvent :exec
INSERT INTO journal (at, epoch, event, kind, miner, open, batch, facts) VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: ListDutyEvents :many
SELECT * FROM journal WHERE kind = ? AND miner = ? AND open = ? AND batch = ? ORDER BY seq;

-- name: ListSharedEvents :many
SELECT * FROM journal WHERE kind = '' AND epoch >= sqlc.arg(since) AND (miner = 0 OR miner = sqlc.arg(miner) OR sqlc.arg(miner) = 0)
ORDER BY seq DESC LIMIT sqlc.arg(most);

-- name: ListNewEvents :many
SELECT * FROM journal WHERE seq > sqlc.arg(after) AND (miner = 0 OR miner = sqlc.arg(miner) OR sqlc.arg(miner) = 0) AND epoch >= sqlc.arg(since)
ORDER BY seq LIMIT sqlc.arg(most);

-- name: ListLastEvents :many
SELECT * FROM journal WHERE (miner = 0 OR miner = sqlc.arg(miner) OR sqlc.arg(miner) = 0) AND epoch >= sqlc.arg(since)
ORDER BY seq DESC LIMIT sqlc.arg(most);

-- name: ListNewOutcomes :many
SELECT * FROM outcomes WHERE seq > sqlc.arg(after) AND (miner = sqlc.arg(miner) OR sqlc.arg(miner) = 0) AND epoch >= sqlc.arg(since)
ORDER BY seq LIMIT sqlc.arg(most);

-- name: ListLastOutcomes :many
SELECT * FROM outcomes WHERE (miner = sqlc.arg(miner) OR sqlc.arg(miner) = 0) AND epoch >= sqlc.arg(since)
ORDER BY seq DESC LIMIT sqlc.arg(most);

-- name: PutAlive :exec
INSERT INTO alive (one, at, epoch) VALUES (1, ?, ?) ON CONFLICT (one) DO UPDATE SET at = excluded.at, epoch = excluded.epoch;

-- name: GetAlive :one
SELECT at, epoch FROM alive;

-- name: PruneEvents :execrows
DELETE FROM journal WHERE seq IN (SELECT seq FROM journal WHERE journal.at < sqlc.arg(before) ORDER BY journal.at LIMIT sqlc.arg(most));

-- name: FindDuties :many
SELECT * FROM duties
WHERE miner = sqlc.arg(miner) AND open < sqlc.arg(before)
  AND (kind = sqlc.arg(kind) OR sqlc.arg(kind) = '')
  AND (CAST(sqlc.arg(states) AS TEXT) = '' OR instr(CAST(sqlc.arg(states) AS TEXT), ' ' || state || ' ') > 0)
  AND (CAST(sqlc.arg(deadline) AS INTEGER) < 0 OR CAST(json_extract(body, '$.deadline.index') AS INTEGER) = CAST(sqlc.arg(deadline) AS INTEGER))
ORDER BY open DESC, kind, batch LIMIT sqlc.arg(most);

-- name: NextMiner :one
SELECT miner FROM duties WHERE miner > sqlc.arg(after) ORDER BY miner LIMIT 1;

-- name: ListDutyMessages :many
SELECT * FROM messages
WHERE miner = sqlc.arg(miner) AND expires >= sqlc.arg(since) AND kind = sqlc.arg(kind) AND open = sqlc.arg(open) AND batch = sqlc.arg(batch)
ORDER BY seq;
