package poseidon

import (
	"math/bits"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
)

// The modulus r, least significant limb first, and -1/r modulo 2^64.
const (
	r0, r1, r2, r3 = 0xffffffff00000001, 0x53bda402fffe5bfe, 0x3339d80809a1d805, 0x73eda753299d7d48
	rInvNeg        = 0xfffffffeffffffff
)

// innerProduct sets dst to the sum of a[i]*b[i], for at most maxWidth terms.
// Linear layers are three quarters of a hash; summing the 512-bit products and
// reducing once makes a hash about a tenth faster.
func innerProduct(dst *fr.Element, a, b []fr.Element) {
	var sum accumulator
	b = b[:len(a)]
	for i := range a {
		sum.addProduct(&a[i], &b[i])
	}
	sum.reduce(dst)
}

// accumulator is an unreduced sum of products, least significant limb first.
type accumulator [9]uint64

// addProduct adds x*y, row by row of the schoolbook product. The carry out of a
// row belongs to the limb that the next row's top product is added to, whose
// high half has room for it.
func (t *accumulator) addProduct(x, y *fr.Element) {
	var c, k uint64
	y0, y1, y2, y3 := y[0], y[1], y[2], y[3]

	h0, l0 := bits.Mul64(x[0], y0)
	h1, l1 := bits.Mul64(x[0], y1)
	h2, l2 := bits.Mul64(x[0], y2)
	h3, l3 := bits.Mul64(x[0], y3)
	l1, k = bits.Add64(l1, h0, 0)
	l2, k = bits.Add64(l2, h1, k)
	l3, k = bits.Add64(l3, h2, k)
	h3 += k
	t0, c := bits.Add64(t[0], l0, 0)
	t1, c := bits.Add64(t[1], l1, c)
	t2, c := bits.Add64(t[2], l2, c)
	t3, c := bits.Add64(t[3], l3, c)
	t4, c := bits.Add64(t[4], h3, c)

	carry := c
	h0, l0 = bits.Mul64(x[1], y0)
	h1, l1 = bits.Mul64(x[1], y1)
	h2, l2 = bits.Mul64(x[1], y2)
	h3, l3 = bits.Mul64(x[1], y3)
	l1, k = bits.Add64(l1, h0, 0)
	l2, k = bits.Add64(l2, h1, k)
	l3, k = bits.Add64(l3, h2, k)
	h3 += k + carry
	t1, c = bits.Add64(t1, l0, 0)
	t2, c = bits.Add64(t2, l1, c)
	t3, c = bits.Add64(t3, l2, c)
	t4, c = bits.Add64(t4, l3, c)
	t5, c := bits.Add64(t[5], h3, c)

	carry = c
	h0, l0 = bits.Mul64(x[2], y0)
	h1, l1 = bits.Mul64(x[2], y1)
	h2, l2 = bits.Mul64(x[2], y2)
	h3, l3 = bits.Mul64(x[2], y3)
	l1, k = bits.Add64(l1, h0, 0)
	l2, k = bits.Add64(l2, h1, k)
	l3, k = bits.Add64(l3, h2, k)
	h3 += k + carry
	t2, c = bits.Add64(t2, l0, 0)
	t3, c = bits.Add64(t3, l1, c)
	t4, c = bits.Add64(t4, l2, c)
	t5, c = bits.Add64(t5, l3, c)
	t6, c := bits.Add64(t[6], h3, c)

	carry = c
	h0, l0 = bits.Mul64(x[3], y0)
	h1, l1 = bits.Mul64(x[3], y1)
	h2, l2 = bits.Mul64(x[3], y2)
	h3, l3 = bits.Mul64(x[3], y3)
	l1, k = bits.Add64(l1, h0, 0)
	l2, k = bits.Add64(l2, h1, k)
	l3, k = bits.Add64(l3, h2, k)
	h3 += k + carry
	t3, c = bits.Add64(t3, l0, 0)
	t4, c = bits.Add64(t4, l1, c)
	t5, c = bits.Add64(t5, l2, c)
	t6, c = bits.Add64(t6, l3, c)
	t7, c := bits.Add64(t[7], h3, c)

	t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7] = t0, t1, t2, t3, t4, t5, t6, t7
	t[8] += c
}

// reduce is Montgomery's reduction of the sum to a canonical element. With at
// most 37 terms the sum is below 17*r*2^256, so that dividing by 2^256 leaves
// less than 18*r in five limbs.
func (t *accumulator) reduce(dst *fr.Element) {
	for i := range 4 {
		t.cancel(i)
	}
	v0, v1, v2, v3, v4 := t[4], t[5], t[6], t[7], t[8]

	// In units of 2^248, r is 115.9: 564/65536 is a little less than its inverse,
	// so the quotient is never too large, and at most one too small.
	quotient := (v4<<8 | v3>>56) * 564 >> 16
	h0, l0 := bits.Mul64(quotient, r0)
	h1, l1 := bits.Mul64(quotient, r1)
	h2, l2 := bits.Mul64(quotient, r2)
	l1, k := bits.Add64(l1, h0, 0)
	l2, k = bits.Add64(l2, h1, k)
	l3, _ := bits.Add64(quotient*r3, h2, k)
	v0, borrow := bits.Sub64(v0, l0, 0)
	v1, borrow = bits.Sub64(v1, l1, borrow)
	v2, borrow = bits.Sub64(v2, l2, borrow)
	v3, _ = bits.Sub64(v3, l3, borrow)

	s0, borrow := bits.Sub64(v0, r0, 0)
	s1, borrow := bits.Sub64(v1, r1, borrow)
	s2, borrow := bits.Sub64(v2, r2, borrow)
	s3, borrow := bits.Sub64(v3, r3, borrow)
	if borrow == 0 {
		v0, v1, v2, v3 = s0, s1, s2, s3
	}
	*dst = fr.Element{v0, v1, v2, v3}
}

// cancel adds the multiple of r*2^(64*i) that clears limb i.
func (t *accumulator) cancel(i int) {
	m := t[i] * rInvNeg
	h0, l0 := bits.Mul64(m, r0)
	h1, l1 := bits.Mul64(m, r1)
	h2, l2 := bits.Mul64(m, r2)
	h3, l3 := bits.Mul64(m, r3)
	l1, k := bits.Add64(l1, h0, 0)
	l2, k = bits.Add64(l2, h1, k)
	l3, k = bits.Add64(l3, h2, k)
	h3 += k
	_, c := bits.Add64(t[i], l0, 0)
	t[i+1], c = bits.Add64(t[i+1], l1, c)
	t[i+2], c = bits.Add64(t[i+2], l2, c)
	t[i+3], c = bits.Add64(t[i+3], l3, c)
	t[i+4], c = bits.Add64(t[i+4], h3, c)
	for j := i + 5; c != 0 && j < len(t); j++ {
		t[j], c = bits.Add64(t[j], 0, c)
	}
}
