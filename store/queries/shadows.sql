-- name: ListShadows :many
SELECT * FROM shadows WHERE miner = sqlc.arg(miner) AND open >= sqlc.arg(since) ORDER BY open;

-- name: PutShadow :exec
INSERT INTO shadows (miner, open, record) VALUES (?, ?, ?)
ON CONFLICT (miner, open) DO UPDATE SET record = excluded.record;
