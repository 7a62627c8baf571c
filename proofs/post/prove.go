package post

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/vigil-post/vigil/proofs/circuit"
	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/proofs/merkle"
)

// Prover makes proofs of one form. It may be used concurrently if its kernels
// may.
type Prover struct {
	config  Config
	circuit *circuit.Circuit
	key     *groth16.ProvingKey
	groth   groth16.Prover
}

// NewProver takes a key, which must be one for the config's circuit, and the
// kernels to compute with. Proofs are made without zero knowledge (groth16's
// NonZK): what they prove is public, and so are the paths that they are made of.
func NewProver(c Config, key *groth16.ProvingKey, groth groth16.Prover) (*Prover, error) {
	built, err := circuit.New(c.Circuit())
	if err != nil {
		return nil, err
	}
	if have, want := key.Lengths(), built.Lengths(); have != want {
		return nil, &groth16.WrongKeyError{Want: want, Have: have}
	}
	return newProver(c, built, key, groth), nil
}

func newProver(c Config, built *circuit.Circuit, key *groth16.ProvingKey, groth groth16.Prover) *Prover {
	groth.NonZK = true
	return &Prover{config: c, circuit: built, key: key, groth: groth}
}

// Using is the same prover with what change changes of what it computes with.
func (p *Prover) Using(change func(*groth16.Prover)) *Prover {
	other := *p
	change(&other.groth)
	return &other
}

// Fits says whether one partition's proof fits the memory that the prover may
// use; if not, the error is a groth16.MemoryError.
func (p *Prover) Fits() error { return p.groth.Fits(p.circuit.Layout()) }

// Prove makes the proof of a statement from an encoded vanilla proof of each of
// its sectors, in any order. All partitions are proved in one pass over the key,
// as far as the memory that groth16.Prover has been given allows. When ctx ends,
// Prove does within a second.
func (p *Prover) Prove(ctx context.Context, s Statement, vanilla [][]byte) ([]byte, error) {
	partitions, err := p.config.partitions(s)
	if err != nil {
		return nil, err
	}
	return p.prove(ctx, partitions, vanilla)
}

