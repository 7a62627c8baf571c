package actor

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/smoothing"
	"github.com/filecoin-project/go-state-types/cbor"
)

// invariants asks go-state-types whether the state contradicts itself, and
// compares what the calls returned with what the state says.
func (l *lab) invariants() {
	l.t.Helper()
	st := l.view().State
	sum, acc := miner.CheckStateInvariants(&st, l.rt.Store, l.rt.Balance)
	if !acc.IsEmpty() {
		l.t.Fatalf("epoch %d: %v", l.rt.Epoch, acc.Messages())
	}
	if !sum.ActivePower.Equals(l.claim) {
		l.t.Fatalf("epoch %d: active power is %v, the calls added up to %v", l.rt.Epoch, sum.ActivePower, l.claim)
	}
	if locked := big.Add(st.InitialPledge, st.LockedFunds); !locked.Equals(l.pledge) {
		l.t.Fatalf("epoch %d: %s is pledged or locked, the calls added up to %s", l.rt.Epoch, locked, l.pledge)
	}
}

// TestNoHistoryContradictsItself plays random miners: at random moments they do,
// or try to do, everything that a message can ask for.
func TestNoHistoryContradictsItself(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			h := newHistory(t, window2KiB, 40, seed)
			for n := 0; h.rt.Epoch < 4*miner.WPoStProvingPeriod; n++ {
				h.step()
				if n%60 == 0 {
					h.invariants()
				}
			}
			h.invariants()
			t.Log(h.did)
			for _, must := range []string{"post", "recover", "fault", "dispute", "add", "terminate", "compact", "extend", "reward", "withdraw"} {
				if h.did[must] == 0 {
					t.Errorf("the history has no successful %s", must)
				}
			}
		})
	}
}

// TestDaysWithEverythingInThem is a provider's month, at every size: sectors
// arrive and expire all the time, nearly all is posted, and something goes wrong
// or is changed every half hour. Each day ends with all of the invariants.
func TestDaysWithEverythingInThem(t *testing.T) {
	for _, c := range []struct {
		kind          abi.RegisteredPoStProof
		sectors, days int
		long          bool
	}{
		{window2KiB, 1, 30, false}, {window2KiB, 300, 3, false}, {window32GiB, 5_000, 3, false},
		{window2KiB, 1_000, 30, true}, {window2KiB, 10_000, 30, true}, {window2KiB, 100_000, 30, true},
		{window32GiB, 1_000, 30, true}, {window32GiB, 10_000, 30, true}, {window32GiB, 100_000, 30, true},
	} {
		seed := uint64(c.sectors + c.days)
		t.Run(fmt.Sprintf("%s/sectors=%d/days=%d/seed=%d", shapes[c.kind], c.sectors, c.days, seed), func(t *testing.T) {
			if c.long && os.Getenv("VIGIL_LONG") != "1" {
				t.Skip("takes minutes: set VIGIL_LONG=1")
			}
			h := newHistory(t, c.kind, c.sectors, seed)
			for range c.days {
				h.day()
				h.invariants()
				h.forget()
			}
			t.Logf("%v", h.did)
			for _, must := range []string{"post", "terminate", "fault", "add"} {
				if h.did[must] == 0 {
					t.Errorf("the days had no successful %s", must)
				}
			}
			if c.sectors > 1 && (h.did["compact"] == 0 || h.did["dispute"] == 0 || h.did["recover"] == 0) {
				t.Error("the days had no compaction, no dispute or no recovery")
			}
			if h.did["post"] > 200 && h.did["missed"] == 0 {
				t.Error("the days had no miss")
			}
		})
	}
}

// history is a miner with a life of its own.
type history struct {
	*lab
	r *rand.Rand
	// did counts what was done with success.
	did map[string]int
}

// newHistory is a miner with sectors that have all been proven once. Half of
// them live long, the others end within the month.
func newHistory(t testing.TB, kind abi.RegisteredPoStProof, sectors int, seed uint64) *history {
	t.Helper()
	h := &history{lab: newLab(t, 1000, kind, 0, -17), r: rand.New(rand.NewPCG(seed, 1)), did: map[string]int{}}
	h.mixed = true
	h.rt.Economy = Economy{
		Reward: smoothing.NewEstimate(fil(100), big.Zero()), Power: smoothing.NewEstimate(big.NewInt(1<<60), big.Zero()),
	}
	h.add(sectors-sectors/2, 500*2880)
	for left := sectors / 2; left > 0; {
		n := min(left, 1+sectors/10)
		h.add(n, abi.ChainEpoch(1+h.r.IntN(28))*2880)
		left -= n
	}
	h.activate()
	return h
}

func (h *history) life() abi.ChainEpoch { return abi.ChainEpoch(2000 + h.r.IntN(5*2880)) }

