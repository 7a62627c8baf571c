package store

import (
	"path/filepath"
	"testing"

	"github.com/vigil-post/vigil/store/internal/rows"
)

// A disk whose write does not return shows.
func TestATransactionThatDoesNotEndIsSeen(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "vigil.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	inside, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	if !s.BusySince().IsZero() {
		t.Error("busy with nothing")
	}
	go func() {
		ended <- s.transact(t.Context(), "wait", func(*rows.Queries) error {
			close(inside)
			<-goOn
			return nil
		})
	}()
	<-inside
	if s.BusySince().IsZero() {
		t.Error("it is not seen")
	}
	close(goOn)
	if err := <-ended; err != nil || !s.BusySince().IsZero() {
		t.Errorf("%v; busy since %v", err, s.BusySince())
	}
}
