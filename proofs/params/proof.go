package params

import (
	"crypto/sha256"
	"fmt"
	"math/bits"
	"slices"

	"github.com/vigil-post/vigil/proofs/circuit"
)

// Proof names a kind of proof of spacetime for sectors of one size. It decides
// the circuit and with it the key; the chain's V1 and V1_1 proof types share
// one key.
type Proof struct {
	Winning    bool
	SectorSize uint64 // bytes
}

// String is the proof's name in messages.
func (p Proof) String() string {
	if p.Winning {
		return fmt.Sprintf("winning PoSt of %d-byte sectors", p.SectorSize)
	}
	return fmt.Sprintf("window PoSt of %d-byte sectors", p.SectorSize)
}

// Window and winning PoSt as the network has them (filecoin-proofs,
// constants.rs).
const (
	windowChallenges  = 10 // for each sector
	winningChallenges = 66 // of the one sector; the circuit sees 66 sectors with one each
)

// tree is how filecoin-proofs arranges a sector's leaves.
type tree struct {
	base, sub, top int // arities; 0: no such level
	windowSectors  int // in a partition
}

// trees are the sector sizes with a key. 16 and 32 KiB are test sizes with the
// trees of 32 and 64 GiB.
var trees = map[uint64]tree{
	2 << 10:   {8, 0, 0, 2},
	16 << 10:  {8, 8, 0, 2},
	32 << 10:  {8, 8, 2, 2},
	8 << 20:   {8, 0, 0, 2},
	512 << 20: {8, 0, 0, 2},
	32 << 30:  {8, 8, 0, 2349},
	64 << 30:  {8, 8, 2, 2300},
}

// SectorSizes are the sizes with a circuit, ascending.
func SectorSizes() []uint64 {
	var sizes []uint64
	for size := range trees {
		sizes = append(sizes, size)
	}
	slices.Sort(sizes)
	return sizes
}

// Shape is the proof's circuit; an unknown sector size is an error.
func (p Proof) Shape() (circuit.Shape, error) {
	t, ok := trees[p.SectorSize]
	if !ok {
		return circuit.Shape{}, fmt.Errorf("no circuit for %v", p)
	}
	s := circuit.Shape{Sectors: t.windowSectors, Challenges: windowChallenges, Arities: t.levels(p.SectorSize)}
	if p.Winning {
		s.Sectors, s.Challenges = winningChallenges, 1
	}
	return s, nil
}

// levels are the arities of a path from the leaf up.
func (t tree) levels(sectorSize uint64) []int {
	leaves := sectorSize / 32
	var above []int
	for _, arity := range []int{t.sub, t.top} {
		if arity != 0 {
			above = append(above, arity)
			leaves /= uint64(arity)
		}
	}
	base := bits.TrailingZeros64(leaves) / bits.TrailingZeros(uint(t.base))
	return append(slices.Repeat([]int{t.base}, base), above...)
}

// ID is the key's name in the parameter cache without version and extension
// (rust-fil-proofs, parameter_cache.rs: a digest of the circuit's public
// parameters as their Rust type prints them).
func (p Proof) ID() (string, error) {
	s, err := p.Shape()
	if err != nil {
		return "", err
	}
	t := trees[p.SectorSize]
	public := fmt.Sprintf("FallbackPoSt::PublicParams{sector_size: %d, challenge_count: %d, sector_count: %d}",
		p.SectorSize, s.Challenges, s.Sectors)
	return fmt.Sprintf("proof-of-spacetime-fallback-merkletree-poseidon_hasher-%d-%d-%d-%x",
		t.base, t.sub, t.top, sha256.Sum256([]byte(public))), nil
}

// ParamsFile is the name of the proving key's file.
func (p Proof) ParamsFile() (string, error) { return p.file(".params") }

// VKFile is the name of the verifying key's file.
func (p Proof) VKFile() (string, error) { return p.file(".vk") }

func (p Proof) file(extension string) (string, error) {
	id, err := p.ID()
	return "v28-" + id + extension, err
}
