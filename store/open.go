package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/vigil-post/vigil/store/internal/rows"
)

//go:embed migrations/*.sql
var migrations embed.FS

// applicationID marks a SQLite file as Vigil's: the letters "Vigl".
const applicationID = 0x5669676c

// settings are asked for when a connection is made and read back after.
var settings = []struct{ pragma, ask, want string }{
	{"busy_timeout", "5000", "5000"},
	{"journal_mode", "WAL", "wal"},
	{"synchronous", "FULL", "2"},
	{"foreign_keys", "ON", "1"},
}

func open(ctx context.Context, path string) (*Store, error) {
	if err := checkFolder(filepath.Dir(path)); err != nil {
		return nil, err
	}
	lock, err := takeLock(ctx, path+".lock")
	if err != nil {
		return nil, err
	}
	db, err := openLocked(ctx, path)
	if err != nil {
		return nil, errors.Join(err, lock.release())
	}
	reads, err := connectReading(path)
	if err != nil {
		return nil, errors.Join(err, db.Close(), lock.release())
	}
	return &Store{path: path, db: db, reads: reads, lock: lock}, nil
}

func checkFolder(folder string) error {
	info, err := os.Stat(folder)
	if err != nil {
		return fmt.Errorf("its folder: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", folder)
	}
	return nil
}

func openLocked(ctx context.Context, path string) (*sql.DB, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := create(ctx, path); err != nil {
			return nil, fmt.Errorf("make a new database: %w", err)
		}
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("it is not a file")
	case info.Size() == 0:
		return nil, fmt.Errorf("the file is empty, and an empty file is not made by Vigil: restore it from a backup, or delete it to begin anew")
	}
	if err := checkWritable(path); err != nil {
		return nil, err
	}
	db, err := connect(path)
	if err != nil {
		return nil, err
	}
	if err := prepare(ctx, db); err != nil {
		return nil, errors.Join(explain(err), db.Close())
	}
	return db, nil
}

// checkWritable finds what SQLite keeps to itself until the first write: that
// it could open the file for reading only.
func checkWritable(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("the file cannot be written: check its owner and mode: %w", err)
	}
	return f.Close()
}

// create makes the database under another name, so that what bears the name is
// complete also after a crash.
func create(ctx context.Context, path string) error {
	if _, err := os.Lstat(path + "-wal"); err == nil {
		return fmt.Errorf("%s-wal is there, but the database it belongs to is gone: restore it from a backup, or delete both to begin anew", path)
	}
	unfinished := path + ".new"
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(unfinished + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	f, err := os.OpenFile(unfinished, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := fill(ctx, unfinished); err != nil {
		return err
	}
	if err := os.Rename(unfinished, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func fill(ctx context.Context, path string) error {
	db, err := connect(path)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID))
	if err == nil {
		err = migrate(ctx, db)
	}
	return errors.Join(err, db.Close()) // closing moves the WAL into the file and syncs it
}

func syncFolder(folder string) error {
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// connect gives a pool of one connection: one writer, and what it decides by.
func connect(path string) (*sql.DB, error) {
	query := url.Values{"mode": {"rw"}, "_txlock": {"immediate"}}
	for _, s := range settings {
		query.Add("_pragma", s.pragma+"("+s.ask+")")
	}
	db, err := sql.Open("sqlite", dsn(path, query))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

func dsn(path string, query url.Values) string {
	return "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() + "?" + query.Encode()
}

// prepare judges an existing database before its first use, and migrates it.
func prepare(ctx context.Context, db *sql.DB) error {
	for _, step := range []func(context.Context, *sql.DB) error{checkOwner, checkPages, checkVersion, migrate, checkSettings, freeLeases} {
		if err := step(ctx, db); err != nil {
			return err
		}
	}
	return nil
}

func checkOwner(ctx context.Context, db *sql.DB) error {
	var id int64
	if err := db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id); err != nil {
		return fmt.Errorf("read it: %w", err)
	}
	if id != applicationID {
		return fmt.Errorf("it is a database of another program (application_id %#x)", id)
	}
	return nil
}

func checkPages(ctx context.Context, db *sql.DB) error {
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return fmt.Errorf("check it: %w", err)
	}
	if verdict != "ok" {
		return fmt.Errorf("the file is damaged (%s): restore it from a backup", strings.TrimSpace(verdict))
	}
	return nil
}

// freeLeases ends the leases of processes that are gone: whoever has the
// file's lock is alone.
func freeLeases(ctx context.Context, db *sql.DB) error {
	if err := rows.New(db).FreeLeases(ctx); err != nil {
		return fmt.Errorf("end the leases of earlier processes: %w", err)
	}
	return nil
}

func checkVersion(ctx context.Context, db *sql.DB) error {
	provider, err := newProvider(db)
	if err != nil {
		return err
	}
	current, known, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if current > known {
		return fmt.Errorf("its schema is version %d and this program knows up to %d: it was used with a newer Vigil, use that one", current, known)
	}
	return nil
}

func checkSettings(ctx context.Context, db *sql.DB) error {
	for _, s := range settings {
		var got string
		if err := db.QueryRowContext(ctx, "PRAGMA "+s.pragma).Scan(&got); err != nil {
			return fmt.Errorf("read %s: %w", s.pragma, err)
		}
		if got != s.want {
			return fmt.Errorf("%s is %s where %s was asked for: the file system does not support it; put the database on a local disk", s.pragma, got, s.want)
		}
	}
	return nil
}

func migrate(ctx context.Context, db *sql.DB) error {
	provider, err := newProvider(db)
	if err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("bring the schema up to date: %w", err)
	}
	return nil
}

func newProvider(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
}
