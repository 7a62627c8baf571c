package poseidon

import "github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

func newMatrix(n int) [][]fr.Element {
	cells := make([]fr.Element, n*n)
	m := make([][]fr.Element, n)
	for i := range m {
		m[i] = cells[i*n : (i+1)*n]
	}
	return m
}

func transpose(m [][]fr.Element) [][]fr.Element {
	t := newMatrix(len(m))
	for i := range m {
		for j := range m[i] {
			t[j][i] = m[i][j]
		}
	}
	return t
}

func addVector(a, b []fr.Element) []fr.Element {
	sum := make([]fr.Element, len(a))
	for i := range sum {
		sum[i].Add(&a[i], &b[i])
	}
	return sum
}

// mulVector is the row vector v times m.
func mulVector(v []fr.Element, m [][]fr.Element) []fr.Element {
	return mulMatrixVector(transpose(m), v)
}

// mulMatrixVector is m times the column vector v.
func mulMatrixVector(m [][]fr.Element, v []fr.Element) []fr.Element {
	out := make([]fr.Element, len(m))
	for i := range m {
		innerProduct(&out[i], m[i], v)
	}
	return out
}

func mulMatrix(a, b [][]fr.Element) [][]fr.Element {
	product, columns := newMatrix(len(a)), transpose(b)
	for i := range a {
		copy(product[i], mulMatrixVector(columns, a[i]))
	}
	return product
}

// invert is Gauss-Jordan elimination. Every matrix that it is given here is
// invertible: a Cauchy matrix, or a minor of the factorisation of one.
func invert(m [][]fr.Element) [][]fr.Element {
	n := len(m)
	left, right := newMatrix(n), newMatrix(n)
	for i := range m {
		copy(left[i], m[i])
		right[i][i].SetOne()
	}
	for col := range n {
		pivot := col
		for left[pivot][col].IsZero() {
			pivot++
		}
		left[col], left[pivot] = left[pivot], left[col]
		right[col], right[pivot] = right[pivot], right[col]

		var scale fr.Element
		scale.Inverse(&left[col][col])
		scaleRow(left[col], &scale)
		scaleRow(right[col], &scale)
		for row := range n {
			if row != col && !left[row][col].IsZero() {
				factor := left[row][col]
				subtractRow(left[row], left[col], &factor)
				subtractRow(right[row], right[col], &factor)
			}
		}
	}
	return right
}

func scaleRow(row []fr.Element, by *fr.Element) {
	for i := range row {
		row[i].Mul(&row[i], by)
	}
}

func subtractRow(row, other []fr.Element, times *fr.Element) {
	var term fr.Element
	for i := range row {
		term.Mul(&other[i], times)
		row[i].Sub(&row[i], &term)
	}
}
