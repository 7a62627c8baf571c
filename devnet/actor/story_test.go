package actor

import (
	"slices"
	"testing"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/smoothing"
	"github.com/filecoin-project/go-state-types/exitcode"
)

const window32GiB = abi.RegisteredPoStProof_StackedDrgWindow32GiBV1_1

// openAt moves to an epoch within a deadline's next window.
func (l *lab) openAt(deadline uint64, after abi.ChainEpoch) {
	l.t.Helper()
	d := upcoming(l.view().State.ProvingPeriodStart, deadline, l.rt.Epoch)
	l.until(d.Open + after)
}

func (l *lab) compareRaw(what string, sectors int64) {
	l.t.Helper()
	size := big.NewInt(int64(l.view().Info.SectorSize))
	if want := big.Mul(size, big.NewInt(sectors)); !l.claim.Raw.Equals(want) {
		l.t.Fatalf("%s: power of %s sectors, want %d", what, big.Div(l.claim.Raw, size), sectors)
	}
}

func sizes(t *testing.T, l *lab) []uint64 {
	t.Helper()
	out := make([]uint64, miner.WPoStPeriodDeadlines)
	for i := range out {
		for _, p := range l.partitions(uint64(i)) {
			out[i] += count(p.All)
		}
	}
	return out
}

func TestNewSectorsGoToMutableDeadlinesFillingPartitionsInOrder(t *testing.T) {
	// At epoch 26*60 deadline 26 has just opened: it and 27 take nothing.
	l := newLab(t, 1000, window2KiB, 26*60, 0)
	l.add(200, 500*2880)
	got := sizes(t, l)
	for i, n := range got {
		want := uint64(4)
		switch {
		case i == 26 || i == 27:
			want = 0
		case i < 8: // the 16 sectors left after 46 deadlines have two partitions each
			want = 6
		}
		if n != want {
			t.Errorf("deadline %d has %d sectors, want %d", i, n, want)
		}
	}
	// The next sectors fill the two that are behind before any third partition.
	l.rt.Epoch += 300
	l.add(9, 500*2880)
	if now := sizes(t, l); now[26] != 4 || now[27] != 4 || now[8] != 5 {
		t.Errorf("deadlines 26, 27, 8 have %d, %d, %d sectors, want 4, 4, 5", now[26], now[27], now[8])
	}
	l.invariants()
}

func TestOneCallAssigns100000SectorsTo43PartitionsIn46Deadlines(t *testing.T) {
	l := newLab(t, 1000, window32GiB, 5, 0)
	l.add(100_000, 500*2880)
	partitions := 0
	for i := range miner.WPoStPeriodDeadlines {
		ps := l.partitions(i)
		partitions += len(ps)
		if len(ps) > 1 || i < 2 && len(ps) > 0 {
			t.Errorf("deadline %d has %d partitions", i, len(ps))
		}
	}
	if partitions != 43 {
		t.Errorf("%d partitions, want 43", partitions)
	}
}

func TestADeadlineCanBeAssignedToUntil61EpochsBeforeItOpens(t *testing.T) {
	for _, c := range []struct {
		epoch abi.ChainEpoch
		want  bool
	}{{10*60 - 61, true}, {10*60 - 60, false}, {10 * 60, false}, {10*60 + 59, false}, {10*60 + 60, true}} {
		if got := mutable(0, 10, c.epoch); got != c.want {
			t.Errorf("deadline 10 at epoch %d: mutable %v, want %v", c.epoch, got, c.want)
		}
	}
}

func TestTheNetworksOwnPeriodStartIsDrawnFromMinerAndEpoch(t *testing.T) {
	l := newLab(t, 1000, window2KiB, 12345, 0)
	head, err := Construct(l.rt, Config{Owner: owner, Worker: worker, ProofType: window2KiB})
	check(t, err)
	v, err := Open(l.rt.Store, head)
	check(t, err)
	start := v.State.ProvingPeriodStart
	if start > 12345 || start <= 12345-miner.WPoStProvingPeriod {
		t.Errorf("period start %d is not the one before epoch 12345", start)
	}
	if (start-drawOffset(1000, 12345))%miner.WPoStProvingPeriod != 0 {
		t.Errorf("period start %d is not at the drawn offset", start)
	}
	if d := v.ProvingDeadline(12345); d.Index != v.State.CurrentDeadline || !d.IsOpen() {
		t.Errorf("deadline %+v", d)
	}
}

