package merkle_test

import (
	"bytes"
	"encoding/base32"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/merkle"
)

// sector is one sector's files in memory.
type sector struct {
	shape   merkle.Shape
	replica []byte
	pAux    []byte
	trees   [][]byte
	commR   [32]byte
}

func (s sector) open(leaves ...uint64) (*merkle.Tree, merkle.PAux, error) {
	files := make([]merkle.File, len(s.trees))
	for i, b := range s.trees {
		files[i] = file(b)
	}
	t, err := merkle.Open(s.shape, file(s.replica), files, leaves...)
	if err != nil {
		return nil, merkle.PAux{}, err
	}
	p, err := merkle.ReadPAux(file(s.pAux))
	return t, p, err
}

// check does all that a challenge of one leaf does.
func (s sector) check(leaf uint64) error {
	t, p, err := s.open(leaf)
	if err != nil {
		return err
	}
	commR, err := merkle.Node(s.commR)
	if err != nil {
		return err
	}
	if err := p.Check(t, commR); err != nil {
		return err
	}
	path, err := t.Path(leaf)
	if err != nil {
		return err
	}
	if err := s.shape.Verify(&path); err != nil {
		return err
	}
	if got := s.shape.LeafIndex(&path); got != leaf {
		return fmt.Errorf("path is of leaf %d, want %d", got, leaf)
	}
	return nil
}

func file(b []byte) merkle.File {
	if b == nil {
		return nil
	}
	return bytes.NewReader(b)
}

func read(t *testing.T, elem ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func load(t *testing.T, size uint64, dir, name string) sector {
	t.Helper()
	shape, err := merkle.ShapeOf(size)
	if err != nil {
		t.Fatal(err)
	}
	s := sector{shape: shape, pAux: read(t, dir, "cache", name, "p_aux")}
	if replica, err := os.ReadFile(filepath.Join(dir, "sealed", name)); err == nil {
		s.replica = replica
	}
	for _, tree := range shape.TreeFiles() {
		s.trees = append(s.trees, read(t, dir, "cache", name, tree))
	}
	return s
}

func random(t *testing.T, size uint64) sector {
	t.Helper()
	shape, err := merkle.ShapeOf(size)
	if err != nil {
		t.Fatal(err)
	}
	replica := make([]byte, size)
	seed := rand.NewChaCha8([32]byte{'m', 'e', 'r', 'k', 'l', 'e'})
	_, _ = seed.Read(replica)
	for i := 31; i < len(replica); i += 32 {
		replica[i] &= 0x3f
	}
	built, err := merkle.Build(shape, bytes.NewReader(replica))
	if err != nil {
		t.Fatal(err)
	}
	p := merkle.PAux{CommC: fr.NewElement(7), CommRLast: built.Root}
	return sector{shape: shape, replica: replica, pAux: p.Bytes(), trees: built.Files, commR: merkle.NodeBytes(p.CommR())}
}

func TestTwoSealedSectorsOfTheVenusGenesis(t *testing.T) {
	cids := map[string]string{
		"s-t0106-0": "bagboea4b5abcaziacbne3v3hh6bhgatc3dop72pnztj4xtvmppj4sq3jnieqoesx",
		"s-t0106-1": "bagboea4b5abcal4itszbnmkiad3iasaqrndnejqqooxiiidu5ntgkybviipf5lid",
	}
	for name, cid := range cids {
		t.Run(name, func(t *testing.T) {
			s := load(t, 2<<10, filepath.Join("testdata", "sectors-2k"), name)
			raw, err := base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding).DecodeString(cid[1:])
			if err != nil {
				t.Fatal(err)
			}
			if s.commR, err = merkle.CommRFromCID(raw); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(merkle.CommRToCID(s.commR), raw) {
				t.Errorf("CID is %x, want %x", merkle.CommRToCID(s.commR), raw)
			}
			for leaf := range s.shape.Leaves() {
				if err := s.check(leaf); err != nil {
					t.Fatalf("leaf %d: %v", leaf, err)
				}
			}
			rebuilt(t, s)
		})
	}
}

// rebuilt makes the tree files from the replica and compares them.
func rebuilt(t *testing.T, s sector) {
	t.Helper()
	built, err := merkle.Build(s.shape, bytes.NewReader(s.replica))
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range s.shape.TreeFiles() {
		if !bytes.Equal(built.Files[i], s.trees[i]) {
			t.Errorf("%s differs", name)
		}
	}
	root := merkle.NodeBytes(built.Root)
	if !bytes.Equal(root[:], s.pAux[32:]) {
		t.Errorf("root %x, p_aux has %x", root, s.pAux[32:])
	}
}

