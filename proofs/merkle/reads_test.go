package merkle_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/merkle"
	"github.com/vigil-post/vigil/proofs/poseidon"
)

// zeros is a file of zeros of any size.
type zeros int64

func (z zeros) Size() int64 { return int64(z) }

func (z zeros) ReadAt(p []byte, offset int64) (int, error) {
	if offset < 0 || offset+int64(len(p)) > int64(z) {
		return 0, errors.New("a read beyond the end")
	}
	clear(p)
	return len(p), nil
}

// counting counts what is read of a file.
type counting struct {
	merkle.File
	count *counts
}

type counts struct{ reads, bytes atomic.Int64 }

func (c counting) ReadAt(p []byte, offset int64) (int, error) {
	c.count.reads.Add(1)
	c.count.bytes.Add(int64(len(p)))
	return c.File.ReadAt(p, offset)
}

// zeroSector is a sector of zeros, whose reads of the replica and of the tree
// files are counted.
func zeroSector(t *testing.T, size uint64) (shape merkle.Shape, replica merkle.File, trees []merkle.File, ofReplica, ofTrees *counts) {
	t.Helper()
	shape, err := merkle.ShapeOf(size)
	if err != nil {
		t.Fatal(err)
	}
	ofReplica, ofTrees = &counts{}, &counts{}
	for _, content := range merkle.BuildZeros(shape).Files {
		trees = append(trees, counting{bytes.NewReader(content), ofTrees})
	}
	return shape, counting{zeros(size), ofReplica}, trees, ofReplica, ofTrees
}

func TestReadsOfASector(t *testing.T) {
	for _, c := range []struct {
		name                string
		size                uint64
		leaves              int
		replica, trees      int64 // reads
		replicaBytes, bytes int64 // at most
	}{
		{"2 KiB: all ten leaves are in one piece", 2 << 10, 10, 1, 1, 2048, 32},
		{"8 MiB: the tree file is read whole", 8 << 20, 10, 10, 1, 10 << 14, 18_720},
		{"512 MiB: a row is below what is read at once", 512 << 20, 10, 10, 1 + 10, 10 << 14, 149_792 + 10<<8},
		{"32 GiB: two rows are", 32 << 30, 10, 10, 8 + 10, 10 << 14, 8*149_792 + 10<<11},
		{"64 GiB", 64 << 30, 10, 10, 16 + 10, 10 << 14, 10*149_792 + 6*32 + 10<<11},
		{"32 GiB, winning", 32 << 30, 66, 66, 8 + 66, 66 << 14, 8*149_792 + 66<<11},
	} {
		t.Run(c.name, func(t *testing.T) {
			shape, replica, trees, ofReplica, ofTrees := zeroSector(t, c.size)
			seed := rand.New(rand.NewPCG(1, c.size))
			var leaves []uint64
			for range c.leaves {
				leaves = append(leaves, seed.Uint64N(shape.Leaves()))
			}
			tree, err := merkle.Open(shape, replica, trees, leaves...)
			if err != nil {
				t.Fatal(err)
			}
			paths, err := tree.Paths(t.Context(), leaves...)
			if err != nil {
				t.Fatal(err)
			}
			for i := range paths {
				if err := shape.Verify(&paths[i]); err != nil || shape.LeafIndex(&paths[i]) != leaves[i] {
					t.Errorf("path %d is of leaf %d, want %d: %v", i, shape.LeafIndex(&paths[i]), leaves[i], err)
				}
			}
			if got := ofReplica.reads.Load(); got != c.replica || ofReplica.bytes.Load() > c.replicaBytes {
				t.Errorf("%d reads of the replica, %d bytes", got, ofReplica.bytes.Load())
			}
			if got := ofTrees.reads.Load(); got != c.trees || ofTrees.bytes.Load() > c.bytes {
				t.Errorf("%d reads of tree files, %d bytes", got, ofTrees.bytes.Load())
			}
			t.Logf("%d reads, %d bytes", ofReplica.reads.Load()+ofTrees.reads.Load(), ofReplica.bytes.Load()+ofTrees.bytes.Load())
		})
	}
}

