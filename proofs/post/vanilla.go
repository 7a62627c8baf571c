package post

import (
	"context"
	"fmt"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/merkle"
)

// VanillaProof shows that a sector's challenged leaves stand in its replica.
// It does not say which challenges it answers; that is compared
// ([Config.VerifyVanilla]).
type VanillaProof struct {
	Sector                  uint64
	CommR, CommC, CommRLast fr.Element
	Paths                   []merkle.Path // one for each challenge, in order
}

// Files is what is read of a sector. A file that is not there is nil.
type Files struct {
	Replica merkle.File
	PAux    merkle.File
	Trees   []merkle.File // in the order of merkle.Shape.TreeFiles
}

// Vanilla reads a sector's files and answers for the given leaves. The proof
// verifies: every hash on the way was compared with what the files and the chain
// say. A *merkle.DefectError tells what is wrong with the sector; any other
// error, that it could not be told.
func (c Config) Vanilla(ctx context.Context, sector Sector, files Files, leaves []uint64) (*VanillaProof, error) {
	commR, err := element("comm_r", sector.CommR)
	if err != nil {
		return nil, err
	}
	if len(leaves) != c.Challenges {
		return nil, fmt.Errorf("%d challenges, want %d", len(leaves), c.Challenges)
	}
	pAux, err := merkle.ReadPAux(files.PAux)
	if err != nil {
		return nil, err
	}
	tree, err := merkle.Open(c.Shape, files.Replica, files.Trees, leaves...)
	if err != nil {
		return nil, err
	}
	if err := pAux.Check(tree, commR); err != nil {
		return nil, err
	}
	paths, err := tree.Paths(ctx, leaves...)
	if err != nil {
		return nil, err
	}
	return &VanillaProof{Sector: sector.Number, CommR: commR, CommC: pAux.CommC, CommRLast: pAux.CommRLast, Paths: paths}, nil
}

// VerifyVanilla returns an error unless the proof is of the sector, answers for
// the given leaves and hashes to the sector's CommR.
func (c Config) VerifyVanilla(v *VanillaProof, sector Sector, leaves []uint64) error {
	if err := c.answers(v, sector, leaves); err != nil {
		return err
	}
	if h := (merkle.PAux{CommC: v.CommC, CommRLast: v.CommRLast}).CommR(); h != v.CommR {
		return fmt.Errorf("sector %d: comm_c and comm_r_last do not hash to comm_r", v.Sector)
	}
	for i := range v.Paths {
		if err := c.Shape.Verify(&v.Paths[i]); err != nil {
			return fmt.Errorf("sector %d: challenge %d: %w", v.Sector, i, err)
		}
	}
	return nil
}

// answers checks all of a vanilla proof but its hashes.
func (c Config) answers(v *VanillaProof, sector Sector, leaves []uint64) error {
	if v.Sector != sector.Number {
		return fmt.Errorf("vanilla proof of sector %d, want %d", v.Sector, sector.Number)
	}
	if merkle.NodeBytes(v.CommR) != sector.CommR {
		return fmt.Errorf("sector %d: vanilla proof for comm_r %x, on chain %x", v.Sector, merkle.NodeBytes(v.CommR), sector.CommR)
	}
	if len(v.Paths) != len(leaves) {
		return fmt.Errorf("sector %d: %d paths for %d challenges", v.Sector, len(v.Paths), len(leaves))
	}
	for i := range v.Paths {
		p := &v.Paths[i]
		if err := c.Shape.CheckForm(p); err != nil {
			return fmt.Errorf("sector %d: challenge %d: %w", v.Sector, i, err)
		}
		if p.Root != v.CommRLast {
			return fmt.Errorf("sector %d: challenge %d: the path's root is not comm_r_last", v.Sector, i)
		}
		if got := c.Shape.LeafIndex(p); got != leaves[i] {
			return fmt.Errorf("sector %d: challenge %d is of leaf %d, want %d", v.Sector, i, got, leaves[i])
		}
	}
	return nil
}
