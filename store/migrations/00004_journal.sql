-- +goose Up

-- What happened besides the changes in outcomes, in order: a vigil.Event. Old
-- rows are deleted. The duty's columns are empty or 0 of what is no duty's.
CREATE TABLE journal (
    seq   INTEGER PRIMARY KEY AUTOINCREMENT,
    at    INTEGER NOT NULL, -- nanoseconds since 1970
    epoch INTEGER NOT NULL, -- the latest that was known
    event TEXT    NOT NULL,
    kind  TEXT    NOT NULL,
    miner INTEGER NOT NULL,
    open  INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    facts TEXT    NOT NULL  -- JSON
);
CREATE INDEX journal_by_duty ON journal (kind, miner, open, batch, seq);
CREATE INDEX journal_by_time ON journal (at);
CREATE INDEX journal_shared ON journal (epoch) WHERE kind = '';

-- When a daemon was alive last, and the head that it saw then: one row.
CREATE TABLE alive (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    at    INTEGER NOT NULL, -- nanoseconds since 1970
    epoch INTEGER NOT NULL
);

-- +goose Down
DROP TABLE alive;
DROP TABLE journal;
