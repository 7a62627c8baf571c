package runner_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// many gives the deadline's only partition so many sectors, from 1 on.
func (w *world) many(n int) {
	numbers := make([]uint64, n)
	for i := range numbers {
		numbers[i] = uint64(i + 1)
	}
	w.add(deadline, numbers...)
}

// happens lets something happen to the world at an epoch.
func (w *world) happens(epoch abi.ChainEpoch, what func()) {
	if w.at == nil {
		w.at = map[abi.ChainEpoch]func(){}
	}
	w.at[epoch] = func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		what()
	}
}

func TestAStorageThatIsBackBeforeTheCutoffCostsNoSector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.many(100)
		for n := range abi.SectorNumber(40) {
			w.unknown[n+1] = true
		}
		w.happens(open+40, func() { clear(w.unknown) })
		w.run(t, after)
		if duty := w.expect(t, post(0), vigil.StateConfirmed); len(duty.Skipped) != 0 {
			t.Errorf("%d sectors are skipped", len(duty.Skipped))
		}
	})
}

func TestAStorageThatStaysAwayCostsItsSectorsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.many(100)
		for n := range abi.SectorNumber(40) {
			w.unknown[n+1] = true
		}
		var proved abi.ChainEpoch
		w.prove = func(ctx context.Context) error { proved = w.now(); return wait(ctx, 2*epoch) }
		w.run(t, after)
		if duty := w.expect(t, post(0), vigil.StateConfirmed); len(duty.Skipped) != 40 {
			t.Errorf("%d sectors are skipped", len(duty.Skipped))
		}
		if proved < open+40 || proved > closed-12 {
			t.Errorf("proved at %d: as late as can be, and in time", proved-open)
		}
	})
}

// What proofs took before says when the reading must end.
func TestTheCutoffComesFromWhatProofsTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.many(100)
		w.add(deadline+1, 201, 202)
		var began []abi.ChainEpoch
		w.prove = func(ctx context.Context) error { began = append(began, w.now()); return wait(ctx, 30*epoch) }
		w.happens(open+1, func() { w.unknown[201] = true })
		w.run(t, closed+70)
		next := post(0)
		next.Open += 60
		if duty := w.expect(t, next, vigil.StateConfirmed); len(duty.Skipped) != 1 {
			t.Errorf("%d sectors are skipped", len(duty.Skipped))
		}
		if at := began[1] - closed; at < 15 || at > 18 { // 60 - 12 - 30
			t.Errorf("the second proof began %d epochs after its deadline opened", at)
		}
	})
}

func TestMoreBadSectorsThanAFewAreWaitedForAndAlarmed(t *testing.T) {
	for _, c := range []struct {
		sentence       string
		bad            int
		back           bool
		waits, alarmed bool
		skipped        int
	}{
		{"a few are skipped at once", 15, false, false, false, 15},
		{"many that are good again are proved", 16, true, true, true, 0},
		{"many that stay bad are skipped at the last moment", 16, false, true, true, 16},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.many(300)
				for n := range abi.SectorNumber(c.bad) {
					w.bad[n+1] = "replica: missing"
				}
				if c.back {
					w.happens(open+20, func() { clear(w.bad) })
				}
				var proved abi.ChainEpoch
				w.prove = func(ctx context.Context) error { proved = w.now(); return wait(ctx, epoch) }
				w.run(t, after)
				if duty := w.expect(t, post(0), vigil.StateConfirmed); len(duty.Skipped) != c.skipped {
					t.Errorf("%d sectors are skipped", len(duty.Skipped))
				}
				if waits := proved > open; waits != c.waits {
					t.Errorf("proved at %d", proved-open)
				}
				log := w.log.String()
				if n := strings.Count(log, "sectors are bad at once: "); n > 1 || (n == 1) != c.alarmed {
					t.Errorf("%d alarms", n)
				}
				if n := strings.Count(log, `"sector is skipped"`); n > c.bad {
					t.Errorf("%d lines name %d sectors", n, c.bad)
				}
			})
		})
	}
}

