// Package store keeps what the daemon must not forget: duties and how far they
// have come, proofs, messages with every signed attempt, the nonces that were
// given, and a log of what happened to each duty. It is a SQLite file, so that
// nothing has to be installed.
//
// Every method is one transaction, and what it wrote is on disk when it
// returns (WAL with synchronous=FULL; Open reads the settings back and
// refuses to go on with others). A file that is damaged, foreign or newer than
// the program is refused, never made anew: a daemon that has forgotten its
// nonces and proofs does harm.
//
// One daemon uses a file: Open takes a lock that ends with the process.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/alive"
	"github.com/vigil-post/vigil/store/internal/rows"
)

//go:generate sqlc generate

// Store is an open database. All methods may be called concurrently. What
// writes, and what is read to decide by, takes turns on one connection; what
// people ask for is read on others, so that however much it is, and however slow
// they take it, no proof and no message waits for it.
type Store struct {
	path  string
	db    *sql.DB // one connection
	reads *sql.DB // several that cannot write
	lock  *lock   // nil of one that is only read

	busy alive.Pulse // of transactions on the one connection
}

var _ vigil.DutyStore = (*Store)(nil)

// Open opens the database at the path, or makes it where there is none, and
// brings it to this program's schema. It is ErrInUse while another process has it open.
func Open(ctx context.Context, path string) (*Store, error) {
	s, err := open(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	return s, nil
}

// Close ends the use of the database; the next process may open it.
func (s *Store) Close() error {
	err := errors.Join(s.reads.Close(), s.db.Close())
	if s.lock != nil {
		err = errors.Join(err, s.lock.release())
	}
	if err != nil {
		return fmt.Errorf("close store %s: %w", s.path, err)
	}
	return nil
}

// transact runs f in one transaction: all that it does is kept, or nothing.
func (s *Store) transact(ctx context.Context, what string, f func(q *rows.Queries) error) error {
	defer s.busy.Begin().End()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("%s: begin: %w", what, explain(err))
	}
	if err := within(tx, f); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", what, explain(err)), ignoreDone(tx.Rollback()))
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("%s: commit: %w", what, explain(err))
	}
	return nil
}

// BusySince is since when the longest transaction that duties may wait for has been going on; the zero
// time when there is none. Each waits for the disk, and none so long.
func (s *Store) BusySince() time.Time { return s.busy.BusySince() }

// read runs f on the database as it is at one moment, in turn with what writes:
// for what is decided by it. It works where nothing can be written.
func (s *Store) read(ctx context.Context, what string, f func(q *rows.Queries) error) error {
	defer s.busy.Begin().End()
	return readOn(ctx, s.db, what, f)
}

// look does the same for people: nobody who writes waits for it.
func (s *Store) look(ctx context.Context, what string, f func(q *rows.Queries) error) error {
	return readOn(ctx, s.reads, what, f)
}

func readOn(ctx context.Context, db *sql.DB, what string, f func(q *rows.Queries) error) error {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("%s: begin: %w", what, explain(err))
	}
	if err := within(tx, f); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", what, explain(err)), ignoreDone(tx.Rollback()))
	}
	return ignoreDone(tx.Rollback()) // nothing was written
}

// within runs f in a transaction. A bug that stops f ends the transaction too: those who
// catch it go on, and all would wait for the one connection for ever.
func within(tx *sql.Tx, f func(q *rows.Queries) error) error {
	returned := false
	defer func() {
		if !returned {
			_ = tx.Rollback() // the panic says more
		}
	}()
	err := f(rows.New(tx))
	returned = true
	return err
}

// ignoreDone drops the answer of a transaction that its context has ended already.
func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}
