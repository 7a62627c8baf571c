package actor

import (
	"bytes"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/smoothing"
	"github.com/filecoin-project/go-state-types/exitcode"
)

func (l *lab) terminate(deadline, partition uint64, set bits) (Effects, error) {
	l.t.Helper()
	return l.call(9, &miner.TerminateSectorsParams{Terminations: []miner.TerminationDeclaration{{Deadline: deadline, Partition: partition, Sectors: set}}})
}

func (l *lab) compact(deadline uint64, partitions ...uint64) (Effects, error) {
	l.t.Helper()
	return l.call(19, &miner.CompactPartitionsParams{Deadline: deadline, Partitions: setOf(partitions...)})
}

// provenMiner has two partitions of two proven sectors in deadlines 2 to 47, and
// deadline 10 is ahead.
func provenMiner(t *testing.T) *lab {
	t.Helper()
	l := newLab(t, 1000, window2KiB, 0, 0)
	l.add(46*4, 500*2880)
	l.activate()
	return l
}

func TestATerminatedSectorLosesItsPowerAtOnceAndCostsItsFee(t *testing.T) {
	l := provenMiner(t)
	l.rt.Economy = Economy{Reward: smoothing.NewEstimate(big.NewInt(1e9), big.Zero()), Power: smoothing.NewEstimate(big.NewInt(1<<50), big.Zero())}
	all := l.partitions(10)[0].All
	gone := sectorOf(t, l, members(all)[0])
	locked, rich := l.pledge, l.rt.Balance
	out, err := l.terminate(10, 0, first(all))
	check(t, err)
	l.compareRaw("after the termination", 46*4-1)
	if freed := big.Sub(locked, l.pledge); !freed.Equals(gone.InitialPledge) {
		t.Errorf("pledge of %s is free, want %s", freed, gone.InitialPledge)
	}
	fault := l.rt.Economy.continuedFault(miner.QAPowerForSector(2048, gone))
	want := miner.PledgePenaltyForTermination(gone.InitialPledge, 0, fault)
	if paid := big.Sub(rich, l.rt.Balance); !paid.Equals(want) || want.IsZero() {
		t.Errorf("the termination cost %s, want %s", paid, want)
	}
	var done miner.TerminateSectorsReturn
	check(t, done.UnmarshalCBOR(bytes.NewReader(out.Return)))
	if !done.Done {
		t.Error("it is said not to be done")
	}
	// It is proven by a stand-in, and is not faulty.
	l.openAt(10, 0)
	post, err := l.post(nil, 0)
	check(t, err)
	q, err := post.Post.Question(l.rt)
	check(t, err)
	if q.ChallengedSectors[0].SectorNumber == gone.SectorNumber || len(q.ChallengedSectors) != 2 {
		t.Errorf("the proof is asked over %v", q.ChallengedSectors)
	}
	l.invariants()
}

func TestAFaultySectorAndAnUnprovenOneCanBeTerminated(t *testing.T) {
	l := provenMiner(t)
	faulty := l.partitions(20)[1].All
	_, err := l.call(10, &miner.DeclareFaultsParams{Faults: []miner.FaultDeclaration{{Deadline: 20, Partition: 1, Sectors: faulty}}})
	check(t, err)
	_, err = l.recover(20, 1, first(faulty))
	check(t, err)
	before := l.claim
	_, err = l.terminate(20, 1, faulty)
	check(t, err)
	l.add(2, 500*2880) // where live sectors are fewest, but not in the hole
	fresh := l.partitions(20)[2].Unproven
	_, err = l.terminate(20, 2, fresh)
	check(t, err)
	if !l.claim.Equals(before) {
		t.Errorf("power changed from %v to %v: neither had any", before, l.claim)
	}
	l.invariants()
}

