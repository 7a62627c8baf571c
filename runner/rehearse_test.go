package runner_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// ahead is a deadline that opens 480 epochs after the world begins to matter.
const (
	ahead     = deadline + 8
	aheadOpen = open + 8*60
)

func TestAFaultOfTwoHoursBeforeIsNamedAndAlarmedBeforeTheChallenge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.rehearse = true
		w.add(ahead, 1, 2, 3)
		w.happens(aheadOpen-240, func() { w.bad[2] = "p_aux: missing" })
		r := w.run(t, aheadOpen-245)
		if bad := r.Status().Miners[0].Bad; len(bad) != 0 {
			t.Errorf("before the fault %v are bad", bad)
		}
		r = w.run(t, aheadOpen-25)
		want := vigil.BadSector{Number: 2, Cause: "p_aux: missing"}
		miner := r.Status().Miners[0]
		if len(miner.Bad) != 1 || miner.Bad[0] != want {
			t.Errorf("the page names %v", miner.Bad)
		}
		if len(miner.Rehearsals) != 1 || miner.Rehearsals[0].Sectors != 3 || len(miner.Rehearsals[0].Bad) != 1 || miner.Rehearsals[0].Deadline != ahead {
			t.Errorf("rehearsals: %+v", miner.Rehearsals)
		}
		if log := w.log.String(); strings.Count(log, "a sector will be skipped at its next deadline") != 1 || !strings.Contains(log, "level=ERROR") {
			t.Error("there is no alarm, or more than one")
		}
	})
}

func TestAStorageThatIsGoneIsAlarmedAndASectorThatIsMendedIsNoLongerBad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.rehearse = true
		w.add(ahead, 1, 2, 3)
		w.bad[1], w.unknown[3] = "replica: missing", true
		w.happens(aheadOpen-300, func() {
			clear(w.bad)
			clear(w.unknown)
		})
		r := w.run(t, aheadOpen-310)
		if miner := r.Status().Miners[0]; len(miner.Bad) != 1 || miner.Rehearsals[0].Unchecked != 1 || !strings.Contains(miner.Rehearsals[0].Problem, "sector 3") {
			t.Errorf("%+v", miner.Rehearsals)
		}
		if !strings.Contains(w.log.String(), "is a storage gone?") {
			t.Error("there is no alarm")
		}
		if covered := r.Status().Miners[0].Covered; covered != 0 {
			t.Errorf("it is said that all sectors were read since %d, and one was not", covered)
		}
		r = w.run(t, aheadOpen-30)
		if miner := r.Status().Miners[0]; len(miner.Bad) != 0 || miner.Rehearsals[0].Unchecked != 0 || miner.Covered < aheadOpen-150 {
			t.Errorf("%+v", miner)
		}
	})
}

func TestARehearsalWaitsWhileADutysSectorsAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.rehearse = true
		w.many(10)
		numbers := make([]uint64, 200)
		w.slow = map[abi.SectorNumber]time.Duration{}
		for i := range numbers {
			numbers[i] = uint64(1001 + i)
			w.slow[abi.SectorNumber(numbers[i])] = 61*time.Second + time.Duration(i)*time.Millisecond
		}
		for n := range abi.SectorNumber(10) {
			w.slow[n+1] = 7 * time.Minute
		}
		w.add(deadline+2, numbers...)
		r := w.run(t, after)
		w.expect(t, post(0), vigil.StateConfirmed)
		if w.disturbed != 0 {
			t.Errorf("%d sectors were rehearsed while a duty's were read", w.disturbed)
		}
		if proof := w.proofs[post(0)]; proof.ReadTime > 7*time.Minute+epoch {
			t.Errorf("the duty's sectors took %v to read", proof.ReadTime)
		}
		if rehearsals := r.Status().Miners[0].Rehearsals; len(rehearsals) == 0 {
			t.Error("nothing was rehearsed")
		}
	})
}

func TestARehearsalThatRunsOutOfTimeBlamesNoStorage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.rehearse = true
		w.many(10)
		w.slow = map[abi.SectorNumber]time.Duration{1: 100 * epoch} // its deadline's are read to the cutoff
		var numbers []uint64
		for n := uint64(1001); n <= 1020; n++ { // four at a time until then
			numbers = append(numbers, n)
			w.slow[abi.SectorNumber(n)] = 10*epoch - time.Second
		}
		w.add(deadline+1, numbers...)
		r := w.run(t, closed-15)
		log := w.log.String()
		if strings.Contains(log, "is a storage gone?") {
			t.Error("a storage is blamed")
		}
		if !strings.Contains(log, "a rehearsal was not done in its time") {
			t.Error("it is not said that sectors were not read")
		}
		if s := r.Status().Miners[0].Rehearsals; len(s) != 2 || s[1].Unchecked != 16 || s[1].Sectors != 20 || !strings.Contains(s[1].Problem, "16 sectors") {
			t.Errorf("%+v", s)
		}
		if w.disturbed != 0 {
			t.Errorf("%d sectors were rehearsed while a duty's were read", w.disturbed)
		}
	})
}

