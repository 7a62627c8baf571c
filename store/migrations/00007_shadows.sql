-- +goose Up

-- What became of a deadline of a miner in shadow, by us and by those who post.
CREATE TABLE shadows (
    miner  INTEGER NOT NULL,
    open   INTEGER NOT NULL, -- of the deadline
    record TEXT NOT NULL,    -- JSON
    PRIMARY KEY (miner, open)
);

-- +goose Down
DROP TABLE shadows;
