package store

import (
	"database/sql"
	"testing"

	"github.com/vigil-post/vigil/alive"
	"github.com/vigil-post/vigil/store/internal/rows"
)

// Whoever catches the bug goes on, and needs the connection that its transaction had.
func TestABugInATransactionKeepsNoConnection(t *testing.T) {
	s := opened(t)
	bug := func(*rows.Queries) error { panic("a bug") }
	for _, c := range []struct {
		what string
		in   transaction
		on   *sql.DB
	}{{"that writes", s.transact, s.db}, {"that is decided by", s.read, s.db}, {"of people", s.look, s.reads}} {
		err := alive.Caught(func() error { return c.in(t.Context(), "meet it", bug) })
		if err == nil {
			t.Errorf("a transaction %s: nothing was caught", c.what)
		}
		if n := c.on.Stats().InUse; n != 0 {
			t.Fatalf("a transaction %s: %d connections are in use after a bug, want none", c.what, n)
		}
	}
	d, p := aDuty(60)
	if err := s.SaveProof(t.Context(), p, d); err != nil {
		t.Errorf("after all of them: %v", err)
	}
}
