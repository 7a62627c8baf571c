package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrInUse says that another process has the database open.
var ErrInUse = errors.New("another vigil is using it: stop that one first")

// lock keeps a second daemon away. It is a database of its own, held in an
// exclusive transaction: the operating system ends that with the process, on
// every system SQLite knows, and others can still read the real database.
type lock struct {
	db   *sql.DB
	conn *sql.Conn
}

func takeLock(ctx context.Context, path string) (*lock, error) {
	db, err := sql.Open("sqlite", dsn(path, url.Values{"mode": {"rwc"}, "_pragma": {"busy_timeout(0)"}}))
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("take the lock %s: %w", path, explain(err)), db.Close())
	}
	if _, err := conn.ExecContext(ctx, "BEGIN EXCLUSIVE"); err != nil {
		return nil, errors.Join(fmt.Errorf("take the lock %s: %w", path, explain(err)), conn.Close(), db.Close())
	}
	return &lock{db, conn}, nil
}

func (l *lock) release() error {
	return errors.Join(l.conn.Close(), l.db.Close())
}

// explain says in an operator's words what SQLite says in its own.
func explain(err error) error {
	var failed *sqlite.Error
	if !errors.As(err, &failed) {
		return err
	}
	switch failed.Code() & 0xff {
	case sqlite3.SQLITE_BUSY:
		return fmt.Errorf("%w (%w)", ErrInUse, err)
	case sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("it is not a database, or its beginning is damaged: restore it from a backup (%w)", err)
	case sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("the file is damaged: restore it from a backup (%w)", err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN:
		return fmt.Errorf("the file or its folder cannot be written: check their owner and mode (%w)", err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("the disk is full: make room on it, and what failed is tried again (%w)", err)
	case sqlite3.SQLITE_IOERR:
		return fmt.Errorf("the disk does not do what it is asked for: it is full or broken, or a quota is reached; look into the system's log (%w)", err)
	}
	return err
}
