-- +goose Up

-- Nothing that is asked for looks through a whole table that grows: what it is
-- asked for by is found by an index (rows/plan_test.go), as is what is deleted.
CREATE INDEX outcomes_by_time ON outcomes (at);
CREATE INDEX outcomes_by_epoch ON outcomes (epoch);
CREATE INDEX outcomes_by_miner ON outcomes (miner);
CREATE INDEX outcomes_by_miner_epoch ON outcomes (miner, epoch);
CREATE INDEX journal_by_epoch ON journal (epoch);
CREATE INDEX journal_by_miner ON journal (miner);
CREATE INDEX journal_by_miner_epoch ON journal (miner, epoch);
CREATE INDEX journal_starts ON journal (epoch) WHERE event = 'started';
CREATE INDEX messages_by_duty ON messages (kind, miner, open, batch);
CREATE INDEX messages_settled ON messages (updated) WHERE settled = 1;
CREATE INDEX attempts_by_nonce ON attempts (sender, nonce); -- for the foreign key, when a nonce is deleted
CREATE INDEX messages_by_method ON messages (method, seq) WHERE state = 'confirmed';

-- A duty that was done in shadow is final too.
DROP INDEX duties_in_progress;
CREATE INDEX duties_in_progress ON duties (miner) WHERE state NOT IN ('confirmed', 'missed', 'replaced', 'shadowed');
CREATE INDEX duties_by_state ON duties (miner, state, open);

-- The challenge seed that a verdict was found with, in hex; empty of earlier ones.
ALTER TABLE audits ADD COLUMN seed TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE audits DROP COLUMN seed;
DROP INDEX duties_by_state;
DROP INDEX duties_in_progress;
CREATE INDEX duties_in_progress ON duties (miner) WHERE state NOT IN ('confirmed', 'missed', 'replaced');
DROP INDEX messages_by_method;
DROP INDEX attempts_by_nonce;
DROP INDEX messages_settled;
DROP INDEX messages_by_duty;
DROP INDEX journal_starts;
DROP INDEX journal_by_miner_epoch;
DROP INDEX journal_by_miner;
DROP INDEX journal_by_epoch;
DROP INDEX outcomes_by_miner_epoch;
DROP INDEX outcomes_by_miner;
DROP INDEX outcomes_by_epoch;
DROP INDEX outcomes_by_time;
