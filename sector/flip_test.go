package sector_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/proofs/merkle"
	"github.com/vigil-post/vigil/proofs/post"
	"github.com/vigil-post/vigil/sector"
)

// flipped is a sector of some shape whose files are flipped bit by bit. It goes
// below package sector's proof types, which have no small sector with eight or
// sixteen trees: the same function reads both.
type flipped struct {
	form   post.Config
	sector post.Sector
	leaves []uint64
	names  []string
	files  map[string][]byte
	want   []byte
}

func newFlipped(t *testing.T, size uint64) *flipped {
	t.Helper()
	form, err := post.WindowConfig(size, post.V1_1)
	if err != nil {
		t.Fatal(err)
	}
	made, err := post.FauxSector(form.Shape, rand.NewChaCha8([32]byte{byte(size >> 10)}))
	if err != nil {
		t.Fatal(err)
	}
	f := &flipped{form: form, sector: post.Sector{Number: 7, CommR: made.CommR}, files: map[string][]byte{"replica": made.Replica}}
	f.names = append([]string{"replica", merkle.PAuxFile}, form.Shape.TreeFiles()...)
	for name, data := range made.Cache {
		f.files[name] = data
	}
	if f.leaves, err = form.Leaves([32]byte{1}, f.sector.Number, 0); err != nil {
		t.Fatal(err)
	}
	if f.want, err = f.read(t, nil); err != nil {
		t.Fatal(err)
	}
	return f
}

// read makes the encoded proof; watch is told what is read of which file.
func (f *flipped) read(t *testing.T, watch func(name string, offset, length int)) ([]byte, error) {
	t.Helper()
	file := func(name string) merkle.File {
		return watched{bytes.NewReader(f.files[name]), func(offset, length int) {
			if watch != nil {
				watch(name, offset, length)
			}
		}}
	}
	files := post.Files{Replica: file("replica"), PAux: file(merkle.PAuxFile)}
	for _, name := range f.form.Shape.TreeFiles() {
		files.Trees = append(files.Trees, file(name))
	}
	v, err := f.form.Vanilla(t.Context(), f.sector, files, f.leaves)
	if err != nil {
		return nil, err
	}
	if err := f.form.VerifyVanilla(v, f.sector, f.leaves); err != nil {
		t.Errorf("a proof that does not verify was made: %v", err)
	}
	return f.form.EncodeVanilla(v)
}

type watched struct {
	*bytes.Reader
	tell func(offset, length int)
}

func (w watched) ReadAt(p []byte, offset int64) (int, error) {
	w.tell(int(offset), len(p))
	return w.Reader.ReadAt(p, offset)
}

// offsets are those of every class in a file: its first and last bytes, each bit's
// place in a node at the beginning, the middle and the end, and many at random.
func offsets(size int, random *rand.Rand, most int) []int {
	list := []int{0, size - 1}
	for _, node := range []int{0, size / 2 / 32 * 32, size - 32} {
		for _, at := range []int{0, 1, 15, 30, 31} {
			list = append(list, node+at)
		}
	}
	for range most {
		list = append(list, random.IntN(size))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// A law, for every shape: of a sector with one flipped bit either the very proof of
// the good sector is made, and then the bit lies in nothing that was read or that the
// proof depends on, or the file with the bit, or one that depends on it, is named.
// There is no panic and no other proof.
func TestOneFlippedBitGivesEvidenceOrTheSameProof(t *testing.T) {
	most, sizes := 40, []uint64{2 << 10, 4 << 10, 16 << 10, 32 << 10}
	if os.Getenv("VIGIL_LONG") != "" {
		most, sizes = 500, append(sizes, 8<<20) // whose tree has rows that are not read at once
	}
	for _, size := range sizes {
		f := newFlipped(t, size)
		t.Run(fmt.Sprintf("%d bytes, %s", size, f.form.Shape), func(t *testing.T) {
			random := rand.New(rand.NewPCG(size, 1))
			found := map[string]int{}
			for _, name := range f.names {
				data := f.files[name]
				for _, at := range offsets(len(data), random, most) {
					bit := byte(1) << random.IntN(8)
					data[at] ^= bit
					touched := false
					proof, err := f.read(t, func(of string, offset, length int) {
						touched = touched || of == name && offset <= at && at < offset+length
					})
					data[at] ^= bit
					var defect *merkle.DefectError
					switch {
					case err == nil && !bytes.Equal(proof, f.want):
						t.Errorf("%s, byte %d: another proof", name, at)
					case err == nil && touched && !f.spare(name, at):
						t.Errorf("%s, byte %d was read, and nobody noticed", name, at)
					case err != nil && !errors.As(err, &defect):
						t.Errorf("%s, byte %d: no evidence: %v", name, at, err)
					case err != nil && !touched:
						t.Errorf("%s, byte %d was not read: %v", name, at, err)
					}
					found[fmt.Sprint(name, " noticed: ", err != nil)]++
				}
			}
			t.Log(found)
		})
	}
}

// spare says that a byte may be read for nothing: the upper rows of a tree file are
// read at once, and of them only what stands around the challenged paths counts.
func (f *flipped) spare(name string, at int) bool {
	tree := slices.Index(f.form.Shape.TreeFiles(), name)
	if tree < 0 {
		return false
	}
	challenged := slices.ContainsFunc(f.leaves, func(leaf uint64) bool { return leaf/f.form.Shape.BaseLeaves() == uint64(tree) })
	root := at >= len(f.files[name])-merkle.NodeSize
	return challenged && !root
}

// The same through the reader and a storage: what is evidence there names the file's path.
func TestOneFlippedBitOnAStorageNamesAFileAndSkipsNoHealthySector(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	request, want := sector3(t)
	dir := copied(t)
	for _, name := range []string{replica, pAux, tree} {
		path := filepath.Join(dir, name)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range offsets(len(good), random, 30) {
			write(t, path, flip(at)(bytes.Clone(good)))
			proof, err := readOnce(t, dir, request)
			var bad *vigil.SectorError
			if err == nil && !bytes.Equal(proof, want) || err != nil && !errors.As(err, &bad) {
				t.Errorf("%s, byte %d: %v", name, at, err)
			}
			write(t, path, good)
			if proof, err := readOnce(t, dir, request); err != nil || !bytes.Equal(proof, want) {
				t.Errorf("%s, byte %d, flipped back: %v", name, at, err)
			}
		}
	}
}

func readOnce(t *testing.T, dir string, request vigil.ReadRequest) (vigil.VanillaProof, error) {
	t.Helper()
	return sector.NewReader(dir).Read(t.Context(), request)
}
