package interop

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vigil-post/vigil/proofs/merkle"
	"github.com/vigil-post/vigil/proofs/post"
)

// TestSpoiltSectorsAreProvedAlike spoils each kind of a sector's files in turn: we must
// not prove what filecoin-proofs refuses, nor call a sector bad that it proves. We are
// stricter where it is blind: it does not look at comm_c before the SNARK, nor
// whether a replica is cut off where nothing is challenged, nor at a kept node that
// stands on a path itself and is no field element.
func TestSpoiltSectorsAreProvedAlike(t *testing.T) {
	for _, size := range []uint64{2 << 10, 32 << 10, 8 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			o := newOracle(t)
			form := form(t, post.Window, size, "1.2.0")
			dir := t.TempDir()
			f := folder{
				replica: filepath.Join(dir, "sealed", fmt.Sprintf("s-t0%d-0", poolMiner)),
				cache:   filepath.Join(dir, "cache", fmt.Sprintf("s-t0%d-0", poolMiner)),
			}
			o.rustSector(t, dir, form.Shape, 0, &f)
			var randomness [32]byte
			fill(o.random, randomness[:31])
			trees := form.Shape.TreeFiles()
			files := []string{f.replica, filepath.Join(f.cache, merkle.PAuxFile), filepath.Join(f.cache, trees[len(trees)-1])}
			for i, file := range files {
				good := read(t, file)
				for name, spoil := range spoils(o.random) {
					check(t, os.WriteFile(file, spoil(append([]byte(nil), good...)), 0o644))
					theirs, ours := o.provable(t, dir, form, randomness), f.provable(t, form, randomness)
					size := len(read(t, file))
					stricter := [3]bool{size < len(good), size == len(good), strings.HasPrefix(name, "no element")}[i]
					if ours == nil && theirs != nil || theirs == nil && ours != nil && !stricter {
						t.Errorf("%s %s: Go %v, Rust %v", filepath.Base(file), name, ours, theirs)
					}
					counts.verdicts++
				}
				check(t, os.WriteFile(file, good, 0o644))
			}
		})
	}
}

// provable says whether filecoin-proofs makes the vanilla proof of sector 0.
func (o *oracle) provable(t *testing.T, dir string, form post.Config, randomness [32]byte) error {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), o.program, "bench-vanilla", "--size", size(form), "--sectors", dir, "--api", "1.2.0",
		"--miner", fmt.Sprint(poolMiner), "--numbers", "0", "--randomness", hex.EncodeToString(randomness[:]))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// provable says whether we do.
func (f folder) provable(t *testing.T, form post.Config, randomness [32]byte) error {
	t.Helper()
	leaves, err := form.Leaves(randomness, 0, 0)
	check(t, err)
	files, closer, err := post.OpenFiles(form.Shape, f.replica, f.cache)
	check(t, err)
	defer closer.Close()
	_, err = form.Vanilla(t.Context(), post.Sector{CommR: f.commR}, files, leaves)
	return err
}

func spoils(random *rand.Rand) map[string]func([]byte) []byte {
	flip := func(at func(b []byte) int, bit byte) func([]byte) []byte {
		return func(b []byte) []byte {
			b[at(b)] ^= bit
			return b
		}
	}
	first, last := func([]byte) int { return 0 }, func(b []byte) int { return len(b) - 1 }
	return map[string]func([]byte) []byte{
		"as it was":          func(b []byte) []byte { return b },
		"with a byte more":   func(b []byte) []byte { return append(b, 1) },
		"with a node more":   func(b []byte) []byte { return append(b, make([]byte, merkle.NodeSize)...) },
		"with a page more":   func(b []byte) []byte { return append(b, make([]byte, 4096)...) },
		"with a byte less":   func(b []byte) []byte { return b[:len(b)-1] },
		"with a node less":   func(b []byte) []byte { return b[:len(b)-merkle.NodeSize] },
		"cut in half":        func(b []byte) []byte { return b[:len(b)/2] },
		"empty":              func([]byte) []byte { return nil },
		"twice":              func(b []byte) []byte { return append(b, b...) },
		"of zeros":           func(b []byte) []byte { return make([]byte, len(b)) },
		"first bit flipped":  flip(first, 1),
		"last bit flipped":   flip(last, 1),
		"no element":         flip(func([]byte) int { return 31 }, 0x80),
		"no element at last": flip(last, 0x80),
		"a bit flipped":      flip(func(b []byte) int { return random.IntN(len(b)) }, 4),
	}
}
