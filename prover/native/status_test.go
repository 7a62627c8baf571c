package native

import (
	"testing"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

func TestTheProofsInProgressComeFirstAndThenTheMostUrgent(t *testing.T) {
	n := New("keys", 2, 100)
	ask := func(close abi.ChainEpoch) int {
		return n.register.enter(vigil.ProveRequest{Duty: vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: close - 60}, Close: close, Statement: vigil.Statement{Sectors: make([]vigil.Sector, 3)}})
	}
	later, running, sooner, over := ask(900), ask(1000), ask(300), ask(100)
	n.register.starts(running)
	n.register.leave(over)
	s := n.Status()
	if s.AtOnce != 2 || s.Memory != 100 || s.Parameters != "keys" || s.Kernels == "" {
		t.Errorf("%+v", s)
	}
	if len(s.Proofs) != 3 || !s.Proofs[0].Running || s.Proofs[0].Close != 1000 || s.Proofs[1].Close != 300 || s.Proofs[1].Running || s.Proofs[1].Sectors != 3 || s.Proofs[1].Duty != "f01000/240/0" {
		t.Errorf("%+v", s.Proofs)
	}
	for _, entry := range []int{later, running, sooner} {
		n.register.leave(entry)
	}
	if left := n.Status().Proofs; len(left) != 0 {
		t.Errorf("%+v are left", left)
	}
}
