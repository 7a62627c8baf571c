package runner_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// The world begins at epoch 985; deadline 17 opens at 1020 and is challenged at 1000.
const (
	deadline = uint64(17)
	open     = abi.ChainEpoch(1020)
	closed   = open + 60
	after    = closed + 10
)

func post(batch int) vigil.DutyID {
	return vigil.DutyID{Kind: vigil.KindPost, Miner: minerID, Open: open, Batch: batch}
}

func (w *world) expect(t *testing.T, id vigil.DutyID, state vigil.DutyState) vigil.Duty {
	t.Helper()
	duty, ok := w.duties[id]
	if !ok || duty.State != state {
		t.Fatalf("duty %s is %q, want %q; it says %q", id, duty.State, state, duty.Problem)
	}
	return duty
}

func TestADeadlineIsProvedPostedAndConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2)
		w.add(deadline, 3, 4)
		r := w.run(t, after)
		w.expect(t, post(0), vigil.StateConfirmed)
		if w.calls["Prove"] != 1 || len(w.messages) != 1 {
			t.Errorf("%d proofs and %d messages, want one of each", w.calls["Prove"], len(w.messages))
		}
		if got := r.Status().Miners[0].Deadlines[deadline]; got.Last != vigil.StateConfirmed || got.Sectors != 4 {
			t.Errorf("the page shows %+v", got)
		}
	})
}

func TestEveryCallMayFailAndTheDeadlineIsMet(t *testing.T) {
	for _, method := range []string{
		"Deadline", "Posted", "At", "Duties", "Messages", "Faults", "Partitions", "Miner", "Challenge", "Sectors",
		"Read", "Prove", "Verify", "SaveProof", "SaveDuty", "Proof", "Commit", "Push",
	} {
		t.Run(method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.add(deadline, 1, 2)
				w.failing[method] = 25
				w.run(t, after)
				w.expect(t, post(0), vigil.StateConfirmed)
			})
		})
	}
}

func TestWhatFailsWaitsForTheNextHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2)
		w.prove = func(context.Context) error { return errors.New("no memory") }
		w.run(t, after)
		duty := w.expect(t, post(0), vigil.StateMissed)
		if duty.Reason != vigil.ReasonNotProved || !strings.Contains(duty.Problem, "no memory") {
			t.Errorf("it was missed because of %q (%s)", duty.Reason, duty.Problem)
		}
		if n := w.calls["Prove"]; n < 50 || n > 80 {
			t.Errorf("%d tries in 78 epochs: one each head was planned", n)
		}
	})
}

func TestTwoProofsOfADutyNeverOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2)
		w.prove = func(ctx context.Context) error { return wait(ctx, 20*epoch) }
		w.run(t, after)
		w.expect(t, post(0), vigil.StateConfirmed)
		if w.overlap || w.calls["Prove"] != 1 {
			t.Errorf("%d proofs were made, overlapping: %v", w.calls["Prove"], w.overlap)
		}
	})
}

func TestASilentSubscriptionCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2)
		w.silent = true
		w.run(t, after)
		w.expect(t, post(0), vigil.StateConfirmed)
	})
}

func TestAStoredProofIsNotMadeAgainAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2)
		w.run(t, open-2)
		w.expect(t, post(0), vigil.StateProved)
		w.run(t, after)
		w.expect(t, post(0), vigil.StateConfirmed)
		if w.calls["Prove"] != 1 {
			t.Errorf("%d proofs were made", w.calls["Prove"])
		}
	})
}

func TestAProofInProgressIsMadeAgainAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2)
		w.prove = func(ctx context.Context) error { return wait(ctx, 10*epoch) }
		w.run(t, open-14)
		w.expect(t, post(0), vigil.StateScheduled)
		w.run(t, after)
		w.expect(t, post(0), vigil.StateConfirmed)
	})
}

func TestABadSectorIsSkippedByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2)
		w.bad[2] = "replica: missing"
		w.run(t, after)
		duty := w.expect(t, post(0), vigil.StateConfirmed)
		if len(duty.Skipped) != 1 || duty.Skipped[0] != (vigil.BadSector{Number: 2, Cause: "replica: missing"}) {
			t.Errorf("skipped %+v", duty.Skipped)
		}
		if got := w.proofs[post(0)].Partitions[0].Skipped; len(got) != 1 || got[0] != 2 {
			t.Errorf("the proof skips %v", got)
		}
	})
}

func TestAPartitionWithoutAnyGoodSectorDoesNotStopTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2)
		w.add(deadline, 3, 4)
		w.bad[1], w.bad[2] = "gone", "gone"
		w.run(t, after)
		if duty := w.expect(t, post(0), vigil.StateConfirmed); len(duty.Partitions) != 1 || duty.Partitions[0] != 1 {
			t.Errorf("partitions %v were posted, want 1 alone", duty.Partitions)
		}
		duty := w.expect(t, post(1), vigil.StateMissed)
		if duty.Reason != vigil.ReasonNoSectors || len(duty.Skipped) != 2 {
			t.Errorf("missed because of %q, skipping %v", duty.Reason, duty.Skipped)
		}
	})
}

// It is read again at every head, for it may be back; but the log of a day is to be read.
func TestABadSectorIsNamedInTheLogOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2)
		w.bad[1], w.bad[2] = "gone", "gone"
		w.run(t, after)
		if n := strings.Count(w.log.String(), "sector is skipped"); n != 2 {
			t.Errorf("two bad sectors are named in %d lines", n)
		}
		if n := w.calls["tried to read"]; n < 40 {
			t.Errorf("they were read %d times", n)
		}
	})
}

func TestASectorThatCannotBeCheckedIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2)
		w.unknown[2] = true
		go func() {
			for w.now() < open+5 {
				_ = wait(t.Context(), epoch)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			delete(w.unknown, 2)
		}()
		w.run(t, after)
		duty := w.expect(t, post(0), vigil.StateConfirmed)
		if len(duty.Skipped) != 0 || w.calls["Read"] != 2 {
			t.Errorf("skipped %v after %d successful reads, want none after 2: what was read is kept", duty.Skipped, w.calls["Read"])
		}
	})
}

func TestASectorThatNobodyCanCheckIsLeftOutAtLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2)
		w.unknown[2] = true
		w.run(t, after)
		if duty := w.expect(t, post(0), vigil.StateConfirmed); len(duty.Skipped) != 1 {
			t.Errorf("skipped %v", duty.Skipped)
		}
	})
}

// A mount that hangs keeps a read from ending: that is no evidence against the
// sector. It is waited for, and left out in time for the rest of the partition.
func TestAHungMountIsWaitedForAndThenLeftOut(t *testing.T) {
	for _, c := range []struct {
		what    string
		back    abi.ChainEpoch // when it hangs no more
		skipped int
	}{
		{"it comes back before the opening", open - 6, 0},
		{"it comes back in the open deadline", open + 3, 0},
		{"it never comes back", after, 1},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.add(deadline, 1, 2)
				w.hung[2] = true
				w.at = map[abi.ChainEpoch]func(){c.back: func() {
					w.mu.Lock()
					defer w.mu.Unlock()
					delete(w.hung, 2)
				}}
				w.run(t, after)
				duty := w.expect(t, post(0), vigil.StateConfirmed)
				if len(duty.Skipped) != c.skipped {
					t.Errorf("skipped %v", duty.Skipped)
				}
				for _, b := range duty.Skipped {
					if !strings.HasPrefix(b.Cause, "not checked") {
						t.Errorf("sector %d is skipped as bad: %s", b.Number, b.Cause)
					}
				}
			})
		})
	}
}