// TestAProvingPeriodOfSixSectors is the scenario: posts, a miss, a dispute of a
// right proof, a recovery proven wrong and right, a wrong proof disputed.
func TestAProvingPeriodOfSixSectors(t *testing.T) {
	l := newLab(t, 1000, window2KiB, 0, -24*60)
	l.add(46*4+2, 500*2880) // three partitions in deadline 0
	l.openAt(0, 5)

	_, err := l.post(nil, 0, 1)
	check(t, err)
	if len(l.asked) != 0 {
		t.Fatal("a proof was verified that brings nothing back")
	}
	l.compareRaw("after the first post", 4)
	_, err = l.post(nil, 1, 2)
	refused(t, err, exitcode.ErrIllegalArgument, "failed to process post submission for deadline 0: partition already proven: BitField { ranges: [1..2], set: {}, unset: {} }")
	_, err = l.dispute(0, 0)
	refused(t, err, exitcode.ErrForbidden, "can only dispute window posts during the dispute window (1800 epochs after the challenge window closes)")

	closed := l.until(l.rt.Epoch + 60)
	if c := closed[0]; c.Posted != 2 || c.Missed != 1 || !c.Faulty.Raw.Equals(big.NewInt(2*2048)) {
		t.Fatalf("closed as %+v", c)
	}
	l.compareRaw("a missed partition had no power to lose", 4)
	_, err = l.dispute(0, 0)
	refused(t, err, exitcode.ErrIllegalArgument, "failed to dispute valid post")

	missed := l.partitions(0)[2].Faulty
	_, err = l.recover(0, 2, missed)
	check(t, err)
	l.openAt(0, 1)
	l.right = false
	_, err = l.post(nil, 2)
	refused(t, err, exitcode.ErrIllegalArgument, "invalid post was submitted")
	l.right = true
	out, err := l.post(nil, 2)
	check(t, err)
	if !out.Post.Recovered.Raw.Equals(big.NewInt(2 * 2048)) {
		t.Fatalf("recovered %v", out.Post.Recovered)
	}
	l.compareRaw("after the recovery", 6)
	_, err = l.post(nil, 0, 1)
	check(t, err)
	l.until(l.rt.Epoch + 60)
	ds, err := l.view().Deadlines()
	check(t, err)
	if ds[0].DisputableProofCount != 1 {
		t.Fatalf("%d proofs can be disputed, want 1: a verified one cannot", ds[0].DisputableProofCount)
	}

	l.right = false
	l.rt.Caller = stranger
	out, err = l.dispute(0, 0)
	check(t, err)
	if !out.Reward.Equals(fil(4)) || !out.Burn.Equals(fil(20)) {
		t.Errorf("burnt %s, rewarded %s", out.Burn, out.Reward)
	}
	l.compareRaw("after the dispute only the verified partition counts", 2)
	_, err = l.dispute(0, 0)
	refused(t, err, exitcode.ErrIllegalArgument, "failed to load proof for dispute: proof 0 not found")
	l.invariants()
}

func TestAProofIsDisputableFor1800Epochs(t *testing.T) {
	for _, c := range []struct {
		epoch abi.ChainEpoch
		want  bool
	}{{600, false}, {659, false}, {660, true}, {660 + 1799, true}, {660 + 1800, false}, {2880 + 599, false}, {2880 + 600, false}} {
		if got := disputable(0, 10, c.epoch); got != c.want {
			t.Errorf("deadline 10 at epoch %d: disputable %v, want %v", c.epoch, got, c.want)
		}
	}
}

func TestOnlyTheLastEpochOfADeadlineCloses(t *testing.T) {
	l := newLab(t, 1000, window2KiB, 0, 0)
	l.add(10, 500*2880)
	for range 200 {
		before, epoch := l.head, l.rt.Epoch
		out := l.end()
		if last := epoch%60 == 59; last != (out.Closed != nil) || !last && out.Head != before {
			t.Fatalf("epoch %d: closed %v", epoch, out.Closed)
		}
	}
}

