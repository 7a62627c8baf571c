package post

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/circuit"
	"github.com/vigil-post/vigil/proofs/groth16"
)

// TestWitnessesSatisfyTheirCircuit needs no key: it looks at every constraint. The
// public inputs are those that a verifier derives; Fill compares them with the
// sectors'.
func TestWitnessesSatisfyTheirCircuit(t *testing.T) {
	window := func(size uint64, v Version) Config {
		c, err := WindowConfig(size, v)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	winning, err := WinningConfig(2 << 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		config  Config
		sectors int
	}{
		{"winning, one sector in 66 pieces", winning, 1},
		{"window, full", window(2<<10, V1_1), 2},
		{"window, half full after a full one", window(2<<10, V1), 3},
		{"window, a tree of two base trees", window(4<<10, V1_1), 2},
		{"window, the tree of 32 GiB", window(16<<10, V1_1), 1},
		{"window, the tree of 64 GiB", window(32<<10, V1), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			statement, vanilla := fauxStatement(t, c.config, c.sectors)
			partitions, err := c.config.partitions(statement)
			if err != nil {
				t.Fatal(err)
			}
			for k, part := range partitions {
				if err := satisfied(t, c.config, part, vanilla); err != nil {
					t.Errorf("partition %d: %v", k, err)
				}
			}
		})
	}
}

func fauxStatement(t *testing.T, cfg Config, sectors int) (s Statement, vanilla [][]byte) {
	t.Helper()
	random := rand.NewChaCha8([32]byte{'w', 'i', 't'})
	s.ProverID, s.Randomness = ProverID(1000), [32]byte{7}
	for i := range sectors {
		f, err := FauxSector(cfg.Shape, random)
		if err != nil {
			t.Fatal(err)
		}
		sector := Sector{Number: uint64(3 + 2*i), CommR: f.CommR}
		leaves, err := cfg.Leaves(s.Randomness, sector.Number, i)
		if err != nil {
			t.Fatal(err)
		}
		v, err := cfg.Vanilla(t.Context(), sector, f.Files(cfg.Shape), leaves)
		if err != nil {
			t.Fatal(err)
		}
		encoded, err := cfg.EncodeVanilla(v)
		if err != nil {
			t.Fatal(err)
		}
		s.Sectors, vanilla = append(s.Sectors, sector), append(vanilla, encoded)
	}
	return s, vanilla
}

func satisfied(t *testing.T, cfg Config, part partition, vanilla [][]byte) error {
	built, err := circuit.New(cfg.Circuit())
	if err != nil {
		return err
	}
	w, err := cfg.witness(built, part, vanilla)
	if err != nil {
		return err
	}
	n := w.Layout().Rows
	p := groth16.Part{A: make([]fr.Element, n), B: make([]fr.Element, n), C: make([]fr.Element, n)}
	for i := range w.Layout().Parts {
		if err := w.Fill(i, p); err != nil {
			return err
		}
		for row := range p.A {
			var product fr.Element
			if product.Mul(&p.A[row], &p.B[row]); product != p.C[row] {
				return fmt.Errorf("constraint %d of sector %d is broken", row, i)
			}
		}
	}
	return nil
}