func TestASectorThatIsBadForAMomentIsNotSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.many(20)
		w.slow = map[abi.SectorNumber]time.Duration{7: time.Minute}
		w.once = map[abi.SectorNumber]string{3: "replica: segment"}
		w.run(t, after)
		if duty := w.expect(t, post(0), vigil.StateConfirmed); len(duty.Skipped) != 0 {
			t.Errorf("skipped %v", duty.Skipped)
		}
	})
}

func TestWhatWasReadBeforeARestartIsNotReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.many(20)
		w.kept = map[vigil.DutyID]map[vigil.VanillaKey]vigil.VanillaProof{}
		w.prove = func(ctx context.Context) error { return wait(ctx, 10*epoch) }
		w.run(t, open-14)
		w.spoilt = map[abi.SectorNumber]bool{5: true}
		w.run(t, after)
		w.expect(t, post(0), vigil.StateConfirmed)
		if n := w.calls["Read"]; n != 21 {
			t.Errorf("%d reads of 20 sectors, of which one was spoilt on disk", n)
		}
		if len(w.kept) != 0 {
			t.Errorf("what is kept for %d duties is kept for ever", len(w.kept))
		}
	})
}

func TestASectorWithWhichNoProofVerifiesIsFoundAndLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.many(20)
		w.verdict = func(s vigil.Statement) bool {
			return !slices.ContainsFunc(s.Sectors, func(s vigil.Sector) bool { return s.Number == 7 || s.Number == 12 })
		}
		w.prove = func(ctx context.Context) error { return wait(ctx, epoch/2) }
		w.run(t, after)
		duty := w.expect(t, post(0), vigil.StateConfirmed)
		if len(duty.Skipped) != 2 || duty.Skipped[0].Number != 7 || duty.Skipped[1].Number != 12 {
			t.Errorf("skipped %v", duty.Skipped)
		}
	})
}

func TestAVanillaProofThatWasSpoiltInMemoryIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.many(20)
		w.spoilt = map[abi.SectorNumber]bool{7: true}
		w.verdict = func(vigil.Statement) bool { return len(w.spoilt) == 0 }
		w.run(t, after)
		duty := w.expect(t, post(0), vigil.StateConfirmed)
		if len(duty.Skipped) != 0 || w.calls["Prove"] != 2 || w.calls["Read"] != 21 {
			t.Errorf("skipped %v, %d proofs, %d reads", duty.Skipped, w.calls["Prove"], w.calls["Read"])
		}
	})
}

// Our own prover refuses a spoilt vanilla proof, whose path leads nowhere, and others may with
// words of their own: there is no proof that could be judged.
func TestAVanillaProofThatTheProverRefusesIsReadAgain(t *testing.T) {
	for _, refusal := range []error{
		fmt.Errorf("partition 0: %w", vigil.ErrUnproven),
		errors.New("sector 7 of the proof: assignment does not satisfy the circuit"),
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			w.many(20)
			w.spoilt = map[abi.SectorNumber]bool{7: true}
			w.prove = func(context.Context) error {
				w.mu.Lock()
				defer w.mu.Unlock()
				if len(w.spoilt) > 0 {
					return refusal
				}
				return nil
			}
			w.run(t, after)
			duty := w.expect(t, post(0), vigil.StateConfirmed)
			if len(duty.Skipped) != 0 || w.calls["Prove"] != 2 || w.calls["Read"] != 21 {
				t.Errorf("skipped %v, %d proofs, %d reads", duty.Skipped, w.calls["Prove"], w.calls["Read"])
			}
		})
	}
}

func TestAProverThatIsAlwaysWrongIsSaidAndNothingIsSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.many(4)
		w.verdict = func(vigil.Statement) bool { return false }
		w.prove = func(ctx context.Context) error { return wait(ctx, epoch/2) }
		w.run(t, after)
		duty := w.expect(t, post(0), vigil.StateMissed)
		if len(duty.Skipped) != 0 || !strings.Contains(duty.Problem, "does not verify") {
			t.Errorf("skipped %v: %s", duty.Skipped, duty.Problem)
		}
	})
}

