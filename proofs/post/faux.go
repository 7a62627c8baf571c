package post

import (
	"bytes"
	"fmt"
	"io"

	"github.com/vigil-post/vigil/proofs/merkle"
)

// Faux is a sector that can be proven but stores nothing: sealing is not what a
// PoSt proves, so any replica of field elements with its tree will do. It is for
// development networks and tests.
type Faux struct {
	CommR   [32]byte
	Replica []byte            // the sealed file
	Cache   map[string][]byte // the files of the cache folder, by name
}

// FauxSector makes a sector whose replica and comm_c are drawn from random.
// Equal randomness makes equal sectors.
func FauxSector(shape merkle.Shape, random io.Reader) (*Faux, error) {
	replica := make([]byte, shape.SectorSize)
	commC := make([]byte, merkle.NodeSize)
	for _, b := range [][]byte{replica, commC} {
		if _, err := io.ReadFull(random, b); err != nil {
			return nil, fmt.Errorf("draw replica: %w", err)
		}
		for i := merkle.NodeSize - 1; i < len(b); i += merkle.NodeSize {
			b[i] &= 0x3f
		}
	}
	c, err := merkle.Node([merkle.NodeSize]byte(commC))
	if err != nil {
		return nil, err
	}
	tree, err := merkle.Build(shape, bytes.NewReader(replica))
	if err != nil {
		return nil, err
	}
	pAux := merkle.PAux{CommC: c, CommRLast: tree.Root}
	f := &Faux{
		CommR:   merkle.NodeBytes(pAux.CommR()),
		Replica: replica,
		Cache:   map[string][]byte{merkle.PAuxFile: pAux.Bytes()},
	}
	for i, name := range shape.TreeFiles() {
		f.Cache[name] = tree.Files[i]
	}
	return f, nil
}

// Files are the sector's files as Config.Vanilla reads them.
func (f *Faux) Files(shape merkle.Shape) Files {
	files := Files{Replica: bytes.NewReader(f.Replica), PAux: bytes.NewReader(f.Cache[merkle.PAuxFile])}
	for _, name := range shape.TreeFiles() {
		files.Trees = append(files.Trees, bytes.NewReader(f.Cache[name]))
	}
	return files
}
