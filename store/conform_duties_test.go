package store_test

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
)

const miner = abi.ActorID(1000)

// testDuties is what every vigil.DutyStore must pass, whatever database is
// beneath it. open gives a new, empty one; reopen closes
// it and opens the same again, as a restart does.
func testDuties(t *testing.T, open func(t *testing.T) (s vigil.DutyStore, reopen func() vigil.DutyStore)) {
	tests := map[string]func(*testing.T, vigil.DutyStore, func() vigil.DutyStore){
		"a duty is read back as it was written, also after a restart":                         dutyRoundTrip,
		"an unfinished duty is listed however old it is, a final one only since the epoch":    dutiesSince,
		"duties are listed by open epoch, kind and batch, and of one miner only":              dutyOrder,
		"saving a duty again replaces it":                                                     dutyReplaced,
		"a proof and its duty are read back as they were written, also after a restart":       proofRoundTrip,
		"a proof that does not exist is ErrNotFound":                                          proofNotFound,
		"a second proof takes the place of the first":                                         proofReplaced,
		"dropping a proof writes the duty, and is no error when there is no proof":            proofDropped,
		"a proof of another duty is refused, and neither is written":                          proofOfAnother,
		"many writers at once lose nothing":                                                   concurrentWriters,
		"sectors that do not ascend are refused, and the duty is not written without a proof": proofAtomic,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s, reopen := open(t)
			test(t, s, reopen)
		})
	}
}

func duty(open abi.ChainEpoch, batch int, state vigil.DutyState) vigil.Duty {
	return vigil.Duty{
		ID: vigil.DutyID{Kind: vigil.KindPost, Miner: miner, Open: open, Batch: batch},
		Deadline: vigil.Deadline{
			Index: 3, Count: 48, Challenge: open - 20, Open: open, Close: open + 60, FaultCutoff: open - 70,
		},
		Partitions: []uint64{0, 2, 5},
		State:      state,
		Skipped:    []vigil.BadSector{{Number: 7, Cause: "p_aux: no such file"}},
		MessageID:  "m1", Reason: vigil.ReasonNotSent, Problem: "no node answers", Tried: open + 3,
	}
}

func proof(t *testing.T, id vigil.DutyID) vigil.Proof {
	t.Helper()
	sectors := make([]vigil.Sector, 3)
	for i := range sectors {
		c, err := abi.CidBuilder.Sum([]byte{byte(i)})
		if err != nil {
			t.Fatal(err)
		}
		sectors[i] = vigil.Sector{Number: abi.SectorNumber(i*i + 4), SealProof: abi.RegisteredSealProof_StackedDrg2KiBV1_1, SealedCID: c}
	}
	return vigil.Proof{
		Duty: id,
		Statement: vigil.Statement{
			Miner: id.Miner, ProofType: abi.RegisteredPoStProof_StackedDrgWindow2KiBV1_1,
			Randomness: [32]byte{1, 2, 255}, Sectors: sectors,
		},
		Partitions: []vigil.ProvedPartition{{Index: 0}, {Index: 2, Skipped: []abi.SectorNumber{7, 9}}},
		Bytes:      []byte{0, 1, 2, 0xff},
		ReadTime:   3 * time.Second, ProveTime: 5*time.Minute + 1,
	}
}

func dutyRoundTrip(t *testing.T, s vigil.DutyStore, reopen func() vigil.DutyStore) {
	post := duty(100, 0, vigil.StateScheduled)
	none := 0 // that nothing has returned is another thing than that it is not known
	recovery := vigil.Duty{
		ID:       vigil.DutyID{Kind: vigil.KindRecover, Miner: miner, Open: 100, Batch: 1},
		Deadline: post.Deadline, Sectors: []abi.SectorNumber{5, 1 << 40}, State: vigil.StateSubmitted, Returned: &none,
	}
	save(t, s, post, recovery)
	expect(t, s, 0, post, recovery)
	expect(t, reopen(), 0, post, recovery)
}

func dutiesSince(t *testing.T, s vigil.DutyStore, _ func() vigil.DutyStore) {
	var all, unfinished []vigil.Duty
	for i, state := range []vigil.DutyState{
		vigil.StateScheduled, vigil.StateProved, vigil.StateSubmitted,
		vigil.StateConfirmed, vigil.StateMissed, vigil.StateReplaced, vigil.StateShadowed,
	} {
		d := duty(100, i, state)
		all = append(all, d)
		if !state.Final() {
			unfinished = append(unfinished, d)
		}
	}
	save(t, s, all...)
	expect(t, s, 100, all...)
	expect(t, s, 101, unfinished...)
}

func dutyOrder(t *testing.T, s vigil.DutyStore, _ func() vigil.DutyStore) {
	first, second, third := duty(90, 10, vigil.StateProved), duty(100, 2, vigil.StateProved), duty(100, 10, vigil.StateProved)
	last := duty(100, 0, vigil.StateProved)
	last.ID.Kind = vigil.KindRecover
	other := duty(100, 0, vigil.StateProved)
	other.ID.Miner = miner + 1
	save(t, s, last, third, other, second, first)
	expect(t, s, 0, first, second, third, last)
}

