package ifma

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"math/bits"
	"slices"

	"github.com/consensys/gnark-crypto/ecc"
	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr/fft"
)

// selfTestTerms are enough for full groups, batches that are not full, and points
// that are left over.
const selfTestTerms = 245

// SelfTest compares the kernels with gnark-crypto's arithmetic: on drawn numbers and on those
// that are easy to get wrong. It takes a tenth of a second.
func SelfTest() error {
	p, q, err := selfTestPoints()
	if err != nil {
		return err
	}
	s := &Sums{Workers: 1, Chunk: 100}
	defer s.Close()
	for name, scalars := range selfTestScalars() {
		if err := compareG1(s, p, scalars); err != nil {
			return fmt.Errorf("G1, %s: %w", name, err)
		}
		if err := compareG2(s, q, scalars); err != nil {
			return fmt.Errorf("G2, %s: %w", name, err)
		}
	}
	for k := SmallestFFT; k <= SmallestFFT+3; k++ {
		if err := compareTransforms(k); err != nil {
			return fmt.Errorf("transforms of 2^%d: %w", k, err)
		}
	}
	return nil
}

var errDiffer = errors.New("another result than gnark-crypto's")

// selfTestPoints are drawn; some of them are equal and some are each other's negatives.
func selfTestPoints() ([]bls12381.G1Affine, []bls12381.G2Affine, error) {
	drawn := make([]fr.Element, selfTestTerms)
	for i := range drawn {
		if _, err := drawn[i].SetRandom(); err != nil {
			return nil, nil, err
		}
		switch i % 16 {
		case 3:
			drawn[i] = drawn[i-1]
		case 7:
			drawn[i].Neg(&drawn[i-2])
		}
	}
	_, _, p, q := bls12381.Generators()
	return bls12381.BatchScalarMultiplicationG1(&p, drawn), bls12381.BatchScalarMultiplicationG2(&q, drawn), nil
}

func selfTestScalars() map[string][]fr.Element {
	fill := func(at func(i int, e *fr.Element)) []fr.Element {
		v := make([]fr.Element, selfTestTerms)
		for i := range v {
			at(i, &v[i])
		}
		return v
	}
	half := new(big.Int).Rsh(fr.Modulus(), 1)
	return map[string][]fr.Element{
		"drawn scalars":               fill(func(_ int, e *fr.Element) { e.MustSetRandom() }),
		"zero, one and minus one":     fill(func(i int, e *fr.Element) { e.SetInt64(int64(i%3 - 1)) }),
		"about half the order":        fill(func(i int, e *fr.Element) { e.SetBigInt(new(big.Int).Add(half, big.NewInt(int64(i%3-1)))) }),
		"powers of two, and negative": fill(func(i int, e *fr.Element) { *e = signedPower(i) }),
	}
}

func signedPower(i int) (e fr.Element) {
	e.SetBigInt(new(big.Int).Lsh(big.NewInt(1), uint(i)))
	if i%2 == 1 {
		e.Neg(&e)
	}
	return e
}

func compareG1(s *Sums, points []bls12381.G1Affine, scalars []fr.Element) error {
	var raw []byte
	for i := range points {
		b := points[i].RawBytes()
		raw = append(raw, b[:]...)
	}
	var want bls12381.G1Jac
	if _, err := want.MultiExp(points, scalars, ecc.MultiExpConfig{}); err != nil {
		return err
	}
	have := make([]bls12381.G1Jac, 1)
	if err := s.G1(context.Background(), have, Terms{Points: raw, Scalars: [][]fr.Element{scalars}}); err != nil {
		return err
	}
	if !have[0].Equal(&want) {
		return errDiffer
	}
	return nil
}

func compareG2(s *Sums, points []bls12381.G2Affine, scalars []fr.Element) error {
	var raw []byte
	for i := range points {
		b := points[i].RawBytes()
		raw = append(raw, b[:]...)
	}
	var want bls12381.G2Jac
	if _, err := want.MultiExp(points, scalars, ecc.MultiExpConfig{}); err != nil {
		return err
	}
	have := make([]bls12381.G2Jac, 1)
	if err := s.G2(context.Background(), have, Terms{Points: raw, Scalars: [][]fr.Element{scalars}}); err != nil {
		return err
	}
	if !have[0].Equal(&want) {
		return errDiffer
	}
	return nil
}

// compareTransforms transforms drawn values and minus ones to the values on a coset, and
// back to where they came from.
func compareTransforms(k int) error {
	v := make([]fr.Element, 1<<k)
	for i := range v {
		if v[i].SetInt64(-1); i%3 > 0 {
			v[i].MustSetRandom()
		}
	}
	w, d, f := slices.Clone(v), fft.NewDomain(1<<k), &FFT{Workers: 1}
	scale := Scale{Factor: fr.One(), Base: v[1]}
	factors := make(fr.Vector, len(v))
	for i := range factors {
		factors[i].Exp(v[1], big.NewInt(int64(bits.Reverse(uint(i))>>(bits.UintSize-k))))
	}
	d.FFTInverse(w, fft.DIF)
	(*fr.Vector)(&w).Mul(w, factors)
	if err := f.Inverse(context.Background(), v, scale); err != nil {
		return err
	}
	if !slices.Equal(v, w) {
		return errDiffer
	}
	d.FFT(w, fft.DIT)
	if err := f.Forward(context.Background(), v); err != nil {
		return err
	}
	if !slices.Equal(v, w) {
		return errDiffer
	}
	return nil
}
