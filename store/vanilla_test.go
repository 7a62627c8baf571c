package store_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store"
)

func openVanilla(t *testing.T, dir string) *store.Vanilla {
	t.Helper()
	v, err := store.OpenVanilla(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

func keep(t *testing.T, v *store.Vanilla, id vigil.DutyID, n byte) {
	t.Helper()
	if err := v.Keep(id, vigil.VanillaKey{n}, bytes.Repeat([]byte{n}, 100*int(n))); err != nil {
		t.Fatal(err)
	}
}

func expectKept(t *testing.T, v *store.Vanilla, id vigil.DutyID, want ...byte) {
	t.Helper()
	kept, err := v.Kept(id)
	if err != nil || len(kept) != len(want) {
		t.Fatalf("%d proofs are kept, want %d; %v", len(kept), len(want), err)
	}
	for _, n := range want {
		if !bytes.Equal(kept[vigil.VanillaKey{n}], bytes.Repeat([]byte{n}, 100*int(n))) {
			t.Errorf("proof %d is another", n)
		}
	}
}

func postDuty(open abi.ChainEpoch, batch int) vigil.DutyID {
	return vigil.DutyID{Kind: vigil.KindPost, Miner: miner, Open: open, Batch: batch}
}

func TestVanillaProofsSurviveARestartAndNoMoreThanTheirDuty(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "vanilla")
	one, two := postDuty(100, 0), postDuty(160, 1)
	v := openVanilla(t, dir)
	expectKept(t, v, one)
	keep(t, v, one, 1)
	keep(t, v, one, 2)
	keep(t, v, two, 3)
	v = openVanilla(t, dir) // the first was killed
	expectKept(t, v, one, 1, 2)
	keep(t, v, one, 4)
	expectKept(t, v, one, 1, 2, 4)
	removed := one
	removed.Miner++ // nobody proves for it any more
	keep(t, v, removed, 5)
	if err := v.DropBefore(160); err != nil {
		t.Fatal(err)
	}
	expectKept(t, v, one)
	expectKept(t, v, removed)
	expectKept(t, v, two, 3)
	for range 2 {
		if err := v.Drop(two); err != nil {
			t.Fatal(err)
		}
	}
	expectKept(t, v, two)
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%d files are left", len(left))
	}
}

// A law: whatever a crash or a disk makes of the file, what is read was written.
func TestAVanillaFileThatIsCutOrSpoiltGivesWhatIsWhole(t *testing.T) {
	dir := t.TempDir()
	id := postDuty(100, 0)
	v := openVanilla(t, dir)
	for n := byte(1); n <= 3; n++ {
		keep(t, v, id, n)
	}
	v.Close()
	file := filepath.Join(dir, "f01000_100_0")
	if _, err := os.Stat(file); err != nil { // the prefix of a test network
		file = filepath.Join(dir, "t01000_100_0")
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for at := range whole {
		for name, data := range map[string][]byte{"cut": whole[:at], "flipped": flipped(whole, at)} {
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
			v := openVanilla(t, dir)
			kept, err := v.Kept(id)
			if err != nil || len(kept) > 2 {
				t.Fatalf("%s at %d: %d proofs, %v", name, at, len(kept), err)
			}
			for key, proof := range kept {
				if !bytes.Equal(proof, bytes.Repeat(key[:1], 100*int(key[0]))) {
					t.Fatalf("%s at %d: proof %d is another", name, at, key[0])
				}
			}
			keep(t, v, id, 9) // goes behind what is whole
			again, err := v.Kept(id)
			if err != nil || len(again) != len(kept)+1 {
				t.Fatalf("%s at %d: then %d proofs, %v", name, at, len(again), err)
			}
			v.Close()
		}
	}
}

func flipped(data []byte, at int) []byte {
	data = bytes.Clone(data)
	data[at] ^= 1
	return data
}
