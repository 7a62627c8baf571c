package circuit

import (
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/proofs/poseidon"
)

// Sums are kept in the order of their variables, the constant first.

func wire(v variable) lc { return lc{{Var: v, Coeff: fr.One()}} }

func constant(x fr.Element) lc {
	if x.IsZero() {
		return nil
	}
	return lc{{Var: groth16.One, Coeff: x}}
}

// plus is v + x.
func plus(v variable, x *fr.Element) lc { return append(constant(*x), wire(v)...) }

// plusNeg is v - x; no x is zero.
func plusNeg(v variable, x *fr.Element) lc {
	if x == nil {
		return wire(v)
	}
	var neg fr.Element
	return plus(v, neg.Neg(x))
}

func oneMinus(v variable) lc { return minus(groth16.One, v) }

// minus is a - b for different variables.
func minus(a, b variable) lc {
	one := fr.One()
	return addScaled(wire(a), wire(b), new(fr.Element).Neg(&one))
}

// addScaled is a + k*b. Terms that cancel are dropped.
func addScaled(a, b lc, k *fr.Element) lc {
	sum := make(lc, 0, len(a)+len(b))
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].Var < b[0].Var:
			sum, a = append(sum, a[0]), a[1:]
		default:
			t := groth16.Term{Var: b[0].Var}
			t.Coeff.Mul(&b[0].Coeff, k)
			if len(a) > 0 && a[0].Var == t.Var {
				t.Coeff.Add(&t.Coeff, &a[0].Coeff)
				a = a[1:]
			}
			if b = b[1:]; !t.Coeff.IsZero() {
				sum = append(sum, t)
			}
		}
	}
	return sum
}

// multiply is the row vector of sums times a matrix.
func multiply(state []lc, m [][]fr.Element) []lc {
	out := make([]lc, len(state))
	for j := range out {
		for i := range state {
			out[j] = addScaled(out[j], state[i], &m[i][j])
		}
	}
	return out
}

func multiplySparse(state []lc, m *poseidon.SparseMatrix) []lc {
	out := make([]lc, len(state))
	for i := range state {
		out[0] = addScaled(out[0], state[i], &m.WHat[i])
	}
	for j := range m.VRest {
		out[j+1] = addScaled(state[j+1], state[0], &m.VRest[j])
	}
	return out
}
