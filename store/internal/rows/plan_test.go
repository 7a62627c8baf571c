package rows

import (
	"database/sql"
	"os"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Duties are kept for years and the database has one connection: who looks at the
// newest must not hold up who writes by looking through all.
func TestTheNewestDutiesAreFoundByAnIndex(t *testing.T) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	p, err := goose.NewProvider(goose.DialectSQLite3, db, os.DirFS("../../migrations"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	found, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+findDuties, 1000, 600, "", "", -1, 50)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	plan := ""
	for found.Next() {
		var id, parent, unused int
		var line string
		if err := found.Scan(&id, &parent, &unused, &line); err != nil {
			t.Fatal(err)
		}
		plan += line + "\n"
	}
	if err := found.Err(); err != nil || strings.Contains(plan, "SCAN") || !strings.Contains(plan, "duties_by_open (miner=? AND open<?)") {
		t.Errorf("it is found by\n%s%v", plan, err)
	}
}
