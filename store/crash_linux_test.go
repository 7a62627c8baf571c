package store

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"
)

// of makes a database that the program of an earlier schema has left, with outcomes.
func of(t *testing.T, version int64, outcomes int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vigil.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	p, err := goose.NewProvider(goose.DialectSQLite3, db, os.DirFS("migrations"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		fmt.Sprintf("PRAGMA application_id = %d", applicationID),
		fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			INSERT INTO outcomes (at, epoch, kind, miner, open, batch, message, before, after, reason, problem) SELECT i, i, 'post', 1000, i, 0, '', '', 'proved', '', '' FROM n`, outcomes),
	} {
		if _, err := db.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// An update on a disk that is full ends with a word about the disk, leaves the
// database as the earlier program had it, and is done when there is room.
func TestAnUpdateThatTheDiskHasNoRoomForLosesNothing(t *testing.T) {
	const outcomes = 3000
	path := of(t, 7, outcomes)
	full(t, 64<<10, func() { // less than the indexes take in the log of what is written
		s, err := Open(t.Context(), path)
		if err == nil {
			err = s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "disk") || !strings.Contains(err.Error(), path) {
			t.Errorf("without room: %v", err)
		}
	})
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatalf("with room: %v", err)
	}
	defer s.Close()
	l := &life{s: s}
	if n := l.count(t, "SELECT count(*) FROM outcomes"); n != outcomes {
		t.Errorf("%d of %d outcomes are left", n, outcomes)
	}
	if n := l.count(t, "SELECT max(version_id) FROM goose_db_version"); n < 8 {
		t.Errorf("the schema is version %d", n)
	}
}

// A proof that the disk has no room for is not there, and what was there is.
func TestAWriteThatTheDiskHasNoRoomForLosesNothing(t *testing.T) {
	s := opened(t)
	before, p := aDuty(60)
	if err := s.SaveProof(t.Context(), p, before); err != nil {
		t.Fatal(err)
	}
	d, p := aDuty(120)
	p.Bytes = make([]byte, 1<<20)
	full(t, 512<<10, func() {
		if err := s.SaveProof(t.Context(), p, d); err == nil || !strings.Contains(err.Error(), "disk") {
			t.Errorf("without room: %v", err)
		}
		if duties, err := s.Duties(t.Context(), 1000, 0); err != nil || len(duties) != 1 {
			t.Errorf("there are %v, %v, want the one from before", duties, err)
		}
	})
	if err := s.SaveProof(t.Context(), p, d); err != nil {
		t.Errorf("with room: %v", err)
	}
	if verdict := s.pragma(t, "integrity_check"); verdict != "ok" {
		t.Error(verdict)
	}
}