func TestLeavesAtEveryEdge(t *testing.T) {
	for _, size := range []uint64{2 << 10, 4 << 10, 16 << 10, 32 << 10, 8 << 20, 16 << 20, 512 << 20, 1 << 30, 32 << 30, 64 << 30} {
		shape, replica, trees, _, _ := zeroSector(t, size)
		var leaves []uint64
		for tree := range uint64(shape.BaseTrees()) {
			first := tree * shape.BaseLeaves()
			leaves = append(leaves, first+shape.BaseLeaves()-1, first)
		}
		leaves = append(leaves, leaves[0], 511, 512) // one twice
		leaves = slices.DeleteFunc(leaves, func(leaf uint64) bool { return leaf >= shape.Leaves() })
		tree, err := merkle.Open(shape, replica, trees, leaves...)
		if err != nil {
			t.Fatal(err)
		}
		paths, err := tree.Paths(t.Context(), leaves...)
		if err != nil {
			t.Fatalf("%d: %v", size, err)
		}
		for i := range paths {
			if err := shape.Verify(&paths[i]); err != nil || shape.LeafIndex(&paths[i]) != leaves[i] {
				t.Errorf("%s of %d: path of leaf %d, want %d: %v", shape, size, shape.LeafIndex(&paths[i]), leaves[i], err)
			}
		}
		if _, err := tree.Paths(t.Context(), 0, shape.Leaves()); err == nil {
			t.Errorf("%d: a path beyond the end", size)
		}
	}
}

// TestPathsOfACachedTreeAreThoseOfTheFullTree compares, for every number of
// rows that a file may leave out.
func TestPathsOfACachedTreeAreThoseOfTheFullTree(t *testing.T) {
	if testing.Short() {
		t.Skip("hashes a sector of 8 MiB")
	}
	shape, _ := merkle.ShapeOf(8 << 20)
	replica := make([]byte, shape.SectorSize)
	_, _ = rand.NewChaCha8([32]byte{'f', 'u', 'l', 'l'}).Read(replica)
	row := make([]fr.Element, shape.Leaves())
	for i := range row {
		replica[32*i+31] &= 0x3f
		row[i], _ = merkle.Node([32]byte(replica[32*i:]))
	}
	rows := [][]fr.Element{row}
	for len(row) > 1 {
		above := make([]fr.Element, len(row)/8)
		poseidon.For(8).HashMany(above, row)
		rows, row = append(rows, above), above
	}
	want := func(leaf uint64) merkle.Path {
		p := merkle.Path{Root: row[0], Leaf: rows[0][leaf]}
		for _, row := range rows[:len(rows)-1] {
			group := row[leaf&^7 : leaf&^7+8]
			p.Levels = append(p.Levels, merkle.Level{Index: leaf % 8, Siblings: slices.Concat(group[:leaf%8], group[leaf%8+1:])})
			leaf /= 8
		}
		return p
	}
	leaves := []uint64{262_143, 0, 1, 511, 512, 77_777, 513, 200_000, 0}
	for discard := range 6 {
		var file []byte
		for _, row := range rows[discard+1:] {
			for _, e := range row {
				b := merkle.NodeBytes(e)
				file = append(file, b[:]...)
			}
		}
		if discard == shape.RowsToDiscard() {
			built, err := merkle.Build(shape, bytes.NewReader(replica))
			if err != nil || !bytes.Equal(built.Files[0], file) || built.Root != row[0] {
				t.Errorf("the file that is built differs: %v", err)
			}
		}
		for _, announced := range [][]uint64{leaves, nil}[:2-discard/4] {
			tree, err := merkle.Open(shape, bytes.NewReader(replica), []merkle.File{bytes.NewReader(file)}, announced...)
			if err != nil {
				t.Fatalf("%d rows discarded: %v", discard, err)
			}
			paths, err := tree.Paths(t.Context(), leaves...)
			if err != nil {
				t.Fatalf("%d rows discarded: %v", discard, err)
			}
			for i, leaf := range leaves {
				if fmt.Sprint(paths[i]) != fmt.Sprint(want(leaf)) {
					t.Errorf("%d rows discarded: the path of leaf %d differs", discard, leaf)
				}
			}
		}
	}
}

