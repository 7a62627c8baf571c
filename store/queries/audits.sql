-- name: ListAudits :many
SELECT * FROM audits WHERE miner = sqlc.arg(miner) AND closed > sqlc.arg(since) ORDER BY open DESC, post;

-- name: PutAudit :exec
INSERT INTO audits (miner, open, closed, evidence, snapshot, post, deadline, partitions, verdict, problem, epoch, seed)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (miner, evidence) DO UPDATE SET verdict = excluded.verdict, problem = excluded.problem, epoch = excluded.epoch, seed = excluded.seed;

-- name: DeleteAudit :exec
DELETE FROM audits WHERE miner = ? AND evidence = ?;

-- name: DeleteAudits :exec
DELETE FROM audits WHERE miner = sqlc.arg(miner) AND closed <= sqlc.arg(closed);
