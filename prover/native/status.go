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
	signs  map[int]time.Time // of life, of those in progress
}

// enter notes a proof that waits for its turn.
func (r *register) enter(p vigil.ProveRequest) (entry int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.proofs == nil {
		r.proofs, r.signs = map[int]vigil.ProofWork{}, map[int]time.Time{}
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
	r.proofs[entry], r.signs[entry] = p, p.Since
}

// waits notes that a proof waits once more.
func (r *register) waits(entry int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.proofs[entry]
	p.Running, p.Since = false, time.Now()
	r.proofs[entry] = p
	delete(r.signs, entry)
}

// lives notes that a proof in progress goes on.
func (r *register) lives(entry int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, running := r.signs[entry]; running {
		r.signs[entry] = time.Now()
	}
}

// silentSince is when the proof that has shown no sign of life for longest showed its last; the
// zero time when none is in progress.
func (r *register) silentSince() (since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, at := range r.signs {
		if since.IsZero() || at.Before(since) {
			since = at
		}
	}
	return since
}

func (r *register) leave(entry int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.proofs, entry)
	delete(r.signs, entry)
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

// SilentSince is when the last piece of work was done for the proof in progress that shows no
// sign of life for longest; the zero time when none is. A piece takes seconds, rarely a minute.
func (n *Native) SilentSince() time.Time { return n.register.silentSince() }

// Status says what makes proofs here, and which are asked for now.
func (n *Native) Status() vigil.ProverStatus {
	slots := n.line.slots()
	s := vigil.ProverStatus{
		Prover: "native", Kernels: n.arithmetic().Name, Parameters: n.dir, AtOnce: slots, Memory: n.memory * int64(slots), Proofs: n.register.list(),
	}
	if problem := groth16.Kernels().Problem; problem != nil && n.Arithmetic == nil {
		s.Problem = problem.Error()
	}
	if s.Fault, s.FaultAt = n.trust.lost(); s.Fault != "" {
		s.Kernels, s.Problem = groth16.Generic, s.Fault
	}
	return s
}