// Of a hundred miners one always reads for a post: what is faulty must be recovered all the same.
func TestARecoveryIsNotHeldUpForeverByPostsThatAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.many(20)
		w.slow = map[abi.SectorNumber]time.Duration{1: 100 * epoch} // its deadline's are read to the cutoff
		w.add(deadline+2, 101, 102)
		w.bad[102] = "replica: missing"
		w.partitions[deadline+2][0].Faulty = bitfield.NewFromSet([]uint64{102})
		w.happens(open-10, func() { clear(w.bad) })
		w.run(t, after)
		w.expect(t, vigil.DutyID{Kind: vigil.KindRecover, Miner: minerID, Open: open + 120}, vigil.StateConfirmed)
	})
}

// What could be read before the cutoff is declared before it.
func TestASlowSectorDoesNotHoldUpTheRecoveryOfOthersBeyondTheCutoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.epoch = open + 38 // nine epochs before declarations are given up
		w.add(deadline+2, 101, 102)
		w.partitions[deadline+2][0].Faulty = bitfield.NewFromSet([]uint64{101, 102})
		w.slow = map[abi.SectorNumber]time.Duration{102: 100 * epoch}
		w.run(t, open+55)
		id := vigil.DutyID{Kind: vigil.KindRecover, Miner: minerID, Open: open + 120}
		if duty := w.duties[id]; len(duty.Sectors) != 1 || duty.Sectors[0] != 101 {
			t.Errorf("declared: %v", duty.Sectors)
		}
	})
}

// What was known of bad sectors and of what was read is known after a restart, without
// reading everything again.
func TestARestartForgetsNoRehearsal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.rehearse = true
		w.add(ahead, 1, 2, 3)
		w.bad[2] = "p_aux: missing"
		before := w.run(t, aheadOpen-400).Status().Miners[0]
		reads := w.calls["tried to read"]
		after := w.run(t, aheadOpen-390).Status().Miners[0]
		if reads == 0 || w.calls["tried to read"] != reads {
			t.Errorf("%d reads before the restart, %d after", reads, w.calls["tried to read"]-reads)
		}
		if len(after.Bad) != 1 || before.Covered == 0 || after.Covered != before.Covered {
			t.Errorf("before: %+v\nafter: %+v", before, after)
		}
		if strings.Count(w.log.String(), "a sector will be skipped at its next deadline") != 1 {
			t.Error("the alarm is raised again, or was not at all")
		}
	})
}

// A rehearsal of a deadline that is half a day off, on a storage that crawls, does
// not keep that of the next one waiting.
func TestAFarRehearsalDoesNotHoldUpTheNearOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.rehearse = true
		w.add(ahead, 1, 2, 3)
		w.add(ahead+9, 11)
		w.slow = map[abi.SectorNumber]time.Duration{11: 2000 * epoch}
		w.happens(aheadOpen-240, func() { w.bad[2] = "p_aux: missing" })
		r := w.run(t, aheadOpen-25)
		if bad := r.Status().Miners[0].Bad; len(bad) != 1 || bad[0].Number != 2 {
			t.Errorf("the page names %v", bad)
		}
	})
}

// What a rehearsal found bad, and was in the proof then, is not bad any more; nobody
// is called for it until the next rehearsal, half a day later.
func TestAProofOvertakesItsRehearsal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.rehearse = true
		w.add(ahead, 1, 2, 3)
		w.bad[1], w.bad[2], w.unknown[3] = "replica: missing", "p_aux: missing", true
		w.happens(aheadOpen-30, func() {
			delete(w.bad, 2)
			clear(w.unknown)
		})
		r := w.run(t, aheadOpen-5)
		if miner := r.Status().Miners[0]; len(miner.Rehearsals) != 1 || len(miner.Bad) != 2 {
			t.Errorf("before the proof is on chain: %+v", miner.Rehearsals)
		}
		w.partitions[ahead][0].Faulty = bitfield.NewFromSet([]uint64{1}) // for it is left out
		r = w.run(t, aheadOpen+61)
		if want := (vigil.BadSector{Number: 1, Cause: "replica: missing"}); len(r.Status().Miners[0].Bad) != 1 || r.Status().Miners[0].Bad[0] != want {
			t.Errorf("bad sectors: %+v", r.Status().Miners[0].Bad)
		}
	})
}
