// Package poseidon is the hash that Filecoin's replica trees and comm_r are
// built with: Poseidon over the scalar field of BLS12-381, bit for bit as the
// neptune library computes it with strength "standard" and the MerkleTree
// domain tag.
//
// The permutation is evaluated in the optimised form of the Poseidon paper's
// appendix B (compressed round constants, sparse matrices in the partial
// rounds). That is not only for speed: the proof circuit is built from the same
// form, so these constants are part of what every existing Groth16 key commits
// to. [Constants] therefore exports all of them.
//
// Sources: Grassi et al., "Poseidon: A New Hash Function for Zero-Knowledge
// Proof Systems" (eprint 2019/458); neptune's spec/poseidon_spec.md.
package poseidon

import (
	"fmt"
	"sync"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
)

// FullRounds is the number of full rounds, the same for every arity. Half of
// them come before the partial rounds and half after.
const FullRounds = 8

// partialRounds is neptune's table for 128 bits of security with its 25 %
// margin (neptune parameters/round_numbers.txt), by arity.
var partialRounds = map[int]int{2: 55, 4: 56, 8: 57, 11: 57, 16: 59, 24: 59, 36: 60}

// maxWidth bounds the state, so that hashing needs no allocation.
const maxWidth = 37

// Constants is all that defines the permutation of one arity. It is shared and
// must not be changed.
type Constants struct {
	Arity         int // elements hashed
	Width         int // Arity + 1, the domain tag's place
	FullRounds    int
	PartialRounds int

	// DomainTag is the initial first element of the state, 2^Arity - 1.
	DomainTag fr.Element

	// Compressed holds FullRounds*Width + PartialRounds constants in the order
	// of their use: Width before the first S-box layer, then those that are
	// added after each S-box layer (Width in a full round, one in a partial
	// round, none in the last round).
	Compressed []fr.Element

	// MDS is the linear layer of full rounds. As everywhere here the state is a
	// row vector: new[j] = sum over i of state[i]*MDS[i][j].
	MDS [][]fr.Element

	// PreSparse takes the place of MDS in the last full round before the
	// partial rounds.
	PreSparse [][]fr.Element

	// Sparse has the linear layer of each partial round.
	Sparse []SparseMatrix

	mdsColumns, preSparseColumns [][]fr.Element
	hankel                       *hankel9 // of MDS, for width 9
}

// SparseMatrix is the linear layer of one partial round:
//
//	new[0] = <state, WHat>
//	new[j] = state[j] + state[0]*VRest[j-1]
type SparseMatrix struct {
	WHat  []fr.Element // Width elements
	VRest []fr.Element // Width-1 elements
}

var constants = func() map[int]func() *Constants {
	byArity := make(map[int]func() *Constants, len(partialRounds))
	for arity, partial := range partialRounds {
		byArity[arity] = sync.OnceValue(func() *Constants { return generate(arity, partial) })
	}
	return byArity
}()

// For returns the constants of an arity, made at its first use (tens of
// milliseconds for arity 8). The arities are 2, 4, 8, 11, 16, 24 and 36; any
// other is a mistake in the calling code and panics.
func For(arity int) *Constants {
	generated, ok := constants[arity]
	if !ok {
		panic(fmt.Sprintf("poseidon: no constants for arity %d", arity))
	}
	return generated()
}

// Hash returns the digest of the preimage, whose length picks the arity.
func Hash(preimage ...fr.Element) fr.Element {
	var digest fr.Element
	For(len(preimage)).Hash(&digest, preimage)
	return digest
}

// Hash sets dst to the digest of a preimage of c.Arity elements. It does not
// allocate and may be called concurrently.
func (c *Constants) Hash(dst *fr.Element, preimage []fr.Element) {
	if len(preimage) != c.Arity {
		panic(fmt.Sprintf("poseidon: %d elements for arity %d", len(preimage), c.Arity))
	}
	var a, b [maxWidth]fr.Element
	state, spare := a[:c.Width], b[:c.Width]
	state[0] = c.DomainTag
	copy(state[1:], preimage)
	c.permute(dst, state, spare)
}

// permute runs the rounds. Of the last linear layer only the digest's element is
// computed.
func (c *Constants) permute(digest *fr.Element, state, spare []fr.Element) {
	keys := c.Compressed
	for i := range state {
		state[i].Add(&state[i], &keys[i])
	}
	keys = keys[c.Width:]

	half := c.FullRounds / 2
	for round := range half {
		fullSBox(state, keys)
		keys = keys[c.Width:]
		c.Mix(spare, state, round)
		state, spare = spare, state
	}
	for i := range c.Sparse {
		sBox(&state[0])
		state[0].Add(&state[0], &keys[i])
		c.Sparse[i].Mix(state)
	}
	keys = keys[c.PartialRounds:]
	for round := half; round < c.FullRounds-1; round++ {
		fullSBox(state, keys)
		keys = keys[c.Width:]
		c.Mix(spare, state, round)
		state, spare = spare, state
	}
	for i := range state {
		sBox(&state[i])
	}
	innerProduct(digest, state, c.mdsColumns[1])
}

// sBox raises x to the fifth power.
func sBox(x *fr.Element) {
	var x4 fr.Element
	x4.Square(x)
	x4.Square(&x4)
	x.Mul(x, &x4)
}

// fullSBox is the S-box layer of a full round and the addition of its keys.
func fullSBox(state, keys []fr.Element) {
	for i := range state {
		sBox(&state[i])
		state[i].Add(&state[i], &keys[i])
	}
}

// Mix sets dst to the state after the linear layer of a full round, counted
// without the partial ones: PreSparse before those, MDS in all others.
func (c *Constants) Mix(dst, state []fr.Element, round int) {
	columns := c.mdsColumns
	if round == c.FullRounds/2-1 {
		columns = c.preSparseColumns
	}
	for j := range dst {
		innerProduct(&dst[j], state, columns[j])
	}
}

// Mix is the linear layer of a partial round, in place.
func (m *SparseMatrix) Mix(state []fr.Element) {
	var first, term fr.Element
	innerProduct(&first, state, m.WHat)
	for j := range m.VRest {
		term.Mul(&state[0], &m.VRest[j])
		state[j+1].Add(&state[j+1], &term)
	}
	state[0] = first
}
