package merkle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/poseidon"
)

// hashAtOnce bounds the leaves that are read and hashed together, where a file
// leaves out so many rows that the pieces of the replica are large.
const hashAtOnce = 1 << 16

// Path makes the path of a leaf, as [Tree.Paths] does.
func (t *Tree) Path(leaf uint64) (Path, error) {
	paths, err := t.Paths(context.Background(), leaf)
	if err != nil {
		return Path{}, err
	}
	return paths[0], nil
}

// Paths makes the paths of leaves. What they need of the files is read once,
// each file from its start to its end: for each leaf a piece of the replica
// (16 KiB with two rows discarded) and, where the upper rows that Open read do
// not reach down to the lowest kept one, 2 KiB for every two rows between. Every node
// that is computed is compared with the one kept, so that a path that is
// returned verifies. Between reads it looks whether ctx has ended.
//
// Where that finds a defect, the rows are read one by one, as filecoin-proofs does: the
// defect may be in a node that is only hashed to spare a read.
func (t *Tree) Paths(ctx context.Context, leaves ...uint64) ([]Path, error) {
	paths, err := t.paths(ctx, 2, leaves)
	var bad *DefectError
	if errors.As(err, &bad) {
		if paths, again := t.paths(ctx, 1, leaves); again == nil {
			return paths, nil
		}
	}
	return paths, err
}

// paths makes the paths of leaves, and reads every kept row below those that Open read,
// or every second.
func (t *Tree) paths(ctx context.Context, every int, leaves []uint64) ([]Path, error) {
	climbs := make([]*climb, len(leaves))
	for i, leaf := range leaves {
		if leaf >= t.shape.Leaves() {
			return nil, fmt.Errorf("leaf %d of %d", leaf, t.shape.Leaves())
		}
		climbs[i] = t.newClimb(leaf)
	}
	inOrder := slices.Clone(climbs)
	slices.SortFunc(inOrder, func(a, b *climb) int { return cmp.Compare(a.leaf, b.leaf) })
	if err := t.readKept(ctx, every, inOrder); err != nil {
		return nil, err
	}
	if err := t.rebuild(ctx, inOrder); err != nil {
		return nil, err
	}
	if err := t.compare(ctx, inOrder); err != nil {
		return nil, err
	}
	paths := make([]Path, len(leaves))
	for i, c := range climbs {
		t.cross(c)
		paths[i] = c.path
	}
	return paths, nil
}

// climb is a path on its way from the leaf to the root.
type climb struct {
	leaf  uint64
	tree  int
	local uint64 // the leaf's index in its base tree
	path  Path

	rebuilt fr.Element // the node of the lowest kept row, from the replica
	// groups are the kept nodes around the path, from the lowest kept row to
	// the base tree's root: eight of each row, and the root. computed says of
	// which rows they were not read but hashed from the row below.
	groups   [][]fr.Element
	computed []bool
}

func (t *Tree) newClimb(leaf uint64) *climb {
	size := t.shape.BaseLeaves()
	return &climb{leaf: leaf, tree: int(leaf / size), local: leaf % size, path: Path{Root: t.Root()}}
}

// index is the place of the path's node in a row of its base tree.
func (c *climb) index(row int) uint64 { return c.local >> (3 * row) }

// unproven says whether it is to be seen that a group hashes to the node above.
func (c *climb) unproven(group int) bool {
	return group < len(c.groups)-1 && !c.computed[group+1]
}

// piece is some consecutive nodes of a row, and the rows above them that they hash to.
type piece struct {
	tree, row int
	first     uint64
	rows      [][]fr.Element
}

// hash adds to pieces of the same size so many rows.
func hash(pieces []*piece, rows int) {
	for range rows {
		var below []fr.Element
		for _, p := range pieces {
			below = append(below, p.rows[len(p.rows)-1]...)
		}
		above := hashRow(below, baseArity)
		size := len(above) / max(1, len(pieces))
		for i, p := range pieces {
			p.rows = append(p.rows, above[i*size:(i+1)*size])
		}
	}
}

// group is the eight nodes of a row that the one at index, counted in the whole
// row, is hashed with.
func (p *piece) group(row int, index uint64) []fr.Element {
	first := index&^(baseArity-1) - p.first>>(3*(row-p.row))
	return p.rows[row-p.row][first : first+baseArity]
}

// readKept fills groups, for climbs in the order of their leaves. Of the rows
// below those that Open read, every second may be computed from the row under it:
// eight hashes cost less than a disk's seek.
func (t *Tree) readKept(ctx context.Context, every int, climbs []*climb) error {
	for _, c := range climbs {
		b := &t.bases[c.tree]
		c.groups = make([][]fr.Element, t.shape.BaseRows()-b.lowest())
		c.computed = make([]bool, len(c.groups))
		for row := b.from; row < t.shape.BaseRows(); row++ {
			var err error
			if c.groups[row-b.lowest()], err = b.group(t.shape, row, c.index(row)); err != nil {
				return err
			}
		}
	}
	for tree := range t.bases {
		of := slices.Collect(func(yield func(*climb) bool) {
			for _, c := range climbs {
				if c.tree == tree && !yield(c) {
					return
				}
			}
		})
		for row, span := t.bases[tree].lowest(), 0; row < t.bases[tree].from && len(of) > 0; row += span {
			span = min(every, t.bases[tree].from-row)
			if err := t.readRows(ctx, of, tree, row, span); err != nil {
				return err
			}
		}
	}
	return nil
}

