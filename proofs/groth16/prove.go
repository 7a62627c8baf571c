package groth16

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/big"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/offheap"
)

// defaultChunk is few enough that the copies stay small, and enough for the sums
// to be near their best speed.
const defaultChunk = 1 << 20

// Prover makes proofs. The zero value works, with all CPUs; one Prover may be
// used concurrently as long as its kernels are nil.
type Prover struct {
	Arithmetic *Arithmetic    // nil: the fastest for this CPU (see Kernels)
	Multiexp   Multiexp       // nil: the arithmetic's, one for each run
	FFT        FFT            // nil: the arithmetic's
	Workers    int            // goroutines that compute; 0 means GOMAXPROCS
	Chunk      int            // wires of a proof gathered and summed at a time; 0: as the arithmetic likes it best
	Memory     int64          // bytes that the proofs of one Prove may take, keys not counted; 0: no limit
	Room       int64          // bytes that seem to be there: a run is made so small that it fits them, if it can be; 0: not known
	Progress   func(Progress) // nil, or told of each step, from one goroutine
	Alive      func()         // nil, or called from any goroutine whenever a piece of work is done, however small
	Rand       io.Reader      // blinds proofs; nil: crypto/rand. A fixed one makes equal proofs, for tests only
	// NonZK leaves the blinding factor r zero, as bellperson's nonzk proofs do:
	// they are as valid and as sound, but do not hide their witness. The key's side B
	// in G1 is not needed then, a fifth of the sums in G1.
	NonZK bool
}

// Phase is a part of a proof's work.
type Phase string

// The phases, in order.
const (
	Transforms Phase = "transforms" // of the rows to the quotient's coefficients; counted one by one
	Sums       Phase = "sums"       // of multiples of the key's points; counted in points, a G2 point as three
)

// Progress says how far a phase is. Where memory does not allow all proofs to be
// made in one run, the phases come again in each run.
type Progress struct {
	Phase       Phase
	Done, Total int64
}

// Prove makes a proof of each witness under the key, reading the key once for
// as many of them as Memory allows. Of large circuits it needs one vector of the
// domain's size for each proof and one more, and little else. It ends early, within
// a second, when ctx does.
//
// ErrUnsatisfied means that a witness breaks a constraint, a WrongKeyError that
// the key is for another circuit, a MemoryError that Memory is too little for even
// one proof. No proof is returned with an error.
func (p *Prover) Prove(ctx context.Context, k *ProvingKey, ws ...Witness) ([]Proof, error) {
	blinds := make([]blinding, len(ws))
	for j, w := range ws {
		if err := checkWitness(k, w); err != nil {
			return nil, err
		}
		var err error
		if blinds[j], err = p.blinding(); err != nil {
			return nil, err
		}
	}
	var proofs []Proof
	for len(ws) > 0 {
		made, err := p.some(ctx, k, ws, blinds)
		if err != nil {
			return nil, err
		}
		proofs = append(proofs, made...)
		ws, blinds = ws[len(made):], blinds[len(made):]
	}
	return proofs, nil
}

// some makes the first of the proofs, as many as the memory allows. Where the system
// has less than was reckoned with, it makes fewer, and then in smaller chunks.
func (p *Prover) some(ctx context.Context, k *ProvingKey, ws []Witness, blinds []blinding) ([]Proof, error) {
	s, err := p.share(ws[0].Layout(), len(ws))
	if err != nil {
		return nil, err
	}
	for {
		r := p.start(k, ws[:s.proofs], blinds[:s.proofs], s.chunk)
		made, err := r.prove(ctx)
		r.close()
		if !errors.Is(err, offheap.ErrNoMemory) || !s.less() {
			return made, err
		}
	}
}

// blinding makes a proof tell nothing but its truth.
type blinding struct{ r, s fr.Element }

func (p *Prover) blinding() (blinding, error) {
	from := p.Rand
	if from == nil {
		from = rand.Reader
	}
	var b [2][64]byte // twice the field's size: reduction leaves no bias
	for i := range b {
		if _, err := io.ReadFull(from, b[i][:]); err != nil {
			return blinding{}, fmt.Errorf("draw blinding factors: %w", err)
		}
	}
	var v blinding
	if !p.NonZK {
		v.r.SetBytes(b[0][:])
	}
	v.s.SetBytes(b[1][:])
	return v, nil
}

