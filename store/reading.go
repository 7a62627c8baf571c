package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
)

// OpenReading opens a database that is there to look at it: nothing is written,
// no lock is taken, and a daemon may be using it. What is called on it that
// writes fails.
func OpenReading(ctx context.Context, path string) (*Store, error) {
	s, err := openReading(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("open store %s for reading: %w", path, err)
	}
	return s, nil
}

func openReading(ctx context.Context, path string) (*Store, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	db, err := connectReading(path)
	if err != nil {
		return nil, err
	}
	for _, check := range []func(context.Context, *sql.DB) error{checkOwner, checkCurrent} {
		if err := check(ctx, db); err != nil {
			return nil, errors.Join(explain(err), db.Close())
		}
	}
	return &Store{path: path, db: db, reads: db}, nil
}

// atOnce is how many people are answered at the same time; more wait for one another.
const atOnce = 4

// connectReading gives a pool of connections that cannot write. In WAL mode a
// reader sees what was committed when it began, and keeps nobody from writing.
func connectReading(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn(path, url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(5000)", "query_only(1)"}}))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(atOnce)
	return db, nil
}

// checkCurrent sees that the schema is this program's: it is only brought up to date by a daemon's start.
func checkCurrent(ctx context.Context, db *sql.DB) error {
	provider, err := newProvider(db)
	if err != nil {
		return err
	}
	current, known, err := provider.GetVersions(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("read the schema's version: %w", err)
	case current < known:
		return fmt.Errorf("its schema is version %d and this program's is %d: start this version's daemon once, which brings it up to date", current, known)
	case current > known:
		return fmt.Errorf("its schema is version %d and this program knows up to %d: it was used with a newer Vigil, use that one", current, known)
	}
	return nil
}
