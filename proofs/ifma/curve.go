package ifma

import (
	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
)

// curve is what the sums in G1 and in G2 differ in.
type curve struct {
	name      string
	fileBytes int // of a point in a key file
	shift     int // 2^shift bytes of rows a point
	saved     int // bytes that the kernels keep for each other, of sixteen pairs
	batch     int // pairs that share an inversion: as many as fit the second cache
	stretch   int // references that a worker adds up at a time

	forward  func(w, base, refs, saved *byte, groups int)
	backward func(w, base, refs, saved *byte, groups int, out, next *byte)
	decode   func(w, from, to *byte, groups int) uint64
	// add adds two points one at a time, for those that batches cannot. It
	// returns false if the sum is infinity.
	add func(to, a, b []row, signs [2]bool) bool
	// dummies are two points to fill batches up with.
	dummies func(first, second []row)
}

var g1 = curve{
	name: "G1", fileBytes: bls12381.SizeOfG1AffineUncompressed, shift: 7, saved: savedG1, batch: 1024, stretch: 1 << 15,
	forward: forwardG1, backward: backwardG1, decode: decodeG1,
	add: func(to, a, b []row, signs [2]bool) bool {
		p, q := pointG1(a, signs[0]), pointG1(b, signs[1])
		p.Add(&p, &q)
		putG1(to, &p)
		return !p.IsInfinity()
	},
	dummies: func(first, second []row) {
		_, _, g, _ := bls12381.Generators()
		putG1(first, &g)
		putG1(second, new(bls12381.G1Affine).Double(&g))
	},
}

var g2 = curve{
	name: "G2", fileBytes: bls12381.SizeOfG2AffineUncompressed, shift: 8, saved: savedG2, batch: 512, stretch: 1 << 14,
	forward: forwardG2, backward: backwardG2, decode: decodeG2,
	add: func(to, a, b []row, signs [2]bool) bool {
		p, q := pointG2(a, signs[0]), pointG2(b, signs[1])
		p.Add(&p, &q)
		putG2(to, &p)
		return !p.IsInfinity()
	},
	dummies: func(first, second []row) {
		_, _, _, g := bls12381.Generators()
		putG2(first, &g)
		putG2(second, new(bls12381.G2Affine).Double(&g))
	},
}

// rows is the number of a point's rows: x and y.
func (c *curve) rows() int { return 1 << c.shift / rowBytes }

func pointG1(r []row, negative bool) (p bls12381.G1Affine) {
	p.X, p.Y = r[0].element(), r[1].element()
	if negative {
		p.Neg(&p)
	}
	return p
}

func putG1(to []row, p *bls12381.G1Affine) {
	to[0], to[1] = rowOf(&p.X), rowOf(&p.Y)
}

func pointG2(r []row, negative bool) (p bls12381.G2Affine) {
	p.X.A0, p.X.A1, p.Y.A0, p.Y.A1 = r[0].element(), r[1].element(), r[2].element(), r[3].element()
	if negative {
		p.Neg(&p)
	}
	return p
}

func putG2(to []row, p *bls12381.G2Affine) {
	to[0], to[1], to[2], to[3] = rowOf(&p.X.A0), rowOf(&p.X.A1), rowOf(&p.Y.A0), rowOf(&p.Y.A1)
}
