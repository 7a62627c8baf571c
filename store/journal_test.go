package store_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store"
)

func kinds(page vigil.JournalPage) string {
	text := ""
	for _, e := range page.Events {
		text += string(e.Kind) + " "
	}
	return text
}

func TestTheJournalIsReadBackAsItWasWrittenAlsoAfterARestart(t *testing.T) {
	s, reopen := restartable(t)
	d := duty(100, 0, vigil.StateProved)
	began := time.Now()
	events := []vigil.Event{
		{Time: began.Add(-3 * time.Hour), Epoch: 70, Kind: vigil.EventNode, EventFacts: vigil.EventFacts{About: "ws://a", Before: "in use", After: "unreachable", Problem: "refused"}},
		{Time: began.Add(-2 * time.Hour), Epoch: 80, Kind: vigil.EventBegun, Duty: d.ID, EventFacts: vigil.EventFacts{Task: "prove", TipSet: "k"}},
		{Time: began.Add(-90 * time.Minute), Epoch: 60, Kind: vigil.EventStarted},
		{Time: began.Add(-89 * time.Minute), Epoch: 61, Kind: vigil.EventStarted},
		{Time: began.Add(-time.Hour), Epoch: 80, Kind: vigil.EventBlind, Miner: miner + 1, EventFacts: vigil.EventFacts{Problem: "no node"}},
	}
	if err := s.AddEvents(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveProof(t.Context(), proof(t, d.ID), d); err != nil {
		t.Fatal(err)
	}
	s = reopen()
	for _, c := range []struct {
		what  string
		query vigil.JournalQuery
		want  string
	}{
		{"a duty's own, with its changes of state", vigil.JournalQuery{Duty: d.ID}, "begun duty proof "},
		{"what is nobody's duty", vigil.JournalQuery{Shared: true}, "node started started blind "},
		{"what concerns a miner", vigil.JournalQuery{Shared: true, Miner: miner}, "node started started "},
		{"of a miner, with what concerns all", vigil.JournalQuery{Miner: miner}, "node begun started started duty proof "},
		{"until an epoch", vigil.JournalQuery{Shared: true, Until: 79}, "node started started "},
		{"until an epoch, and the first start after it", vigil.JournalQuery{Shared: true, Until: 50}, "started "},
		{"since an epoch", vigil.JournalQuery{From: 75, Shared: true}, "blind "},
		{"the newest", vigil.JournalQuery{Limit: 2}, "duty proof "},
	} {
		page, err := s.Journal(t.Context(), c.query)
		if err != nil || kinds(page) != c.want {
			t.Errorf("%s: %q, %v, want %q", c.what, kinds(page), err, c.want)
		}
	}
	page, err := s.Journal(t.Context(), vigil.JournalQuery{Shared: true, Miner: miner})
	if err != nil || len(page.Events) != 3 || !page.Events[0].Time.Equal(events[0].Time) || page.Events[0].About != "ws://a" || page.Events[0].Problem != "refused" {
		t.Errorf("%+v, %v", page, err)
	}
	made, err := s.Journal(t.Context(), vigil.JournalQuery{Duty: d.ID})
	if e := made.Events[len(made.Events)-1]; err != nil || len(e.Proof) != 64 || e.Prove != 5*time.Minute+1 || e.Sectors != 3 || e.Bad != 1 {
		t.Errorf("of the proof it says %+v, %v", e, err)
	}
}

func TestTheJournalIsFollowed(t *testing.T) {
	s, _ := restartable(t)
	add := func(epoch abi.ChainEpoch) {
		t.Helper()
		if err := s.AddEvents(t.Context(), vigil.Event{Time: time.Now(), Epoch: epoch, Kind: vigil.EventStarted}); err != nil {
			t.Fatal(err)
		}
	}
	add(1)
	page, err := s.Journal(t.Context(), vigil.JournalQuery{})
	if err != nil || len(page.Events) != 1 {
		t.Fatal(page, err)
	}
	if again, err := s.Journal(t.Context(), vigil.JournalQuery{After: page.Next}); err != nil || len(again.Events) != 0 || again.Next != page.Next {
		t.Errorf("nothing new: %+v, %v", again, err)
	}
	add(2)
	save(t, s, duty(100, 0, vigil.StateProved))
	next, err := s.Journal(t.Context(), vigil.JournalQuery{After: page.Next})
	if err != nil || kinds(next) != "started duty " {
		t.Errorf("%q, %v", kinds(next), err)
	}
	if _, err := s.Journal(t.Context(), vigil.JournalQuery{After: "yesterday"}); err == nil {
		t.Error("a cursor that is none was taken")
	}
}

func TestOldEventsAreDeletedAndNoOthers(t *testing.T) {
	s, _ := restartable(t)
	now := time.Now()
	var events []vigil.Event
	for i := range 1100 {
		events = append(events, vigil.Event{Time: now.Add(-48 * time.Hour), Epoch: abi.ChainEpoch(i), Kind: vigil.EventNode})
	}
	if err := s.AddEvents(t.Context(), append(events, vigil.Event{Time: now, Epoch: 9, Kind: vigil.EventStopped})...); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveAlive(t.Context(), now, 30_000); err != nil {
		t.Fatal(err)
	}
	more, err := s.Prune(t.Context(), now.Add(-24*time.Hour))
	page, err2 := s.Journal(t.Context(), vigil.JournalQuery{})
	if err := errors.Join(err, err2); err != nil || more || kinds(page) != "stopped " {
		t.Errorf("more %v, %q left, %v", more, kinds(page), err)
	}
}

func TestTheLastSignOfADaemonIsKnownAfterARestart(t *testing.T) {
	s, reopen := restartable(t)
	if epoch, at, err := s.LastSign(t.Context()); err != nil || epoch != 0 || !at.IsZero() {
		t.Errorf("before the first: epoch %d at %v, %v", epoch, at, err)
	}
	before := time.Now()
	n := s.OpenNotebook(t.Context(), 0, slog.New(slog.DiscardHandler))
	n.Alive(70)
	n.Alive(71)
	n.Close()
	s = reopen()
	if epoch, at, err := s.LastSign(t.Context()); err != nil || epoch != 71 || at.Before(before.Truncate(0)) {
		t.Errorf("epoch %d at %v, %v", epoch, at, err)
	}
	if err := s.SaveScan(t.Context(), []vigil.Head{{Epoch: 75}}, nil); err != nil {
		t.Fatal(err)
	}
	if epoch, _, err := s.LastSign(t.Context()); err != nil || epoch != 75 {
		t.Errorf("the messager has seen epoch 75, and the last sign is of %d, %v", epoch, err)
	}
}

func TestWhatIsNotedIsThereWhenTheNotebookIsClosed(t *testing.T) {
	s, reopen := restartable(t)
	n := s.OpenNotebook(t.Context(), time.Hour, slog.New(slog.DiscardHandler))
	for i := range 50 {
		n.Note(vigil.Event{Epoch: abi.ChainEpoch(i), Kind: vigil.EventSeeing})
	}
	n.Close()
	page, err := reopen().Journal(t.Context(), vigil.JournalQuery{Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(page.Events); n != 50 || page.Events[0].Time.IsZero() {
		t.Errorf("%d events, the first at %v", n, page.Events[0].Time)
	}
}

func TestADatabaseIsLookedAtWhileADaemonUsesIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vigil.db")
	if _, err := store.OpenReading(t.Context(), path); err == nil {
		t.Fatal("a database was read that is not there")
	}
	s := open(t, path)
	save(t, s, duty(100, 0, vigil.StateMissed), duty(160, 0, vigil.StateProved), duty(220, 0, vigil.StateConfirmed))
	r, err := store.OpenReading(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	index, other := uint64(3), uint64(4)
	for _, c := range []struct {
		query vigil.DutyQuery
		want  string
	}{
		{vigil.DutyQuery{}, "220 160 100 "},
		{vigil.DutyQuery{Limit: 2}, "220 160 "},
		{vigil.DutyQuery{Before: 220}, "160 100 "},
		{vigil.DutyQuery{States: []vigil.DutyState{vigil.StateMissed, vigil.StateConfirmed}}, "220 100 "},
		{vigil.DutyQuery{Deadline: &index, Miner: miner}, "220 160 100 "},
		{vigil.DutyQuery{Deadline: &other}, ""},
		{vigil.DutyQuery{Miner: miner + 1}, ""},
		{vigil.DutyQuery{Kind: vigil.KindRecover}, ""},
	} {
		found, err := r.FindDuties(t.Context(), c.query)
		text := ""
		for _, d := range found {
			text += fmt.Sprint(d.ID.Open, " ")
		}
		if err != nil || text != c.want {
			t.Errorf("%+v: %q, %v, want %q", c.query, text, err, c.want)
		}
	}
	if err := r.SaveDuty(t.Context(), duty(280, 0, vigil.StateProved)); err == nil {
		t.Error("it was written to")
	}
	if d, err := r.Duty(t.Context(), duty(100, 0, "").ID); err != nil || d.State != vigil.StateMissed {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := r.Duty(t.Context(), duty(101, 0, "").ID); !errors.Is(err, vigil.ErrNotFound) {
		t.Errorf("a duty that is not there: %v", err)
	}
}

func TestADatabaseOfAnEarlierSchemaIsNotReadWithoutADaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vigil.db")
	writeOld(t, path)
	if _, err := store.OpenReading(t.Context(), path); err == nil {
		t.Error("it was read")
	} else {
		t.Log(err)
	}
}

// A downgrade is refused whoever looks, and with what to do.
func TestADatabaseOfANewerVigilIsNotReadEither(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vigil.db")
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	damage(t, path, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)")
	for _, try := range []func(context.Context, string) (*store.Store, error){store.Open, store.OpenReading} {
		if _, err := try(t.Context(), path); err == nil || !strings.Contains(err.Error(), "used with a newer Vigil, use that one") {
			t.Errorf("it says %v", err)
		}
	}
}

func TestTheNewestDutiesOfAllMinersAreFoundTogether(t *testing.T) {
	s, _ := restartable(t)
	of := func(d vigil.Duty, miner abi.ActorID) vigil.Duty {
		d.ID.Miner = miner
		return d
	}
	save(t, s, of(duty(100, 0, vigil.StateMissed), 7), duty(160, 0, vigil.StateMissed), of(duty(160, 1, vigil.StateMissed), 7), of(duty(220, 0, vigil.StateConfirmed), 9))
	found, err := s.FindDuties(t.Context(), vigil.DutyQuery{Limit: 3})
	if err != nil || len(found) != 3 || found[0].ID.Miner != 9 || found[1].ID.Miner != 7 || found[1].ID.Open != 160 || found[2].ID.Miner != miner {
		t.Errorf("%+v, %v", found, err)
	}
}
