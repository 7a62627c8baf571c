package actor

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/filecoin-project/go-state-types/exitcode"
	"github.com/filecoin-project/go-state-types/proof"
)

func TestTheOrderInWhichDeadlinesAreFilled(t *testing.T) {
	for name, c := range map[string]struct {
		loads []fill
		want  []uint64
	}{
		"the lowest of equal deadlines is filled, then the next":            {[]fill{{0, 0, 0}, {1, 0, 0}}, []uint64{0, 0, 0, 1, 1, 1, 0}},
		"the fewest partitions of live sectors come first":                  {[]fill{{0, 4, 4}, {1, 1, 8}}, []uint64{1, 1, 0}},
		"then the fewest partitions, dead sectors counted":                  {[]fill{{0, 1, 7}, {1, 1, 4}}, []uint64{1, 1, 0, 0}},
		"an open partition comes before a new one":                          {[]fill{{0, 0, 3}, {1, 0, 4}}, []uint64{1, 1, 0}},
		"the fuller of two open partitions comes first":                     {[]fill{{0, 1, 1}, {1, 2, 2}}, []uint64{1, 0, 0}},
		"of two full ones the one with fewer live sectors":                  {[]fill{{0, 2, 3}, {1, 1, 3}}, []uint64{1}},
		"of two as open the one with fewer live sectors":                    {[]fill{{0, 2, 4}, {1, 1, 4}}, []uint64{1}},
		"a deadline with no sector waits while another has an open one":     {[]fill{{0, 0, 0}, {1, 2, 2}}, []uint64{1, 0}},
		"a full partition does not get a second while others have room for": {[]fill{{0, 3, 3}, {1, 0, 0}}, []uint64{1, 1, 1, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			var loads []*fill
			for _, l := range c.loads {
				loads = append(loads, &l)
			}
			var got []uint64
			for range c.want {
				one, err := share(loads, 3, []*miner.SectorOnChainInfo{{}})
				check(t, err)
				got = append(got, sorted(one)...)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("filled %v, want %v", got, c.want)
			}
		})
	}
}

func TestADeadlineTakesNoMoreThan3000Partitions(t *testing.T) {
	full := &fill{live: 6000, total: 6000}
	if _, err := share([]*fill{full}, 2, []*miner.SectorOnChainInfo{{}}); err == nil {
		t.Error("a sector was put into partition 3001")
	}
}

// twoSectors is a miner with a partition of sectors 0 and 1 in deadline 2, both
// missed once.
func twoSectors(t *testing.T, life abi.ChainEpoch) *lab {
	t.Helper()
	l := newLab(t, 1000, window2KiB, 0, 0)
	l.add(2, life)
	l.openAt(2, 0)
	l.until(l.rt.Epoch + 60)
	return l
}

func TestARecoveringSectorThatIsSkippedStaysFaulty(t *testing.T) {
	l := twoSectors(t, 500*2880)
	_, err := l.recover(2, 0, setOf(0, 1))
	check(t, err)
	l.openAt(2, 0)
	message := []miner.PoStPartition{{Index: 0, Skipped: setOf(1)}}
	list, err := l.view().SectorsForProof(2, message)
	check(t, err)
	if got := numbersOf(list); !slices.Equal(got, []uint64{0, 0}) {
		t.Errorf("the list is %v, want 0 twice", got)
	}
	_, err = l.post(map[uint64][]uint64{0: {1}}, 0)
	check(t, err)
	p := l.partitions(2)[0]
	same(t, "after the post", map[string][2]any{
		"active": {setOf(0), p.Active}, "faulty": {setOf(1), p.Faulty}, "recovering": {bitfield.New(), p.Recovering},
	})
	l.compareRaw("after the post", 1)
	l.invariants()
}

func TestAFaultDeclarationTakesBackARecovery(t *testing.T) {
	l := twoSectors(t, 500*2880)
	_, err := l.recover(2, 0, setOf(0, 1))
	check(t, err)
	_, err = l.call(10, &miner.DeclareFaultsParams{Faults: []miner.FaultDeclaration{{Deadline: 2, Partition: 0, Sectors: setOf(0)}}})
	check(t, err)
	same(t, "partition", map[string][2]any{"recovering": {setOf(1), l.partitions(2)[0].Recovering}})
	l.invariants()
}

func TestAFaultySectorWhoseLifeEndsWithTheFaultExpiresOnTime(t *testing.T) {
	// Deadline 2 is missed first at epoch 179, so its faults end 42 periods later.
	for _, c := range []struct {
		life                abi.ChainEpoch
		expired, terminated uint64
	}{{179 + 42*2880, 2, 0}, {179 + 42*2880 + 1, 0, 2}} {
		l := twoSectors(t, c.life)
		closed := l.until(180 + 42*2880)
		last := closed[len(closed)-1]
		if last.Expired != c.expired || last.Terminated != c.terminated {
			t.Errorf("of life %d: %d expired, %d terminated, want %d and %d", c.life, last.Expired, last.Terminated, c.expired, c.terminated)
		}
		l.invariants()
		// One more period, with nothing alive in it, puts the last window's books
		// away. Other sectors keep the miner's cron going.
		l.add(2, 500*2880)
		l.until(l.rt.Epoch + 2880)
		all, err := l.view().State.LoadDeadlines(l.rt.Store)
		check(t, err)
		d, err := all.LoadDeadline(l.rt.Store, 2)
		check(t, err)
		if d.Partitions != d.PartitionsSnapshot {
			t.Error("the snapshot is of before the end")
		}
	}
}

