-- name: GetMessage :one
SELECT * FROM messages WHERE id = ?;

-- name: AddMessage :exec
INSERT INTO messages (id, kind, miner, open, batch, sender, receiver, method, value, params, senders, expires, state, nonce, receipt, problem, created, updated, supersedes, settled, landed, included, paid)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: UpdateMessage :execrows
UPDATE messages SET sender = ?, state = ?, nonce = ?, receipt = ?, problem = ?, updated = ?, settled = ?, landed = ?, included = ?, paid = ? WHERE id = ?;

-- name: PutWish :execrows
UPDATE messages SET wish = ? WHERE id = ? AND settled = 0;

-- name: ListMessages :many
SELECT * FROM messages WHERE miner = ? AND expires >= sqlc.arg(since) AND kind <> 'fill' ORDER BY seq;

-- name: ListUnsettled :many
SELECT * FROM messages WHERE settled = 0 ORDER BY seq;

-- name: ListIncluded :many
SELECT * FROM messages INDEXED BY messages_by_inclusion WHERE included >= sqlc.arg(since) AND included >= 0 AND settled = 1 ORDER BY seq;

-- name: ListNonceHolders :many
SELECT nonces.nonce AS held, sqlc.embed(messages) FROM nonces JOIN messages ON messages.id = nonces.message
WHERE nonces.sender = sqlc.arg(sender) AND nonces.nonce >= sqlc.arg(nonce)
ORDER BY nonces.nonce;

-- name: ListByCID :many
SELECT * FROM messages WHERE id IN (SELECT message FROM attempts WHERE attempts.cid IN (sqlc.slice(cids))) ORDER BY seq;

-- name: ListByNonce :many
SELECT * FROM messages WHERE id IN (SELECT message FROM nonces WHERE nonces.sender = sqlc.arg(sender) AND nonces.nonce = sqlc.arg(nonce)) ORDER BY seq;

-- name: ListNewest :many
SELECT * FROM messages WHERE seq < ? ORDER BY seq DESC LIMIT ?;

-- name: ListNewestInState :many
SELECT * FROM messages WHERE state = ? AND seq < ? ORDER BY seq DESC LIMIT ?;

-- name: ListByBeginning :many
SELECT * FROM messages WHERE id >= sqlc.arg(beginning) AND id < sqlc.arg(beyond) ORDER BY id DESC LIMIT sqlc.arg(most);

-- name: GetSeq :one
SELECT seq FROM messages WHERE id = ?;

-- name: ListPaid :many
SELECT paid FROM messages INDEXED BY messages_by_inclusion WHERE kind = sqlc.arg(kind) AND included >= sqlc.arg(since) AND included >= 0 AND settled = 1;

-- name: CountSent :one
SELECT count(DISTINCT message) FROM attempts WHERE sender = sqlc.arg(sender) AND epoch >= sqlc.arg(since);

-- name: ListAttempts :many
SELECT * FROM attempts WHERE message = ? ORDER BY number;

-- name: ListAttemptsOf :many
SELECT * FROM attempts WHERE message IN (sqlc.slice(messages)) ORDER BY message, number;

-- name: ListUnsettledAttempts :many
SELECT * FROM attempts WHERE message IN (SELECT id FROM messages WHERE messages.settled = 0) ORDER BY message, number;

-- name: PutAttempt :exec
INSERT INTO attempts (message, number, cid, sender, nonce, gas_limit, fee_cap, premium, signature, encoded, epoch, published, problem, created, cancel, pushes, pushed)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: UpdateAttempt :exec
UPDATE attempts SET published = ?, problem = ?, pushes = ?, pushed = ? WHERE message = ? AND number = ?;

-- name: ClaimNonce :exec
INSERT INTO nonces (sender, nonce, message) VALUES (?, ?, ?) ON CONFLICT DO NOTHING;

-- name: NonceHolder :one
SELECT message FROM nonces WHERE sender = ? AND nonce = ?;

-- name: RaiseNextNonce :exec
INSERT INTO senders (address, next_nonce) VALUES (?, ?)
ON CONFLICT (address) DO UPDATE SET next_nonce = max(next_nonce, excluded.next_nonce);

-- name: NextNonce :one
SELECT next_nonce FROM senders WHERE address = ?;

-- name: GetLease :one
SELECT * FROM leases WHERE sender = ?;

-- name: PutLease :exec
INSERT INTO leases (sender, holder, token, until) VALUES (?, ?, ?, ?)
ON CONFLICT (sender) DO UPDATE SET holder = excluded.holder, token = excluded.token, until = excluded.until;

-- name: FreeLeases :exec
UPDATE leases SET until = 0;

-- name: LastGas :one
SELECT gas_limit, fee_cap, premium FROM
    (SELECT seq, id, landed, length(params) AS size FROM messages WHERE method = sqlc.arg(method) AND state = 'confirmed' ORDER BY seq DESC LIMIT 10000) AS recent
JOIN attempts ON attempts.message = recent.id AND attempts.number = recent.landed
WHERE recent.size >= CAST(sqlc.arg(params_size) AS INTEGER)
ORDER BY recent.seq DESC LIMIT 1;

-- name: ListCursor :many
SELECT * FROM cursor ORDER BY epoch;

-- name: ClearCursor :exec
DELETE FROM cursor WHERE epoch < sqlc.arg(oldest) OR epoch > sqlc.arg(newest);

-- name: PutCursor :exec
INSERT INTO cursor (epoch, tipset, parent, base_fee) VALUES (?, ?, ?, ?)
ON CONFLICT (epoch) DO UPDATE SET tipset = excluded.tipset, parent = excluded.parent, base_fee = excluded.base_fee;

-- name: LatestEpoch :one
SELECT CAST(max(coalesce((SELECT max(epoch) FROM cursor), 0), coalesce((SELECT epoch FROM alive), 0)) AS INTEGER) AS epoch;

-- name: DropCursor :exec
DELETE FROM cursor WHERE epoch = ?;
