package merkle

import (
	"fmt"
	"slices"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
)

// maxDiscard bounds the rows that a file may leave out: with five, a path costs
// 8 MiB of the replica and two seconds. A file with fewer rows is more likely
// cut off.
const maxDiscard = 5

// upperBytes bounds what is read of a tree file at once, from its end. The rows
// above the largest two of a 32 GiB sector's file (149,792 bytes) are less work
// for a disk than going to each of them for every challenge.
const upperBytes = 160 << 10

// replicaFile is what a replica is called in errors.
const replicaFile = "replica"

// Tree makes paths from a replica and the rows kept of its tree. It may be used
// concurrently if its files may.
type Tree struct {
	shape   Shape
	replica File
	bases   []base
	joined  [][]fr.Element // the roots of the base trees, and the rows above them
}

// base is the kept part of one base tree.
type base struct {
	name    string
	file    File
	size    int64  // of what counts of the file
	discard int    // rows left out above the leaves
	from    int    // the lowest row of those that Open read
	upper   []byte // these rows, up to the root
}

// Open checks the sizes of the files, in the order of Shape.TreeFiles, and reads
// the upper rows of the base trees that have one of the leaves, whose paths will
// be asked for, and the root of every other, with one read each. A nil file is
// missing. The replica is not read.
func Open(shape Shape, replica File, trees []File, leaves ...uint64) (*Tree, error) {
	if err := checkFile(replicaFile, replica, shape.SectorSize); err != nil {
		return nil, err
	}
	if len(trees) != shape.BaseTrees() {
		return nil, fmt.Errorf("%d tree files for shape %s, want %d", len(trees), shape, shape.BaseTrees())
	}
	t := &Tree{shape: shape, replica: replica}
	for i, name := range shape.TreeFiles() {
		b, err := openBase(shape, name, trees[i])
		if err != nil {
			return nil, err
		}
		t.bases = append(t.bases, b)
	}
	roots := make([]fr.Element, len(t.bases))
	for i := range t.bases {
		challenged := slices.ContainsFunc(leaves, func(leaf uint64) bool { return leaf/shape.BaseLeaves() == uint64(i) })
		if err := t.bases[i].readUpper(shape, challenged); err != nil {
			return nil, err
		}
		root, err := t.bases[i].group(shape, shape.BaseRows()-1, 0)
		if err != nil {
			return nil, err
		}
		roots[i] = root[0]
	}
	t.joined = shape.join(roots)
	return t, nil
}

// openBase finds from the file's size how many rows were left out. Of a file that is
// longer than the usual one the end does not count, as for filecoin-proofs: whether
// it is a sector's, its hashes tell.
func openBase(shape Shape, name string, f File) (base, error) {
	if f == nil {
		return base{}, defect(DefectMissing, name, "not there")
	}
	for discard := 0; discard <= min(maxDiscard, shape.BaseRows()-2); discard++ {
		if f.Size() == int64(shape.keptNodes(discard)*NodeSize) {
			return base{name: name, file: f, size: f.Size(), discard: discard}, nil
		}
	}
	if usual := int64(shape.TreeFileSize()); f.Size() > usual {
		return base{name: name, file: f, size: usual, discard: shape.RowsToDiscard()}, nil
	}
	return base{}, defect(DefectSize, name, "%d bytes, want %d",
		f.Size(), shape.TreeFileSize())
}

// readUpper reads as many rows from the root down as are worth one read, or the
// root alone.
func (b *base) readUpper(shape Shape, rows bool) error {
	b.from = shape.BaseRows() - 1
	for rows && b.from > b.lowest() && shape.nodesFrom(b.from-1)*NodeSize <= upperBytes {
		b.from--
	}
	b.upper = make([]byte, shape.nodesFrom(b.from)*NodeSize)
	return readAt(b.name, b.file, b.upper, b.size-int64(len(b.upper)))
}

// lowest is the lowest row that the file has.
func (b *base) lowest() int { return b.discard + 1 }

// group decodes the nodes of a row that [base.readUpper] read which share their
// parent with the one at index: eight, or the root.
func (b *base) group(shape Shape, row int, index uint64) ([]fr.Element, error) {
	inRow := shape.rowLength(row)
	first, count := index&^(baseArity-1), min(baseArity, inRow)
	at := uint64(len(b.upper))/NodeSize - shape.nodesFrom(row) + first
	return decodeNodes(b.name, b.upper[at*NodeSize:(at+count)*NodeSize], b.offset(shape, row)+first)
}

// offset is the number of nodes in the file before a row.
func (b *base) offset(shape Shape, row int) uint64 {
	return shape.nodesFrom(b.lowest()) - shape.nodesFrom(row)
}

// keptNodes is the number of nodes in a tree file: the rows from discard+1 up.
func (s Shape) keptNodes(discard int) uint64 { return s.nodesFrom(discard + 1) }

// nodesFrom is the number of nodes in a row and all above it.
func (s Shape) nodesFrom(row int) uint64 {
	nodes := uint64(0)
	for ; row < s.BaseRows(); row++ {
		nodes += s.rowLength(row)
	}
	return nodes
}

// TreeFileSize is the size of each tree file by default.
func (s Shape) TreeFileSize() uint64 { return s.keptNodes(s.RowsToDiscard()) * NodeSize }

// rowLength is the number of nodes in a row of a base tree; row 0 has the leaves.
func (s Shape) rowLength(row int) uint64 { return s.BaseLeaves() >> (3 * row) }

// unfit names the file that is at fault if the root is wrong: one of an unusual
// size, or with a root that is not the hash of the row under it; else the first.
func (t *Tree) unfit() string {
	under := t.shape.BaseRows() - 2
	for i := range t.bases {
		b := &t.bases[i]
		if b.size != b.file.Size() {
			return b.name
		}
		if b.lowest() > under {
			continue
		}
		top, err := readNodes(b.name, b.file, b.offset(t.shape, under), baseArity+1)
		if err != nil || hashRow(top[:baseArity], baseArity)[0] != top[baseArity] {
			return b.name
		}
	}
	return t.bases[0].name
}

// Root is what the tree files' roots hash to, comm_r_last if they are good.
func (t *Tree) Root() fr.Element { return t.joined[len(t.joined)-1][0] }
