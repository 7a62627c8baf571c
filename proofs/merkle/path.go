package merkle

import (
	"fmt"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/poseidon"
)

// Path proves that a leaf stands under a root.
type Path struct {
	Root, Leaf fr.Element
	Levels     []Level // from the leaf upwards, one for each of Shape.Arities
}

// Level is one step of a path: the siblings in order, without the node itself,
// whose place among them is Index.
type Level struct {
	Siblings []fr.Element
	Index    uint64
}

// hash is the node above, given the one below.
func (l Level) hash(below fr.Element) fr.Element {
	children := make([]fr.Element, 0, len(l.Siblings)+1)
	children = append(children, l.Siblings[:l.Index]...)
	children = append(children, below)
	children = append(children, l.Siblings[l.Index:]...)
	return poseidon.Hash(children...)
}

// level takes the node at index out of its group.
func level(group []fr.Element, index uint64) Level {
	siblings := make([]fr.Element, 0, len(group)-1)
	siblings = append(siblings, group[:index]...)
	siblings = append(siblings, group[index+1:]...)
	return Level{Siblings: siblings, Index: index}
}

// LeafIndex is the place in the replica that the path's indices add up to. The
// path must have the form of the shape ([Shape.Verify]).
func (s Shape) LeafIndex(p *Path) uint64 {
	var index uint64
	unit := uint64(1)
	for i, arity := range s.Arities() {
		index += p.Levels[i].Index * unit
		unit *= uint64(arity)
	}
	return index
}

// Verify returns an error unless the path has the shape's form and its leaf
// hashes to its root. It does not say that leaf or root are those one wants.
func (s Shape) Verify(p *Path) error {
	if err := s.CheckForm(p); err != nil {
		return err
	}
	node := p.Leaf
	for _, l := range p.Levels {
		node = l.hash(node)
	}
	if node != p.Root {
		return fmt.Errorf("path hashes to %x, not to its root %x", NodeBytes(node), NodeBytes(p.Root))
	}
	return nil
}

// CheckForm returns an error unless the path has a level for each of Arities, with
// its siblings and an index among them.
func (s Shape) CheckForm(p *Path) error {
	arities := s.Arities()
	if len(p.Levels) != len(arities) {
		return fmt.Errorf("path of %d levels, want %d", len(p.Levels), len(arities))
	}
	for i, arity := range arities {
		l := p.Levels[i]
		if len(l.Siblings) != arity-1 {
			return fmt.Errorf("level %d: %d siblings, want %d", i, len(l.Siblings), arity-1)
		}
		if l.Index >= uint64(arity) {
			return fmt.Errorf("level %d: index %d of %d", i, l.Index, arity)
		}
	}
	return nil
}
