package runner_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// asked is how often the chain was asked for anything but its head: that is
// asked for by the clock when a head is late, once whatever the number of miners.
func (w *world) asked() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, method := range []string{"At", "Miner", "Deadline", "Partitions", "Posted", "Sectors", "Faults", "Challenge", "Commit"} {
		n += w.calls[method]
	}
	return n
}

// The world's deadline 16 is open from 960 to 1020 and deadline 18 from 1080 on.
func TestInQuietEpochsTheChainIsAskedNothingHoweverManyMiners(t *testing.T) {
	for _, miners := range []int{1, 10, 100} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			w.add(30, 1, 2) // it opens at 1800
			for i := range miners {
				w.miners = append(w.miners, minerID+abi.ActorID(i))
			}
			begin := 0
			w.at = map[abi.ChainEpoch]func(){1021: func() { begin = w.asked() }, 1060: func() {
				quiet := w.asked() - begin
				t.Logf("%3d miners: %.2f questions per head in 39 quiet epochs", miners, float64(quiet)/39)
				if quiet != 0 {
					t.Errorf("%d questions: %v", quiet, w.calls)
				}
				begin = w.asked()
			}}
			w.run(t, 1120)
			whole := float64(w.asked()-begin) / 60
			t.Logf("%3d miners: %.2f questions per head over a whole deadline", miners, whole)
			if n := w.calls["Deadline"]; n != 4*miners { // the first one twice: nothing was known to compare it with
				t.Errorf("the deadline was asked for %d times in three deadlines", n)
			}
		})
	}
}

func TestAReorgInQuietEpochsIsLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2)
		w.at = map[abi.ChainEpoch]func(){open + 30: func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.duties[post(0)].State != vigil.StateConfirmed {
				t.Errorf("the duty is %s before the reorg", w.duties[post(0)].State)
			}
			w.fork++
			clear(w.posted)
			w.messages[0].State = vigil.MessageExpired // the fork has it not, and its nonce is another's
		}}
		w.run(t, after)
		w.expect(t, post(0), vigil.StateConfirmed)
		if len(w.messages) != 2 {
			t.Errorf("%d messages: the reorg took the first one back", len(w.messages))
		}
	})
}

func TestAMessageForAnotherForkIsSuperseded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2)
		w.stuck = true
		w.at = map[abi.ChainEpoch]func(){
			open + 15: func() { w.mu.Lock(); w.tickets++; w.fork++; w.mu.Unlock() },
			open + 25: func() { w.mu.Lock(); w.stuck = false; w.mu.Unlock() },
		}
		w.run(t, after)
		if len(w.messages) != 2 || w.messages[0].Supersedes != "" || w.messages[1].Supersedes != w.messages[0].ID {
			t.Errorf("messages %+v", w.messages)
		}
	})
}

func TestTheChainsDeadlineCountsAndADifferenceIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline+1, 1, 2)
		w.at = map[abi.ChainEpoch]func(){1010: func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.shift = 1 // from the next one on, deadlines have other numbers
		}}
		w.run(t, after)
		w.expect(t, post(0), vigil.StateConfirmed) // deadline 18 opens where 17 was to
		if text := w.log.String(); strings.Count(text, "is not the one that was computed") != 1 {
			t.Error("nobody is told, or more than once")
		}
	})
}

// N8 of the fault model: the network is upgraded in the middle of a deadline,
// and asks for another kind of proof than the one that is stored.
func TestAnUpgradeInTheMiddleOfADeadlineHasTheProofMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2)
		w.proofType = abi.RegisteredPoStProof_StackedDrgWindow2KiBV1
		struck := 0
		w.at = map[abi.ChainEpoch]func(){open + 2: func() { // proved, and not sent yet
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.duties[post(0)].State == vigil.StateProved {
				struck++
			}
			w.proofType = abi.RegisteredPoStProof_StackedDrgWindow2KiBV1_1
		}}
		w.run(t, after)
		w.expect(t, post(0), vigil.StateConfirmed)
		if struck != 1 || w.calls["Prove"] != 2 || w.proofs[post(0)].Statement.ProofType != abi.RegisteredPoStProof_StackedDrgWindow2KiBV1_1 {
			t.Errorf("struck %d times, %d proofs, the last of type %d", struck, w.calls["Prove"], w.proofs[post(0)].Statement.ProofType)
		}
	})
}
