package groth16

import (
	"fmt"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
)

// MemoryError says that a proof does not fit the memory that it may use.
type MemoryError struct {
	Need, Have int64 // bytes
}

func (e *MemoryError) Error() string {
	return fmt.Sprintf("the proof needs %d MiB of memory and may use %d MiB", e.Need>>20, e.Have>>20)
}

// Fits says whether a proof of such a witness fits the prover's memory; if not,
// the error is a MemoryError.
func (p *Prover) Fits(l Layout) error {
	_, err := p.share(l, 1)
	return err
}

// leastChunk is how few wires are gathered at a time where memory is short: with fewer
// the sums of buckets cost more than all else, and it is 30 MB.
const leastChunk = 1 << 16

// largeChunk is so many that more save but a few per cent of the sums.
const largeChunk = 1 << 21

// share is what a run takes on.
type share struct {
	proofs int
	chunk  int // wires gathered at a time
}

// less makes it smaller, or is false if it cannot be: fewer proofs cost another pass over
// the key, small chunks cost more sums.
func (s *share) less() bool {
	switch {
	case s.chunk > largeChunk:
		s.chunk = max(s.chunk/2, largeChunk)
	case s.proofs > 1:
		s.proofs--
	case s.chunk > leastChunk:
		s.chunk = max(s.chunk/2, leastChunk)
	default:
		return false
	}
	return true
}

// share is how many of n proofs fit the memory together, in the largest chunks in
// which they do. Only what they may use is a limit; what there is is guessed.
func (p *Prover) share(l Layout, n int) (share, error) {
	s := share{proofs: n, chunk: p.chunk(DomainSize(l.rows()))}
	for p.Memory > 0 && p.need(l, s) > p.Memory {
		if !s.less() {
			return s, &MemoryError{Need: p.need(l, s), Have: p.Memory}
		}
	}
	for p.Room > 0 && p.need(l, s) > p.Room && s.less() {
	}
	return s, nil
}

// need is the memory that a run takes: the quotients, and beside them one vector more while they are
// made, and then what the sums work in.
func (p *Prover) need(l Layout, s share) int64 {
	m := int64(DomainSize(l.rows()))
	group := int64(l.partsIn(s.chunk)*l.Aux + l.Inputs)
	scalars := 4 * group // wires, and those of A, B and B times r
	if p.NonZK {
		scalars -= group
	}
	longest := max(4*group, 2*int64(s.chunk)+2*group) // call for sums, the last one of H
	sums := fr.Bytes*int64(s.proofs)*scalars + p.kernelNeeds(longest, s.proofs)
	beside := max(fr.Bytes*m, sums)
	if m <= fewElements { // which the collector has, and gives to the sums when it likes
		beside = fr.Bytes*m + sums
	}
	return fr.Bytes*int64(s.proofs)*m + beside + 64<<20
}

// kernelNeeds is what sums of so many terms take beside them, for n proofs.
func (p *Prover) kernelNeeds(terms int64, n int) int64 {
	if p.Multiexp != nil {
		return portableNeeds(p.Workers, terms, n)
	}
	return p.arithmetic().Need(p.Workers, terms, n)
}

func (p *Prover) chunk(domain int) int {
	switch {
	case p.Chunk > 0:
		return p.Chunk
	case p.Multiexp != nil:
		return defaultChunk
	}
	return p.arithmetic().Chunk(domain)
}
