-- +goose Up

-- A message is watched until it is settled: until nothing of it can be executed any more.
ALTER TABLE messages ADD COLUMN supersedes TEXT NOT NULL DEFAULT '';
ALTER TABLE messages ADD COLUMN settled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN landed INTEGER NOT NULL DEFAULT 0;    -- the attempt that was executed
ALTER TABLE messages ADD COLUMN included INTEGER NOT NULL DEFAULT -1; -- the receipt's epoch
ALTER TABLE messages ADD COLUMN paid TEXT NOT NULL DEFAULT '0';       -- attoFIL, for the gas of that attempt
ALTER TABLE messages ADD COLUMN wish TEXT NOT NULL DEFAULT '';        -- JSON; written by people's wishes alone

UPDATE messages SET settled = 1 WHERE state IN ('confirmed', 'failed', 'expired');
UPDATE messages SET included = json_extract(receipt, '$.epoch') WHERE receipt <> '';
UPDATE messages SET landed = coalesce((SELECT max(number) FROM attempts WHERE attempts.message = messages.id), 0) WHERE receipt <> '';

DROP INDEX messages_in_progress;
CREATE INDEX messages_unsettled ON messages (seq) WHERE settled = 0;
CREATE INDEX messages_by_inclusion ON messages (included) WHERE included >= 0;
CREATE INDEX messages_by_state ON messages (state, seq);
CREATE INDEX nonces_by_message ON nonces (message);

ALTER TABLE attempts ADD COLUMN cancel INTEGER NOT NULL DEFAULT 0;  -- 1 for a send of nothing to oneself
ALTER TABLE attempts ADD COLUMN pushes TEXT NOT NULL DEFAULT '';    -- JSON: what each node said
ALTER TABLE attempts ADD COLUMN pushed INTEGER NOT NULL DEFAULT 0;  -- nanoseconds since 1970
CREATE INDEX attempts_by_sender ON attempts (sender, epoch);

ALTER TABLE cursor ADD COLUMN base_fee TEXT NOT NULL DEFAULT '';

-- Who may give a sender's nonces. The token grows with every new holder.
CREATE TABLE leases (
    sender TEXT PRIMARY KEY NOT NULL,
    holder TEXT NOT NULL,
    token  INTEGER NOT NULL,
    until  INTEGER NOT NULL -- nanoseconds since 1970
);

-- +goose Down
DROP TABLE leases;
DROP INDEX attempts_by_sender;
ALTER TABLE cursor DROP COLUMN base_fee;
ALTER TABLE attempts DROP COLUMN pushed;
ALTER TABLE attempts DROP COLUMN pushes;
ALTER TABLE attempts DROP COLUMN cancel;
DROP INDEX nonces_by_message;
DROP INDEX messages_by_state;
DROP INDEX messages_by_inclusion;
DROP INDEX messages_unsettled;
CREATE INDEX messages_in_progress ON messages (seq) WHERE state NOT IN ('confirmed', 'failed', 'expired');
ALTER TABLE messages DROP COLUMN wish;
ALTER TABLE messages DROP COLUMN paid;
ALTER TABLE messages DROP COLUMN included;
ALTER TABLE messages DROP COLUMN landed;
ALTER TABLE messages DROP COLUMN settled;
ALTER TABLE messages DROP COLUMN supersedes;