// day is a proving period of ordinary life with incidents.
func (h *history) day() {
	h.t.Helper()
	for range 2880 {
		h.ordinary()
		if h.r.IntN(30) == 0 {
			h.incident()
		}
		h.end()
	}
}

// step lets time pass, posts, or does something else.
func (h *history) step() {
	h.t.Helper()
	switch h.r.IntN(20) {
	case 0, 1, 2, 3, 4, 5:
		h.right = h.r.IntN(3) > 0
		h.judge("post", h.postSome())
	case 6, 7, 8, 9:
		h.until(h.rt.Epoch + abi.ChainEpoch(1+h.r.IntN(50)))
	default:
		h.incident()
	}
}

// incident is one of the things that do not happen every half hour.
func (h *history) incident() {
	h.t.Helper()
	h.right = true
	defer func(caller abi.ActorID) { h.rt.Caller, h.right = caller, true }(h.rt.Caller)
	switch h.r.IntN(13) {
	case 0:
		h.add(1+h.r.IntN(5), h.life())
		h.did["add"]++
	case 1, 2:
		d, p, set := h.some()
		h.try("fault", 10, &miner.DeclareFaultsParams{Faults: []miner.FaultDeclaration{{Deadline: d, Partition: p, Sectors: set}}})
	case 3, 4:
		d, p, set := h.some()
		h.try("recover", 11, &miner.DeclareFaultsRecoveredParams{Recoveries: []miner.RecoveryDeclaration{{Deadline: d, Partition: p, Sectors: set}}})
	case 5:
		h.right = h.r.IntN(3) > 0
		h.rt.Caller = stranger
		h.disputeSome()
	case 6:
		h.terminateSome()
	case 7:
		h.compactSome()
	case 8:
		d, p, set := h.some()
		h.try("extend", 32, &miner.ExtendSectorExpiration2Params{Extensions: []miner.ExpirationExtension2{{
			Deadline: d, Partition: p, Sectors: set, NewExpiration: h.rt.Epoch + abi.ChainEpoch(180+h.r.IntN(900))*2880,
		}}})
	case 9:
		h.reward()
	case 10:
		h.rt.Caller = owner
		h.try("withdraw", 16, &miner.WithdrawBalanceParams{AmountRequested: fil(int64(h.r.IntN(3)))})
	case 11:
		h.judge("repay", h.sendOnly(22))
	case 12:
		h.try("mask", 20, &miner.CompactSectorNumbersParams{MaskSectorNumbers: setOf(uint64(1_000_000 + h.r.IntN(1000)))})
	}
}

func (h *history) sendOnly(method abi.MethodNum) error {
	_, err := h.send(method, nil)
	return err
}

// try executes a message that may be refused.
func (h *history) try(name string, method abi.MethodNum, params cbor.Marshaler) {
	h.t.Helper()
	_, err := h.call(method, params)
	h.judge(name, err)
}

// judge counts what succeeded. What was not refused must have succeeded.
func (h *history) judge(name string, err error) {
	h.t.Helper()
	var r *Refusal
	switch {
	case err == nil:
		h.did[name]++
	case !errors.As(err, &r):
		h.t.Fatalf("%s at epoch %d: an error of the host: %v", name, h.rt.Epoch, err)
	}
}

// reward brings a block's reward, sometimes with a penalty.
func (h *history) reward() {
	h.t.Helper()
	h.rt.Caller = 2
	p := &miner.ApplyRewardParams{Reward: big.NewInt(1e9 + h.r.Int64N(1e18)), Penalty: big.Zero()}
	if h.r.IntN(3) == 0 {
		p.Penalty = big.NewInt(1 + h.r.Int64N(2e18))
	}
	h.rt.Balance = big.Add(h.rt.Balance, p.Reward)
	h.try("reward", 14, p)
}

// disputeSome disputes a proof that may be disputed, if there is one.
func (h *history) disputeSome() {
	h.t.Helper()
	all, err := h.view().Deadlines()
	check(h.t, err)
	start, from := h.view().State.ProvingPeriodStart, uint64(h.r.IntN(48))
	for i := range miner.WPoStPeriodDeadlines {
		d := (from + i) % miner.WPoStPeriodDeadlines
		if n := all[d].DisputableProofCount; n > 0 && disputable(start, d, h.rt.Epoch) {
			h.try("dispute", 24, &miner.DisputeWindowedPoStParams{Deadline: d, PoStIndex: uint64(h.r.IntN(int(n)))})
			return
		}
	}
}

