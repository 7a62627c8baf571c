package poseidon

import "github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

// The MDS matrix is a Hankel matrix: M[i][j] depends on i+j alone. Its product
// with three blocks of a vector,
//
//	r0 = (h0+h1+h2) v0 + h1 (v1-v0) + h2 (v2-v0)
//	r1 = (h1+h2+h3) v1 - h1 (v1-v0) + h3 (v2-v1)
//	r2 = (h2+h3+h4) v2 - h2 (v2-v0) - h3 (v2-v1)
//
// needs six products instead of nine (Winograd's short Toeplitz products), and
// so do the blocks: 36 multiplications for a matrix of 9 by 9 instead of 81.

// hankel3 has the factors of the six products of a 3 by 3 matrix, in the order
// above: of v0, v1, v2, v1-v0, v2-v0, v2-v1.
type hankel3 [6]fr.Element

// hankel9 has the same for 3 by 3 blocks.
type hankel9 [6]hankel3

// newHankel9 takes the 17 values of the matrix, by i+j.
func newHankel9(values [17]fr.Element) *hankel9 {
	var block [5][5]fr.Element
	for k := range block {
		copy(block[k][:], values[3*k:3*k+5])
	}
	sum := func(k int) (s [5]fr.Element) {
		for i := range s {
			s[i].Add(&block[k][i], &block[k+1][i])
			s[i].Add(&s[i], &block[k+2][i])
		}
		return s
	}
	return &hankel9{
		newHankel3(sum(0)), newHankel3(sum(1)), newHankel3(sum(2)),
		newHankel3(block[1]), newHankel3(block[2]), newHankel3(block[3]),
	}
}

func newHankel3(g [5]fr.Element) hankel3 {
	h := hankel3{3: g[1], 4: g[2], 5: g[3]}
	for i := range 3 {
		h[i].Add(&g[i], &g[i+1])
		h[i].Add(&h[i], &g[i+2])
	}
	return h
}

// multiply sets dst to the product of the matrix and v, of nine vectors of n
// lanes each; room has space for eighteen.
func (h *hankel9) multiply(dst, v, room fr.Vector, n int) {
	block := func(of fr.Vector, i int) fr.Vector { return of[i*3*n : (i+1)*3*n] }
	v0, v1, v2 := block(v, 0), block(v, 1), block(v, 2)
	r0, r1, r2 := block(dst, 0), block(dst, 1), block(dst, 2)
	difference, product, inner := block(room, 0), block(room, 1), room[6*n:12*n]

	h[0].multiply(r0, v0, inner, n)
	h[1].multiply(r1, v1, inner, n)
	h[2].multiply(r2, v2, inner, n)

	difference.Sub(v1, v0)
	h[3].multiply(product, difference, inner, n)
	r0.Add(r0, product)
	r1.Sub(r1, product)

	difference.Sub(v2, v0)
	h[4].multiply(product, difference, inner, n)
	r0.Add(r0, product)
	r2.Sub(r2, product)

	difference.Sub(v2, v1)
	h[5].multiply(product, difference, inner, n)
	r1.Add(r1, product)
	r2.Sub(r2, product)
}

// multiply is the same for three vectors.
func (h *hankel3) multiply(dst, v, room fr.Vector, n int) {
	v0, v1, v2 := v[:n], v[n:2*n], v[2*n:3*n]
	r0, r1, r2 := dst[:n], dst[n:2*n], dst[2*n:3*n]
	t01, t02, t12 := room[:n], room[n:2*n], room[2*n:3*n]

	t01.Sub(v1, v0)
	t02.Sub(v2, v0)
	t12.Sub(v2, v1)
	t01.ScalarMul(t01, &h[3])
	t02.ScalarMul(t02, &h[4])
	t12.ScalarMul(t12, &h[5])

	r0.ScalarMul(v0, &h[0])
	r0.Add(r0, t01)
	r0.Add(r0, t02)
	r1.ScalarMul(v1, &h[1])
	r1.Sub(r1, t01)
	r1.Add(r1, t12)
	r2.ScalarMul(v2, &h[2])
	r2.Sub(r2, t02)
	r2.Sub(r2, t12)
}