func TestASectorFaultyFor42DaysIsTerminatedAndItsPledgeSet(t *testing.T) {
	l := newLab(t, 1000, window2KiB, 0, 0)
	l.add(2, 500*2880)
	l.until(2 * 60) // past deadlines 0 and 1, which took none
	first := upcoming(0, 2, l.rt.Epoch)
	closed := l.until(first.Last() + miner.FaultMaxAge)
	for _, c := range closed {
		if c.Terminated != 0 {
			t.Fatalf("terminated before its time: %+v", c)
		}
	}
	if l.view().State.InitialPledge.IsZero() {
		t.Fatal("pledge given back before its time")
	}
	burnt := l.rt.Balance
	end := l.end()
	if end.Closed == nil || end.Closed.Terminated != 2 || end.Closed.Expired != 0 {
		t.Fatalf("closed as %+v", end.Closed)
	}
	if !l.view().State.InitialPledge.IsZero() || !l.pledge.IsZero() {
		t.Errorf("pledge left: %s", l.view().State.InitialPledge)
	}
	if paid := big.Sub(burnt, l.rt.Balance); !paid.Equals(end.Closed.Penalty) || paid.IsZero() {
		t.Errorf("paid %s of %s", paid, end.Closed.Penalty)
	}
	if p := l.partitions(2)[0]; count(p.Live) != 0 || count(p.All) != 2 {
		t.Errorf("partition %+v", p)
	}
	l.invariants()
}

func TestSectorsExpireAtTheEndOfTheirLife(t *testing.T) {
	l := newLab(t, 1000, window2KiB, 0, 0)
	l.add(2, 3*2880)
	for range 3 {
		l.openAt(2, 1)
		_, err := l.post(nil, 0)
		check(t, err)
		l.compareRaw("while it lives", 2)
		l.until(l.rt.Epoch + 60)
	}
	l.openAt(2, 1)
	_, err := l.post(nil, 0)
	check(t, err)
	closed := l.until(l.rt.Epoch + 60)
	if closed[0].Expired != 2 {
		t.Fatalf("closed as %+v", closed[0])
	}
	l.compareRaw("after its life", 0)
	if !l.pledge.IsZero() {
		t.Errorf("pledge left: %s", l.pledge)
	}
	l.invariants()
}

func TestPowerThatStaysFaultyPaysFromTheSecondMissOn(t *testing.T) {
	l := newLab(t, 1000, window2KiB, 0, 0)
	l.rt.Economy = Economy{Reward: smoothing.NewEstimate(fil(100), big.Zero()), Power: smoothing.NewEstimate(big.NewInt(1<<40), big.Zero())}
	l.add(2, 500*2880)
	l.openAt(2, 0)
	_, err := l.post(nil, 0)
	check(t, err)
	l.until(l.rt.Epoch + 60)
	qa := l.claim.QA
	l.openAt(2, 0)
	day := l.rt.Economy.reward(qa, 2880)
	fee := big.Min(big.NewInt(14), big.Div(day, big.NewInt(2)))
	if c := l.until(l.rt.Epoch + 60)[0]; !c.Penalty.Equals(fee) {
		t.Errorf("the first miss cost %s, want the daily fee of %s alone", c.Penalty, fee)
	}
	l.openAt(2, 0)
	want := big.Add(fee, miner.PledgePenaltyForContinuedFault(l.rt.Economy.Reward, l.rt.Economy.Power, qa))
	if c := l.until(l.rt.Epoch + 60)[0]; !c.Penalty.Equals(want) || want.LessThanEqual(fee) {
		t.Errorf("the second miss cost %s, want %s", c.Penalty, want)
	}
}

func TestDebtMustBePaidBeforeARecovery(t *testing.T) {
	l := newLab(t, 1000, window2KiB, 0, 0)
	l.add(2, 500*2880)
	l.openAt(2, 0)
	l.until(l.rt.Epoch + 60)
	s, err := begin(l.rt, l.head)
	check(t, err)
	s.charge(big.NewInt(500))
	out, err := s.end()
	check(t, err)
	l.head = out.Head
	rich := l.rt.Balance
	l.rt.Balance = big.NewInt(2000 + 499) // the pledge is 2000
	faulty := l.partitions(2)[0].Faulty
	_, err = l.recover(2, 0, faulty)
	refused(t, err, exitcode.ErrInsufficientFunds, "unlocked balance can not repay fee debt: unlocked balance can not repay fee debt (0.000000000000000499 < 0.0000000000000005)")
	l.rt.Balance = rich
	out, err = l.recover(2, 0, faulty)
	check(t, err)
	if !out.Burn.Equals(big.NewInt(500)) || !l.view().State.FeeDebt.IsZero() {
		t.Errorf("burnt %s, debt %s", out.Burn, l.view().State.FeeDebt)
	}
}