// terminateSome ends one or a few sectors, or none.
func (h *history) terminateSome() {
	h.t.Helper()
	d, p, set := h.some()
	few := members(set)
	few = few[:min(len(few), h.r.IntN(4))]
	h.try("terminate", 9, &miner.TerminateSectorsParams{Terminations: []miner.TerminationDeclaration{{Deadline: d, Partition: p, Sectors: setOf(few...)}}})
}

// compactSome takes out partitions that are ready for it, and sometimes one that
// is not.
func (h *history) compactSome() {
	h.t.Helper()
	deadline := h.someDeadline()
	var which []uint64
	for i, p := range h.partitions(deadline) {
		ready := isEmpty(p.Faulty) && isEmpty(p.Unproven)
		if ready && h.r.IntN(2) == 0 || h.r.IntN(50) == 0 {
			which = append(which, uint64(i))
		}
	}
	h.try("compact", 19, &miner.CompactPartitionsParams{Deadline: deadline, Partitions: setOf(which...)})
}

// someDeadline is a deadline with partitions, if there is one from a random one
// on.
func (h *history) someDeadline() uint64 {
	h.t.Helper()
	from := uint64(h.r.IntN(48))
	for i := range miner.WPoStPeriodDeadlines {
		if d := (from + i) % miner.WPoStPeriodDeadlines; len(h.partitions(d)) > 0 {
			return d
		}
	}
	return from
}

// some is a random part of a random partition.
func (h *history) some() (deadline, partition uint64, set bitfield.BitField) {
	h.t.Helper()
	deadline = h.someDeadline()
	ps := h.partitions(deadline)
	if len(ps) == 0 {
		return deadline, 0, bitfield.New()
	}
	partition = uint64(h.r.IntN(len(ps)))
	from := ps[partition].All
	if h.r.IntN(2) == 0 {
		from = ps[partition].Active
	}
	return deadline, partition, setOf(h.part(members(from))...)
}

func (h *history) part(of []uint64) (out []uint64) {
	for _, n := range of {
		if h.r.IntN(3) > 0 {
			out = append(out, n)
		}
	}
	return out
}

// postSome proves some partitions of the open deadline without some sectors.
func (h *history) postSome() error {
	h.t.Helper()
	d := h.view().ProvingDeadline(h.rt.Epoch)
	ps := h.partitions(d.Index)
	var which []uint64
	skipped := map[uint64][]uint64{}
	for _, i := range h.r.Perm(len(ps))[:min(len(ps), 1+h.r.IntN(3))] {
		which = append(which, uint64(i))
		if h.r.IntN(4) == 0 {
			skipped[uint64(i)] = h.part(members(ps[i].All))
		}
	}
	_, err := h.post(skipped, which...)
	return err
}

// ordinary is what an honest daemon sends in an epoch: it posts two epochs after
// a window opens, and declares recoveries well before the cutoff of the next but
// two.
func (h *history) ordinary() {
	h.t.Helper()
	d := h.view().ProvingDeadline(h.rt.Epoch)
	switch h.rt.Epoch - d.Open {
	case 2:
		h.postAll(d.Index)
	case 40:
		h.recoverAll((d.Index + 3) % miner.WPoStPeriodDeadlines)
	}
}

// postAll posts a deadline's partitions, three in a message, but for one in forty
// that it misses; of another it skips some sectors.
func (h *history) postAll(deadline uint64) {
	h.t.Helper()
	var batch []uint64
	skipped := map[uint64][]uint64{}
	for i, p := range h.partitions(deadline) {
		due := union(minus(p.Live, p.Faulty), p.Recovering)
		switch h.r.IntN(40) {
		case 0:
			h.did["missed"]++
			continue
		case 1:
			skipped[uint64(i)] = h.part(members(due))
		}
		if uint64(len(skipped[uint64(i)])) < count(due) {
			batch = append(batch, uint64(i))
		}
		if len(batch) == miner.PoStedPartitionsMax {
			h.postBatch(skipped, batch)
			batch = nil
		}
	}
	if len(batch) > 0 {
		h.postBatch(skipped, batch)
	}
}

func (h *history) postBatch(skipped map[uint64][]uint64, batch []uint64) {
	h.t.Helper()
	_, err := h.post(skipped, batch...)
	check(h.t, err)
	h.did["post"]++
}

// recoverAll declares everything recovered that is faulty in a deadline.
func (h *history) recoverAll(deadline uint64) {
	h.t.Helper()
	p := &miner.DeclareFaultsRecoveredParams{}
	for i, x := range h.partitions(deadline) {
		if set := minus(x.Faulty, x.Recovering); !isEmpty(set) {
			p.Recoveries = append(p.Recoveries, miner.RecoveryDeclaration{Deadline: deadline, Partition: uint64(i), Sectors: set})
		}
	}
	if len(p.Recoveries) == 0 {
		return
	}
	h.try("recover", 11, p)
}
