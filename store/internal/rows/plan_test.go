package rows

import (
	"database/sql"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Rows are kept for months, and there is one connection to write on: no query may
// look through a table that grows, nor put in order more than it gives. What does
// so all the same has its reason here.
var slowOnPurpose = map[string]string{
	"freeLeases":            "SCAN leases: one row a sender, once at the start",
	"getAlive":              "SCAN alive: one row",
	"latestEpoch":           "SCAN alive: one row; SEARCH cursor: its end; SCAN CONSTANT ROW",
	"listCursor":            "SCAN cursor: the tipsets that can be reorganised",
	"listUnsettled":         "SCAN messages USING INDEX messages_unsettled: those alone",
	"listUnsettledAttempts": "SCAN messages USING INDEX messages_unsettled: those alone",
	"listSharedEvents":      "USE TEMP B-TREE FOR ORDER BY: the events of the epochs around one duty",
}

func TestNoQueryLooksThroughATableThatGrows(t *testing.T) {
	db := migrated(t)
	all := queries(t)
	if len(all) < 60 {
		t.Fatalf("only %d queries are found", len(all))
	}
	for name, query := range all {
		limited := strings.Contains(query, "LIMIT") && strings.Contains(name, "list")
		for _, line := range plan(t, db, query) {
			slow := strings.HasPrefix(line, "SCAN") && !scansWhatItFound(line) || limited && line == "USE TEMP B-TREE FOR ORDER BY"
			if slow && !strings.Contains(slowOnPurpose[name], line) {
				t.Errorf("%s: %s\n%s", name, line, query)
			}
		}
	}
	for name := range slowOnPurpose {
		if all[name] == "" {
			t.Errorf("there is no query %s any more: take its reason away", name)
		}
	}
}

// scansWhatItFound says that what is scanned is a subquery's rows, which have a
// limit and are judged by themselves.
func scansWhatItFound(line string) bool {
	return line == "SCAN found" || line == "SCAN recent" || line == "SCAN (subquery-1)"
}

// The law is tried on queries that break it.
func TestAQueryThatLooksThroughATableIsNoticed(t *testing.T) {
	db := migrated(t)
	for query, want := range map[string]string{
		"SELECT * FROM outcomes WHERE problem = ?":                               "SCAN outcomes",
		"SELECT * FROM journal ORDER BY seq DESC LIMIT ?":                        "SCAN journal",
		"SELECT * FROM messages WHERE state IN (?, ?) ORDER BY seq DESC LIMIT 9": "USE TEMP B-TREE FOR ORDER BY",
	} {
		if lines := strings.Join(plan(t, db, query), "\n"); !strings.Contains(lines, want) {
			t.Errorf("%s: its plan is\n%s, want %s", query, lines, want)
		}
	}
}

// What is asked for most, and the most of, is found by the index that is meant for it.
func TestEachListIsFoundByItsIndex(t *testing.T) {
	db := migrated(t)
	all := queries(t)
	for name, want := range map[string]string{
		"findDuties":            "duties_by_open (miner=? AND open<?)",
		"findDutiesInState":     "duties_by_state (miner=? AND state=? AND open<?)",
		"listDuties":            "duties_by_open (miner=? AND open>?)",
		"listUnfinished":        "duties_in_progress (miner=?)",
		"listLastEventsOf":      "journal_by_miner (miner=? AND rowid>?)",
		"listLastOutcomesOf":    "outcomes_by_miner (miner=? AND rowid>?)",
		"listNewOutcomesOf":     "outcomes_by_miner (miner=? AND rowid>?)",
		"listSharedEvents":      "journal_shared (epoch>? AND epoch<?)",
		"firstStart":            "journal_starts (epoch>?)",
		"listIncluded":          "messages_by_inclusion (included>?)",
		"listPaid":              "messages_by_inclusion (included>?)",
		"listUnsettledAttempts": "sqlite_autoindex_attempts_2 (message=?)",
		"listDutyMessages":      "messages_by_duty (kind=? AND miner=? AND open=? AND batch=?)",
		"lastGas":               "messages_by_method (method=?)",
		"listForgettable":       "messages_settled (updated<?)",
	} {
		if lines := strings.Join(plan(t, db, all[name]), "\n"); !strings.Contains(lines, want) {
			t.Errorf("%s is found by\n%s\nwant %s", name, lines, want)
		}
	}
}

// Who deletes a row has those looked for that refer to it, and no plan says how.
func TestEveryReferenceIsFoundByAnIndex(t *testing.T) {
	db := migrated(t)
	found, err := db.QueryContext(t.Context(), `SELECT tables.name, refs.id, group_concat(refs."from" || ' = ?', ' AND '), count(*)
		FROM sqlite_schema AS tables JOIN pragma_foreign_key_list(tables.name) AS refs WHERE tables.type = 'table' GROUP BY 1, 2`)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	references := map[string]int{} // queries, and how many columns they compare
	for found.Next() {
		var table, columns string
		var id, n int
		if err := found.Scan(&table, &id, &columns, &n); err != nil {
			t.Fatal(err)
		}
		references["SELECT 1 FROM "+table+" WHERE "+columns] = n
	}
	if err := found.Close(); err != nil || len(references) != 4 {
		t.Fatalf("references: %v, %v", references, err)
	}
	for query, n := range references {
		if lines := strings.Join(plan(t, db, query), "\n"); !strings.HasPrefix(lines, "SEARCH") || strings.Count(lines, "=?") != n {
			t.Errorf("%s is found by %s", query, lines)
		}
	}
}

// migrated is an empty database of this schema.
func migrated(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	p, err := goose.NewProvider(goose.DialectSQLite3, db, os.DirFS("../../migrations"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

// queries are all that sqlc wrote, by the names of their constants.
func queries(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.sql.go")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			s, ok := n.(*ast.ValueSpec)
			if !ok || len(s.Values) != 1 {
				return true
			}
			if text, ok := s.Values[0].(*ast.BasicLit); ok && text.Kind == token.STRING {
				if all[s.Names[0].Name], err = strconv.Unquote(text.Value); err != nil {
					t.Fatal(err)
				}
			}
			return true
		})
	}
	return all
}

// plan is how SQLite would answer a query, a line each.
func plan(t *testing.T, db *sql.DB, query string) (lines []string) {
	t.Helper()
	nothing := make([]any, strings.Count(query, "?")) // as many as there are, or more
	found, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, nothing...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer found.Close()
	for found.Next() {
		var id, parent, unused int
		var line string
		if err := found.Scan(&id, &parent, &unused, &line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}
