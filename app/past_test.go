package app

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/explain"
	"github.com/vigil-post/vigil/store"
)

// pastOf is what is told of a database that was written.
func pastOf(t *testing.T, write func(*store.Store) error) *Past {
	t.Helper()
	data := t.TempDir()
	s, err := store.Open(t.Context(), filepath.Join(data, "vigil.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(write(s), s.Close()); err != nil {
		t.Fatal(err)
	}
	past, err := OpenPast(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = past.Close() })
	return past
}

// A node that comes and goes all month must not hide what happened to a duty of its beginning.
func TestWhyOfAnOldDutyTellsWhatHappenedInItsTime(t *testing.T) {
	genesis := time.Now().Add(-40 * 24 * time.Hour)
	at := func(epoch abi.ChainEpoch, kind vigil.EventKind, facts vigil.EventFacts) vigil.Event {
		return vigil.Event{Time: genesis.Add(time.Duration(epoch) * 30 * time.Second), Epoch: epoch, Kind: kind, EventFacts: facts}
	}
	d := vigil.Duty{
		ID:       vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: 6000},
		Deadline: vigil.Deadline{Index: 3, Count: 48, Challenge: 5980, Open: 6000, Close: 6060, FaultCutoff: 5930},
		State:    vigil.StateMissed, Reason: vigil.ReasonNotStarted, Tried: 6061,
	}
	past := pastOf(t, func(s *store.Store) error {
		var events []vigil.Event
		flap := func(from, to abi.ChainEpoch) {
			for epoch := from; epoch < to; epoch++ {
				events = append(events, at(epoch, vigil.EventNode, vigil.EventFacts{About: "ws://flapping", After: "unreachable", Problem: "reset"}))
			}
		}
		flap(1000, 1100) // long before
		events = append(events,
			at(5000, vigil.EventStarted, vigil.EventFacts{Since: 4000, Version: "before", Delay: 30 * time.Second}),
			at(5990, vigil.EventNode, vigil.EventFacts{About: "ws://ours", Before: "in use", After: "unreachable", Problem: "connection refused"}),
			at(6010, vigil.EventStopped, vigil.EventFacts{}),
			at(9000, vigil.EventStarted, vigil.EventFacts{Since: 6010, Version: "after", Delay: 30 * time.Second}),
		)
		flap(9001, 9001+mostShared+500)
		return errors.Join(s.AddEvents(t.Context(), events...), s.SaveDuty(t.Context(), d))
	})
	story, err := past.Why(t.Context(), d.ID)
	if err != nil {
		t.Fatal(err)
	}
	rest := timelineOf(story)
	for _, words := range []string{"ws://ours is unreachable", "told to stop", "Vigil after saw its first head, at epoch 9000: it had seen nothing since epoch 6010"} {
		_, after, found := strings.Cut(rest, words)
		if !found {
			t.Fatalf("it does not say, in order, %q:\n%s", words, timelineOf(story))
		}
		rest = after
	}
	if strings.Contains(timelineOf(story), "flapping") {
		t.Error("it tells of another time")
	}
	if story.Verdict != explain.VerdictMissed {
		t.Errorf("the verdict is %s", story.Verdict)
	}
}
