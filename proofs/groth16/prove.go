package groth16

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"math/big"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
)

// defaultChunk is few enough that a cancelled proof ends within seconds and the
// copies stay small, and enough for the sums to be near their best speed.
const defaultChunk = 1 << 20

// Prover makes proofs. The zero value works, with all CPUs; one Prover may make
// several proofs at a time as long as its kernels are nil.
type Prover struct {
	Multiexp Multiexp  // nil: a Portable for each proof
	FFT      FFT       // nil: a PortableFFT for each proof
	Workers  int       // goroutines that compute; 0 means GOMAXPROCS
	Chunk    int       // scalars gathered and summed at a time; 0 means 2^20
	Rand     io.Reader // blinds the proof; nil: crypto/rand. A fixed one makes equal proofs, for tests only
}

// Prove makes a proof of the assignment under the key. It overwrites the rows
// of w and lets go of them as soon as it can, and ends early when ctx does.
// ErrUnsatisfied means that the assignment breaks a constraint, a
// WrongKeyError that the key is for another circuit.
func (p *Prover) Prove(ctx context.Context, k *ProvingKey, w *Assignment) (Proof, error) {
	if err := w.check(k); err != nil {
		return Proof{}, err
	}
	r, s, err := p.blinding()
	if err != nil {
		return Proof{}, err
	}
	run := p.start(k, w)
	h, err := run.quotient(ctx)
	if err != nil {
		return Proof{}, fmt.Errorf("quotient polynomial: %w", err)
	}
	sums, err := run.sums(ctx, h)
	if err != nil {
		return Proof{}, err
	}
	return assemble(&k.head, sums, r, s), nil
}

func (p *Prover) blinding() (r, s fr.Element, err error) {
	from := p.Rand
	if from == nil {
		from = rand.Reader
	}
	var b [2][64]byte // twice the field's size: reduction leaves no bias
	for i := range b {
		if _, err := io.ReadFull(from, b[i][:]); err != nil {
			return r, s, fmt.Errorf("draw blinding factors: %w", err)
		}
	}
	r.SetBytes(b[0][:])
	s.SetBytes(b[1][:])
	return r, s, nil
}

// run is one proof in the making.
type run struct {
	key      *ProvingKey
	w        *Assignment
	multiexp Multiexp
	fft      FFT
	workers  int
	chunk    int
	scalars  []fr.Element // gathered ones
}

func (p *Prover) start(k *ProvingKey, w *Assignment) *run {
	r := &run{key: k, w: w, multiexp: p.Multiexp, fft: p.FFT, workers: p.Workers, chunk: p.Chunk}
	if r.chunk <= 0 {
		r.chunk = defaultChunk
	}
	if r.multiexp == nil {
		r.multiexp = &Portable{Workers: p.Workers}
	}
	if r.fft == nil {
		r.fft = &PortableFFT{Workers: p.Workers}
	}
	return r
}

// quotient takes the rows out of the assignment, so that two of three are
// garbage when it returns.
func (r *run) quotient(ctx context.Context) ([]fr.Element, error) {
	m := DomainSize(len(r.w.A))
	a, b, c := padded(r.w.A, m), padded(r.w.B, m), padded(r.w.C, m)
	r.w.A, r.w.B, r.w.C = nil, nil, nil
	return quotient(ctx, r.fft, a, b, c, r.workers)
}

func padded(v []fr.Element, m int) []fr.Element {
	if cap(v) < m {
		return append(make([]fr.Element, 0, m), v...)[:m]
	}
	clear(v[len(v):m])
	return v[:m]
}

// sums are the proof's parts before blinding.
type sums struct {
	a, b1, c bls12381.G1Jac // c is H and L together
	b2       bls12381.G2Jac
}

