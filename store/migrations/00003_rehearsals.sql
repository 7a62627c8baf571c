-- +goose Up

-- The latest rehearsal of each deadline: a vigil.RehearsalStatus.
CREATE TABLE rehearsals (
    miner    INTEGER NOT NULL,
    deadline INTEGER NOT NULL,
    body     TEXT    NOT NULL, -- JSON
    PRIMARY KEY (miner, deadline)
);

-- +goose Down
DROP TABLE rehearsals;
