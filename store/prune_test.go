package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store"
)

// now is the epoch that a daemon has seen last, and weekAgo the last of which
// anything may be deleted.
const (
	now     abi.ChainEpoch = 100_000
	weekAgo abi.ChainEpoch = now - 7*2880 - 1
)

// aged is a store whose daemon has seen the epoch now.
func aged(t *testing.T) *store.Store {
	s, _ := restartable(t)
	if err := s.SaveAlive(t.Context(), time.Now(), now); err != nil {
		t.Fatal(err)
	}
	return s
}

// prune deletes what was before a time.
func prune(t *testing.T, s *store.Store, before time.Time) {
	t.Helper()
	more, err := s.Prune(t.Context(), before)
	if err != nil || more {
		t.Fatalf("more to delete: %v, %v", more, err)
	}
}

// later is a time at which all that a test has written is old; what is kept then is
// kept for its epoch.
func later() time.Time { return time.Now().Add(time.Hour) }

func TestAProofIsKeptUntilItsDeadlineCannotBeReopened(t *testing.T) {
	s := aged(t)
	done, fresh := duty(now-3881, 0, vigil.StateConfirmed), duty(now-3880, 0, vigil.StateConfirmed)
	for _, d := range []vigil.Duty{done, fresh} {
		if err := s.SaveProof(t.Context(), proof(t, d.ID), d); err != nil {
			t.Fatal(err)
		}
	}
	prune(t, s, time.Time{}) // all that happened is kept
	if _, err := s.Proof(t.Context(), done.ID); err == nil {
		t.Error("the proof of a deadline that is over for good is kept")
	}
	if _, err := s.Proof(t.Context(), fresh.ID); err != nil {
		t.Error(err)
	}
	expect(t, s, 0, done, fresh)
	page, err := s.Journal(t.Context(), vigil.JournalQuery{Duty: done.ID})
	if err != nil || kinds(page) != "duty proof " {
		t.Errorf("%q, %v", kinds(page), err)
	}
}

func TestOldDutiesAreDeletedUnlessTheyAreNotOver(t *testing.T) {
	s := aged(t)
	var want []vigil.Duty
	for i, state := range []vigil.DutyState{
		vigil.StateScheduled, vigil.StateProved, vigil.StateSubmitted, vigil.StateConfirmed, vigil.StateMissed, vigil.StateReplaced, vigil.StateShadowed,
	} {
		old, young := duty(weekAgo, i, state), duty(weekAgo+60, i, state)
		old.Tried = weekAgo
		young.Tried = now
		save(t, s, old, young)
		if !state.Final() {
			want = append(want, old)
		}
	}
	all, err := s.FindDuties(t.Context(), vigil.DutyQuery{})
	if err != nil {
		t.Fatal(err)
	}
	prune(t, s, time.Now().Add(-time.Hour))
	if still, err := s.FindDuties(t.Context(), vigil.DutyQuery{}); err != nil || len(still) != len(all) {
		t.Errorf("of %d duties of less than an hour %d are left, %v", len(all), len(still), err)
	}
	prune(t, s, later())
	left, err := s.FindDuties(t.Context(), vigil.DutyQuery{Before: weekAgo + 1})
	if fmt.Sprint(left) != fmt.Sprint(want) || err != nil {
		t.Errorf("left are %v, %v, want %v", left, err, want)
	}
	if young, err := s.FindDuties(t.Context(), vigil.DutyQuery{}); err != nil || len(young) != 7+3 {
		t.Errorf("with those of the last week %d are left, %v, want 10", len(young), err)
	}
}

