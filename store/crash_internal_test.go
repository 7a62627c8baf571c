package store

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store/internal/rows"
)

func opened(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "vigil.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func (s *Store) pragma(t *testing.T, text string) (answer string) {
	t.Helper()
	err := s.db.QueryRowContext(t.Context(), "PRAGMA "+text).Scan(&answer)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		t.Fatal(err)
	}
	return answer
}

// aDuty is one with a proof that takes some pages.
func aDuty(open abi.ChainEpoch) (vigil.Duty, vigil.Proof) {
	id := vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: open}
	return vigil.Duty{ID: id, State: vigil.StateProved}, vigil.Proof{Duty: id, Bytes: make([]byte, 100_000)}
}

// A disk that takes no more, whatever the reason, is said to be so, leaves nothing
// half done, and is no reason to start anew when it takes more again.
func TestWhatTheDiskDoesNotTakeIsNotHalfWritten(t *testing.T) {
	for _, c := range []struct{ what, harm, mend, says string }{
		{"a full disk", "max_page_count = 1", "max_page_count = 1000000", "the disk is full"},
		{"a file system that became read-only", "query_only = 1", "query_only = 0", "cannot be written"},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := opened(t)
			before, p := aDuty(60)
			if err := s.SaveProof(t.Context(), p, before); err != nil {
				t.Fatal(err)
			}
			s.pragma(t, c.harm)
			d, p := aDuty(120)
			err := s.SaveProof(t.Context(), p, d)
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), d.ID.String()) {
				t.Errorf("it says %v", err)
			}
			if duties, err := s.Duties(t.Context(), 1000, 0); err != nil || len(duties) != 1 {
				t.Errorf("there are %v, %v, want the one from before", duties, err)
			}
			s.pragma(t, c.mend)
			if err := s.SaveProof(t.Context(), p, d); err != nil {
				t.Fatalf("after it was mended: %v", err)
			}
			if _, err := s.Proof(t.Context(), d.ID); err != nil {
				t.Error(err)
			}
			if verdict := s.pragma(t, "integrity_check"); verdict != "ok" {
				t.Error(verdict)
			}
		})
	}
}

// A commit that fails leaves no transaction open that everything after it would run into.
func TestAfterACommitThatFailedTheNextOneWorks(t *testing.T) {
	s := opened(t)
	d, _ := aDuty(60)
	s.pragma(t, "defer_foreign_keys = ON") // for the next transaction: it is looked at its references at the commit
	err := s.transact(t.Context(), "a nonce of no message", func(q *rows.Queries) error {
		if err := q.PutDuty(t.Context(), rows.PutDutyParams{Kind: "post", Miner: 1000, Open: 60, State: "proved", Body: "{}"}); err != nil {
			return err
		}
		return q.ClaimNonce(t.Context(), rows.ClaimNonceParams{Sender: "a", Nonce: 1, Message: "none"})
	})
	if err == nil || !strings.Contains(err.Error(), "commit") {
		t.Fatalf("a commit that cannot be done: %v", err)
	}
	if duties, err := s.Duties(t.Context(), 1000, 0); err != nil || len(duties) != 0 {
		t.Errorf("of it is left %v, %v", duties, err)
	}
	if err := s.SaveDuty(t.Context(), d); err != nil {
		t.Error(err)
	}
	for _, want := range settings {
		if got := s.pragma(t, want.pragma); got != want.want {
			t.Errorf("on the connection that took its place %s is %s, want %s", want.pragma, got, want.want)
		}
	}
}

// A daemon may be given up at any moment: what had been said to be written is there.
func TestACancelledWriteIsWholeOrNothing(t *testing.T) {
	s := opened(t)
	for open := range abi.ChainEpoch(20) {
		ctx, cancel := context.WithCancel(t.Context())
		d, p := aDuty(60 * open)
		done := make(chan error, 1)
		go func() { done <- s.SaveProof(ctx, p, d) }()
		cancel()
		saved := <-done == nil
		_, err := s.Duty(t.Context(), d.ID)
		_, errProof := s.Proof(t.Context(), d.ID)
		if there := err == nil; there != (errProof == nil) || saved && !there {
			t.Errorf("said to be saved: %v; the duty: %v; its proof: %v", saved, err, errProof)
		}
	}
	if err := s.SaveDuty(t.Context(), vigil.Duty{ID: vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: 9999}}); err != nil {
		t.Error(err)
	}
}
