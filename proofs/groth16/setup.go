package groth16

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
)

// toxic is the secret of a setup: who knows it can forge proofs.
type toxic struct {
	tau, alpha, beta, gamma, delta fr.Element
}

// Setup makes a proving key for the circuit on this machine alone.
//
// The secret behind such a key existed in this process, so its proofs convince
// nobody else: whoever made the key can prove anything. It is for development
// networks and tests, never for a network with value, whose keys come from a
// ceremony.
func Setup(ctx context.Context, s System) (*ProvingKey, error) {
	var t toxic
	for _, x := range []*fr.Element{&t.tau, &t.alpha, &t.beta, &t.gamma, &t.delta} {
		for x.IsZero() {
			if _, err := x.SetRandom(); err != nil {
				return nil, fmt.Errorf("draw the setup's secret: %w", err)
			}
		}
	}
	return setup(ctx, s, &t)
}

func setup(ctx context.Context, s System, t *toxic) (*ProvingKey, error) {
	q, err := evaluate(s, t)
	if err != nil {
		return nil, err
	}
	g := newGenerators()
	k := &ProvingKey{head: g.head(t)}
	d := s.Density()
	l, ic := q.outputs(s, t)
	for _, v := range []struct {
		out     *[]byte
		scalars []fr.Element
		encode  func(dst []byte, x *fr.Element)
		size    int
	}{
		{&k.IC, ic, g.encodeG1, g1Size},
		{&k.H, q.powersOfTau(t), g.encodeG1, g1Size},
		{&k.L, l, g.encodeG1, g1Size},
		{&k.A, dense(q.aIn, q.aAux, &d.AAux), g.encodeG1, g1Size},
		{&k.B1, dense(pick(q.bIn, d.BInputs), q.bAux, &d.BAux), g.encodeG1, g1Size},
		{&k.B2, dense(pick(q.bIn, d.BInputs), q.bAux, &d.BAux), g.encodeG2, g2Size},
	} {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		*v.out = make([]byte, len(v.scalars)*v.size)
		err := inParallel(len(v.scalars), 0, func(start, end int) error {
			for i := start; i < end; i++ {
				if v.scalars[i].IsZero() {
					return errors.New("a point of the key would be infinity: the density is wrong, or the secret unlucky")
				}
				v.encode((*v.out)[i*v.size:], &v.scalars[i])
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return k, nil
}

// qap holds every wire's polynomials at tau.
type qap struct {
	m                int
	vanishing        fr.Element // tau^m - 1
	aIn, bIn, cIn    []fr.Element
	aAux, bAux, cAux []fr.Element
}

// evaluate walks the circuit once: constraint i adds each coefficient, times
// the i-th Lagrange polynomial at tau, to the polynomial of its wire.
func evaluate(s System, t *toxic) (*qap, error) {
	q := &qap{m: DomainSize(s.Rows())}
	for _, v := range []*[]fr.Element{&q.aIn, &q.bIn, &q.cIn} {
		*v = make([]fr.Element, s.Inputs())
	}
	for _, v := range []*[]fr.Element{&q.aAux, &q.bAux, &q.cAux} {
		*v = make([]fr.Element, s.Aux())
	}
	lagrange, err := q.lagrange(&t.tau)
	if err != nil {
		return nil, err
	}
	row := 0
	s.Each(func(a, b, c LC) {
		if row < s.Rows() {
			add(q.aIn, q.aAux, a, &lagrange[row])
			add(q.bIn, q.bAux, b, &lagrange[row])
			add(q.cIn, q.cAux, c, &lagrange[row])
		}
		row++
	})
	if row != s.Rows() {
		return nil, fmt.Errorf("circuit has %d rows, not the %d it says", row, s.Rows())
	}
	return q, nil
}

func add(in, aux []fr.Element, l LC, at *fr.Element) {
	var t fr.Element
	for i := range l {
		t.Mul(&l[i].Coeff, at)
		wire := &in
		if l[i].Var.IsAux() {
			wire = &aux
		}
		x := &(*wire)[l[i].Var.Index()]
		x.Add(x, &t)
	}
}

// lagrange evaluates the Lagrange polynomials of the domain at tau:
// w^i (tau^m - 1) / (m (tau - w^i)).
func (q *qap) lagrange(tau *fr.Element) ([]fr.Element, error) {
	w, err := fr.Generator(uint64(q.m))
	if err != nil {
		return nil, err
	}
	one := fr.One()
	q.vanishing.Exp(*tau, big.NewInt(int64(q.m)))
	q.vanishing.Sub(&q.vanishing, &one)
	if q.vanishing.IsZero() {
		return nil, errors.New("the setup's secret lies on the domain")
	}
	v := make([]fr.Element, q.m)
	root := one
	for i := range v {
		v[i].Sub(tau, &root)
		root.Mul(&root, &w)
	}
	v = fr.BatchInvert(v)
	var factor fr.Element
	factor.SetUint64(uint64(q.m)).Inverse(&factor).Mul(&factor, &q.vanishing)
	for i := range v {
		v[i].Mul(&v[i], &factor)
		factor.Mul(&factor, &w)
	}
	return v, nil
}

// outputs are (beta a + alpha b + c) of every wire, over delta for auxiliary
// wires and over gamma for inputs.
func (q *qap) outputs(s System, t *toxic) (l, ic []fr.Element) {
	l, ic = make([]fr.Element, s.Aux()), make([]fr.Element, s.Inputs())
	combine := func(out, a, b, c []fr.Element, over fr.Element) {
		over.Inverse(&over)
		for i := range out {
			var x, y fr.Element
			x.Mul(&t.beta, &a[i])
			y.Mul(&t.alpha, &b[i])
			x.Add(&x, &y).Add(&x, &c[i])
			out[i].Mul(&x, &over)
		}
	}
	combine(l, q.aAux, q.bAux, q.cAux, t.delta)
	combine(ic, q.aIn, q.bIn, q.cIn, t.gamma)
	return l, ic
}

// powersOfTau are tau^i (tau^m - 1) / delta for i < m-1.
func (q *qap) powersOfTau(t *toxic) []fr.Element {
	v := make([]fr.Element, q.m-1)
	x := q.vanishing
	var inv fr.Element
	x.Mul(&x, inv.Inverse(&t.delta))
	for i := range v {
		v[i] = x
		x.Mul(&x, &t.tau)
	}
	return v
}

func dense(inputs, aux []fr.Element, p *Pattern) []fr.Element {
	v := make([]fr.Element, len(inputs)+p.Len())
	n := copy(v, inputs)
	p.gather(v[n:], aux)
	return v
}

func pick(v []fr.Element, members []uint32) []fr.Element {
	out := make([]fr.Element, len(members))
	for i, n := range members {
		out[i] = v[n]
	}
	return out
}

// generators multiply the two groups' generators.
type generators struct {
	g1 *g1Table
	g2 *g2Table
}

func newGenerators() generators {
	_, _, one, two := bls12381.Generators()
	g := generators{new(g1Table), new(g2Table)}
	g.g1.fill(&one)
	g.g2.fill(&two)
	return g
}

func (g generators) head(t *toxic) head {
	return head{
		AlphaG1: g.g1.times(&t.alpha), BetaG1: g.g1.times(&t.beta), DeltaG1: g.g1.times(&t.delta),
		BetaG2: g.g2.times(&t.beta), GammaG2: g.g2.times(&t.gamma), DeltaG2: g.g2.times(&t.delta),
	}
}

func (g generators) encodeG1(dst []byte, x *fr.Element) {
	p := g.g1.times(x)
	b := p.RawBytes()
	copy(dst, b[:])
}

func (g generators) encodeG2(dst []byte, x *fr.Element) {
	p := g.g2.times(x)
	b := p.RawBytes()
	copy(dst, b[:])
}