func TestSectorsThatFilecoinProofsMade(t *testing.T) {
	dir := filepath.Join(fixtures(t), "oracle", "sectors")
	for folder, size := range map[string]uint64{"2k": 2 << 10, "16k": 16 << 10, "32k": 32 << 10, "8m": 8 << 20, "512m-faux": 512 << 20} {
		names, err := filepath.Glob(filepath.Join(dir, folder, "cache", "*"))
		if err != nil || len(names) == 0 {
			t.Fatalf("no sectors in %s: %v", folder, err)
		}
		for _, name := range names {
			t.Run(folder+"/"+filepath.Base(name), func(t *testing.T) {
				s := load(t, size, filepath.Join(dir, folder), filepath.Base(name))
				s.commR = [32]byte(read(t, name, "comm_r"))
				if s.replica == nil {
					s.replica = make([]byte, size)
				}
				for _, leaf := range []uint64{0, 1, s.shape.Leaves() / 3, s.shape.Leaves() - 1} {
					if err := s.check(leaf); err != nil {
						t.Errorf("leaf %d: %v", leaf, err)
					}
				}
				if size < 1<<20 || size == 8<<20 && !testing.Short() {
					rebuilt(t, s)
				}
			})
		}
	}
}

func TestFilesKeepTheRowsOfTheSpecification(t *testing.T) {
	for _, want := range []struct {
		size                 uint64
		shape                string
		files, rows, discard int
		fileSize             uint64
		levels               int
	}{
		{2 << 10, "8-0-0", 1, 3, 1, 32, 2},
		{4 << 10, "8-2-0", 2, 3, 1, 32, 3},
		{16 << 10, "8-8-0", 8, 3, 1, 32, 3},
		{32 << 10, "8-8-2", 16, 3, 1, 32, 4},
		{8 << 20, "8-0-0", 1, 7, 2, 18_720, 6},
		{16 << 20, "8-2-0", 2, 7, 2, 18_720, 7},
		{512 << 20, "8-0-0", 1, 9, 2, 1_198_368, 8},
		{1 << 30, "8-2-0", 2, 9, 2, 1_198_368, 9},
		{32 << 30, "8-8-0", 8, 10, 2, 9_586_976, 10},
		{64 << 30, "8-8-2", 16, 10, 2, 9_586_976, 11},
	} {
		t.Run(want.shape, func(t *testing.T) {
			s, err := merkle.ShapeOf(want.size)
			if err != nil {
				t.Fatal(err)
			}
			leaves := uint64(1)
			for _, arity := range s.Arities() {
				leaves *= uint64(arity)
			}
			if s.String() != want.shape || len(s.TreeFiles()) != want.files || s.BaseRows() != want.rows ||
				s.RowsToDiscard() != want.discard || len(s.Arities()) != want.levels || leaves != want.size/32 {
				t.Errorf("%+v: %s, %d files, %d rows, %d discarded, arities %v", want, s, len(s.TreeFiles()), s.BaseRows(), s.RowsToDiscard(), s.Arities())
			}
			if got := s.TreeFileSize(); got != want.fileSize {
				t.Errorf("%d bytes, want %d", got, want.fileSize)
			}
		})
	}
	if _, err := merkle.ShapeOf(2 << 11 * 3); err == nil {
		t.Error("a shape for a size that does not exist")
	}
}

func TestAFileThatKeepsMoreRowsGivesTheSamePath(t *testing.T) {
	s := random(t, 2<<10)
	few, _, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	s.trees[0] = append(rowAboveLeaves(t, s.replica), s.trees[0]...)
	more, _, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	for leaf := range s.shape.Leaves() {
		a, errA := few.Path(leaf)
		b, errB := more.Path(leaf)
		if errA != nil || errB != nil || fmt.Sprint(a) != fmt.Sprint(b) {
			t.Fatalf("leaf %d: %v %v", leaf, errA, errB)
		}
	}
}

// rowAboveLeaves finds the eight nodes under the root of a 2 KiB sector, by the
// paths of its leaves.
func rowAboveLeaves(t *testing.T, replica []byte) []byte {
	t.Helper()
	s := random(t, 2<<10)
	s.replica = replica
	tree, _, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	first, err := tree.Path(0)
	if err != nil {
		t.Fatal(err)
	}
	last, err := tree.Path(63)
	if err != nil {
		t.Fatal(err)
	}
	var row []byte
	for _, e := range append(last.Levels[1].Siblings[:1:1], first.Levels[1].Siblings...) {
		b := merkle.NodeBytes(e)
		row = append(row, b[:]...)
	}
	return row
}

