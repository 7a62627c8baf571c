package groth16

import (
	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
)

// jacobian is what G1Jac and G2Jac have in common.
type jacobian[A, J any] interface {
	*J
	AddMixed(*A) *J
	DoubleAssign() *J
	FromAffine(*A) *J
}

// affine is what G1Affine and G2Affine have in common.
type affine[A, J any] interface {
	*A
	FromJacobian(*J) *A
}

// table holds k * 256^w * generator at [w][k-1], so that a multiple of the
// generator is one addition for each byte of the scalar. A key needs a hundred
// thousand multiples of the same two points.
type table[A, J any, PA affine[A, J], PJ jacobian[A, J]] [fr.Bytes][255]A

type (
	g1Table = table[bls12381.G1Affine, bls12381.G1Jac, *bls12381.G1Affine, *bls12381.G1Jac]
	g2Table = table[bls12381.G2Affine, bls12381.G2Jac, *bls12381.G2Affine, *bls12381.G2Jac]
)

func (t *table[A, J, PA, PJ]) fill(generator *A) {
	var base J
	PJ(&base).FromAffine(generator)
	for w := range t {
		PA(&t[w][0]).FromJacobian(&base)
		for range 8 {
			PJ(&base).DoubleAssign()
		}
	}
	_ = inParallel(len(t), 0, func(start, end int) error {
		for w := start; w < end; w++ {
			var sum J
			PJ(&sum).FromAffine(&t[w][0])
			for k := 1; k < len(t[w]); k++ {
				PJ(&sum).AddMixed(&t[w][0])
				PA(&t[w][k]).FromJacobian(&sum)
			}
		}
		return nil
	})
}

func (t *table[A, J, PA, PJ]) times(x *fr.Element) A {
	var sum J // the zero value is infinity
	for i, b := range x.Bytes() {
		if b != 0 {
			PJ(&sum).AddMixed(&t[fr.Bytes-1-i][b-1])
		}
	}
	var out A
	PA(&out).FromJacobian(&sum)
	return out
}