func TestWhatCannotBeTerminated(t *testing.T) {
	l := provenMiner(t)
	l.openAt(9, 0) // 9 is open and 10 the next
	for _, c := range []struct {
		deadline, partition uint64
		set                 bits
		code                exitcode.ExitCode
		words               string
	}{
		{9, 0, l.partitions(9)[0].All, 16, "cannot terminate sectors in immutable deadline 9"},
		{10, 0, l.partitions(10)[0].All, 16, "cannot terminate sectors in immutable deadline 10"},
		{11, 0, l.partitions(12)[0].All, 16, "failed to terminate sectors in deadline 11: failed to terminate sectors in partition 0: can only terminate live sectors"},
		{11, 7, setOf(1), 17, "failed to terminate sectors in deadline 11: failed to find partition 7"},
		{48, 0, setOf(1), 16, "failed to process deadline 48, partition 0: invalid deadline 48"},
	} {
		_, err := l.terminate(c.deadline, c.partition, c.set)
		refused(t, err, c.code, c.words)
	}
	set := l.partitions(11)[0].All
	_, err := l.terminate(11, 0, set)
	check(t, err)
	_, err = l.terminate(11, 0, set)
	refused(t, err, 16, "failed to terminate sectors in deadline 11: failed to terminate sectors in partition 0: can only terminate live sectors")
	l.rt.Caller = stranger
	_, err = l.terminate(12, 0, l.partitions(12)[0].All)
	refused(t, err, exitcode.ErrForbidden, "caller f0100 is not one of supported")
}

// TestTerminationsBeyondTheLimitAreSettledEpochByEpoch leaves more sectors to be
// settled than one epoch may.
func TestTerminationsBeyondTheLimitAreSettledEpochByEpoch(t *testing.T) {
	const sectors = 26_000
	l := newLab(t, 1000, window32GiB, 0, 0)
	l.add(sectors, 500*2880)
	l.activate()
	l.rt.Epoch = 20 // the deadlines of the sectors are ahead, none closes
	s, err := begin(l.rt, l.head)
	check(t, err)
	for i := range miner.WPoStPeriodDeadlines {
		for n, p := range l.partitions(i) {
			check(t, s.terminateIn(i, map[uint64]bits{uint64(n): p.All}))
		}
	}
	out, err := s.end()
	check(t, err)
	l.took(out)
	for _, left := range []int64{1000, 0} {
		l.rt.Caller = owner
		_, err = l.call(16, &miner.WithdrawBalanceParams{AmountRequested: fil(1)})
		if code(t, err) != exitcode.ErrForbidden {
			t.Errorf("a withdrawal with unsettled terminations: %v", err)
		}
		l.end()
		if want := big.NewInt(left * 1000); !l.pledge.Equals(want) {
			t.Errorf("pledge of %s is locked after epoch %d, want %s", l.pledge, l.rt.Epoch-1, want)
		}
		l.invariants()
	}
	before := l.head
	if l.end(); l.head != before {
		t.Error("an epoch with nothing left to settle changed the state")
	}
	_, err = l.call(16, &miner.WithdrawBalanceParams{AmountRequested: fil(1)})
	check(t, err)
}

func TestCompactionFillsTheHolesOfTerminatedSectors(t *testing.T) {
	l := provenMiner(t)
	l.openAt(30, 0) // 1800 epochs after 40 closed
	ps := l.partitions(40)
	a, b := members(ps[0].All), members(ps[1].All)
	for i, p := range ps {
		_, err := l.terminate(40, uint64(i), first(p.All))
		check(t, err)
	}
	power := l.claim
	_, err := l.compact(40, 0, 1)
	check(t, err)
	now := l.partitions(40)
	if len(now) != 1 {
		t.Fatalf("%d partitions are left", len(now))
	}
	same(t, "the partition", map[string][2]any{"all": {setOf(a[1], b[1]), now[0].All}, "active": {setOf(a[1], b[1]), now[0].Active}})
	if !l.claim.Equals(power) {
		t.Errorf("power changed from %v to %v", power, l.claim)
	}
	_, err = l.call(13, &miner.CheckSectorProvenParams{SectorNumber: abi.SectorNumber(a[0])})
	refused(t, err, exitcode.ErrNotFound, "sector "+big.NewIntUnsigned(a[0]).String()+" not proven")
	_, err = l.call(13, &miner.CheckSectorProvenParams{SectorNumber: abi.SectorNumber(a[1])})
	check(t, err)
	l.invariants()
	// The deadline goes on as before.
	l.openAt(40, 0)
	_, err = l.post(nil, 0)
	check(t, err)
	l.until(l.rt.Epoch + 60)
	l.invariants()
}

