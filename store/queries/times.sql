-- name: ListTimes :many
SELECT kind, miner, open, batch, partitions, read_time, prove_time FROM proofs WHERE kind = 'post' AND miner = ? ORDER BY open DESC, batch DESC LIMIT ?;