// CheckVanilla returns an error unless the vanilla proofs are what the statement asks for,
// so that a proof of them verifies: where one does not, something else is to blame. It costs
// about as much as one of a proof's three readings of them.
func (p *Prover) CheckVanilla(ctx context.Context, s Statement, vanilla [][]byte) error {
	partitions, err := p.config.partitions(s)
	if err != nil {
		return err
	}
	for _, part := range partitions {
		encoded, err := pick(part.sectors, vanilla)
		if err != nil {
			return err
		}
		for i, sector := range part.sectors {
			v, err := p.config.DecodeVanilla(encoded[i])
			if err != nil {
				return fmt.Errorf("sector %d: %w", sector.Number, err)
			}
			if err := p.config.VerifyVanilla(v, sector, part.leaves(p.config, i)); err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	return nil
}

// ProvePartition makes the k-th 192 bytes of the proof of a statement. It needs
// the vanilla proofs of that partition's sectors only.
func (p *Prover) ProvePartition(ctx context.Context, s Statement, vanilla [][]byte, k int) ([]byte, error) {
	partitions, err := p.config.partitions(s)
	if err != nil {
		return nil, err
	}
	if k < 0 || k >= len(partitions) {
		return nil, fmt.Errorf("partition %d of %d", k, len(partitions))
	}
	return p.prove(ctx, partitions[k:k+1], vanilla)
}

// ProveAt makes the 192 bytes of the k-th partition of a statement of which only
// that partition's sectors are given.
func (p *Prover) ProveAt(ctx context.Context, s Statement, vanilla [][]byte, k int) ([]byte, error) {
	if k < 0 || k > math.MaxInt32 {
		return nil, fmt.Errorf("no partition has number %d", k)
	}
	partitions, err := p.config.partitionsFrom(k, s)
	if err != nil {
		return nil, err
	}
	if len(partitions) != 1 {
		return nil, fmt.Errorf("%d sectors, a partition has %d", len(Normalise(s.Sectors)), p.config.Sectors)
	}
	return p.prove(ctx, partitions, vanilla)
}

func (p *Prover) prove(ctx context.Context, partitions []partition, vanilla [][]byte) ([]byte, error) {
	witnesses := make([]groth16.Witness, len(partitions))
	for i, part := range partitions {
		w, err := p.config.witness(p.circuit, part, vanilla)
		if err != nil {
			return nil, err
		}
		witnesses[i] = w
	}
	proofs, err := p.groth.Prove(ctx, p.key, witnesses...)
	if err != nil {
		return nil, err
	}
	var out []byte
	for i := range proofs {
		b := proofs[i].Bytes()
		out = append(out, b[:]...)
	}
	return out, nil
}

// witness gives a partition's circuit its values. Whether they are what the
// statement says is checked when the circuit asks for them.
func (c Config) witness(built *circuit.Circuit, part partition, vanilla [][]byte) (*circuit.Witness, error) {
	encoded, err := pick(part.sectors, vanilla)
	if err != nil {
		return nil, err
	}
	if c.Kind == Winning {
		sector, err := c.winningSector(part, encoded[0])
		if err != nil {
			return nil, err
		}
		return built.Witness(part.says, sector)
	}
	// Decoded when asked for: thousands of a large partition would fill memory.
	return built.Witness(part.says, func(i int) (*circuit.Sector, error) {
		v, err := c.decodeFor(part.sectors[i], encoded[i], part.says[i].Leaves)
		if err != nil {
			return nil, err
		}
		return circuitSector(v, v.Paths), nil
	})
}

// leaves are those that the i-th sector answers for: in Winning PoSt, which says
// something of each challenge by itself, those of all of them.
func (p partition) leaves(c Config, i int) []uint64 {
	if c.Kind != Winning {
		return p.says[i].Leaves
	}
	var leaves []uint64
	for _, s := range p.says {
		leaves = append(leaves, s.Leaves...)
	}
	return leaves
}

// winningSector makes a sector of each of the one sector's challenges.
func (c Config) winningSector(part partition, encoded []byte) (func(i int) (*circuit.Sector, error), error) {
	v, err := c.decodeFor(part.sectors[0], encoded, part.leaves(c, 0))
	if err != nil {
		return nil, err
	}
	return func(i int) (*circuit.Sector, error) { return circuitSector(v, v.Paths[i:i+1]), nil }, nil
}

// decodeFor decodes the vanilla proof of a sector that must answer for leaves.
func (c Config) decodeFor(sector Sector, encoded []byte, leaves []uint64) (*VanillaProof, error) {
	v, err := c.DecodeVanilla(encoded)
	if err != nil {
		return nil, fmt.Errorf("sector %d: %w", sector.Number, err)
	}
	return v, c.answers(v, sector, leaves)
}

// pick finds the vanilla proof of each sector by the number at its head.
func pick(sectors []Sector, vanilla [][]byte) ([][]byte, error) {
	byNumber := make(map[uint64][]byte, len(vanilla))
	for i, b := range vanilla {
		if len(b) < 8 {
			return nil, fmt.Errorf("vanilla proof %d has %d bytes", i, len(b))
		}
		byNumber[binary.LittleEndian.Uint64(b)] = b
	}
	picked := make([][]byte, len(sectors))
	for i, s := range sectors {
		if picked[i] = byNumber[s.Number]; picked[i] == nil {
			return nil, fmt.Errorf("no vanilla proof of sector %d", s.Number)
		}
	}
	return picked, nil
}

func circuitSector(v *VanillaProof, paths []merkle.Path) *circuit.Sector {
	s := &circuit.Sector{CommC: v.CommC, CommRLast: v.CommRLast, CommR: v.CommR}
	for i := range paths {
		c := circuit.Challenge{Leaf: paths[i].Leaf}
		for _, l := range paths[i].Levels {
			c.Path = append(c.Path, circuit.Level{Index: int(l.Index), Siblings: l.Siblings})
		}
		s.Challenges = append(s.Challenges, c)
	}
	return s
}
