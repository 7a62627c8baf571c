package devnet

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/ipfs/go-cid"
	_ "modernc.org/sqlite" // the driver
)

// db is the chain on disk: one SQLite file that belongs to one process. A
// transaction is durable against the death of the process once it returns. After
// the death of the machine the file may be unreadable, and the folder has to be
// removed: this chain is worth less than its speed, which is twice as high so.
type db struct{ sql *sql.DB }

const schema = `
CREATE TABLE IF NOT EXISTS meta    (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS blocks  (cid BLOB PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tipsets (cid BLOB PRIMARY KEY, height INTEGER NOT NULL, main INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS tipsets_height ON tipsets (height);
CREATE TABLE IF NOT EXISTS pending (sender TEXT NOT NULL, nonce INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (sender, nonce));
`

func openDB(ctx context.Context, dir string) (*db, error) {
	file := filepath.Join(dir, "chain.db")
	dsn := "file:" + file + "?_pragma=busy_timeout(500)&_pragma=locking_mode(EXCLUSIVE)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)"
	handle, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", file, err)
	}
	handle.SetMaxOpenConns(1)
	if _, err := handle.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s (does another devnet use it?): %w", file, err), handle.Close())
	}
	return &db{handle}, nil
}

func (d *db) close() error { return d.sql.Close() }

// write is one transaction.
func (d *db) write(ctx context.Context, body func(*batch)) error {
	tx, err := d.sql.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	b := &batch{run: func(query string, args ...any) error {
		_, err := tx.ExecContext(ctx, query, args...)
		return err
	}}
	body(b)
	if b.err != nil {
		return errors.Join(b.err, tx.Rollback())
	}
	return tx.Commit()
}

// batch is the statements of a transaction; it remembers the first failure.
type batch struct {
	run func(query string, args ...any) error
	err error
}

func (b *batch) exec(query string, args ...any) {
	if b.err != nil {
		return
	}
	if err := b.run(query, args...); err != nil {
		b.err = fmt.Errorf("%s: %w", query, err)
	}
}

func (b *batch) json(v any) []byte {
	body, err := json.Marshal(v)
	if b.err == nil {
		b.err = err
	}
	return body
}

func (b *batch) blocks(fresh map[cid.Cid][]byte) {
	for c, data := range fresh {
		b.exec("INSERT OR IGNORE INTO blocks (cid, data) VALUES (?, ?)", c.Bytes(), data)
	}
}

func (b *batch) dropBlocks(gone []cid.Cid) {
	for _, c := range gone {
		b.exec("DELETE FROM blocks WHERE cid = ?", c.Bytes())
	}
}

func (b *batch) dropTipsets(gone []cid.Cid) {
	for _, c := range gone {
		b.exec("DELETE FROM tipsets WHERE cid = ?", c.Bytes())
	}
}

// record is a tipset on disk.
type record struct {
	Header   *BlockHeader
	Messages []*SignedMessage
	Receipts []Receipt
	After    cid.Cid
	Tally    map[abi.ActorID]Tally
	Power    map[abi.ActorID]abi.StoragePower
}

// extend stores a tipset as the head and takes its messages out of the pool.
func (b *batch) extend(t *tipset) {
	body := b.json(record{t.header, t.messages, t.receipts, t.after.root, t.after.tally, t.after.power})
	b.exec("INSERT OR REPLACE INTO tipsets (cid, height, main, body) VALUES (?, ?, 1, ?)", t.cid.Bytes(), int64(t.height()), body)
	for _, m := range t.messages {
		b.exec("DELETE FROM pending WHERE sender = ? AND nonce <= ?", m.Message.From.String(), int64(m.Message.Nonce))
	}
	b.meta("head", t.cid.String())
}

// replace takes tipsets off the canonical chain, puts others in their place,
// and makes the last one the head; base is what is left.
func (b *batch) replace(off, on []*tipset, base *tipset) {
	b.meta("head", base.cid.String())
	for _, t := range off {
		b.exec("UPDATE tipsets SET main = 0 WHERE cid = ?", t.cid.Bytes())
		for _, m := range t.messages {
			b.pending(m)
		}
	}
	for _, t := range on {
		b.extend(t)
	}
}

func (b *batch) pending(m *SignedMessage) {
	b.exec("INSERT OR REPLACE INTO pending (sender, nonce, body) VALUES (?, ?, ?)",
		m.Message.From.String(), int64(m.Message.Nonce), b.json(m))
}

func (b *batch) meta(name, value string) {
	b.exec("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", name, value)
}

func (d *db) meta(ctx context.Context, name string) (string, error) {
	var v string
	err := d.sql.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = ?", name).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return v, err
}

// each calls visit with every row of a query.
func (d *db) each(ctx context.Context, query string, visit func(*sql.Rows) error) error {
	rows, err := d.sql.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	for rows.Next() {
		if err := visit(rows); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}
