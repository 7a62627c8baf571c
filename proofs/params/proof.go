package params

import (
	"crypto/sha256"
	"fmt"

	"github.com/vigil-post/vigil/proofs/circuit"
	"github.com/vigil-post/vigil/proofs/merkle"
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
	kind := "window"
	if p.Winning {
		kind = "winning"
	}
	return fmt.Sprintf("%s PoSt of %s sectors", kind, SizeName(p.SectorSize))
}

// SizeName is a sector size as people write it, "32GiB".
func SizeName(size uint64) string {
	for i, unit := range []string{"GiB", "MiB", "KiB"} {
		if one := uint64(1) << (30 - 10*i); size >= one && size%one == 0 {
			return fmt.Sprint(size/one, unit)
		}
	}
	return fmt.Sprint(size, " bytes")
}

// Window and winning PoSt as the network has them (filecoin-proofs,
// constants.rs).
const (
	windowChallenges  = 10 // for each sector
	winningChallenges = 66 // of the one sector; the circuit sees 66 sectors with one each
)

// SectorSizes are the sizes with a circuit, ascending.
func SectorSizes() []uint64 { return merkle.SectorSizes() }

// Shape is the proof's circuit; an unknown sector size is an error.
func (p Proof) Shape() (circuit.Shape, error) {
	tree, err := merkle.ShapeOf(p.SectorSize)
	if err != nil {
		return circuit.Shape{}, fmt.Errorf("no circuit for %v: %w", p, err)
	}
	s := circuit.Shape{Sectors: WindowSectors(p.SectorSize), Challenges: windowChallenges, Arities: tree.Arities()}
	if p.Winning {
		s.Sectors, s.Challenges = winningChallenges, 1
	}
	return s, nil
}

// WindowSectors is the number of sectors in one partition's proof of Window PoSt.
func WindowSectors(sectorSize uint64) int {
	switch sectorSize {
	case 32 << 30:
		return 2349
	case 64 << 30:
		return 2300
	}
	return 2
}

// ID is the key's name in the parameter cache without version and extension
// (rust-fil-proofs, parameter_cache.rs: a digest of the circuit's public
// parameters as their Rust type prints them).
func (p Proof) ID() (string, error) {
	s, err := p.Shape()
	if err != nil {
		return "", err
	}
	tree, err := merkle.ShapeOf(p.SectorSize)
	if err != nil {
		return "", err
	}
	public := fmt.Sprintf("FallbackPoSt::PublicParams{sector_size: %d, challenge_count: %d, sector_count: %d}",
		p.SectorSize, s.Challenges, s.Sectors)
	return fmt.Sprintf("proof-of-spacetime-fallback-merkletree-poseidon_hasher-%v-%x",
		tree, sha256.Sum256([]byte(public))), nil
}

// ParamsFile is the name of the proving key's file.
func (p Proof) ParamsFile() (string, error) { return p.file(".params") }

// VKFile is the name of the verifying key's file.
func (p Proof) VKFile() (string, error) { return p.file(".vk") }

func (p Proof) file(extension string) (string, error) {
	id, err := p.ID()
	return "v28-" + id + extension, err
}
