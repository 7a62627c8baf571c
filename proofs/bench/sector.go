package bench

import (
	"math/rand/v2"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/merkle"
	"github.com/vigil-post/vigil/proofs/poseidon"
	"github.com/vigil-post/vigil/proofs/post"
)

// madeUp is the vanilla proof of a sector of which nothing exists but what the
// challenges ask for: nodes above a challenged leaf are hashes, all others are
// drawn. It costs a hundred hashes where a real 32 GiB sector would cost a hundred
// million, and its values are as different as those of a real one: a replica of
// zeros would make all paths of all sectors alike, and equal scalars are cheaper
// to sum.
func madeUp(shape merkle.Shape, number uint64, leaves []uint64) *post.VanillaProof {
	t := &madeUpTree{draw: rand.NewChaCha8(seedOf(number)), arities: shape.Arities(), paths: make(map[uint64]*merkle.Path)}
	for _, leaf := range leaves {
		t.paths[leaf] = &merkle.Path{Levels: make([]merkle.Level, len(t.arities))}
	}
	root := t.node(len(t.arities), 0, leaves)
	pAux := merkle.PAux{CommC: t.element(), CommRLast: root}
	v := &post.VanillaProof{Sector: number, CommR: pAux.CommR(), CommC: pAux.CommC, CommRLast: root}
	for _, leaf := range leaves {
		p := *t.paths[leaf]
		p.Root = root
		v.Paths = append(v.Paths, p)
	}
	return v
}

type madeUpTree struct {
	draw    *rand.ChaCha8
	arities []int // from the leaf up
	paths   map[uint64]*merkle.Path
}

func (t *madeUpTree) element() (e fr.Element) {
	var b [64]byte
	_, _ = t.draw.Read(b[:]) // always fills b
	e.SetBytes(b[:])
	return e
}

// node makes the node that stands over the leaves from first on, level levels
// above them, and fills in the paths of those that are wanted.
func (t *madeUpTree) node(level int, first uint64, wanted []uint64) fr.Element {
	if len(wanted) == 0 {
		return t.element()
	}
	if level == 0 {
		leaf := t.element()
		t.paths[first].Leaf = leaf
		return leaf
	}
	arity := t.arities[level-1]
	under := uint64(1)
	for _, a := range t.arities[:level-1] {
		under *= uint64(a)
	}
	children := make([]fr.Element, arity)
	for i := range children {
		start := first + uint64(i)*under
		children[i] = t.node(level-1, start, below(wanted, start, under))
	}
	for _, leaf := range wanted {
		i := (leaf - first) / under
		siblings := append(append([]fr.Element(nil), children[:i]...), children[i+1:]...)
		t.paths[leaf].Levels[level-1] = merkle.Level{Siblings: siblings, Index: i}
	}
	return poseidon.Hash(children...)
}