func TestEveryDefectIsNamed(t *testing.T) {
	flip := func(b []byte, at int) { b[at] ^= 1 }
	for _, c := range []struct {
		name   string
		size   uint64
		spoil  func(*sector)
		defect merkle.Defect
		file   string
	}{
		{"no replica", 2 << 10, func(s *sector) { s.replica = nil }, merkle.DefectMissing, "replica"},
		{"replica cut off", 2 << 10, func(s *sector) { s.replica = s.replica[:2047] }, merkle.DefectSize, "replica"},
		{"one bit of the replica", 2 << 10, func(s *sector) { flip(s.replica, 777) }, merkle.DefectSegment, "replica"},
		{"a leaf that is no element", 2 << 10, func(s *sector) { s.replica[31] = 0xff }, merkle.DefectNode, "replica"},
		{"no tree", 2 << 10, func(s *sector) { s.trees[0] = nil }, merkle.DefectMissing, "sc-02-data-tree-r-last.dat"},
		{"tree empty", 2 << 10, func(s *sector) { s.trees[0] = []byte{} }, merkle.DefectSize, "sc-02-data-tree-r-last.dat"},
		{"tree with a byte less", 2 << 10, func(s *sector) { s.trees[0] = s.trees[0][:31] }, merkle.DefectSize, "sc-02-data-tree-r-last.dat"},
		{"tree that begins with a byte more", 16 << 10, func(s *sector) { s.trees[3] = append([]byte{0}, s.trees[3]...) }, merkle.DefectRoot, "sc-02-data-tree-r-last-3.dat"},
		{"tree's node is no element", 2 << 10, func(s *sector) { s.trees[0][31] = 0x7f }, merkle.DefectNode, "sc-02-data-tree-r-last.dat"},
		{"tree of another sector", 2 << 10, func(s *sector) { flip(s.trees[0], 0) }, merkle.DefectRoot, "sc-02-data-tree-r-last.dat"},
		{"no p_aux", 2 << 10, func(s *sector) { s.pAux = nil }, merkle.DefectMissing, "p_aux"},
		{"p_aux cut off", 2 << 10, func(s *sector) { s.pAux = s.pAux[:32] }, merkle.DefectSize, "p_aux"},
		{"comm_c is no element", 2 << 10, func(s *sector) { s.pAux[31] = 0x7f }, merkle.DefectNode, "p_aux"},
		{"another comm_c", 2 << 10, func(s *sector) { flip(s.pAux, 0) }, merkle.DefectCommR, "p_aux"},
		{"another comm_r_last", 2 << 10, func(s *sector) { flip(s.pAux, 32) }, merkle.DefectRoot, "sc-02-data-tree-r-last.dat"},
		{"another CommR on chain", 2 << 10, func(s *sector) { flip(s.commR[:], 5) }, merkle.DefectCommR, "p_aux"},
		{"one of eight trees gone", 16 << 10, func(s *sector) { s.trees[6] = nil }, merkle.DefectMissing, "sc-02-data-tree-r-last-6.dat"},
		{"two of sixteen trees exchanged", 32 << 10, func(s *sector) { s.trees[3], s.trees[4] = s.trees[4], s.trees[3] }, merkle.DefectRoot, "sc-02-data-tree-r-last-0.dat"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := random(t, c.size)
			if err := s.check(5); err != nil {
				t.Fatalf("before: %v", err)
			}
			c.spoil(&s)
			err := s.check(5)
			var defect *merkle.DefectError
			if !errors.As(err, &defect) {
				t.Fatalf("%v is not a defect", err)
			}
			if defect.Defect != c.defect || defect.File != c.file {
				t.Errorf("%v: want %s of %s", err, c.defect, c.file)
			}
		})
	}
}

