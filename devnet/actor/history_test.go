package actor

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
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

// TestNoHistoryContradictsItself plays random miners: they add sectors, post
// some, skip some, miss some, declare, recover and are disputed.
func TestNoHistoryContradictsItself(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			h := &history{lab: newLab(t, 1000, window2KiB, 0, -17), r: rand.New(rand.NewPCG(seed, 1)), did: map[string]int{}}
			h.add(40, h.life())
			for n := 0; h.rt.Epoch < 4*miner.WPoStProvingPeriod; n++ {
				h.step()
				if n%60 == 0 {
					h.invariants()
				}
			}
			h.invariants()
			t.Log(h.did)
			for _, must := range []string{"post", "recover", "fault", "dispute", "add"} {
				if h.did[must] == 0 {
					t.Errorf("the history has no successful %s", must)
				}
			}
		})
	}
}

type history struct {
	*lab
	r   *rand.Rand
	did map[string]int
}

func (h *history) life() abi.ChainEpoch { return abi.ChainEpoch(2000 + h.r.IntN(5*2880)) }

func (h *history) step() {
	name, err := "wait", error(nil)
	h.right = h.r.IntN(3) > 0
	switch h.r.IntN(20) {
	case 0:
		name = "add"
		h.add(1+h.r.IntN(5), h.life())
	case 1, 2, 3, 4, 5, 6:
		name = "post"
		err = h.postSome()
	case 7, 8:
		name = "fault"
		d, p, set := h.some()
		_, err = h.call(10, &miner.DeclareFaultsParams{Faults: []miner.FaultDeclaration{{Deadline: d, Partition: p, Sectors: set}}})
	case 9, 10, 11, 12:
		name = "recover"
		d, p, set := h.some()
		_, err = h.lab.recover(d, p, set)
	case 13, 14:
		name = "dispute"
		_, err = h.dispute(uint64(h.r.IntN(48)), uint64(h.r.IntN(2)))
	default:
		h.until(h.rt.Epoch + abi.ChainEpoch(1+h.r.IntN(50)))
	}
	var r *Refusal
	if err != nil && !errors.As(err, &r) {
		h.t.Fatalf("%s at epoch %d: an error of the host: %v", name, h.rt.Epoch, err)
	}
	if err == nil {
		h.did[name]++
	}
}

// some is a random part of a random partition.
func (h *history) some() (deadline, partition uint64, set bitfield.BitField) {
	deadline = uint64(h.r.IntN(48))
	ps := h.partitions(deadline)
	if len(ps) == 0 {
		return deadline, 0, bitfield.New()
	}
	partition = uint64(h.r.IntN(len(ps)))
	return deadline, partition, setOf(h.part(members(ps[partition].All))...)
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