// kept is a vigil.VanillaShelf.
func (w *world) Keep(id vigil.DutyID, key vigil.VanillaKey, proof vigil.VanillaProof) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dataDisk > 0 {
		w.mu.Unlock()
		<-time.After(w.dataDisk) // a disk does not know of contexts
		w.mu.Lock()
	}
	if w.kept == nil {
		return nil
	}
	if w.kept[id] == nil {
		w.kept[id] = map[vigil.VanillaKey]vigil.VanillaProof{}
	}
	w.kept[id][key] = proof
	return nil
}

func (w *world) Kept(id vigil.DutyID) (map[vigil.VanillaKey]vigil.VanillaProof, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.kept[id]), nil
}

func (w *world) Drop(id vigil.DutyID) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.kept, id)
	return nil
}

func (w *world) DropBefore(open abi.ChainEpoch) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.DeleteFunc(w.kept, func(id vigil.DutyID, _ map[vigil.VanillaKey]vigil.VanillaProof) bool { return id.Open < open })
	return nil
}

func TestWhatSpoilsAProofIsLeftOutBesideWhatIsBad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.many(20)
		w.bad[3] = "replica: missing"
		w.verdict = func(s vigil.Statement) bool {
			return !slices.ContainsFunc(s.Sectors, func(s vigil.Sector) bool { return s.Number == 7 })
		}
		w.prove = func(ctx context.Context) error { return wait(ctx, epoch/2) }
		w.run(t, after)
		duty := w.expect(t, post(0), vigil.StateConfirmed)
		if len(duty.Skipped) != 2 || len(w.proofs[post(0)].Partitions[0].Skipped) != 2 || len(w.proofs[post(0)].Statement.Sectors) != 18 {
			t.Errorf("skipped %v; the proof skips %v and states %d sectors", duty.Skipped, w.proofs[post(0)].Partitions[0].Skipped, len(w.proofs[post(0)].Statement.Sectors))
		}
	})
}

// A storage that is gone is an alarm once, and no more than a few lines in all its time.
func TestAStorageThatIsGoneIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.many(100)
		for n := range abi.SectorNumber(40) {
			w.unknown[n+1] = true
		}
		w.run(t, open+30)
		log := w.log.String()
		if n := strings.Count(log, "level=ERROR"); n != 1 || !strings.Contains(log, "is a storage gone?") {
			t.Errorf("%d alarms", n)
		}
		if n := strings.Count(log, "level=WARN"); n > 2 {
			t.Errorf("%d warnings", n)
		}
	})
}

func TestReadingAgainForgetsNoSectorThatIsLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.many(20)
		w.bad[3] = "replica: missing"
		w.spoilt = map[abi.SectorNumber]bool{7: true}
		w.verdict = func(vigil.Statement) bool { return len(w.spoilt) == 0 }
		w.run(t, after)
		duty := w.expect(t, post(0), vigil.StateConfirmed)
		if len(duty.Skipped) != 1 || len(w.proofs[post(0)].Partitions[0].Skipped) != 1 || len(w.proofs[post(0)].Statement.Sectors) != 19 {
			t.Errorf("skipped %v; the proof skips %v", duty.Skipped, w.proofs[post(0)].Partitions[0].Skipped)
		}
		if n := w.calls["Prove"]; n != 2 {
			t.Errorf("%d proofs were made", n)
		}
	})
}

// The search for a sector that spoils proofs must leave time for another try, also
// when the reading before it has taken its own.
func TestTheSearchForACulpritEndsBeforeTheCutoffAfterALongReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.many(8)
		w.slow = map[abi.SectorNumber]time.Duration{1: 30 * epoch}
		w.prove = func(ctx context.Context) error { return wait(ctx, 10*epoch) }
		wrong := 2 // the prover is wrong twice, and then no more
		w.verdict = func(vigil.Statement) bool { wrong--; return wrong < 0 }
		w.run(t, after)
		w.expect(t, post(0), vigil.StateConfirmed)
	})
}

