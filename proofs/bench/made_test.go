package bench

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/groth16"
)

func TestMadeUpSectorsVerifyAndDiffer(t *testing.T) {
	for _, size := range []uint64{2 << 10, 16 << 10, 8 << 20, 512 << 20, 32 << 30, 64 << 30} {
		c, err := NewCase(t.Context(), size, 3)
		if err != nil {
			t.Fatal(err)
		}
		form, err := config(size, 0)
		if err != nil {
			t.Fatal(err)
		}
		s, vanilla, err := c.statement()
		if err != nil {
			t.Fatal(err)
		}
		commRs := make(map[[32]byte]bool)
		for i, sector := range s.Sectors {
			v, err := form.DecodeVanilla(vanilla[i])
			if err != nil {
				t.Fatalf("%d bytes: %v", size, err)
			}
			leaves, err := form.Leaves(s.Randomness, sector.Number, i)
			if err != nil {
				t.Fatal(err)
			}
			if err := form.VerifyVanilla(v, sector, leaves); err != nil {
				t.Errorf("%d bytes: %v", size, err)
			}
			commRs[sector.CommR] = true
		}
		if len(commRs) != len(s.Sectors) {
			t.Errorf("%d bytes: of %d sectors only %d differ", size, len(s.Sectors), len(commRs))
		}
	}
}

// Groth16's own checked decoder judges the points: of the subgroup, not infinity.
func TestTheKeysPointsAreValidAndDiffer(t *testing.T) {
	n := stride + 3
	var b bytes.Buffer
	l := groth16.Lengths{IC: n, H: 7, L: 3, A: 2, B: 2}
	if _, err := (ArbitraryKey{l}).WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	if int64(b.Len()) != l.ParamsSize() {
		t.Errorf("the key has %d bytes, want %d", b.Len(), l.ParamsSize())
	}
	key, err := groth16.ParseProvingKey(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if key.Lengths() != l {
		t.Errorf("the key has lengths %+v, want %+v", key.Lengths(), l)
	}
	vk, err := key.VerifyingKey()
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[bls12381.G1Affine]bool)
	for _, p := range vk.IC {
		p.Y.SetZero() // a point and its opposite would count as one
		seen[p] = true
	}
	if len(seen) != n {
		t.Errorf("of %d points %d differ in x", n, len(seen))
	}
}

// gnark-crypto's scalar multiplication judges the walk, over a stride's end.
func TestAWalkStepsByOnePointEachTime(t *testing.T) {
	p, steps, err := scalars("walk")
	if err != nil {
		t.Fatal(err)
	}
	var walked bytes.Buffer
	if err := writeG2(&walked, "walk", stride+2); err != nil {
		t.Fatal(err)
	}
	_, _, _, g := bls12381.Generators()
	for _, i := range []int{0, 1, stride - 1, stride, stride + 1} {
		k := fr.NewElement(uint64(i + 1))
		k.Mul(&k, &steps[0]).Add(&k, &p)
		want := bls12381.BatchScalarMultiplicationG2(&g, []fr.Element{k})[0].RawBytes()
		if !bytes.Equal(walked.Bytes()[i*g2Size:(i+1)*g2Size], want[:]) {
			t.Errorf("point %d is not P+%dQ", i, i+1)
		}
	}
}

func TestTilesRepeatOverTheWholeLength(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("maps a file over and over, which is written for Linux only")
	}
	tile := 3 * os.Getpagesize()
	name := filepath.Join(t.TempDir(), "tiles")
	content := append(bytes.Repeat([]byte{1}, tile), bytes.Repeat([]byte{2}, tile)...)
	content[0], content[tile] = 10, 20
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	sizes := []int{2*tile + 100, tile - 1}
	vectors, unmap, err := mapTiles(name, tile, sizes)
	if err != nil {
		t.Fatal(err)
	}
	for i, size := range sizes {
		want := bytes.Repeat(content[i*tile:(i+1)*tile], 3)[:size]
		if !bytes.Equal(vectors[i], want) {
			t.Errorf("vector %d is not its tile over and over", i)
		}
	}
	if err := unmap(); err != nil {
		t.Error(err)
	}
}

func TestLengthsAreReadAsWritten(t *testing.T) {
	l := groth16.Lengths{H: 7, L: 3, A: 2, B: 1}
	if got, err := parseLengths(lengthsFlag(l)); err != nil || got != l {
		t.Errorf("%+v became %+v, %v", l, got, err)
	}
	for _, wrong := range []string{"", "7,3,2", "8,3,2,1", "7,3,0,1", "-1,3,2,1"} {
		if _, err := parseLengths(wrong); err == nil {
			t.Errorf("%q is taken for lengths", wrong)
		}
	}
}