func TestPartitionsAfterThoseRemovedMoveUp(t *testing.T) {
	l := provenMiner(t)
	l.add(46*2, 400*2880) // a third partition everywhere
	l.openAt(40, 0)
	_, err := l.post(nil, 0, 1, 2)
	check(t, err)
	l.openAt(40, 60+1800)
	ps := l.partitions(40)
	_, err = l.terminate(40, 0, ps[0].All)
	check(t, err)
	_, err = l.compact(40, 0)
	check(t, err)
	now := l.partitions(40)
	same(t, "partitions", map[string][2]any{"0": {ps[1].All, now[0].All}, "1": {ps[2].All, now[1].All}})
	l.invariants()
}

func TestWhatCannotBeCompacted(t *testing.T) {
	l := provenMiner(t)
	l.openAt(12, 0)
	_, err := l.post(nil, 0, 1)
	check(t, err)
	l.openAt(30, 0)
	_, err = l.call(10, &miner.DeclareFaultsParams{Faults: []miner.FaultDeclaration{{Deadline: 35, Partition: 1, Sectors: l.partitions(35)[1].All}}})
	check(t, err)
	l.add(92, 500*2880) // a third partition, unproven, everywhere
	words := func(deadline string) string {
		return "cannot compact deadline " + deadline + " during its challenge window, or the prior challenge window,\n" +
			"                    or before 1800 epochs have passed since its last challenge window ended"
	}
	for _, c := range []struct {
		deadline   uint64
		partitions []uint64
		code       exitcode.ExitCode
		words      string
	}{
		{48, []uint64{0}, 16, "invalid deadline 48"},
		{30, []uint64{0}, 18, words("30")},
		{31, []uint64{0}, 18, words("31")},
		{12, []uint64{0}, 18, words("12")},
		{35, []uint64{0, 1}, 16, "failed to remove partitions from deadline 35: while removing partitions: cannot remove partition 1: has faults"},
		{40, []uint64{2}, 16, "failed to remove partitions from deadline 40: while removing partitions: cannot remove partition 2: has unproven sectors"},
		{40, []uint64{3}, 16, "failed to remove partitions from deadline 40: partition index 3 out of range [0, 3)"},
		{40, []uint64{0, 1, 2, 3}, 16, "failed to remove partitions from deadline 40: partitions to remove exceeds total"},
	} {
		_, err := l.compact(c.deadline, c.partitions...)
		refused(t, err, c.code, c.words)
	}
	many := make([]uint64, 3001)
	for i := range many {
		many[i] = uint64(i)
	}
	_, err = l.compact(40, many...)
	refused(t, err, 16, "too many partitions 3001, limit 3000")
	before := l.view().State.Deadlines
	_, err = l.compact(40)
	check(t, err)
	if l.view().State.Deadlines != before {
		t.Error("removing nothing changed the deadlines")
	}
	l.invariants()
}

func TestAMinerWithNothingLockedRestsUntilItHasSectors(t *testing.T) {
	l := newLab(t, 1000, window2KiB, 0, 0)
	if st := l.view().State; st.DeadlineCronActive {
		t.Error("a new miner's deadlines turn") // lotus itests/deadlines_test.go, miners D and E
	}
	before := l.head
	if closed := l.until(2 * 2880); len(closed) != 0 || l.head != before {
		t.Errorf("%d deadlines closed without a cron", len(closed))
	}
	l.add(2, 500*2880)
	if closed := l.until(l.rt.Epoch + 2880); len(closed) != 48 {
		t.Errorf("%d deadlines closed in a period with sectors, want 48", len(closed))
	}
	l.invariants()
}
