-- +goose Up

-- What is owed, and how far it has come: a vigil.Duty.
CREATE TABLE duties (
    kind  TEXT    NOT NULL,
    miner INTEGER NOT NULL,
    open  INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    state TEXT    NOT NULL,
    body  TEXT    NOT NULL, -- the rest of it, as JSON
    PRIMARY KEY (kind, miner, open, batch)
);
CREATE INDEX duties_by_open ON duties (miner, open);
CREATE INDEX duties_in_progress ON duties (miner) WHERE state NOT IN ('confirmed', 'missed', 'replaced');

-- The verified proof of a duty: a vigil.Proof.
CREATE TABLE proofs (
    kind       TEXT    NOT NULL,
    miner      INTEGER NOT NULL,
    open       INTEGER NOT NULL,
    batch      INTEGER NOT NULL,
    statement  TEXT    NOT NULL, -- JSON, without the sectors
    sectors    BLOB    NOT NULL, -- see proofs.go
    partitions TEXT    NOT NULL, -- JSON
    bytes      BLOB    NOT NULL,
    read_time  INTEGER NOT NULL, -- nanoseconds
    prove_time INTEGER NOT NULL, -- nanoseconds
    PRIMARY KEY (kind, miner, open, batch),
    FOREIGN KEY (kind, miner, open, batch) REFERENCES duties (kind, miner, open, batch)
);

-- What is to get on chain: a vigil.Message.
CREATE TABLE messages (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of arrival
    id       TEXT    NOT NULL UNIQUE,
    kind     TEXT    NOT NULL, -- of the duty it is for, as are miner, open and batch
    miner    INTEGER NOT NULL,
    open     INTEGER NOT NULL,
    batch    INTEGER NOT NULL,
    sender   TEXT    NOT NULL, -- the key address it is signed with, or empty before
    receiver TEXT    NOT NULL,
    method   INTEGER NOT NULL,
    value    TEXT    NOT NULL, -- attoFIL
    params   BLOB    NOT NULL,
    senders  TEXT    NOT NULL, -- JSON
    expires  INTEGER NOT NULL,
    state    TEXT    NOT NULL,
    nonce    INTEGER NOT NULL, -- meaningful while it has one: see nonces
    receipt  TEXT    NOT NULL, -- JSON, or empty
    problem  TEXT    NOT NULL,
    created  INTEGER NOT NULL, -- nanoseconds since 1970
    updated  INTEGER NOT NULL
);
CREATE INDEX messages_by_expiry ON messages (miner, expires);
CREATE INDEX messages_in_progress ON messages (seq) WHERE state NOT IN ('confirmed', 'failed', 'expired');

-- Which message a nonce was given to. A row is never changed and never
-- deleted: a nonce is not used for two intents.
CREATE TABLE nonces (
    sender  TEXT    NOT NULL,
    nonce   INTEGER NOT NULL,
    message TEXT    NOT NULL REFERENCES messages (id),
    PRIMARY KEY (sender, nonce)
);

-- The next nonce to give.
CREATE TABLE senders (
    address    TEXT PRIMARY KEY NOT NULL,
    next_nonce INTEGER NOT NULL
);

-- Every signed form of a message: a vigil.Attempt. What was signed is never changed.
CREATE TABLE attempts (
    message   TEXT    NOT NULL REFERENCES messages (id),
    number    INTEGER NOT NULL,
    cid       TEXT    NOT NULL UNIQUE,
    sender    TEXT    NOT NULL,
    nonce     INTEGER NOT NULL,
    gas_limit INTEGER NOT NULL,
    fee_cap   TEXT    NOT NULL, -- attoFIL per gas
    premium   TEXT    NOT NULL, -- attoFIL per gas
    signature BLOB    NOT NULL, -- its type in the first byte
    encoded   BLOB    NOT NULL,
    epoch     INTEGER NOT NULL,
    published INTEGER NOT NULL, -- 1 when a node took it
    problem   TEXT    NOT NULL,
    created   INTEGER NOT NULL, -- nanoseconds since 1970
    PRIMARY KEY (message, number),
    FOREIGN KEY (sender, nonce) REFERENCES nonces (sender, nonce)
);

-- The tipsets that the messager has scanned, on one chain.
CREATE TABLE cursor (
    epoch  INTEGER PRIMARY KEY NOT NULL,
    tipset TEXT NOT NULL,
    parent TEXT NOT NULL
);

-- What happened to duties and messages, in order; only ever appended to.
CREATE TABLE outcomes (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL, -- nanoseconds since 1970
    epoch   INTEGER NOT NULL, -- the latest that was known
    kind    TEXT    NOT NULL,
    miner   INTEGER NOT NULL,
    open    INTEGER NOT NULL,
    batch   INTEGER NOT NULL,
    message TEXT    NOT NULL, -- of a message's change; empty of the duty's own
    before  TEXT    NOT NULL, -- empty at the first
    after   TEXT    NOT NULL,
    reason  TEXT    NOT NULL,
    problem TEXT    NOT NULL
);
CREATE INDEX outcomes_by_duty ON outcomes (kind, miner, open, batch);

-- +goose Down
DROP TABLE outcomes;
DROP TABLE cursor;
DROP TABLE attempts;
DROP TABLE senders;
DROP TABLE nonces;
DROP TABLE messages;
DROP TABLE proofs;
DROP TABLE duties;