// TestADefectBelowWhatIsReadAtOnceIsNamed spoils the two rows of a 32 GiB
// sector's tree file that are read for each leaf.
func TestADefectBelowWhatIsReadAtOnceIsNamed(t *testing.T) {
	const leaf, tree = 1<<27*3 + 5*4096, 3
	for _, c := range []struct {
		name   string
		node   int // of the file's lowest row
		defect merkle.Defect
		file   string
	}{
		{"the node of the leaf's own segment, which the path does not need", 5 * 8, "", ""},
		{"a sibling of it", 5*8 + 7, merkle.DefectRow, "sc-02-data-tree-r-last-3.dat"},
		{"a node under one beside its parent, which the path does not need", 7 * 8, "", ""},
		{"a node far from it", 64, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			shape, replica, trees, _, _ := zeroSector(t, 32<<30)
			content := merkle.BuildZeros(shape).Files[tree]
			content[32*c.node] ^= 1
			trees[tree] = bytes.NewReader(content)
			opened, err := merkle.Open(shape, replica, trees, leaf)
			if err != nil {
				t.Fatal(err)
			}
			_, err = opened.Path(leaf)
			var defect *merkle.DefectError
			if errors.As(err, &defect); c.defect == "" && err != nil || c.defect != "" && (defect == nil || defect.Defect != c.defect || defect.File != c.file) {
				t.Errorf("%v: want %q of %q", err, c.defect, c.file)
			}
		})
	}
}

func TestPathsEndWithTheirContext(t *testing.T) {
	shape, replica, trees, ofReplica, _ := zeroSector(t, 32<<30)
	tree, err := merkle.Open(shape, replica, trees, 1, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tree.Paths(ctx, 1, 1<<20); !errors.Is(err, context.Canceled) || ofReplica.reads.Load() > 0 {
		t.Errorf("%v, %d reads", err, ofReplica.reads.Load())
	}
}

// FuzzASector opens files of any size and content and asks for paths: there is
// an error, or a path that verifies. The first byte picks the shape; where the
// rest begins with a zero it is laid over good files, else it is all of them.
func FuzzASector(f *testing.F) {
	sizes := []uint64{2 << 10, 4 << 10, 16 << 10, 8 << 20}
	f.Add(uint8(0), int64(2048), int64(32), uint16(0), []byte{})
	f.Add(uint8(1), int64(4096), int64(31), uint16(5), []byte{1})
	f.Add(uint8(2), int64(16384), int64(8*32+32), uint16(0), bytes.Repeat([]byte{0xff}, 64))
	f.Add(uint8(3), int64(8<<20), int64(18_720), uint16(600), []byte{1, 2, 3})
	f.Add(uint8(3), int64(-1), int64(1<<62), uint16(600), []byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, kind uint8, replicaSize, treeSize int64, at uint16, patch []byte) {
		shape, _ := merkle.ShapeOf(sizes[int(kind)%len(sizes)])
		tree := bytes.Clone(merkle.BuildZeros(shape).Files[0])
		copy(tree[min(int(at), len(tree)):], patch)
		replica := make([]byte, 4096)
		copy(replica[min(int(at), len(replica)):], patch)
		var trees []merkle.File
		for range shape.BaseTrees() {
			trees = append(trees, shrunk{bytes.NewReader(tree), treeSize})
		}
		leaves := []uint64{0, uint64(at) % shape.Leaves()}
		opened, err := merkle.Open(shape, shrunk{bytes.NewReader(replica), replicaSize}, trees, leaves...)
		if err != nil {
			return
		}
		paths, err := opened.Paths(t.Context(), leaves...)
		if err != nil {
			return
		}
		for i := range paths {
			if err := shape.Verify(&paths[i]); err != nil || shape.LeafIndex(&paths[i]) != leaves[i] {
				t.Errorf("a path of leaf %d that does not verify: %v", leaves[i], err)
			}
		}
	})
}

// FuzzPAux decodes any bytes: an error, or the file that the decoded encode to.
func FuzzPAux(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 64))
	f.Add(bytes.Repeat([]byte{0x73}, 64))
	f.Fuzz(func(t *testing.T, content []byte) {
		p, err := merkle.ReadPAux(bytes.NewReader(content))
		if err == nil && !bytes.Equal(p.Bytes(), content) {
			t.Errorf("%x was read as %x", content, p.Bytes())
		}
	})
}
