package poseidon

import "github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

// generate makes every constant of an arity from the round numbers alone.
func generate(arity, partial int) *Constants {
	width := arity + 1
	c := &Constants{Arity: arity, Width: width, FullRounds: FullRounds, PartialRounds: partial}
	c.DomainTag.SetUint64(1<<arity - 1)
	c.MDS = cauchy(width)
	c.Compressed = compress(c.MDS, roundConstants(width, FullRounds, partial), partial)
	c.PreSparse, c.Sparse = factor(c.MDS, partial)
	c.mdsColumns, c.preSparseColumns = transpose(c.MDS), transpose(c.PreSparse)
	if width == 9 {
		var values [17]fr.Element
		for i := range values {
			values[i] = c.MDS[min(i, 8)][i-min(i, 8)]
		}
		c.hankel = newHankel9(values)
	}
	return c
}

// cauchy is the MDS matrix M[i][j] = 1/(x_i + y_j) with x_i = i, y_j = width+j
// (neptune src/mds.rs). It is symmetric, so M times a column equals a row times M.
func cauchy(width int) [][]fr.Element {
	m := newMatrix(width)
	for i := range m {
		for j := range m[i] {
			m[i][j].SetUint64(uint64(i + j + width))
		}
		copy(m[i], fr.BatchInvert(m[i]))
	}
	return m
}

// compress moves the round constants behind the S-boxes and, in the partial
// rounds, through the linear layers, until each partial round adds one element
// (Poseidon paper, appendix B; order of the result as neptune
// src/preprocessing.rs).
func compress(mds [][]fr.Element, constants []fr.Element, partial int) []fr.Element {
	width := len(mds)
	inverse := invert(mds)
	key := func(round int) []fr.Element { return constants[round*width : (round+1)*width] }
	behind := func(k []fr.Element) []fr.Element { return mulVector(k, inverse) }
	half := FullRounds / 2

	// From the last partial round back to the first: what its linear layer may
	// carry in all but the first element goes into the round before.
	single := make([]fr.Element, partial)
	acc := key(half + partial)
	for i := range partial {
		carried := behind(acc)
		single[partial-1-i] = carried[0]
		carried[0].SetZero()
		acc = addVector(carried, key(half+partial-1-i))
	}

	out := append([]fr.Element(nil), key(0)...)
	for round := 1; round < half; round++ {
		out = append(out, behind(key(round))...)
	}
	out = append(out, behind(acc)...)
	out = append(out, single...)
	for round := half + partial + 1; round < FullRounds+partial; round++ {
		out = append(out, behind(key(round))...)
	}
	return out
}

// factor splits the MDS matrix into one sparse matrix for each partial round
// and the dense matrix that goes before them (Poseidon paper, appendix B;
// neptune src/mds.rs).
func factor(mds [][]fr.Element, partial int) (pre [][]fr.Element, sparse []SparseMatrix) {
	width := len(mds)
	sparse = make([]SparseMatrix, partial)
	current := mds
	for round := partial - 1; round >= 0; round-- {
		minor, column := make([][]fr.Element, width-1), make([]fr.Element, width-1)
		for i := range minor {
			minor[i], column[i] = current[i+1][1:], current[i+1][0]
		}
		sparse[round] = SparseMatrix{
			WHat:  append([]fr.Element{current[0][0]}, mulMatrixVector(invert(minor), column)...),
			VRest: append([]fr.Element(nil), current[0][1:]...),
		}
		dense := newMatrix(width)
		dense[0][0].SetOne()
		for i := range minor {
			copy(dense[i+1][1:], minor[i])
		}
		current = mulMatrix(mds, dense)
	}
	return current, sparse
}
