package groth16

import (
	"context"
	"errors"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
	"github.com/consensys/gnark-crypto/utils"
)

// ErrUnsatisfied says that the assignment breaks a constraint, so that no proof
// of it would verify.
var ErrUnsatisfied = errors.New("assignment does not satisfy the circuit")

// quotient returns the coefficients of H = (AB - C)/(X^m - 1), where A, B and C
// are the polynomials with the given values on the domain of size m. It works
// in the three vectors and returns one of them.
//
// AB has a lower and an upper half, lo + hi X^m. Modulo X^m - 1 it is
// C = lo + hi; modulo X^m + 1, that is on the coset of a root of X^m = -1, it is
// D = lo - hi. Hence H = hi = (C - D)/2, and C needs one transform, not two.
// The result does not depend on the coset, so it is the one of bellperson.
func quotient(ctx context.Context, f FFT, a, b, c []fr.Element, workers int) ([]fr.Element, error) {
	m := len(a)
	shift, err := fr.Generator(2 * uint64(m))
	if err != nil {
		return nil, err
	}
	to := newPowers(m, shift, fr.One())
	for _, v := range [][]fr.Element{a, b} {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		f.Inverse(v)
		to.scale(v, workers)
		f.Forward(v)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	each(a, b, workers, func(a, b fr.Vector) { a.Mul(a, b) })
	f.Inverse(a)
	half := fr.One()
	half.Halve()
	newPowers(m, *shift.Inverse(&shift), half).scale(a, workers)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f.Inverse(c)
	each(a, c, workers, func(a, c fr.Vector) {
		for i := range a {
			c[i].Halve()
		}
		a.Sub(c, a)
	})
	utils.BitReverse(a)
	return a, checkDegree(a)
}

// checkDegree looks at the top coefficient of H. AB has degree 2m-2 at most, so
// it is zero; a row in which C is not AB makes it something else.
func checkDegree(h []fr.Element) error {
	if !h[len(h)-1].IsZero() {
		return ErrUnsatisfied
	}
	return nil
}

func each(a, b []fr.Element, workers int, work func(a, b fr.Vector)) {
	_ = inParallel(len(a), workers, func(start, end int) error {
		work(a[start:end], b[start:end])
		return nil
	})
}