func TestADefectInTheKeptRowsIsNamed(t *testing.T) {
	s := load(t, 8<<20, filepath.Join(fixtures(t), "oracle", "sectors", "8m"), "s-t01000-0")
	s.commR = [32]byte(read(t, fixtures(t), "oracle", "sectors", "8m", "cache", "s-t01000-0", "comm_r"))
	for _, c := range []struct {
		name   string
		node   int // in the file: 512 of row 3, 64 of row 4, 8 of row 5, the root
		leaf   uint64
		defect merkle.Defect
		file   string
	}{
		{"the node of the leaf's own segment, which the path does not need", 0, 0, "", ""},
		{"a sibling of it", 1, 0, merkle.DefectRow, "sc-02-data-tree-r-last.dat"},
		{"a node above it, which the path does not need", 512, 0, "", ""},
		{"a sibling of that", 513, 0, merkle.DefectRow, "sc-02-data-tree-r-last.dat"},
		{"a node under the root", 512 + 64 + 7, 0, merkle.DefectRow, "sc-02-data-tree-r-last.dat"},
		{"a node elsewhere", 100, 0, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			good := s.trees[0]
			broken := s
			broken.trees = [][]byte{bytes.Clone(good)}
			broken.trees[0][32*c.node] ^= 1
			err := broken.check(c.leaf)
			var defect *merkle.DefectError
			if errors.As(err, &defect); c.defect == "" && err != nil || c.defect != "" && (defect == nil || defect.Defect != c.defect || defect.File != c.file) {
				t.Errorf("%v: want %q of %q", err, c.defect, c.file)
			}
		})
	}
}

// sick fails as a disk does.
type sick struct{ *bytes.Reader }

var errDisk = errors.New("input/output error")

func (sick) ReadAt([]byte, int64) (int, error) { return 0, errDisk }

// shrunk is a file that got shorter after its size was read.
type shrunk struct {
	*bytes.Reader
	size int64
}

func (s shrunk) Size() int64 { return s.size }

func TestAFailureToReadIsNotADefect(t *testing.T) {
	s := random(t, 2<<10)
	tree, err := merkle.Open(s.shape, sick{bytes.NewReader(s.replica)}, []merkle.File{file(s.trees[0])})
	if err != nil {
		t.Fatal(err)
	}
	_, err = tree.Path(0)
	var defect *merkle.DefectError
	if !errors.Is(err, errDisk) || errors.As(err, &defect) {
		t.Errorf("a disk's failure gave %v", err)
	}
	short := shrunk{bytes.NewReader(s.replica[:100]), 2048}
	if tree, err = merkle.Open(s.shape, short, []merkle.File{file(s.trees[0])}); err != nil {
		t.Fatal(err)
	}
	if _, err = tree.Path(0); !errors.As(err, &defect) || defect.Defect != merkle.DefectSize {
		t.Errorf("a file that ends early gave %v", err)
	}
}

func TestAPathOfAnotherFormIsRefused(t *testing.T) {
	s := random(t, 16<<10)
	tree, _, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*merkle.Path){
		"a level missing":           func(p *merkle.Path) { p.Levels = p.Levels[:2] },
		"a sibling too few":         func(p *merkle.Path) { p.Levels[1].Siblings = p.Levels[1].Siblings[:6] },
		"an index out of range":     func(p *merkle.Path) { p.Levels[2].Index = 8 },
		"another index":             func(p *merkle.Path) { p.Levels[2].Index ^= 1 },
		"another leaf":              func(p *merkle.Path) { p.Leaf.SetUint64(1) },
		"another root":              func(p *merkle.Path) { p.Root.SetUint64(1) },
		"one sibling changed":       func(p *merkle.Path) { p.Levels[0].Siblings[3].SetUint64(1) },
		"two siblings exchanged":    func(p *merkle.Path) { l := p.Levels[0].Siblings; l[0], l[1] = l[1], l[0] },
		"the levels in other order": func(p *merkle.Path) { p.Levels[0], p.Levels[1] = p.Levels[1], p.Levels[0] },
	} {
		t.Run(name, func(t *testing.T) {
			p, err := tree.Path(100)
			if err != nil {
				t.Fatal(err)
			}
			if change(&p); s.shape.Verify(&p) == nil {
				t.Error("verifies")
			}
		})
	}
	if _, err := tree.Path(s.shape.Leaves()); err == nil {
		t.Error("a path of a leaf beyond the end")
	}
}

func TestABadReplicaHasNoTree(t *testing.T) {
	shape, _ := merkle.ShapeOf(2 << 10)
	if _, err := merkle.Build(shape, bytes.NewReader(make([]byte, 2047))); err == nil {
		t.Error("a replica cut off has a tree")
	}
	if _, err := merkle.Build(shape, bytes.NewReader(bytes.Repeat([]byte{0xff}, 2048))); err == nil {
		t.Error("a replica of words that are no elements has a tree")
	}
}

func TestOtherCIDsAreNotCommitments(t *testing.T) {
	good := merkle.CommRToCID([32]byte{1})
	for name, cid := range map[string][]byte{
		"empty": {}, "short": good[:39], "long": append(bytes.Clone(good), 0), "comm_d": append([]byte{1, 0x81}, good[2:]...),
	} {
		if _, err := merkle.CommRFromCID(cid); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
