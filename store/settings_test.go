package store

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
)

// A DSN that a driver does not understand is no error to it: what counts is read back.
func TestADatabaseWithOtherSettingsThanAskedForIsRefused(t *testing.T) {
	const safe = "?_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)"
	for query, want := range map[string]string{
		safe + "&journal=wal": "journal_mode is delete where wal was asked for",
		safe + "&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)": "synchronous is 1 where 2 was asked for",
		"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)":         "foreign_keys is 0 where 1 was asked for",
	} {
		db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "x.db")+query)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkSettings(t.Context(), db); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", query, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
