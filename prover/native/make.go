package native

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/proofs/offheap"
	"github.com/vigil-post/vigil/proofs/post"
)

// making is a proof that is being made.
type making struct {
	request   vigil.ProveRequest
	prover    *post.Prover
	statement post.Statement
	vanilla   [][]byte
	entry     int // in the register
}

// make makes a proof with the fastest arithmetic that is trusted. What the vector unit
// computed wrong is computed again at once without it:
//
//	vector unit ──▶ proof verifies ─────────────────────────────▶ proof
//	     │
//	     ▼  ErrKernels, a panic, a broken constraint, a proof that does not verify,
//	     │  and the vanilla proofs are good
//	generic ──▶ proof verifies: the vector unit is not trusted any more ──▶ proof
//	     │
//	     └───▶ the same happens: the vector unit is not to blame
//
// Where the generic arithmetic would not be done in time, the vector unit is tried all the
// same: it may be right, and every proof is verified.
func (n *Native) make(ctx context.Context, m making) ([]byte, error) {
	fast, generic := n.arithmetic(), groth16.Named(groth16.Generic)
	if fast.Name == generic.Name {
		return n.with(ctx, m, generic)
	}
	if n.trust.isLost() && n.inTime(m, generic) {
		return n.with(ctx, m, generic)
	}
	proof, err := n.with(ctx, m, fast)
	why := n.doubt(ctx, m, proof, err)
	if why == nil || n.trust.isCleared(m.request.Duty) || m.prover.CheckVanilla(ctx, m.statement, m.vanilla) != nil {
		return proof, err
	}
	second := generic
	if !n.inTime(m, generic) {
		second = fast
	}
	n.log().Warn("a proof came to nothing though all its vanilla proofs are good; it is made again", "duty", m.request.Duty.String(), "kernels", second.Name, "problem", why)
	proof, err = n.with(ctx, m, second)
	switch {
	case ctx.Err() != nil:
	case err == nil && n.doubt(ctx, m, proof, err) == nil:
		n.distrust(why)
	case second.Name == generic.Name && n.doubt(ctx, m, proof, err) != nil:
		n.trust.clear(m.request.Duty)
	}
	return proof, err
}

// doubt says what is wrong with what was computed; nil where nothing is, or something
// else than computing was in the way.
func (n *Native) doubt(ctx context.Context, m making, proof []byte, err error) error {
	var bug *offheap.PanicError
	switch {
	case err == nil:
		valid, err := n.Verify(ctx, m.request.Statement, proof)
		if valid || err != nil && !errors.Is(err, vigil.ErrMalformed) {
			return nil
		}
		return errors.New("a proof does not verify")
	case ctx.Err() != nil:
		return nil
	case errors.Is(err, groth16.ErrKernels), errors.Is(err, groth16.ErrUnsatisfied), errors.As(err, &bug):
		return err
	}
	return nil
}

// with makes a proof with an arithmetic.
func (n *Native) with(ctx context.Context, m making, a groth16.Arithmetic) (proof []byte, err error) {
	p := m.prover.Using(func(g *groth16.Prover) {
		g.Arithmetic, g.Room = &a, room(offheap.Available())
		g.Alive = func() { n.register.lives(m.entry) }
	})
	began := time.Now()
	err = offheap.Caught(func() (err error) {
		proof, err = p.Prove(ctx, m.statement, m.vanilla)
		return err
	})
	var bug *offheap.PanicError
	switch {
	case errors.As(err, &bug):
		n.log().Error("a bug stopped a proof; please report it", "duty", m.request.Duty.String(), "kernels", a.Name, "panic", bug.Value, "stack", string(bug.Stack))
	case err == nil:
		n.trust.took(paceOf{m.request.Statement.ProofType, a.Name}, time.Since(began)/time.Duration(m.partitions()))
	}
	n.register.lives(m.entry)
	return proof, err
}

// room is the memory that a proof reckons with, as groth16.Prover takes it: that nothing is
// left is known, and is when a proof must be made as small as it can be.
func room(available int64, known bool) int64 {
	if !known {
		return 0
	}
	return max(1, available)
}

// partitions is how many proofs of 192 bytes it is.
func (m making) partitions() int {
	form, err := formOf(m.request.Statement.ProofType)
	if err != nil {
		panic("unreachable: its key was opened: " + err.Error())
	}
	return max(1, (len(m.statement.Sectors)+form.Sectors-1)/form.Sectors)
}

// slower is how many times as long as with the vector unit a proof takes without, at most.
const slower = 5

// inTime says that a proof with the arithmetic would be made before it is worth nothing,
// as far as that is known.
func (n *Native) inTime(m making, a groth16.Arithmetic) bool {
	if m.request.By.IsZero() {
		return true
	}
	form := m.request.Statement.ProofType
	each := n.trust.pace(paceOf{form, a.Name})
	if each == 0 {
		each = slower * n.trust.pace(paceOf{form, n.arithmetic().Name})
	}
	return !time.Now().Add(each * time.Duration(m.partitions())).After(m.request.By)
}

// arithmetic is the fastest.
func (n *Native) arithmetic() groth16.Arithmetic {
	if n.Arithmetic != nil {
		return *n.Arithmetic
	}
	return groth16.Named(groth16.Kernels().Name)
}

// distrust has proofs made without the vector unit until the end of the process.
func (n *Native) distrust(why error) {
	host, err := os.Hostname()
	if err != nil {
		host = "this machine"
	}
	fault := fmt.Sprintf("the CPU of %s computed something wrong in its vector unit, and right without: %v", host, why)
	if n.trust.lose(fault) {
		n.log().Error("the CPU's vector unit is not to be trusted; proofs are made without it until the restart, several times slower: "+
			"have the machine checked (heat, voltage, microcode, memory), and set VIGIL_KERNELS=generic until it is", "host", host, "problem", why)
	}
}
