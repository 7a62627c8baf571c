-- name: GetMessage :one
SELECT * FROM messages WHERE id = ?;

-- name: AddMessage :exec
INSERT INTO messages (id, kind, miner, open, batch, sender, receiver, method, value, params, senders, expires, state, nonce, receipt, problem, created, updated)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: UpdateMessage :execrows
UPDATE messages SET sender = ?, state = ?, nonce = ?, receipt = ?, problem = ?, updated = ? WHERE id = ?;

-- name: ListMessages :many
SELECT * FROM messages WHERE miner = ? AND expires >= sqlc.arg(since) ORDER BY seq;

-- name: ListOpenMessages :many
SELECT * FROM messages WHERE state NOT IN ('confirmed', 'failed', 'expired') ORDER BY seq;

-- name: ListNonceHolders :many
SELECT messages.* FROM messages JOIN nonces ON nonces.message = messages.id AND nonces.sender = messages.sender AND nonces.nonce = messages.nonce
WHERE nonces.sender = sqlc.arg(sender) AND nonces.nonce >= sqlc.arg(nonce)
ORDER BY nonces.nonce;

-- name: ListAttempts :many
SELECT * FROM attempts WHERE message = ? ORDER BY number;

-- name: PutAttempt :exec
INSERT INTO attempts (message, number, cid, sender, nonce, gas_limit, fee_cap, premium, signature, encoded, epoch, published, problem, created)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (message, number) DO UPDATE SET published = excluded.published, problem = excluded.problem;

-- name: ClaimNonce :exec
INSERT INTO nonces (sender, nonce, message) VALUES (?, ?, ?) ON CONFLICT DO NOTHING;

-- name: NonceHolder :one
SELECT message FROM nonces WHERE sender = ? AND nonce = ?;

-- name: RaiseNextNonce :exec
INSERT INTO senders (address, next_nonce) VALUES (?, ?)
ON CONFLICT (address) DO UPDATE SET next_nonce = max(next_nonce, excluded.next_nonce);

-- name: NextNonce :one
SELECT next_nonce FROM senders WHERE address = ?;

-- name: LastGas :one
SELECT gas_limit, fee_cap, premium FROM attempts JOIN messages ON messages.id = attempts.message
WHERE messages.method = ? AND messages.state = 'confirmed' AND length(messages.params) >= CAST(sqlc.arg(params_size) AS INTEGER)
ORDER BY messages.seq DESC, attempts.number DESC LIMIT 1;

-- name: ListCursor :many
SELECT * FROM cursor ORDER BY epoch;

-- name: ClearCursor :exec
DELETE FROM cursor WHERE epoch < sqlc.arg(oldest) OR epoch > sqlc.arg(newest);

-- name: PutCursor :exec
INSERT INTO cursor (epoch, tipset, parent) VALUES (?, ?, ?)
ON CONFLICT (epoch) DO UPDATE SET tipset = excluded.tipset, parent = excluded.parent;

-- name: LatestEpoch :one
SELECT epoch FROM cursor ORDER BY epoch DESC LIMIT 1;

-- name: DropCursor :exec
DELETE FROM cursor WHERE epoch = ?;
