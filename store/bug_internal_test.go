package store

import (
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/vigil-post/vigil"
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

// A seed that is none is an error of its row, whatever it is.
func TestASpoiltSeedIsAnError(t *testing.T) {
	s := opened(t)
	a := vigil.Audit{Miner: 1000, Deadline: vigil.Deadline{Open: 60, Close: 120}, Evidence: "e", Verdict: vigil.AuditValid, Seed: [32]byte{1}}
	if err := s.SaveAudit(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	for _, seed := range []string{"zz", "01", strings.Repeat("01", 33)} {
		if _, err := s.db.ExecContext(t.Context(), "UPDATE audits SET seed = ?", seed); err != nil {
			t.Fatal(err)
		}
		var found []vigil.Audit
		err := alive.Caught(func() (err error) { found, err = s.Audits(t.Context(), 1000, 0); return err })
		var bug *alive.PanicError
		if err == nil || errors.As(err, &bug) || !strings.Contains(err.Error(), seed) || strings.Contains(err.Error(), "%!") {
			t.Errorf("the seed %q: %v, %v", seed, found, err)
		}
	}
}
