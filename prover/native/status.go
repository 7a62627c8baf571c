package native

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/proofs/groth16"
)

// register knows the proofs that are asked for and not made yet.
type register struct {
	mu     sync.Mutex // guards what follows
	next   int
	proofs map[int]vigil.ProofWork
}

// enter notes a proof that waits for its turn.
func (r *register) enter(p vigil.ProveRequest) (entry int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.proofs == nil {
		r.proofs = map[int]vigil.ProofWork{}
	}
	r.next++
	r.proofs[r.next] = vigil.ProofWork{Duty: p.Duty.String(), Close: p.Close, Sectors: len(p.Statement.Sectors), Since: time.Now()}
	return r.next
}

// starts notes that a proof's turn has come.
func (r *register) starts(entry int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.proofs[entry]
	p.Running, p.Since = true, time.Now()
	r.proofs[entry] = p
}

func (r *register) leave(entry int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.proofs, entry)
}

// list gives those in progress, then those that wait, the most urgent first.
func (r *register) list() []vigil.ProofWork {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]vigil.ProofWork, 0, len(r.proofs))
	for _, p := range r.proofs {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b vigil.ProofWork) int {
		if a.Running != b.Running {
			return map[bool]int{true: -1, false: 1}[a.Running]
		}
		return cmp.Or(cmp.Compare(a.Close, b.Close), cmp.Compare(a.Duty, b.Duty))
	})
	return list
}

// Status says what makes proofs here, and which are asked for now.
func (n *Native) Status() vigil.ProverStatus {
	kernels := groth16.Kernels()
	s := vigil.ProverStatus{
		Prover: "native", Kernels: kernels.Name, Parameters: n.dir, AtOnce: n.slots, Memory: n.memory * int64(n.slots), Proofs: n.register.list(),
	}
	if kernels.Problem != nil {
		s.Problem = kernels.Problem.Error()
	}
	return s
}