// readRows fills the groups of one row or two, for climbs of one tree in the
// order of their leaves.
func (t *Tree) readRows(ctx context.Context, climbs []*climb, tree, row, span int) error {
	b := &t.bases[tree]
	size := uint64(1) << (3 * span)
	var pieces []*piece
	of := make([]*piece, len(climbs))
	for i, c := range climbs {
		first := c.index(row) &^ (size - 1)
		if len(pieces) == 0 || pieces[len(pieces)-1].first != first {
			if err := ctx.Err(); err != nil {
				return err
			}
			nodes, err := readNodes(b.name, b.file, b.offset(t.shape, row)+first, int(size))
			if err != nil {
				return err
			}
			pieces = append(pieces, &piece{tree: tree, row: row, first: first, rows: [][]fr.Element{nodes}})
		}
		of[i] = pieces[len(pieces)-1]
	}
	hash(pieces, span-1)
	for i, c := range climbs {
		for up := range span {
			at := row + up - b.lowest()
			c.groups[at], c.computed[at] = of[i].group(row+up, c.index(row+up)), up > 0
		}
	}
	return nil
}

// rebuild reads the pieces of the replica that hash to one node of the lowest
// kept row each, and adds the levels under that node to the paths of climbs in
// the order of their leaves.
func (t *Tree) rebuild(ctx context.Context, climbs []*climb) error {
	for len(climbs) > 0 {
		discard := t.bases[climbs[0].tree].discard
		size := uint64(1) << (3 * (discard + 1))
		var pieces []*piece
		of := make([]*piece, 0, len(climbs))
		for _, c := range climbs {
			start := c.leaf &^ (size - 1)
			if len(pieces) == 0 || pieces[len(pieces)-1].first != start {
				if t.bases[c.tree].discard != discard || len(pieces) > 0 && uint64(len(pieces)+1)*size > hashAtOnce {
					break
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				row, err := readNodes(replicaFile, t.replica, start, int(size))
				if err != nil {
					return err
				}
				pieces = append(pieces, &piece{first: start, rows: [][]fr.Element{row}})
			}
			of = append(of, pieces[len(pieces)-1])
		}
		hash(pieces, discard+1)
		for i, p := range of {
			c := climbs[i]
			c.path.Leaf = p.rows[0][c.leaf-p.first]
			for row := range discard + 1 {
				index := c.leaf >> (3 * row)
				c.path.Levels = append(c.path.Levels, level(p.group(row, index), index%baseArity))
			}
			c.rebuilt = p.rows[discard+1][0]
		}
		climbs = climbs[len(of):]
	}
	return nil
}

// compare checks that the paths lead to their roots, by every kept node on them, and adds
// the levels of the kept rows.
func (t *Tree) compare(ctx context.Context, climbs []*climb) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var groups []fr.Element
	for _, c := range climbs {
		for i, group := range c.groups {
			if c.unproven(i) {
				groups = append(groups, group...)
			}
		}
	}
	hashes := make([]fr.Element, len(groups)/baseArity)
	poseidon.For(baseArity).HashMany(hashes, groups)
	for _, c := range climbs {
		lowest := t.bases[c.tree].lowest()
		node, wrong := c.rebuilt, -1
		for i, group := range c.groups {
			index := c.index(lowest + i)
			if wrong < 0 && group[index%baseArity] != node {
				wrong = i
			}
			if i < len(c.groups)-1 {
				c.path.Levels = append(c.path.Levels, level(group, index%baseArity))
			}
			if c.unproven(i) {
				node, hashes = hashes[0], hashes[1:]
			} else if i < len(c.groups)-1 {
				node = c.groups[i+1][c.index(lowest+i+1)%baseArity]
			}
		}
		if wrong >= 0 && !c.leads() {
			return t.mismatch(c, lowest+wrong)
		}
	}
	return nil
}

// leads says whether the path leads from its leaf to the base tree's root, whatever
// was kept of the nodes on it: a proof has only those beside it. So filecoin-proofs
// proves such a sector.
func (c *climb) leads() bool {
	node := c.path.Leaf
	for _, l := range c.path.Levels {
		node = l.hash(node)
	}
	return node == c.groups[len(c.groups)-1][0]
}

// mismatch names what does not hash to the kept node of a row.
func (t *Tree) mismatch(c *climb, row int) error {
	b := &t.bases[c.tree]
	if row > b.lowest() {
		return defect(DefectRow, b.name, "node %d of row %d is not the hash of those under it", c.index(row), row)
	}
	size := uint64(NodeSize) << (3 * row)
	start := uint64(c.tree)*t.shape.BaseLeaves()*NodeSize + c.index(row)*size
	return defect(DefectSegment, replicaFile, "bytes %d to %d do not hash to node %d of %s", start, start+size-1, c.index(row), b.name)
}

// cross adds the levels above the base trees.
func (t *Tree) cross(c *climb) {
	at, tree := 0, uint64(c.tree)
	for _, joined := range []int{t.shape.Sub, t.shape.Top} {
		if arity := uint64(joined); arity > 0 {
			first := tree / arity * arity
			c.path.Levels = append(c.path.Levels, level(t.joined[at][first:first+arity], tree-first))
			at, tree = at+1, tree/arity
		}
	}
}
