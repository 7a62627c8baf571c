package poseidon

import (
	"fmt"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
	"github.com/consensys/gnark-crypto/utils/cpu"
)

const (
	// lanesMost is how many hashes run in lockstep: enough that a call on a
	// vector costs little beside its work, and few enough that the states stay
	// in the processor's caches.
	lanesMost = 128
	// lanesWorth is the number from which on that is faster than one by one.
	lanesWorth = 24
	// block is the number of lanes that the processor multiplies at a time.
	block = 8
)

// HashMany sets each element of dst to the digest of the next c.Arity elements
// of the preimages. Where the processor has vector arithmetic for it
// (AVX-512 IFMA) many hashes cost about half as much as one by one; their
// digests are the same. It may be called concurrently.
func (c *Constants) HashMany(dst, preimages []fr.Element) {
	if len(preimages) != len(dst)*c.Arity {
		panic(fmt.Sprintf("poseidon: %d elements for %d hashes of arity %d", len(preimages), len(dst), c.Arity))
	}
	if cpu.SupportAVX512IFMA && len(dst) >= lanesWorth {
		c.hashLockstep(dst, preimages)
		return
	}
	for i := range dst {
		c.Hash(&dst[i], preimages[i*c.Arity:(i+1)*c.Arity])
	}
}

// hashLockstep divides the hashes into equal parts of whole blocks.
func (c *Constants) hashLockstep(dst, preimages []fr.Element) {
	parts := (len(dst) + lanesMost - 1) / lanesMost
	l := newLockstep(c, (len(dst)+parts*block-1)/(parts*block)*block)
	for len(dst) > 0 {
		n := min(l.n, len(dst))
		l.load(preimages[:n*c.Arity])
		l.permute()
		copy(dst[:n], l.at(l.next, 0))
		dst, preimages = dst[n:], preimages[n*c.Arity:]
	}
}

// lockstep is the permutation of many states side by side: element i of all of
// them is one vector, so that each step is a few calls of gnark-crypto's vector
// arithmetic, which multiplies eight lanes at a time where the processor can.
type lockstep struct {
	c     *Constants
	n     int       // lanes
	state fr.Vector // Width vectors of n lanes
	next  fr.Vector // the same, for linear layers
	term  fr.Vector // twice as many, products on their way into a sum
}

func newLockstep(c *Constants, n int) *lockstep {
	room := make(fr.Vector, 4*c.Width*n)
	size := c.Width * n
	return &lockstep{c: c, n: n, state: room[:size], next: room[size : 2*size], term: room[2*size:]}
}

// at is the vector of an element.
func (l *lockstep) at(of fr.Vector, element int) fr.Vector {
	return of[element*l.n : (element+1)*l.n]
}

// load sets the states to preimages that follow one another. Lanes without one
// keep what they have.
func (l *lockstep) load(preimages []fr.Element) {
	arity := l.c.Arity
	for k := range len(preimages) / arity {
		l.state[k] = l.c.DomainTag
		for i, e := range preimages[k*arity : (k+1)*arity] {
			l.state[(i+1)*l.n+k] = e
		}
	}
}

// permute runs the rounds as Constants.permute does, and leaves the digests in
// the first vector of next.
func (l *lockstep) permute() {
	c, keys := l.c, l.c.Compressed
	l.addKeys(keys[:c.Width])
	keys = keys[c.Width:]

	half := c.FullRounds / 2
	for round := range half {
		l.fullSBox(keys)
		keys = keys[c.Width:]
		if round == half-1 {
			l.multiply(c.PreSparse)
		} else {
			l.multiplyMDS()
		}
	}
	for i := range c.Sparse {
		first := l.at(l.state, 0)
		l.sBox(first)
		addKey(first, &keys[i])
		l.applySparse(&c.Sparse[i])
	}
	keys = keys[c.PartialRounds:]
	for range half - 1 {
		l.fullSBox(keys)
		keys = keys[c.Width:]
		l.multiplyMDS()
	}
	l.sBox(l.state)
	l.column(l.at(l.next, 0), c.MDS, 1)
}

func (l *lockstep) addKeys(keys []fr.Element) {
	for i := range keys {
		addKey(l.at(l.state, i), &keys[i])
	}
}

func addKey(v fr.Vector, key *fr.Element) {
	for i := range v {
		v[i].Add(&v[i], key)
	}
}

// sBox raises all of a vector to the fifth power.
func (l *lockstep) sBox(v fr.Vector) {
	x4 := l.term[:len(v)]
	x4.Mul(v, v)
	x4.Mul(x4, x4)
	v.Mul(v, x4)
}

func (l *lockstep) fullSBox(keys []fr.Element) {
	l.sBox(l.state)
	l.addKeys(keys[:l.c.Width])
}

// multiplyMDS is multiply by the matrix of full rounds.
func (l *lockstep) multiplyMDS() {
	if l.c.hankel == nil {
		l.multiply(l.c.MDS)
		return
	}
	l.c.hankel.multiply(l.next, l.state, l.term, l.n)
	l.state, l.next = l.next, l.state
}

// multiply replaces the states by their products with a matrix.
func (l *lockstep) multiply(m [][]fr.Element) {
	for j := range l.c.Width {
		l.column(l.at(l.next, j), m, j)
	}
	l.state, l.next = l.next, l.state
}

// column sets dst to the states' product with one column.
func (l *lockstep) column(dst fr.Vector, m [][]fr.Element, j int) {
	dst.ScalarMul(l.at(l.state, 0), &m[0][j])
	term := l.at(l.term, 0)
	for i := 1; i < l.c.Width; i++ {
		term.ScalarMul(l.at(l.state, i), &m[i][j])
		dst.Add(dst, term)
	}
}

func (l *lockstep) applySparse(m *SparseMatrix) {
	first, next, rest := l.at(l.state, 0), l.at(l.next, 0), l.state[l.n:]
	next.ScalarMul(first, &m.WHat[0])
	term := l.at(l.term, 0)
	for i := 1; i < l.c.Width; i++ {
		term.ScalarMul(l.at(l.state, i), &m.WHat[i])
		next.Add(next, term)
	}
	terms := l.term[:len(rest)]
	for j := range m.VRest {
		part := l.at(terms, j)
		part.ScalarMul(first, &m.VRest[j])
	}
	rest.Add(rest, terms)
	copy(first, next)
}
