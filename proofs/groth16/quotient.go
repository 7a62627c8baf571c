package groth16

import (
	"context"
	"errors"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
)

// ErrUnsatisfied says that the assignment breaks a constraint, so that no proof
// of it would verify.
var ErrUnsatisfied = errors.New("assignment does not satisfy the circuit")

// quotient returns the coefficients of H = (AB - C)/(X^m - 1), where A, B and C
// are the polynomials with the witness's rows as their values on the domain of
// size m. Its memory is the vector that it returns and another one of m elements
// while it works.
//
// AB has a lower and an upper half, lo + hi X^m. Modulo X^m - 1 it is
// C = lo + hi; modulo X^m + 1, that is on the coset of a root of X^m = -1, it is
// D = lo - hi. Hence H = hi = (C - D)/2, and C needs one transform, not two.
// The result does not depend on the coset, so it is the one of bellperson.
func (r *run) quotient(ctx context.Context, w Witness) (h []fr.Element, free func(), err error) {
	m := DomainSize(w.Layout().rows())
	a, freeA, err := newVector(m)
	if err != nil {
		return nil, nil, err
	}
	b, freeB, err := newVector(m)
	if err != nil {
		freeA()
		return nil, nil, err
	}
	defer freeB()
	if err := r.quotientIn(ctx, w, a, b); err != nil {
		freeA()
		return nil, nil, err
	}
	return a, freeA, nil
}

// quotientIn computes the quotient in a; both vectors are zero.
func (r *run) quotientIn(ctx context.Context, w Witness, a, b []fr.Element) error {
	m := len(a)
	shift, err := fr.Generator(2 * uint64(m))
	if err != nil {
		return err
	}
	if err := r.fillRows(ctx, w, Part{A: a, B: b}); err != nil {
		return err
	}
	for _, v := range [][]fr.Element{a, b} {
		if err := r.toCoset(ctx, v, shift); err != nil {
			return err
		}
	}
	if err := r.each(ctx, a, b, func(a, b fr.Vector) { a.Mul(a, b) }); err != nil {
		return err
	}
	half := fr.One()
	half.Halve()
	if err := r.inverse(ctx, a, Scale{Factor: half, Base: *shift.Inverse(&shift)}); err != nil {
		return err
	}
	if err := r.each(ctx, b, b, func(b, _ fr.Vector) { clear(b) }); err != nil {
		return err
	}
	if err := r.fillRows(ctx, w, Part{C: b}); err != nil {
		return err
	}
	if err := r.inverse(ctx, b, Scale{Factor: half, Base: fr.One()}); err != nil {
		return err
	}
	if err := r.each(ctx, a, b, func(a, c fr.Vector) { a.Sub(c, a) }); err != nil {
		return err
	}
	if err := bitReverse(ctx, a, r.workers); err != nil {
		return err
	}
	return checkDegree(a)
}

// toCoset turns values on the domain into values on the coset.
func (r *run) toCoset(ctx context.Context, v []fr.Element, shift fr.Element) error {
	if err := r.inverse(ctx, v, Scale{Factor: fr.One(), Base: shift}); err != nil {
		return err
	}
	err := r.fft.Forward(ctx, v)
	r.did(1)
	return err
}

func (r *run) inverse(ctx context.Context, v []fr.Element, scale Scale) error {
	err := r.fft.Inverse(ctx, v, scale)
	r.did(1)
	return err
}

// fillRows asks the witness for the rows of all parts and adds those of the
// inputs.
func (r *run) fillRows(ctx context.Context, w Witness, into Part) error {
	n := w.Layout().Rows
	for _, v := range [][]fr.Element{into.A, into.B} {
		// It is zero. But its memory is not there yet, and whoever touches it first waits for it.
		rest := v[min(len(v), w.Layout().Parts*n):]
		if err := r.each(ctx, rest, rest, func(rest, _ fr.Vector) { clear(rest) }); err != nil {
			return err
		}
	}
	copy(into.A[min(len(into.A), w.Layout().Parts*n):], w.Inputs())
	return r.parts(ctx, 0, w.Layout().Parts, func(i int) error {
		return w.Fill(i, Part{A: stretch(into.A, i, n), B: stretch(into.B, i, n), C: stretch(into.C, i, n)})
	})
}

// stretch is the i-th part of n elements; nil stays nil.
func stretch(v []fr.Element, i, n int) []fr.Element {
	if v == nil {
		return nil
	}
	return v[i*n : (i+1)*n : (i+1)*n]
}

// checkDegree looks at the top coefficient of H. AB has degree 2m-2 at most, so
// it is zero; a row in which C is not AB makes it something else.
func checkDegree(h []fr.Element) error {
	if !h[len(h)-1].IsZero() {
		return ErrUnsatisfied
	}
	return nil
}

// each does the same to every stretch of two vectors of one length.
func (r *run) each(ctx context.Context, a, b []fr.Element, work func(a, b fr.Vector)) error {
	const stretch = 1 << 14
	return inParallel(len(a), r.workers, func(start, end int) error {
		for ; start < end; start += stretch {
			if err := ctx.Err(); err != nil {
				return err
			}
			stop := min(start+stretch, end)
			work(a[start:stop], b[start:stop])
		}
		return nil
	})
}
