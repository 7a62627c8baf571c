package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/devnet"
)

// fakeChain makes an epoch each 100 ms. Its one miner's deadlines open at
// multiples of 60; 46 of 48 have a partition.
type fakeChain struct {
	start  time.Time
	mark   abi.ChainEpoch
	missed func(deadline abi.ChainEpoch) bool // by number since the beginning
	wrong  abi.ChainEpoch                     // where a wrong proof is taken; 0 for none
}

func (f *fakeChain) epoch() abi.ChainEpoch {
	return abi.ChainEpoch(time.Since(f.start) / (100 * time.Millisecond))
}

func (f *fakeChain) Stats() devnet.Stats {
	now := f.epoch()
	s := devnet.Stats{Epoch: now, Since: f.mark, Miners: make([]devnet.MinerStats, 1)}
	for d := f.mark / 60; d < now/60; d++ {
		s.Total.Deadlines++
		if d%48 < 2 {
			continue
		}
		s.Total.PartitionsDue++
		if f.missed(d) {
			s.Total.PartitionsMissed++
		} else {
			s.Total.PartitionsConfirmed++
		}
	}
	if f.mark < f.wrong && f.wrong <= now {
		s.Total.ProofsInvalid++
	}
	return s
}

func (f *fakeChain) Mark()                     { f.mark = f.epoch() }
func (f *fakeChain) Miners() []address.Address { return make([]address.Address, 1) }
func (f *fakeChain) Deadlines(context.Context, address.Address) ([]devnet.DeadlineView, error) {
	open := f.epoch() / 60 * 60
	return []devnet.DeadlineView{{Open: open - 60}, {Open: open, Close: open + 60, Current: true}}, nil
}

// fakeDaemon has a picture of the chain from its fifth epoch on, with a post
// that was confirmed long ago, and another one from epoch 40 on.
type fakeDaemon struct{ chain *fakeChain }

func (f fakeDaemon) Page() string       { return "http://127.0.0.1:1" }
func (f fakeDaemon) ProofsMade() uint64 { return uint64(f.chain.epoch() / 60) }
func (f fakeDaemon) Status() vigil.Status {
	epoch := f.chain.epoch()
	if epoch < 5 {
		return vigil.Status{}
	}
	m := vigil.MinerStatus{Miner: "t01000", Current: vigil.Deadline{Count: 48}}
	confirmed := func(id string, deadline uint64) vigil.DutyStatus {
		return vigil.DutyStatus{Duty: id, Kind: vigil.KindPost, Deadline: deadline, Row: vigil.Duty{State: vigil.StateConfirmed}}
	}
	m.Duties = []vigil.DutyStatus{confirmed("old", 47)}
	if epoch >= 40 {
		m.Duties = append(m.Duties, confirmed("new", 0))
	}
	return vigil.Status{Miners: []vigil.MinerStatus{m}}
}

func watchFor(t *testing.T, periods int, chain *fakeChain) (found, []string) {
	t.Helper()
	var said []string
	chain.start = time.Now()
	w := newWatcher(chain, fakeDaemon{chain}, time.Now(), func(s string) { said = append(said, s) })
	result, err := w.watch(t.Context(), periods)
	if err != nil {
		t.Fatal(err)
	}
	return result, said
}

func TestTwoPeriodsAreCountedWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		result, said := watchFor(t, 2, &fakeChain{missed: func(abi.ChainEpoch) bool { return false }})
		want := found{Periods: 2, Deadlines: 96, PartitionsDue: 92, PartitionsConfirmed: 92, ProofsMade: 96}
		if result.Seconds < 576 || result.Seconds > 600 {
			t.Errorf("%v seconds", result.Seconds)
		}
		result.Seconds = 0
		if result != want || result.failed() {
			t.Errorf("got %+v", result)
		}
		story := strings.Join(said, "\n")
		for _, sentence := range []string{
			"the dashboard is at http://127.0.0.1:1",
			"first Window PoSt confirmed on chain, 4s after the start: t01000, deadline 0",
			"proving period 1: 46 of 46 partitions confirmed, none missed",
			"proving period 2: 46 of 46 partitions confirmed, none missed",
		} {
			if !strings.Contains(story, sentence) {
				t.Errorf("it did not say %q:\n%s", sentence, story)
			}
		}
	})
}

func TestAMissIsSaidAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		result, said := watchFor(t, 1, &fakeChain{missed: func(d abi.ChainEpoch) bool { return d == 30 }})
		if !result.failed() || result.PartitionsMissed != 1 || result.PartitionsConfirmed != 45 {
			t.Errorf("got %+v", result)
		}
		if last := said[len(said)-1]; last != "proving period 1: 45 of 46 partitions confirmed, 1 MISSED" {
			t.Errorf("said %q", last)
		}
	})
}

func TestAWrongProofCountsEvenBeforeTheFirstPeriod(t *testing.T) {
	for _, at := range []abi.ChainEpoch{10, 2000} {
		synctest.Test(t, func(t *testing.T) {
			result, said := watchFor(t, 1, &fakeChain{missed: func(abi.ChainEpoch) bool { return false }, wrong: at})
			if !result.failed() || result.ProofsInvalid != 1 {
				t.Errorf("at %d: %+v", at, result)
			}
			if n := strings.Count(strings.Join(said, "\n"), "WRONG PROOF"); n != 1 {
				t.Errorf("at %d: shouted %d times", at, n)
			}
		})
	}
}

func TestTheLastLineHasTheFieldsThatScriptsRead(t *testing.T) {
	line, err := json.Marshal(found{Periods: 1, Seconds: 1.5})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"periods":1,"deadlines":0,"partitions_due":0,"partitions_confirmed":0,"partitions_missed":0,"sectors_skipped":0,"proofs_made":0,"proofs_invalid":0,"seconds":1.5}`
	if string(line) != want {
		t.Errorf("got  %s\nwant %s", line, want)
	}
}
