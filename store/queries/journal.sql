-- name: AddEvent :exec
INSERT INTO journal (at, epoch, event, kind, miner, open, batch, facts) VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: ListDutyEvents :many
SELECT * FROM journal WHERE kind = ? AND miner = ? AND open = ? AND batch = ? ORDER BY seq;

-- name: ListSharedEvents :many
SELECT * FROM journal INDEXED BY journal_shared WHERE kind = '' AND epoch >= sqlc.arg(since) AND epoch <= sqlc.arg(until) AND (miner = 0 OR miner = sqlc.arg(miner) OR sqlc.arg(miner) = 0)
ORDER BY seq DESC LIMIT sqlc.arg(most);

-- name: FirstStart :many
SELECT * FROM journal WHERE event = 'started' AND epoch > sqlc.arg(after) ORDER BY epoch LIMIT 1;

-- What is new is looked for behind what was seen: all of it, or a miner's.

-- name: ListNewEvents :many
SELECT * FROM journal WHERE seq > sqlc.arg(after) AND epoch >= sqlc.arg(since) ORDER BY seq LIMIT sqlc.arg(most);

-- name: ListNewEventsOf :many
SELECT * FROM journal WHERE miner = sqlc.arg(miner) AND seq > sqlc.arg(after) AND +epoch >= sqlc.arg(since) ORDER BY seq LIMIT sqlc.arg(most);

-- name: ListNewOutcomes :many
SELECT * FROM outcomes WHERE seq > sqlc.arg(after) AND epoch >= sqlc.arg(since) ORDER BY seq LIMIT sqlc.arg(most);

-- name: ListNewOutcomesOf :many
SELECT * FROM outcomes WHERE miner = sqlc.arg(miner) AND seq > sqlc.arg(after) AND +epoch >= sqlc.arg(since) ORDER BY seq LIMIT sqlc.arg(most);

-- The newest since an epoch are looked for from the end, in the order in which
-- they were written: epochs go back in a reorg. Where there are fewer than are
-- asked for, the look ends at the first of them, and not where the table begins.

-- name: ListLastEvents :many
SELECT * FROM journal WHERE +journal.epoch >= sqlc.arg(since) AND journal.seq >= (
    SELECT CASE WHEN count(*) < sqlc.arg(most) THEN min(found.seq) ELSE 0 END
    FROM (SELECT seq FROM journal WHERE journal.epoch >= sqlc.arg(since) LIMIT sqlc.arg(most)) AS found)
ORDER BY journal.seq DESC LIMIT sqlc.arg(most);

-- name: ListLastEventsOf :many
SELECT * FROM journal WHERE journal.miner = sqlc.arg(miner) AND +journal.epoch >= sqlc.arg(since) AND journal.seq >= (
    SELECT CASE WHEN count(*) < sqlc.arg(most) THEN min(found.seq) ELSE 0 END
    FROM (SELECT seq FROM journal WHERE journal.miner = sqlc.arg(miner) AND journal.epoch >= sqlc.arg(since) LIMIT sqlc.arg(most)) AS found)
ORDER BY journal.seq DESC LIMIT sqlc.arg(most);

-- name: ListLastOutcomes :many
SELECT * FROM outcomes WHERE +outcomes.epoch >= sqlc.arg(since) AND outcomes.seq >= (
    SELECT CASE WHEN count(*) < sqlc.arg(most) THEN min(found.seq) ELSE 0 END
    FROM (SELECT seq FROM outcomes WHERE outcomes.epoch >= sqlc.arg(since) LIMIT sqlc.arg(most)) AS found)
ORDER BY outcomes.seq DESC LIMIT sqlc.arg(most);

-- name: ListLastOutcomesOf :many
SELECT * FROM outcomes WHERE outcomes.miner = sqlc.arg(miner) AND +outcomes.epoch >= sqlc.arg(since) AND outcomes.seq >= (
    SELECT CASE WHEN count(*) < sqlc.arg(most) THEN min(found.seq) ELSE 0 END
    FROM (SELECT seq FROM outcomes WHERE outcomes.miner = sqlc.arg(miner) AND outcomes.epoch >= sqlc.arg(since) LIMIT sqlc.arg(most)) AS found)
ORDER BY outcomes.seq DESC LIMIT sqlc.arg(most);

-- name: PutAlive :exec
INSERT INTO alive (one, at, epoch) VALUES (1, ?, ?) ON CONFLICT (one) DO UPDATE SET at = excluded.at, epoch = excluded.epoch;

-- name: GetAlive :one
SELECT at, epoch FROM alive;

-- name: FindDuties :many
SELECT * FROM duties
WHERE miner = sqlc.arg(miner) AND open < sqlc.arg(before)
  AND (kind = sqlc.arg(kind) OR sqlc.arg(kind) = '')
  AND (CAST(sqlc.arg(deadline) AS INTEGER) < 0 OR CAST(json_extract(body, '$.deadline.index') AS INTEGER) = CAST(sqlc.arg(deadline) AS INTEGER))
ORDER BY open DESC, kind, batch LIMIT sqlc.arg(most);

-- name: FindDutiesInState :many
SELECT * FROM duties
WHERE miner = sqlc.arg(miner) AND state = sqlc.arg(state) AND open < sqlc.arg(before)
  AND (kind = sqlc.arg(kind) OR sqlc.arg(kind) = '')
  AND (CAST(sqlc.arg(deadline) AS INTEGER) < 0 OR CAST(json_extract(body, '$.deadline.index') AS INTEGER) = CAST(sqlc.arg(deadline) AS INTEGER))
ORDER BY open DESC, kind, batch LIMIT sqlc.arg(most);

-- name: NextMiner :one
SELECT miner FROM duties WHERE miner > sqlc.arg(after) ORDER BY miner LIMIT 1;

-- name: ListDutyMessages :many
SELECT * FROM messages WHERE kind = ? AND miner = ? AND open = ? AND batch = ? ORDER BY seq;