// partsIn is how many parts have about so many wires.
func (l Layout) partsIn(wires int) int { return min(max(1, wires/max(1, l.Aux)), l.Parts) }

// run makes a few proofs in one pass over the key.
type run struct {
	key      *ProvingKey
	ws       []Witness
	blinds   []blinding
	hides    bool // r is not zero
	multiexp Multiexp
	fft      FFT
	workers  int
	chunk    int
	progress func(Progress)
	alive    func()
	state    Progress
	close    func() // what the run made for itself
}

func (p *Prover) start(k *ProvingKey, ws []Witness, blinds []blinding, chunk int) *run {
	r := &run{key: k, ws: ws, blinds: blinds, hides: !p.NonZK, multiexp: p.Multiexp, fft: p.FFT, workers: p.Workers, chunk: chunk, progress: p.Progress, alive: p.Alive, close: func() {}}
	if r.alive == nil {
		r.alive = func() {}
	}
	if r.multiexp != nil && r.fft != nil {
		return r
	}
	sums, transforms, done := p.arithmetic().Start(p.Workers)
	if r.close = done; r.multiexp == nil {
		r.multiexp = sums
	}
	if r.fft == nil {
		r.fft = transforms
	}
	return r
}

func (p *Prover) arithmetic() Arithmetic {
	if p.Arithmetic != nil {
		return *p.Arithmetic
	}
	return Named(Kernels().Name)
}

func (r *run) begin(phase Phase, total int) {
	r.state = Progress{Phase: phase, Total: int64(total)}
	r.did(0)
}

func (r *run) did(n int) {
	r.state.Done += int64(n)
	r.alive()
	if r.progress != nil {
		r.progress(r.state)
	}
}

// transformsEach is the number of transforms for a proof.
const transformsEach = 6

func (r *run) prove(ctx context.Context) ([]Proof, error) {
	hs := make([][]fr.Element, len(r.ws))
	var frees []func()
	free := func() {
		for _, f := range frees {
			f()
		}
		frees = nil
	}
	defer func() { free() }()
	r.begin(Transforms, transformsEach*len(r.ws))
	for j, w := range r.ws {
		h, f, err := r.quotient(ctx, w)
		if err != nil {
			return nil, fmt.Errorf("proof %d: %w", j, err)
		}
		hs[j] = h
		frees = append(frees, f)
	}
	s := newSums(r)
	l := r.key.Lengths()
	terms := l.H + l.L + l.A + weightG2*l.B
	if r.hides {
		terms += l.B
	}
	r.begin(Sums, len(r.ws)*terms)
	if err := s.add(ctx, hs, free); err != nil {
		return nil, err
	}
	proofs := make([]Proof, len(r.ws))
	for j := range proofs {
		proofs[j] = s.assemble(j)
	}
	return proofs, nil
}

// assemble blinds the sums of a proof:
//
//	A = alpha + a + r delta
//	B = beta + b + s delta
//	C = c + s a + rs delta + s alpha + r beta
//
// where c has H, L and, where r is not zero, r times the sum of B in G1.
func (s *sums) assemble(j int) Proof {
	k, blind := &s.run.key.head, s.run.blinds[j]
	var rs fr.Element
	rs.Mul(&blind.r, &blind.s)
	var a, beta, delta, c bls12381.G1Jac
	a.FromAffine(&k.AlphaG1)
	a.AddAssign(&s.a[j])
	beta.FromAffine(&k.BetaG1)
	delta.FromAffine(&k.DeltaG1)
	c.Set(&s.c[j])
	c.AddAssign(times(&a, blind.s)).AddAssign(times(&beta, blind.r)).AddAssign(times(&delta, rs))
	a.AddAssign(times(&delta, blind.r))

	var b, delta2 bls12381.G2Jac
	b.FromAffine(&k.BetaG2)
	b.AddAssign(&s.b[j])
	delta2.FromAffine(&k.DeltaG2)
	delta2.ScalarMultiplication(&delta2, blind.s.BigInt(new(big.Int)))
	b.AddAssign(&delta2)

	var p Proof
	p.A.FromJacobian(&a)
	p.B.FromJacobian(&b)
	p.C.FromJacobian(&c)
	return p
}

func times(p *bls12381.G1Jac, x fr.Element) *bls12381.G1Jac {
	return new(bls12381.G1Jac).ScalarMultiplication(p, x.BigInt(new(big.Int)))
}
