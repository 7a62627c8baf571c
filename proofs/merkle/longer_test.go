package merkle_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/merkle"
)

// filecoin-proofs proves such sectors: to call them bad would cost their power.
func TestWhatStandsBehindAFileDoesNotCount(t *testing.T) {
	for _, size := range []uint64{2 << 10, 16 << 10, 32 << 10} {
		for _, more := range []int{1, 32, 4096} {
			t.Run(fmt.Sprintf("%d bytes and %d more", size, more), func(t *testing.T) {
				s := random(t, size)
				behind := bytes.Repeat([]byte{0xff}, more)
				s.replica, s.pAux = append(s.replica, behind...), append(s.pAux, behind...)
				for i := range s.trees {
					s.trees[i] = append(s.trees[i], behind...)
				}
				for _, leaf := range []uint64{0, s.shape.Leaves() - 1} {
					if err := s.check(leaf); err != nil {
						t.Errorf("leaf %d: %v", leaf, err)
					}
				}
			})
		}
	}
}

// Of several tree files with a wrong root together the one that is at fault is named.
func TestTheTreeFileWithTheWrongRootIsNamed(t *testing.T) {
	shape, err := merkle.ShapeOf(32 << 30)
	if err != nil {
		t.Fatal(err)
	}
	built := merkle.BuildZeros(shape)
	p := merkle.PAux{CommC: fr.NewElement(7), CommRLast: built.Root}
	good := built.Files[5]
	root := len(good) - merkle.NodeSize
	for name, content := range map[string][]byte{
		"of zeros":                 make([]byte, len(good)),
		"with another root":        append(bytes.Clone(good[:root]), make([]byte, merkle.NodeSize)...),
		"with another row under":   append(append(bytes.Clone(good[:root-merkle.NodeSize]), make([]byte, merkle.NodeSize)...), merkle.PAux{CommC: fr.NewElement(9)}.Bytes()[:merkle.NodeSize]...),
		"that begins in the wrong": append([]byte{0}, good...),
	} {
		files := make([]merkle.File, len(built.Files))
		for i, b := range built.Files {
			files[i] = file(b)
		}
		files[5] = file(content)
		tree, err := merkle.Open(shape, zeros(shape.SectorSize), files)
		if err != nil {
			t.Fatal(err)
		}
		var defect *merkle.DefectError
		if err := p.Check(tree, p.CommR()); !errors.As(err, &defect) || defect.Defect != merkle.DefectRoot || defect.File != shape.TreeFiles()[5] {
			t.Errorf("a file %s: %v", name, err)
		}
	}
}
