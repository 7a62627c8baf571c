-- +goose Up

-- A verdict on a post that is on chain. What it rests on is named by its
-- evidence; a post that cannot be judged yet has no row.
CREATE TABLE audits (
    miner      INTEGER NOT NULL,
    open       INTEGER NOT NULL, -- of the deadline
    closed     INTEGER NOT NULL, -- the deadline's Close
    evidence   TEXT NOT NULL,
    snapshot   TEXT NOT NULL,    -- the partitions and sectors at the close
    post       INTEGER NOT NULL, -- its index in the deadline's record
    deadline   TEXT NOT NULL,    -- JSON
    partitions TEXT NOT NULL,    -- JSON
    verdict    TEXT NOT NULL,
    problem    TEXT NOT NULL,
    epoch      INTEGER NOT NULL, -- of the head at which it was judged
    PRIMARY KEY (miner, evidence)
);
CREATE INDEX audits_by_close ON audits (miner, closed);

-- +goose Down
DROP TABLE audits;
