package store

import (
	"errors"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/vigil-post/vigil"
)

// While the disk takes nothing, so many events are kept; the others are counted,
// and that is written when it takes something again.
func TestEventsThatFindNoRoomAreCounted(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "vigil.db"))
	if err != nil {
		t.Fatal(err)
	}
	n := &Notebook{store: s, log: slog.New(slog.DiscardHandler), wake: make(chan struct{}, 1)}
	for range mostNotes + 7 {
		n.Note(vigil.Event{Kind: vigil.EventSeeing})
	}
	if len(n.notes) != mostNotes || n.lost != 7 {
		t.Errorf("%d kept and %d lost", len(n.notes), n.lost)
	}
	n.notes = n.notes[:3]
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := n.write(t.Context()); err == nil || len(n.notes) != 3 || n.lost != 7 {
		t.Errorf("what could not be written: %d kept and %d lost, %v", len(n.notes), n.lost, err)
	}
	if n.store, err = Open(t.Context(), s.path); err != nil {
		t.Fatal(err)
	}
	defer n.store.Close()
	err = n.write(t.Context())
	page, err2 := n.store.Journal(t.Context(), vigil.JournalQuery{})
	if err := errors.Join(err, err2); err != nil || len(page.Events) != 4 || page.Events[3].Kind != vigil.EventLost || page.Events[3].Number != 7 {
		t.Errorf("%+v, %v", page.Events, err)
	}
}
