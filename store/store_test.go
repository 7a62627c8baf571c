package store_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store"
)

func open(t *testing.T, path string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // a second Close, where the test has closed it
	return s
}

// restartable gives a store and a way to close and open it again.
func restartable(t *testing.T) (*store.Store, func() *store.Store) {
	path := filepath.Join(t.TempDir(), "a folder % with ? odd # signs", "vigil.db")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	return s, func() *store.Store {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, path)
		return s
	}
}

func TestItIsADutyStore(t *testing.T) {
	testDuties(t, func(t *testing.T) (vigil.DutyStore, func() vigil.DutyStore) {
		s, reopen := restartable(t)
		return s, func() vigil.DutyStore { return reopen() }
	})
}

func TestItIsAMessageStore(t *testing.T) {
	testMessages(t, func(t *testing.T) (messageStore, func() messageStore) {
		s, reopen := restartable(t)
		return s, func() messageStore { return reopen() }
	})
}

func TestTheLogTellsADutysLife(t *testing.T) {
	s, reopen := restartable(t)
	d := vigil.Duty{ID: vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: 100}, State: vigil.StateScheduled}
	steps := []func(){
		func() {},
		func() { d.Tried, d.Problem = 95, "the prover failed" },
		func() { d.Tried = 96 }, // the same problem again: no entry
		func() { d.State, d.Problem = vigil.StateProved, "" },
		func() { d.State, d.Reason = vigil.StateMissed, vigil.ReasonNotSent },
	}
	for _, step := range steps {
		step()
		if err := s.SaveDuty(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if err := s.SaveScan(t.Context(), []vigil.Head{{Epoch: 99}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	got, err := reopen().Outcomes(t.Context(), d.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := []store.Outcome{
		{After: "scheduled"},
		{Epoch: 99, Before: "scheduled", After: "scheduled", Problem: "the prover failed"},
		{Epoch: 99, Before: "scheduled", After: "proved"},
		{Epoch: 99, Before: "proved", After: "missed", Reason: vigil.ReasonNotSent},
	}
	if len(got) != len(want) {
		t.Fatalf("got %v", got)
	}
	for i := range want {
		want[i].Duty, want[i].Time = d.ID, got[i].Time
		if got[i] != want[i] {
			t.Errorf("entry %d: got %+v, want %+v", i, got[i], want[i])
		}
		if got[i].Time.IsZero() {
			t.Errorf("entry %d has no time", i)
		}
	}
}

func TestASecondDaemonIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vigil.db")
	first := open(t, path)
	if _, err := store.Open(t.Context(), path); !errors.Is(err, store.ErrInUse) {
		t.Fatalf("got %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path)
}

// damage runs statements on the file of a closed store.
func damage(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAFileThatCannotBeTrustedIsRefusedAndLeftAlone(t *testing.T) {
	overwrite := func(from int64, data string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteAt([]byte(data), from); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	truncate := func(size int64) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			if err := os.Truncate(path, size); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, test := range map[string]struct {
		harm func(*testing.T, string)
		want string
	}{
		"an empty file":              {truncate(0), "the file is empty"},
		"half a file":                {truncate(20000), "damaged"},
		"a file with another head":   {overwrite(0, "not a database at all"), "not a database"},
		"a file with a damaged page": {overwrite(4096, strings.Repeat("x", 4096)), "damaged"},
		"another program's database": {func(t *testing.T, p string) { damage(t, p, "PRAGMA application_id = 7") }, "another program"},
		"a database of a newer Vigil": {func(t *testing.T, p string) {
			damage(t, p, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)")
		}, "newer Vigil"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "vigil.db")
			if err := open(t, path).Close(); err != nil {
				t.Fatal(err)
			}
			test.harm(t, path)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = store.Open(t.Context(), path)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v", err)
			}
			after, err := os.ReadFile(path)
			if err != nil || string(after) != string(before) {
				t.Errorf("the file was changed (%v)", err)
			}
		})
	}
}

func TestAPlaceThatCannotHoldADatabaseIsRefused(t *testing.T) {
	folder := t.TempDir()
	if _, err := store.Open(t.Context(), filepath.Join(folder, "absent", "vigil.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that does not exist: %v", err)
	}
	if _, err := store.Open(t.Context(), folder); err == nil || !strings.Contains(err.Error(), "not a file") {
		t.Errorf("a folder for a file: %v", err)
	}
	orphan := filepath.Join(folder, "vigil.db")
	if err := os.WriteFile(orphan+"-wal", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), orphan); err == nil || !strings.Contains(err.Error(), "is gone") {
		t.Errorf("a log without its database: %v", err)
	}
}

func TestAFolderOrFileThatCannotBeWrittenIsRefused(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	path := filepath.Join(t.TempDir(), "vigil.db")
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	for _, what := range []struct {
		path string
		mode os.FileMode
	}{{path, 0o400}, {filepath.Dir(path), 0o500}} {
		if err := os.Chmod(what.path, what.mode); err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(context.Background(), path)
		if err == nil {
			err = s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "cannot be written") {
			t.Errorf("%s with mode %v: %v", what.path, what.mode, err)
		}
		if err := os.Chmod(what.path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheFileIsTheOwnersAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vigil.db")
	open(t, path)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestAnUnfinishedNewDatabaseIsMadeAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vigil.db")
	if err := os.WriteFile(path+".new", []byte("killed while it was made"), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, path)
}
