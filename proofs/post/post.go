// Package post is Filecoin's proof of spacetime as its users see it: which
// leaves of a sector are challenged, the vanilla proof that answers, the SNARK
// that condenses vanilla proofs to 192 bytes a partition, and its judgement.
// Window and Winning PoSt are the same proof with other numbers, a [Config].
//
// Everything agrees with filecoin-proofs byte for byte and verdict for verdict;
// its files are named where a rule would look arbitrary. As there, the caller
// clears the two top bits of randomness ([MaskRandomness]), and a value that is
// no field element is an error.
//
// The steps, for one statement of many sectors:
//
//	Config.Leaves       randomness -> the challenged leaves of a sector
//	Config.Vanilla      a sector's files and leaves -> a vanilla proof
//	Prover.Prove        the vanilla proofs -> 192 bytes for each partition
//	Verifier.Verify     the proof -> true, false or an error
//
// A partition here is a proof's, of Config.Sectors sectors. The chain's
// partitions of a deadline are another thing: one statement joins all that are
// proven in a message.
package post

import (
	"fmt"

	"github.com/vigil-post/vigil/proofs/circuit"
	"github.com/vigil-post/vigil/proofs/merkle"
	"github.com/vigil-post/vigil/proofs/params"
)

// Kind is what a proof is for.
type Kind string

// The kinds of proof.
const (
	Window  Kind = "window"  // that all sectors of a deadline are stored
	Winning Kind = "winning" // that one chosen sector is at hand, for a block
)

// Version is the rule that numbers a sector's challenges. Keys, circuits and
// encodings are the same under both.
type Version string

// The versions of PoSt. Winning PoSt is always V1: filecoin-proofs judges one by V1_1,
// too, as 66 times the same challenge, but makes none.
const (
	// V1 numbers the challenges of a statement through, so that a sector's
	// depend on its place in the list.
	V1 Version = "V1"
	// V1_1 numbers them for each sector by itself (FIP-0061).
	V1_1 Version = "V1_1"
)

// VersionOfAPI is the version that filecoin-proofs' API version stands for.
func VersionOfAPI(api string) (Version, error) {
	switch api {
	case "1.0.0", "1.1.0":
		return V1, nil
	case "1.2.0":
		return V1_1, nil
	}
	return "", fmt.Errorf("no PoSt has API version %q", api)
}

const (
	windowChallenges  = 10
	winningChallenges = 66
)

// Config is one form of the proof. Take it from [WindowConfig] or
// [WinningConfig]. Configs are comparable.
type Config struct {
	Kind       Kind
	Version    Version
	Shape      merkle.Shape // of a sector's tree
	Challenges int          // in a sector's vanilla proof
	Sectors    int          // in one partition
}

// WindowConfig is the form of Window PoSt for a sector size.
func WindowConfig(sectorSize uint64, version Version) (Config, error) {
	shape, err := merkle.ShapeOf(sectorSize)
	if err != nil {
		return Config{}, err
	}
	if version != V1 && version != V1_1 {
		return Config{}, fmt.Errorf("no version %q of Window PoSt", version)
	}
	return Config{
		Kind: Window, Version: version, Shape: shape,
		Challenges: windowChallenges, Sectors: params.WindowSectors(sectorSize),
	}, nil
}

// WinningConfig is the form of Winning PoSt for a sector size.
func WinningConfig(sectorSize uint64) (Config, error) {
	shape, err := merkle.ShapeOf(sectorSize)
	if err != nil {
		return Config{}, err
	}
	return Config{Kind: Winning, Version: V1, Shape: shape, Challenges: winningChallenges, Sectors: 1}, nil
}

// Partitions is the number of proofs for a number of distinct sectors.
func (c Config) Partitions(sectors int) int { return max(1, (sectors+c.Sectors-1)/c.Sectors) }

// ProofSize is the number of bytes of a proof of so many distinct sectors.
func (c Config) ProofSize(sectors int) int { return c.Partitions(sectors) * PartitionProofSize }

// Circuit is the shape of one partition's circuit. That of Winning PoSt takes
// its one sector as 66 sectors with a challenge each (filecoin-proofs
// src/parameters.rs).
func (c Config) Circuit() circuit.Shape {
	s := circuit.Shape{Sectors: c.Sectors, Challenges: c.Challenges, Arities: c.Shape.Arities()}
	if c.Kind == Winning {
		s.Sectors, s.Challenges = c.Challenges, c.Sectors
	}
	return s
}
