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
		w := assign(t, c, sectors)
		var p groth16.Prover
		proof, err := p.Prove(t.Context(), key, w)
		if err != nil {
			t.Fatal(err)
		}
		in, err := shape.PublicInputs(statements(sectors))
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := groth16.Verify(vk, in, &proof); !ok || err != nil {
			t.Errorf("%d sectors: %v, %v", n, ok, err)
		}
		in = slices.Clone(in)
		in[1].SetUint64(in[1].Uint64() ^ 1)
		if ok, err := groth16.Verify(vk, in, &proof); ok || err != nil {
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
		w := assign(t, c, randomSectors(t, shape, 1))
		w.C[row].SetUint64(7)
		var p groth16.Prover
		if _, err := p.Prove(t.Context(), key, w); !errors.Is(err, groth16.ErrUnsatisfied) {
			t.Errorf("row %d: %v", row, err)
		}
	}
}
