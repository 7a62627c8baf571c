package interop

import (
	"bytes"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/merkle"
	"github.com/vigil-post/vigil/proofs/post"
)

// TestSectorsOfExtremesAreExchanged proves replicas of zeros, of ones and of the field's
// largest element, each with another extreme for comm_c.
func TestSectorsOfExtremesAreExchanged(t *testing.T) {
	o := newOracle(t)
	shape := form(t, post.Window, 2<<10, "1.2.0").Shape
	p := &pool{shape: shape}
	var zero, minusOne fr.Element
	minusOne.SetBigInt(big.NewInt(-1))
	for i, s := range []struct{ leaf, commC fr.Element }{{zero, minusOne}, {fr.One(), zero}, {minusOne, fr.One()}} {
		p.folders = append(p.folders, uniform(t, shape, filepath.Join(t.TempDir(), fmt.Sprint(i)), s.leaf, s.commC))
	}
	o.exchange(t, post.Window, p, "1.2.0", len(p.folders), kernels(t, false))
}

// uniform writes a sector whose leaves are all the same.
func uniform(t *testing.T, shape merkle.Shape, dir string, leaf, commC fr.Element) folder {
	t.Helper()
	node := merkle.NodeBytes(leaf)
	replica := bytes.Repeat(node[:], int(shape.Leaves()))
	built, err := merkle.Build(shape, bytes.NewReader(replica))
	check(t, err)
	pAux := merkle.PAux{CommC: commC, CommRLast: built.Root}
	f := folder{replica: filepath.Join(dir, "replica"), cache: dir, commR: merkle.NodeBytes(pAux.CommR())}
	check(t, os.MkdirAll(dir, 0o755))
	files := map[string][]byte{f.replica: replica, filepath.Join(dir, merkle.PAuxFile): pAux.Bytes(), filepath.Join(dir, "comm_r"): f.commR[:]}
	for i, name := range shape.TreeFiles() {
		files[filepath.Join(dir, name)] = built.Files[i]
	}
	for name, content := range files {
		check(t, os.WriteFile(name, content, 0o600))
	}
	return f
}