func TestTheProofsListHasTheFirstGoodSectorOfTheMessageInPlaceOfBadOnes(t *testing.T) {
	l := newLab(t, 1000, window2KiB, 0, -24*60)
	l.add(46*4+2, 500*2880)
	l.openAt(0, 0)
	ps := l.partitions(0)
	a, b, c := members(ps[0].All), members(ps[1].All), members(ps[2].All)
	message := []miner.PoStPartition{
		{Index: 2, Skipped: bitfield.New()},
		{Index: 0, Skipped: bitfield.NewFromSet(a[:1])},
		{Index: 1, Skipped: bitfield.NewFromSet(b[1:])},
	}
	list, err := l.view().SectorsForProof(0, message)
	check(t, err)
	want := []uint64{a[1], a[1], b[0], a[1], c[0], c[1]}
	if got := numbersOf(list); !slices.Equal(got, want) {
		t.Errorf("the list is %v, want %v", got, want)
	}
	out, err := l.post(map[uint64][]uint64{0: a[:1], 1: b[1:]}, 2, 0, 1)
	check(t, err)
	q, err := out.Post.Question(l.rt)
	check(t, err)
	for i, s := range q.ChallengedSectors {
		if uint64(s.SectorNumber) != want[i] {
			t.Fatalf("the question is over %v, want %v", q.ChallengedSectors, want)
		}
	}
	if out.Post.Skipped != 2 {
		t.Errorf("%d skipped", out.Post.Skipped)
	}
}

func numbersOf(list []*miner.SectorOnChainInfo) (out []uint64) {
	for _, s := range list {
		out = append(out, uint64(s.SectorNumber))
	}
	return out
}

func TestTheLimitsOfADeclaration(t *testing.T) {
	l := newLab(t, 1000, window32GiB, 0, 0)
	many := declared{}
	for i := range uint64(3001) {
		check(t, many.add(i%48, i/48, setOf(i)))
	}
	refused(t, many.check(), exitcode.ErrIllegalArgument, "cannot process requested parameters: too many partitions 3001, max 3000")
	wide := bitfield.NewFromSet(nil)
	for i := range uint64(25_001) {
		wide.Set(i)
	}
	_, err := l.recover(5, 0, wide)
	refused(t, err, exitcode.ErrIllegalArgument, "cannot process requested parameters: too many sectors 25001, max 25000")
}

func TestOnlyOwnerWorkerAndControlMaySend(t *testing.T) {
	for id, want := range map[abi.ActorID]bool{owner: true, worker: true, control: true, stranger: false} {
		l := newLab(t, 1000, window2KiB, 0, 0)
		l.rt.Caller = id
		_, err := l.call(10, &miner.DeclareFaultsParams{})
		if want {
			check(t, err)
			continue
		}
		refused(t, err, exitcode.ErrForbidden, "caller f0100 is not one of supported")
	}
}

func TestACallLeavesNoTraceOfARefusal(t *testing.T) {
	l := newLab(t, 1000, window2KiB, 0, 0)
	l.add(4, 500*2880)
	l.openAt(2, 0)
	before := l.head
	if _, err := l.post(map[uint64][]uint64{0: members(l.partitions(2)[0].All)}, 0); err == nil {
		t.Fatal("a post of nothing was taken")
	}
	if _, err := l.post(nil, 0); err != nil || l.head == before {
		t.Fatalf("the partition cannot be posted after a refused post: %v", err)
	}
}

func TestAnUnknownMethodAndTheWrongSectorAreRefused(t *testing.T) {
	l := newLab(t, 1000, window2KiB, 0, 0)
	l.add(2, 500*2880)
	_, err := l.send(99, nil)
	refused(t, err, exitcode.ErrUnhandledMessage, "invalid method: 99")
	l.next = 1
	twice := sectorsOf(t, l)
	_, err = AddSectors(l.rt, l.head, twice[:1])
	refused(t, err, exitcode.ErrIllegalArgument, "sector 0 already allocated")
	_, err = Construct(l.rt, Config{ProofType: abi.RegisteredPoStProof_StackedDrgWindow2KiBV1})
	refused(t, err, exitcode.ErrIllegalArgument, "proof type Invalid(5) not allowed")
}

func sectorsOf(t *testing.T, l *lab) []*miner.SectorOnChainInfo {
	t.Helper()
	all, err := l.view().Sectors(nil)
	check(t, err)
	return all
}