func dutyReplaced(t *testing.T, s vigil.DutyStore, reopen func() vigil.DutyStore) {
	d := duty(100, 0, vigil.StateScheduled)
	save(t, s, d)
	d.State, d.Problem, d.Skipped, d.Tried = vigil.StateConfirmed, "", nil, 0
	save(t, s, d)
	expect(t, s, 0, d)
	expect(t, reopen(), 0, d)
}

func proofRoundTrip(t *testing.T, s vigil.DutyStore, reopen func() vigil.DutyStore) {
	d := duty(100, 0, vigil.StateProved)
	p := proof(t, d.ID)
	if err := s.SaveProof(t.Context(), p, d); err != nil {
		t.Fatal(err)
	}
	expect(t, s, 0, d)
	expectProof(t, s, p)
	s = reopen()
	expect(t, s, 0, d)
	expectProof(t, s, p)
}

func proofNotFound(t *testing.T, s vigil.DutyStore, _ func() vigil.DutyStore) {
	d := duty(100, 0, vigil.StateScheduled)
	save(t, s, d)
	if _, err := s.Proof(t.Context(), d.ID); !errors.Is(err, vigil.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func proofReplaced(t *testing.T, s vigil.DutyStore, _ func() vigil.DutyStore) {
	d := duty(100, 0, vigil.StateProved)
	p := proof(t, d.ID)
	for _, first := range []byte{1, 2} {
		p.Bytes = []byte{first}
		p.Statement.Sectors = p.Statement.Sectors[1:]
		if err := s.SaveProof(t.Context(), p, d); err != nil {
			t.Fatal(err)
		}
	}
	expectProof(t, s, p)
}

func proofDropped(t *testing.T, s vigil.DutyStore, reopen func() vigil.DutyStore) {
	d := duty(100, 0, vigil.StateProved)
	if err := s.SaveProof(t.Context(), proof(t, d.ID), d); err != nil {
		t.Fatal(err)
	}
	d.State = vigil.StateScheduled
	for range 2 {
		if err := s.DropProof(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	s = reopen()
	expect(t, s, 0, d)
	if _, err := s.Proof(t.Context(), d.ID); !errors.Is(err, vigil.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func proofOfAnother(t *testing.T, s vigil.DutyStore, _ func() vigil.DutyStore) {
	d := duty(100, 0, vigil.StateProved)
	if err := s.SaveProof(t.Context(), proof(t, duty(100, 1, vigil.StateProved).ID), d); err == nil {
		t.Error("it was taken")
	}
	expect(t, s, 0)
}

func proofAtomic(t *testing.T, s vigil.DutyStore, _ func() vigil.DutyStore) {
	d := duty(100, 0, vigil.StateScheduled)
	save(t, s, d)
	p := proof(t, d.ID)
	p.Statement.Sectors[2].Number = 0
	proved := d
	proved.State = vigil.StateProved
	if err := s.SaveProof(t.Context(), p, proved); err == nil {
		t.Error("it was taken")
	}
	expect(t, s, 0, d)
}

func concurrentWriters(t *testing.T, s vigil.DutyStore, reopen func() vigil.DutyStore) {
	const writers, each = 8, 5
	var all []vigil.Duty
	var wait sync.WaitGroup
	errs := make(chan error, writers*each)
	for w := range writers {
		for i := range each {
			all = append(all, duty(abi.ChainEpoch(100+w), i, vigil.StateProved))
		}
		wait.Go(func() {
			for i := range each {
				d := duty(abi.ChainEpoch(100+w), i, vigil.StateProved)
				errs <- s.SaveProof(t.Context(), vigil.Proof{Duty: d.ID, Bytes: []byte(fmt.Sprint(w, i))}, d)
			}
		})
	}
	wait.Wait()
	for range writers * each {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	expect(t, reopen(), 0, all...)
}

func save(t *testing.T, s vigil.DutyStore, duties ...vigil.Duty) {
	t.Helper()
	for _, d := range duties {
		if err := s.SaveDuty(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
}

func expect(t *testing.T, s vigil.DutyStore, since abi.ChainEpoch, want ...vigil.Duty) {
	t.Helper()
	got, err := s.Duties(t.Context(), miner, since)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Errorf("duties since %d:\ngot  %+v\nwant %+v", since, got, want)
	}
}

func expectProof(t *testing.T, s vigil.DutyStore, want vigil.Proof) {
	t.Helper()
	got, err := s.Proof(t.Context(), want.Duty)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("proof:\ngot  %+v\nwant %+v", got, want)
	}
}

func testCID(t *testing.T, text string) cid.Cid {
	t.Helper()
	c, err := abi.CidBuilder.Sum([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}
