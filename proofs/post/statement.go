package post

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/vigil-post/vigil/proofs/circuit"
)

// Sector is a sector as the chain knows it.
type Sector struct {
	Number uint64
	CommR  [32]byte // the digest in its sealed CID
}

// Statement is what a proof says: that a miner's sectors held, at the time of
// the randomness, the replicas that their CommR commit to.
type Statement struct {
	ProverID   [32]byte
	Randomness [32]byte
	Sectors    []Sector // in any order; see Normalise
}

// Normalise returns the sectors as the proof has them: ascending, each number
// once. Where a number stands several times the last entry counts, as in the map
// that filecoin-ffi makes of them.
func Normalise(sectors []Sector) []Sector {
	sorted := slices.Clone(sectors)
	slices.SortStableFunc(sorted, func(a, b Sector) int { return cmp.Compare(a.Number, b.Number) })
	out := sorted[:0]
	for _, s := range sorted {
		if n := len(out); n > 0 && out[n-1].Number == s.Number {
			out[n-1] = s
			continue
		}
		out = append(out, s)
	}
	return out
}

// partition is what one proof of 192 bytes says: Sectors sectors, or fewer in the
// last one, before they are filled up with copies.
type partition struct {
	sectors []Sector
	says    []circuit.Statement // of each sector; of each challenge in Winning PoSt
}

// partitions checks a statement and derives every challenge.
func (c Config) partitions(s Statement) ([]partition, error) { return c.partitionsFrom(0, s) }

// partitionsFrom is partitions of a statement that begins with the first-th
// partition of a longer one.
func (c Config) partitionsFrom(first int, s Statement) ([]partition, error) {
	if _, err := element("prover id", s.ProverID); err != nil {
		return nil, err
	}
	if err := c.checkSectors(s.Sectors); err != nil {
		return nil, err
	}
	sectors := Normalise(s.Sectors)
	var out []partition
	for chunk := range slices.Chunk(sectors, c.Sectors) {
		p := partition{sectors: chunk}
		for i, sector := range chunk {
			says, err := c.says(s.Randomness, sector, (first+len(out))*c.Sectors+i)
			if err != nil {
				return nil, fmt.Errorf("sector %d: %w", sector.Number, err)
			}
			p.says = append(p.says, says...)
		}
		out = append(out, p)
	}
	return out, nil
}

// checkSectors sees what filecoin-proofs sees to before it sorts the sectors: also
// an entry in whose place a later one counts.
func (c Config) checkSectors(sectors []Sector) error {
	if len(sectors) == 0 {
		return errors.New("statement of no sectors")
	}
	if c.Kind == Winning && len(sectors) != 1 {
		return fmt.Errorf("winning statement of %d sectors", len(sectors))
	}
	for _, s := range sectors {
		if s.CommR == ([32]byte{}) {
			return fmt.Errorf("sector %d: comm_r is zero", s.Number)
		}
	}
	return nil
}

// says is what a proof says of a sector. Winning PoSt says it of each challenge
// by itself.
func (c Config) says(randomness [32]byte, sector Sector, position int) ([]circuit.Statement, error) {
	commR, err := element("comm_r", sector.CommR)
	if err != nil {
		return nil, err
	}
	leaves, err := c.Leaves(randomness, sector.Number, position)
	if err != nil {
		return nil, err
	}
	if c.Kind == Window {
		return []circuit.Statement{{CommR: commR, Leaves: leaves}}, nil
	}
	var says []circuit.Statement
	for leaf := range slices.Chunk(leaves, 1) {
		if c.Version == V1_1 { // each is the first challenge of a sector of its own
			leaf = leaves[:1]
		}
		says = append(says, circuit.Statement{CommR: commR, Leaves: leaf})
	}
	return says, nil
}
