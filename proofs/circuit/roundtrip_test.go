package circuit

import (
	"errors"
	"slices"
	"testing"

	"github.com/vigil-post/vigil/proofs/groth16"
)

// These need no fixtures: a key is made for a circuit small enough.

func TestProvenSectorsVerifyUnderAKeyOfOurOwn(t *testing.T) {
	shape := Shape{Sectors: 2, Challenges: 2, Arities: []int{8, 2}}
	c := mustNew(t, shape)
	key, err := groth16.Setup(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	eq(t, "lengths", key.Lengths(), c.Lengths())
	vk, err := key.VerifyingKey()
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= shape.Sectors; n++ {
		sectors := randomSectors(t, shape, n)
		w, err := c.Witness(statements(sectors), from(sectors))
		if err != nil {
			t.Fatal(err)
		}
		var p groth16.Prover
		proofs, err := p.Prove(t.Context(), key, w)
		if err != nil {
			t.Fatal(err)
		}
		in, err := shape.PublicInputs(statements(sectors))
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := groth16.Verify(vk, in, &proofs[0]); !ok || err != nil {
			t.Errorf("%d sectors: %v, %v", n, ok, err)
		}
		in = slices.Clone(in)
		in[1].SetUint64(in[1].Uint64() ^ 1)
		if ok, err := groth16.Verify(vk, in, &proofs[0]); ok || err != nil {
			t.Errorf("%d sectors, another leaf: %v, %v", n, ok, err)
		}
	}
}

func TestAChangedWireIsNotProven(t *testing.T) {
	shape := Shape{Sectors: 1, Challenges: 1, Arities: []int{2}}
	c := mustNew(t, shape)
	key, err := groth16.Setup(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for row := range c.Constraints() {
		if row%50 != 0 {
			continue
		}
		sectors := randomSectors(t, shape, 1)
		w, err := c.Witness(statements(sectors), from(sectors))
		if err != nil {
			t.Fatal(err)
		}
		var p groth16.Prover
		if _, err := p.Prove(t.Context(), key, spoiled{w, row}); !errors.Is(err, groth16.ErrUnsatisfied) {
			t.Errorf("row %d: %v", row, err)
		}
	}
}

// spoiled is a witness with one row that does not hold.
type spoiled struct {
	*Witness
	row int
}

func (s spoiled) Fill(i int, into groth16.Part) error {
	err := s.Witness.Fill(i, into)
	if into.C != nil {
		into.C[s.row].SetUint64(7)
	}
	return err
}