func (r *run) sums(ctx context.Context, h []fr.Element) (s sums, err error) {
	if err = r.direct(ctx, &s.c, r.key.H, h[:len(h)-1]); err != nil {
		return s, fmt.Errorf("sum H: %w", err)
	}
	if err = r.direct(ctx, &s.c, r.key.L, r.w.Aux); err != nil {
		return s, fmt.Errorf("sum L: %w", err)
	}
	d := &r.w.Density
	err = r.gathered(r.w.Inputs, &d.AAux, func(at int, scalars []fr.Element) error {
		return r.addG1(ctx, &s.a, r.key.A[at*g1Size:], scalars)
	})
	if err != nil {
		return s, fmt.Errorf("sum A: %w", err)
	}
	inputs := make([]fr.Element, len(d.BInputs))
	for i, n := range d.BInputs {
		inputs[i] = r.w.Inputs[n]
	}
	err = r.gathered(inputs, &d.BAux, func(at int, scalars []fr.Element) error {
		if err := r.addG1(ctx, &s.b1, r.key.B1[at*g1Size:], scalars); err != nil {
			return err
		}
		return r.addG2(ctx, &s.b2, r.key.B2[at*g2Size:], scalars)
	})
	if err != nil {
		return s, fmt.Errorf("sum B: %w", err)
	}
	return s, nil
}

func (r *run) direct(ctx context.Context, sum *bls12381.G1Jac, points []byte, scalars []fr.Element) error {
	for at := 0; at < len(scalars); at += r.chunk {
		n := min(r.chunk, len(scalars)-at)
		if err := r.addG1(ctx, sum, points[at*g1Size:], scalars[at:at+n]); err != nil {
			return err
		}
	}
	return nil
}

// gathered hands out the inputs and then the members of the pattern in chunks;
// at is the number of the chunk's first scalar.
func (r *run) gathered(inputs []fr.Element, p *Pattern, sum func(at int, scalars []fr.Element) error) error {
	total := len(inputs) + p.Len()
	if r.scalars == nil {
		r.scalars = make([]fr.Element, min(r.chunk, total))
	}
	for at := 0; at < total; {
		buf := r.scalars[:min(len(r.scalars), total-at)]
		n := copy(buf, inputs[min(at, len(inputs)):])
		if n < len(buf) {
			p.gather(buf[n:], r.w.Aux, at+n-len(inputs))
		}
		if err := sum(at, buf); err != nil {
			return err
		}
		at += len(buf)
	}
	return nil
}

func (r *run) addG1(ctx context.Context, sum *bls12381.G1Jac, points []byte, scalars []fr.Element) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	part, err := r.multiexp.G1(ctx, points[:len(scalars)*g1Size], scalars)
	if err != nil {
		return err
	}
	sum.AddAssign(&part)
	return nil
}

func (r *run) addG2(ctx context.Context, sum *bls12381.G2Jac, points []byte, scalars []fr.Element) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	part, err := r.multiexp.G2(ctx, points[:len(scalars)*g2Size], scalars)
	if err != nil {
		return err
	}
	sum.AddAssign(&part)
	return nil
}

// assemble blinds the sums with r and s:
//
//	A = alpha + a + r delta
//	B = beta + b + s delta
//	C = h + l + s a + r b + rs delta + s alpha + r beta
func assemble(k *head, sum sums, r, s fr.Element) Proof {
	var rs fr.Element
	rs.Mul(&r, &s)
	var a, b1, c bls12381.G1Jac
	a.FromAffine(&k.AlphaG1)
	a.AddAssign(&sum.a)
	b1.FromAffine(&k.BetaG1)
	b1.AddAssign(&sum.b1)
	c.Set(&sum.c)
	c.AddAssign(times(&a, s)).AddAssign(times(&b1, r))
	var delta bls12381.G1Jac
	delta.FromAffine(&k.DeltaG1)
	c.AddAssign(times(&delta, rs))
	a.AddAssign(times(&delta, r))

	var b2, delta2 bls12381.G2Jac
	b2.FromAffine(&k.BetaG2)
	b2.AddAssign(&sum.b2)
	delta2.FromAffine(&k.DeltaG2)
	delta2.ScalarMultiplication(&delta2, s.BigInt(new(big.Int)))
	b2.AddAssign(&delta2)

	var p Proof
	p.A.FromJacobian(&a)
	p.B.FromJacobian(&b2)
	p.C.FromJacobian(&c)
	return p
}

func times(p *bls12381.G1Jac, x fr.Element) *bls12381.G1Jac {
	return new(bls12381.G1Jac).ScalarMultiplication(p, x.BigInt(new(big.Int)))
}
