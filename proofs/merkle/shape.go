// Package merkle knows a sector's tree-r-last: the Poseidon tree over a sealed
// replica whose root, with comm_c, is the sector's CommR on chain.
//
// A storage provider keeps only the upper rows of it, in one file or several
// beside the replica. The lower rows are rebuilt from a piece of the replica
// each time a leaf is challenged, so that making a path is also a check: every
// node that is computed is compared with the one that was kept, and the first
// that differs names what is wrong ([DefectError]). A failure to read is not a
// defect; it is returned as it came.
//
// Layout and arithmetic agree with rust-fil-proofs (storage-proofs-core
// src/merkle, filecoin-proofs src/constants.rs).
package merkle

import (
	"fmt"
	"maps"
	"slices"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/poseidon"
)

// NodeSize is the size of a node in all files: a field element, little-endian.
const NodeSize = fr.Bytes

// baseArity is the arity of a base tree, for every sector size.
const baseArity = 8

// Shape is the form of a sector's tree: base trees of arity 8 over consecutive
// leaves, their roots joined by a node of arity Sub, and those by one of arity
// Top. Zero means that there is no such node.
type Shape struct {
	SectorSize     uint64
	Base, Sub, Top int
}

// The sector sizes there are shapes for. Those without a registered proof type
// (4, 16 and 32 KiB, 16 MiB, 1 GiB) exist in filecoin-proofs to test the large
// shapes small.
var shapes = map[uint64]Shape{
	2 << 10:   {2 << 10, baseArity, 0, 0},
	4 << 10:   {4 << 10, baseArity, 2, 0},
	16 << 10:  {16 << 10, baseArity, 8, 0},
	32 << 10:  {32 << 10, baseArity, 8, 2},
	8 << 20:   {8 << 20, baseArity, 0, 0},
	16 << 20:  {16 << 20, baseArity, 2, 0},
	512 << 20: {512 << 20, baseArity, 0, 0},
	1 << 30:   {1 << 30, baseArity, 2, 0},
	32 << 30:  {32 << 30, baseArity, 8, 0},
	64 << 30:  {64 << 30, baseArity, 8, 2},
}

// ShapeOf returns the shape for a sector size.
func ShapeOf(sectorSize uint64) (Shape, error) {
	s, ok := shapes[sectorSize]
	if !ok {
		return Shape{}, fmt.Errorf("no tree shape for sectors of %d bytes", sectorSize)
	}
	return s, nil
}

// SectorSizes are the sizes there are shapes for, ascending.
func SectorSizes() []uint64 { return slices.Sorted(maps.Keys(shapes)) }

// String is the shape as the names of parameter files write it, "8-8-2".
func (s Shape) String() string { return fmt.Sprintf("%d-%d-%d", s.Base, s.Sub, s.Top) }

// Leaves is the number of nodes in a replica.
func (s Shape) Leaves() uint64 { return s.SectorSize / NodeSize }

// BaseTrees is the number of base trees, and so of tree files.
func (s Shape) BaseTrees() int { return max(s.Sub, 1) * max(s.Top, 1) }

// BaseLeaves is the number of leaves under one base tree.
func (s Shape) BaseLeaves() uint64 { return s.Leaves() / uint64(s.BaseTrees()) }

// BaseRows is the number of rows of a base tree, leaves and root included.
func (s Shape) BaseRows() int {
	rows := 1
	for n := s.BaseLeaves(); n > 1; n /= baseArity {
		rows++
	}
	return rows
}

// Arities has the arity of each level of a path, from the leaf to the root.
func (s Shape) Arities() []int {
	var arities []int
	for range s.BaseRows() - 1 {
		arities = append(arities, s.Base)
	}
	for _, joined := range []int{s.Sub, s.Top} {
		if joined > 0 {
			arities = append(arities, joined)
		}
	}
	return arities
}

// RowsToDiscard is how many rows above the leaves filecoin-proofs leaves out of
// a tree file by default (storage-proofs-core src/util.rs).
func (s Shape) RowsToDiscard() int {
	switch rows := s.BaseRows(); {
	case rows <= 2:
		return 0
	case rows == 3:
		return 1
	default:
		return 2
	}
}

// TreeFiles has the name of each base tree's file in the sector's cache folder.
func (s Shape) TreeFiles() []string {
	if s.BaseTrees() == 1 {
		return []string{"sc-02-data-tree-r-last.dat"}
	}
	names := make([]string, s.BaseTrees())
	for i := range names {
		names[i] = fmt.Sprintf("sc-02-data-tree-r-last-%d.dat", i)
	}
	return names
}

// join has the roots of the base trees and the rows above them, of which the
// last is the root of the whole.
func (s Shape) join(roots []fr.Element) [][]fr.Element {
	rows := [][]fr.Element{roots}
	for _, arity := range []int{s.Sub, s.Top} {
		if arity > 0 {
			rows = append(rows, hashRow(rows[len(rows)-1], arity))
		}
	}
	return rows
}

// hashRow is the row above the given one.
func hashRow(row []fr.Element, arity int) []fr.Element {
	above := make([]fr.Element, len(row)/arity)
	poseidon.For(arity).HashMany(above, row)
	return above
}
