-- No more rows are deleted at once than are asked for: whoever has to write
-- waits for it. See prune.go for what is kept, and why.

-- name: EpochBefore :one
SELECT CAST(coalesce(max(epoch), 0) AS INTEGER) AS epoch FROM (SELECT outcomes.epoch FROM outcomes WHERE at < sqlc.arg(before) ORDER BY at DESC LIMIT 100);

-- name: PruneEvents :execrows
DELETE FROM journal WHERE seq IN
    (SELECT seq FROM journal WHERE journal.at < sqlc.arg(before) AND journal.epoch < sqlc.arg(epoch) ORDER BY journal.at LIMIT sqlc.arg(most));

-- name: PruneOutcomes :execrows
DELETE FROM outcomes WHERE seq IN
    (SELECT seq FROM outcomes WHERE outcomes.at < sqlc.arg(before) AND outcomes.epoch < sqlc.arg(epoch) ORDER BY outcomes.at LIMIT sqlc.arg(most));

-- name: PruneProofs :execrows
DELETE FROM proofs WHERE rowid IN
    (SELECT rowid FROM proofs WHERE proofs.kind = 'post' AND proofs.miner = sqlc.arg(miner) AND proofs.open < sqlc.arg(epoch) LIMIT sqlc.arg(most));

-- name: PruneDuties :execrows
DELETE FROM duties WHERE rowid IN
    (SELECT rowid FROM duties WHERE duties.miner = sqlc.arg(miner) AND duties.open < sqlc.arg(epoch) AND duties.state IN ('confirmed', 'missed', 'replaced', 'shadowed') LIMIT sqlc.arg(most));

-- name: NextShadowMiner :one
SELECT miner FROM shadows WHERE miner > sqlc.arg(after) ORDER BY miner LIMIT 1;

-- name: PruneShadows :execrows
DELETE FROM shadows WHERE rowid IN
    (SELECT rowid FROM shadows WHERE shadows.miner = sqlc.arg(miner) AND shadows.open < sqlc.arg(epoch) LIMIT sqlc.arg(most));

-- name: NextAuditMiner :one
SELECT miner FROM audits WHERE miner > sqlc.arg(after) ORDER BY miner LIMIT 1;

-- A message goes when it can play no part any more: it is settled, and of each
-- nonce that was given to it the chain is past, because it executed a later one
-- of ours long ago. So no nonce is given twice, whatever is deleted. The last one
-- of a sender always stays; that it does is seen from the next hundred.

-- name: ListForgettable :many
SELECT messages.id FROM messages
WHERE messages.settled = 1 AND messages.updated < sqlc.arg(before) AND (messages.expires < sqlc.arg(epoch) OR messages.included >= 0 AND messages.included < sqlc.arg(epoch))
  AND NOT EXISTS (
    SELECT 1 FROM nonces WHERE nonces.message = messages.id AND NOT EXISTS (
        SELECT 1 FROM messages AS executed WHERE executed.id IN (
            SELECT later.message FROM nonces AS later WHERE later.sender = nonces.sender AND later.nonce > nonces.nonce ORDER BY later.nonce LIMIT 100)
          AND executed.sender = nonces.sender AND executed.nonce > nonces.nonce
          AND executed.settled = 1 AND executed.included >= 0 AND executed.included < sqlc.arg(epoch)))
ORDER BY messages.updated LIMIT sqlc.arg(most);

-- name: DeleteAttempts :exec
DELETE FROM attempts WHERE message IN (sqlc.slice(ids));

-- name: DeleteNonces :exec
DELETE FROM nonces WHERE message IN (sqlc.slice(ids));

-- name: DeleteMessages :execrows
DELETE FROM messages WHERE id IN (sqlc.slice(ids));