func TestAFaultySectorIsDeclaredWhenItCanBeReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		const later = 20 // opens at 1200, its cutoff is 1130
		w.add(later, 1, 2)
		w.partitions[later][0].Faulty = bitfield.NewFromSet([]uint64{2})
		w.bad[2] = "replica: missing"
		go func() {
			for w.now() < 1040 {
				_ = wait(t.Context(), epoch)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			delete(w.bad, 2)
		}()
		r := w.run(t, 1030)
		if bad := r.Status().Miners[0].Bad; len(bad) != 1 || bad[0].Number != 2 {
			t.Errorf("the page names %v as bad", bad)
		}
		w.run(t, 1060)
		id := vigil.DutyID{Kind: vigil.KindRecover, Miner: minerID, Open: 1200}
		w.expect(t, id, vigil.StateConfirmed)
	})
}

func TestWhatIsDeclaredRecoveredIsShownAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		const later = 20 // opens at 1200, its cutoff is 1130
		w.add(later, 1, 2)
		w.partitions[later][0].Faulty = bitfield.NewFromSet([]uint64{1, 2})
		r := w.run(t, 1040)
		w.expect(t, vigil.DutyID{Kind: vigil.KindRecover, Miner: minerID, Open: 1200}, vigil.StateConfirmed)
		for _, line := range r.Status().Miners[0].Deadlines {
			if line.Deadline.Index == later && (line.Faulty != 2 || line.Recovering != 2) {
				t.Errorf("deadline %d is shown with %d faulty sectors, %d of them recovering", line.Deadline.Index, line.Faulty, line.Recovering)
			}
		}
	})
}

func TestAPanicEndsOneTaskOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2)
		panics := 3
		w.prove = func(context.Context) error {
			if panics--; panics >= 0 {
				panic("index out of range")
			}
			return nil
		}
		w.run(t, after)
		w.expect(t, post(0), vigil.StateConfirmed)
	})
}

func TestAClosedDeadlineStopsItsProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2)
		ended := false
		w.prove = func(ctx context.Context) error {
			<-ctx.Done()
			ended = true
			return ctx.Err()
		}
		w.run(t, after)
		if duty := w.expect(t, post(0), vigil.StateMissed); !ended || duty.Reason != vigil.ReasonNotProved {
			t.Errorf("ended: %v, reason %q", ended, duty.Reason)
		}
	})
}

func TestWhatWasMissedWhileNobodyWatchedIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2)
		w.add(deadline+2, 3, 4)
		w.add(deadline+3, 5, 6)
		w.run(t, after)
		for w.now() < open+4*60 { // the daemon is off
			w.tick()
		}
		w.run(t, open+4*60+10)
		w.expect(t, post(0), vigil.StateConfirmed)
		for _, n := range []abi.ChainEpoch{2, 3} {
			id := post(0)
			id.Open += n * 60
			if duty := w.expect(t, id, vigil.StateMissed); duty.Reason != vigil.ReasonNotStarted {
				t.Errorf("%s was missed because of %q", id, duty.Reason)
			}
		}
	})
}

// The very first deadline of a daemon has no row before it: that it was on when that was
// challenged is enough.
func TestWhatABlindDaemonMissedFirstIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2)
		w.failing["Faults"] = 1 << 20
		w.at = map[abi.ChainEpoch]func(){after: func() { delete(w.failing, "Faults") }}
		w.run(t, after+10)
		if duty := w.expect(t, post(0), vigil.StateMissed); duty.Reason != vigil.ReasonNotStarted {
			t.Errorf("it was missed because of %q", duty.Reason)
		}
	})
}

func TestANodeWithoutOldStateCostsOnlyTheHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2)
		w.add(deadline+2, 3, 4)
		w.add(deadline+5, 5, 6)
		w.run(t, after)
		for w.now() < open+4*60 { // the daemon is off; its node is made anew from a snapshot
			w.tick()
		}
		w.pruned = true
		w.run(t, open+6*60+10)
		id := post(0)
		id.Open += 5 * 60
		w.expect(t, id, vigil.StateConfirmed)
	})
}
