-- name: ListRehearsals :many
SELECT body FROM rehearsals WHERE miner = ? ORDER BY deadline;

-- name: PutRehearsal :exec
INSERT INTO rehearsals (miner, deadline, body) VALUES (?, ?, ?)
ON CONFLICT (miner, deadline) DO UPDATE SET body = excluded.body;
