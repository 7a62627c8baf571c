-- name: ListDuties :many
SELECT * FROM duties WHERE miner = sqlc.arg(miner) AND open >= sqlc.arg(since) ORDER BY open, kind, batch;

-- name: ListUnfinished :many
SELECT * FROM duties INDEXED BY duties_in_progress
WHERE miner = sqlc.arg(miner) AND open < sqlc.arg(before) AND state NOT IN ('confirmed', 'missed', 'replaced', 'shadowed')
ORDER BY open, kind, batch;

-- name: GetDuty :one
SELECT * FROM duties WHERE kind = ? AND miner = ? AND open = ? AND batch = ?;

-- name: PutDuty :exec
INSERT INTO duties (kind, miner, open, batch, state, body) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (kind, miner, open, batch) DO UPDATE SET state = excluded.state, body = excluded.body;

-- name: GetProof :one
SELECT * FROM proofs WHERE kind = ? AND miner = ? AND open = ? AND batch = ?;

-- name: PutProof :exec
INSERT INTO proofs (kind, miner, open, batch, statement, sectors, partitions, bytes, read_time, prove_time)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (kind, miner, open, batch) DO UPDATE SET
    statement = excluded.statement, sectors = excluded.sectors, partitions = excluded.partitions,
    bytes = excluded.bytes, read_time = excluded.read_time, prove_time = excluded.prove_time;

-- name: DeleteProof :exec
DELETE FROM proofs WHERE kind = ? AND miner = ? AND open = ? AND batch = ?;

-- name: ListOutcomes :many
SELECT * FROM outcomes WHERE kind = ? AND miner = ? AND open = ? AND batch = ? ORDER BY seq;

-- name: AddOutcome :exec
INSERT INTO outcomes (at, epoch, kind, miner, open, batch, message, before, after, reason, problem)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
