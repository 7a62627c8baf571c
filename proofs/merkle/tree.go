package merkle

import (
	"fmt"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
)

// maxDiscard bounds the rows that a file may leave out: with five, a path costs
// 8 MiB of the replica and two seconds. A file with fewer rows is more likely
// cut off.
const maxDiscard = 5

// replicaFile is what a replica is called in errors.
const replicaFile = "replica"

// Tree makes paths from a replica and the rows kept of its tree. It may be used
// concurrently if its files may.
type Tree struct {
	shape   Shape
	replica File
	bases   []base
	roots   []fr.Element // of the base trees
	root    fr.Element
}

// base is the kept part of one base tree.
type base struct {
	name    string
	file    File
	discard int // rows left out above the leaves
}

// Open checks the sizes of the files, in the order of Shape.TreeFiles, and reads
// the roots of the base trees. A nil file is missing. The replica is not read.
func Open(shape Shape, replica File, trees []File) (*Tree, error) {
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
		root, err := b.row(shape.BaseRows()-1, 0, 1, shape)
		if err != nil {
			return nil, err
		}
		t.bases, t.roots = append(t.bases, b), append(t.roots, root[0])
	}
	t.root = shape.join(t.roots)
	return t, nil
}

// openBase finds from the file's size how many rows were left out.
func openBase(shape Shape, name string, f File) (base, error) {
	if f == nil {
		return base{}, defect(DefectMissing, name, "not there")
	}
	for discard := 0; discard <= min(maxDiscard, shape.BaseRows()-2); discard++ {
		if f.Size() == int64(shape.keptNodes(discard)*NodeSize) {
			return base{name, f, discard}, nil
		}
	}
	return base{}, defect(DefectSize, name, "%d bytes, want %d",
		f.Size(), shape.TreeFileSize())
}

// keptNodes is the number of nodes in a tree file: the rows from discard+1 up.
func (s Shape) keptNodes(discard int) uint64 {
	nodes := uint64(0)
	for row := discard + 1; row < s.BaseRows(); row++ {
		nodes += s.rowLength(row)
	}
	return nodes
}

// TreeFileSize is the size of each tree file by default.
func (s Shape) TreeFileSize() uint64 { return s.keptNodes(s.RowsToDiscard()) * NodeSize }

// rowLength is the number of nodes in a row of a base tree; row 0 has the leaves.
func (s Shape) rowLength(row int) uint64 { return s.BaseLeaves() >> (3 * row) }

// row reads nodes of a kept row.
func (b base) row(row int, index uint64, count int, shape Shape) ([]fr.Element, error) {
	offset := uint64(0)
	for below := b.discard + 1; below < row; below++ {
		offset += shape.rowLength(below)
	}
	return readNodes(b.name, b.file, offset+index, count)
}

// Root is what the tree files' roots hash to, comm_r_last if they are good.
func (t *Tree) Root() fr.Element { return t.root }

// Path makes the path of a leaf, comparing on the way every node that it
// computes with the one kept: a path that is returned verifies.
func (t *Tree) Path(leaf uint64) (Path, error) {
	if leaf >= t.shape.Leaves() {
		return Path{}, fmt.Errorf("leaf %d of %d", leaf, t.shape.Leaves())
	}
	tree, local := leaf/t.shape.BaseLeaves(), leaf%t.shape.BaseLeaves()
	p := Path{Root: t.root}
	node, err := t.rebuild(&p, int(tree), local)
	if err != nil {
		return Path{}, err
	}
	if err := t.climb(&p, int(tree), local, node); err != nil {
		return Path{}, err
	}
	t.cross(&p, tree)
	return p, nil
}

// rebuild reads the piece of the replica that hashes to one node of the lowest
// kept row, adds the levels under that node to the path and returns it.
func (t *Tree) rebuild(p *Path, tree int, local uint64) (fr.Element, error) {
	discard := t.bases[tree].discard
	size := uint64(1) << (3 * (discard + 1))
	start := uint64(tree)*t.shape.BaseLeaves() + local&^(size-1)
	row, err := readNodes(replicaFile, t.replica, start, int(size))
	if err != nil {
		return fr.Element{}, err
	}
	index := local & (size - 1)
	p.Leaf = row[index]
	for len(row) > 1 {
		p.Levels = append(p.Levels, level(group(row, index), index%baseArity))
		row, index = hashRow(row, baseArity), index/baseArity
	}
	return row[0], nil
}

// climb adds the levels of the kept rows.
func (t *Tree) climb(p *Path, tree int, local uint64, node fr.Element) error {
	b := t.bases[tree]
	lowest := b.discard + 1
	for row := lowest; row < t.shape.BaseRows(); row++ {
		index := local >> (3 * row)
		count := min(baseArity, int(t.shape.rowLength(row)))
		kept, err := b.row(row, index&^(baseArity-1), count, t.shape)
		if err != nil {
			return err
		}
		if kept[index%baseArity] != node {
			return t.mismatch(b, row, index, tree)
		}
		if count > 1 {
			l := level(kept, index%baseArity)
			p.Levels, node = append(p.Levels, l), l.hash(node)
		}
	}
	return nil
}

func (t *Tree) mismatch(b base, row int, index uint64, tree int) error {
	if row > b.discard+1 {
		return defect(DefectRow, b.name, "node %d of row %d is not the hash of those under it", index, row)
	}
	size := uint64(NodeSize) << (3 * row)
	start := uint64(tree)*t.shape.BaseLeaves()*NodeSize + index*size
	return defect(DefectSegment, replicaFile, "bytes %d to %d do not hash to node %d of %s", start, start+size-1, index, b.name)
}

// cross adds the levels above the base trees, whose roots are all known.
func (t *Tree) cross(p *Path, tree uint64) {
	row := t.roots
	for _, arity := range []int{t.shape.Sub, t.shape.Top} {
		if arity == 0 {
			return
		}
		first := tree / uint64(arity) * uint64(arity)
		p.Levels = append(p.Levels, level(row[first:first+uint64(arity)], tree-first))
		row, tree = hashRow(row, arity), tree/uint64(arity)
	}
}

// group is the eight nodes that the one at index is hashed with.
func group(row []fr.Element, index uint64) []fr.Element {
	first := index &^ (baseArity - 1)
	return row[first : first+baseArity]
}