func TestAFaultIsDeclaredUntil71EpochsBeforeItsDeadlineOpens(t *testing.T) {
	l := newLab(t, 1000, window2KiB, 0, 0)
	l.add(2, 500*2880)
	declare := &miner.DeclareFaultsParams{Faults: []miner.FaultDeclaration{{Deadline: 2, Partition: 0, Sectors: setOf(0)}}}
	l.until(50)
	_, err := l.call(10, declare)
	refused(t, err, exitcode.ErrIllegalArgument, "failed fault declaration at deadline 2: late fault or recovery declaration")
	l.rt.Epoch = 49
	_, err = l.call(10, declare)
	check(t, err)
	l.invariants()
}

func TestAFaultDeclaredForTheLastTimeBeforeALifeEndsExpiresOnTime(t *testing.T) {
	l := newLab(t, 1000, window2KiB, 0, 0)
	l.add(2, 179+42*2880)
	_, err := l.call(10, &miner.DeclareFaultsParams{Faults: []miner.FaultDeclaration{{Deadline: 2, Partition: 0, Sectors: setOf(0)}}})
	check(t, err)
	l.invariants()
	for range 42 {
		l.openAt(2, 0)
		_, err := l.post(nil, 0)
		check(t, err)
		l.compareRaw("all the time", 1)
		l.until(l.rt.Epoch + 60)
	}
	l.openAt(2, 0)
	if c := l.until(l.rt.Epoch + 60)[0]; c.Expired != 2 || c.Terminated != 0 {
		t.Errorf("closed as %+v", c)
	}
	l.invariants()
}

func TestASectorThatHasExpiredIsProvenByAStandIn(t *testing.T) {
	l := newLab(t, 1000, window2KiB, 0, 0)
	l.add(1, 2880)
	l.add(1, 500*2880)
	if ps := l.partitions(2); count(ps[0].All) != 2 {
		t.Fatalf("the sectors are not together: %+v", ps)
	}
	for range 2 {
		l.openAt(2, 0)
		_, err := l.post(nil, 0)
		check(t, err)
		l.until(l.rt.Epoch + 60)
	}
	l.openAt(2, 0)
	list, err := l.view().SectorsForProof(2, []miner.PoStPartition{{Index: 0, Skipped: bitfield.New()}})
	check(t, err)
	out, err := l.post(nil, 0)
	check(t, err)
	q, err := out.Post.Question(l.rt)
	check(t, err)
	if got := numbersOf(list); !slices.Equal(got, []uint64{1, 1}) || q.ChallengedSectors[0].SectorNumber != 1 {
		t.Errorf("the list is %v, the question over %v, want 1 twice", got, q.ChallengedSectors)
	}
}

// TestADisputeAsksWhatThePostHadToAnswer disputes, in the next period too, a
// post that skipped sectors.
func TestADisputeAsksWhatThePostHadToAnswer(t *testing.T) {
	for _, deadline := range []uint64{2, 46} { // 46's window is over shortly before the period ends
		for _, wait := range []abi.ChainEpoch{60, 60 + 1700} {
			l := newLab(t, 1000, window2KiB, 0, 0)
			l.add(46*4, 500*2880)
			l.openAt(deadline, 3)
			first := members(l.partitions(deadline)[0].All)[0]
			out, err := l.post(map[uint64][]uint64{0: {first}}, 0, 1)
			check(t, err)
			want, err := out.Post.Question(l.rt)
			check(t, err)
			l.until(l.rt.Epoch + wait)
			l.right = false
			l.rt.Caller = stranger
			_, err = l.dispute(deadline, 0)
			check(t, err)
			if len(l.asked) != 1 || !reflect.DeepEqual(l.asked[0], want) {
				t.Errorf("deadline %d, %d epochs later: asked %v\nwant %v", deadline, wait, l.asked, want)
			}
			l.invariants()
		}
	}
}

func TestAnErrorOfTheHostIsNoRefusal(t *testing.T) {
	l := twoSectors(t, 500*2880)
	l.rt.Tickets = func(crypto.DomainSeparationTag, abi.ChainEpoch, []byte) ([]byte, error) { return nil, errEnough }
	l.openAt(2, 0)
	p := &miner.SubmitWindowedPoStParams{Deadline: 2, ChainCommitEpoch: l.rt.Epoch - 1, Partitions: []miner.PoStPartition{{Skipped: bitfield.New()}}}
	p.Proofs = append(p.Proofs, proof.PoStProof{PoStProof: window2KiB})
	_, err := l.call(5, p)
	var r *Refusal
	if err == nil || errors.As(err, &r) {
		t.Errorf("got %v", err)
	}
	l.blocks.lose()
	if _, err := EndEpoch(l.rt, l.head); err == nil {
		t.Error("an epoch ended without the state")
	}
}