func TestWhatHappenedInTheLastWeekIsKeptWhateverTheClockSays(t *testing.T) {
	s := aged(t)
	old, young := duty(weekAgo-60, 0, vigil.StateConfirmed), duty(now-60, 0, vigil.StateConfirmed)
	old.Tried, young.Tried = weekAgo, now
	if err := s.AddEvents(t.Context(),
		vigil.Event{Time: time.Now(), Epoch: weekAgo, Kind: vigil.EventNode}, vigil.Event{Time: time.Now(), Epoch: now, Kind: vigil.EventStopped},
	); err != nil {
		t.Fatal(err)
	}
	for _, open := range []abi.ChainEpoch{weekAgo, now} {
		if err := s.SaveShadow(t.Context(), vigil.ShadowRecord{Miner: miner, Deadline: vigil.Deadline{Open: open}}); err != nil {
			t.Fatal(err)
		}
	}
	save(t, s, old, young)
	prune(t, s, time.Now().Add(1000*24*time.Hour))
	expect(t, s, 0, young)
	if page, err := s.Journal(t.Context(), vigil.JournalQuery{}); err != nil || kinds(page) != "stopped duty duty " {
		t.Errorf("%q, %v", kinds(page), err) // both duties were written now, at the epoch now
	}
	if records, err := s.Shadows(t.Context(), miner, 0); err != nil || len(records) != 1 || records[0].Deadline.Open != now {
		t.Errorf("%+v, %v", records, err)
	}
}

// Of messages those are deleted that can play no part any more; what is left
// knows which nonces are used.
func TestOldMessagesAreDeletedWhenTheChainIsPastTheirNonces(t *testing.T) {
	s := aged(t)
	take(t, s, account(t, 1), holder)
	takes := func(id string, nonce uint64, included abi.ChainEpoch, settled bool) {
		t.Helper()
		m := message(t, id)
		m.Duty.Batch = int(nonce)
		add(t, s, m)
		if nonce > 0 {
			m = sign(t, m, account(t, 1), nonce)
		}
		if included > 0 {
			m.State, m.Landed, m.Receipt = vigil.MessageConfirmed, 1, &vigil.Receipt{Epoch: included}
		}
		if m.Settled = settled; settled && included == 0 {
			m.State = vigil.MessageExpired
		}
		saveMessages(t, s, m)
	}
	takes("first", 5, 120, true)
	takes("never executed, but passed over", 6, 0, true)
	takes("another", 7, 121, true)
	takes("the last that was executed long ago", 8, 122, true)
	takes("its nonce may be used yet", 9, 0, true)
	takes("on its way", 10, 0, false)
	takes("executed now", 11, now, true)
	takes("had no nonce", 0, 0, true)
	takes("waits for one", 0, 0, false)
	d := duty(weekAgo, 0, vigil.StateConfirmed)
	d.Tried = weekAgo
	save(t, s, d) // so that it is known how old the time is

	left := func() string {
		t.Helper()
		found, err := s.FindMessages(t.Context(), vigil.MessageQuery{})
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, m := range found {
			ids = append(ids, m.ID)
		}
		return strings.Join(ids, "; ")
	}
	prune(t, s, time.Unix(1_700_000_000, 0)) // a moment before they were written
	if got := left(); !strings.HasPrefix(got, "first; never") {
		t.Errorf("left are %s", got)
	}
	prune(t, s, later())
	const want = "the last that was executed long ago; its nonce may be used yet; on its way; executed now; waits for one"
	if got := left(); got != want {
		t.Errorf("left are %s, want %s", got, want)
	}
	held, err := s.NonceHolders(t.Context(), account(t, 1), 0)
	if err != nil || len(held) != 4 || held[0].Nonce != 8 {
		t.Errorf("the nonces that are held: %v, %v", held, err)
	}
	if next, err := s.NextNonce(t.Context(), account(t, 1)); err != nil || next != 12 {
		t.Errorf("the next nonce is %d, %v", next, err)
	}
	if found, err := s.DutyMessages(t.Context(), vigil.DutyID{Kind: vigil.KindPost, Miner: miner, Open: 100, Batch: 5}); err != nil || len(found) != 0 {
		t.Errorf("%v, %v", found, err)
	}
}

func TestVerdictsOfAMinerThatIsNotConfiguredAnyMoreAreDeletedWhenTheyAreOver(t *testing.T) {
	s := aged(t)
	for i, open := range []abi.ChainEpoch{now - 2880 - 60, now - 2880 - 59} {
		if err := s.SaveAudit(t.Context(), audit(1007, open, 0, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	prune(t, s, time.Time{})
	if left, err := s.Audits(t.Context(), 1007, 0); err != nil || len(left) != 1 || left[0].Evidence != "1" {
		t.Errorf("%v, %v", left, err)
	}
}