// A bug in the reading of one sector must not end the daemon.
func TestAPanicInTheReadingOfASectorCostsThatSectorOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.many(8)
		w.reader = panics{w}
		w.run(t, after)
		duty := w.expect(t, post(0), vigil.StateConfirmed)
		if len(duty.Skipped) != 1 || !strings.Contains(duty.Skipped[0].Cause, "a bug") {
			t.Errorf("%v", duty.Skipped)
		}
	})
}

// panics reads every sector but the second.
type panics struct{ *world }

func (p panics) Read(ctx context.Context, r vigil.ReadRequest) (vigil.VanillaProof, error) {
	if r.Sector.Number == 2 {
		panic("index out of range")
	}
	return p.world.Read(ctx, r)
}

// A proof that had to be made twice takes no time from the reading of the next.
func TestAProofThatIsMadeAgainCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.many(8)
		w.prove = func(ctx context.Context) error { return wait(ctx, 10*epoch) }
		tries := 0
		w.verdict = func(vigil.Statement) bool { tries++; return tries > 1 }
		w.run(t, after)
		w.expect(t, post(0), vigil.StateConfirmed)
		if took := w.proofs[post(0)].ProveTime; took != 10*epoch {
			t.Errorf("the proof is said to have taken %v, want %v", took, 10*epoch)
		}
	})
}

// A partition that is left out at the cutoff does not wait for the proof of the others.
func TestAPartitionThatIsLeftOutIsTriedWhileTheOthersAreProved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2, 3)
		w.add(deadline, 21, 22, 23)
		for n := range abi.SectorNumber(3) {
			w.unknown[n+21] = true
		}
		const cutoff = closed - 12 - 1
		w.happens(cutoff+2, func() { clear(w.unknown) })
		w.prove = func(ctx context.Context) error { return wait(ctx, 8*epoch) }
		w.run(t, after)
		for batch, partition := range []uint64{0, 1} {
			if duty := w.expect(t, post(batch), vigil.StateConfirmed); !slices.Equal(duty.Partitions, []uint64{partition}) || len(duty.Skipped) != 0 {
				t.Errorf("%+v", duty)
			}
		}
	})
}

// A data disk that crawls costs what it would have kept, not the deadline.
func TestReadingDoesNotWaitForTheDiskThatKeepsWhatIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.kept = map[vigil.DutyID]map[vigil.VanillaKey]vigil.VanillaProof{}
		w.dataDisk = time.Hour
		w.many(20)
		w.run(t, after)
		if duty := w.expect(t, post(0), vigil.StateConfirmed); duty.Took.Read > epoch {
			t.Errorf("reading took %v", duty.Took.Read)
		}
		if len(w.kept) != 0 {
			t.Errorf("of what was proved long ago something is kept: %d duties", len(w.kept))
		}
	})
}

// What was read for a duty is there for those that its partitions go on in.
func TestASplitDutysSectorsAreNotReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2)
		w.add(deadline, 11, 12, 13, 14)
		w.slow = map[abi.SectorNumber]time.Duration{1: 100 * epoch}
		w.happens(open+10, func() {
			w.posted[fmt.Sprintf("%d/0", open)] = w.epoch // by somebody else
		})
		w.run(t, after)
		w.expect(t, post(0), vigil.StateReplaced)
		w.expect(t, post(1), vigil.StateConfirmed)
		if n := w.calls["tried to read"]; n != 5 {
			t.Errorf("%d reads of 5 sectors that can be read", n)
		}
	})
}

// Also when the daemon was down while somebody else posted a part.
func TestASplitDutysSectorsAreNotReadAgainAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.kept = map[vigil.DutyID]map[vigil.VanillaKey]vigil.VanillaProof{}
		w.add(deadline, 1, 2)
		w.add(deadline, 11, 12, 13, 14)
		w.slow = map[abi.SectorNumber]time.Duration{1: 100 * epoch}
		w.run(t, open+10)
		w.posted[fmt.Sprintf("%d/0", open)] = w.epoch - 1 // by somebody else
		w.run(t, after)
		w.expect(t, post(0), vigil.StateReplaced)
		w.expect(t, post(1), vigil.StateConfirmed)
		if n := w.calls["tried to read"]; n != 5 {
			t.Errorf("%d reads of 5 sectors that can be read", n)
		}
	})
}
