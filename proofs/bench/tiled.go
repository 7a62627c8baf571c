package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/proofs/params"
)

// tileFile has a tile of points for each of the key's vectors: 2^21 different
// points for each in G1, 2^20 for the one in G2. No kernel puts more of a vector in order
// at a time (gnark-crypto's a piece, package ifma's a chunk of 2^19), so that equal points
// hardly ever meet: they are a case of their own for most kernels, and cost more.
const (
	tileFile   = "tiles.points"
	tilePoints = 1 << 21
	tileBytes  = tilePoints * g1Size // as many for 2^20 points in G2
)

// tiles are the key's vectors with a tile each, in the file's order.
var tiles = []string{"H", "L", "A", "B in G1", "B in G2"}

type tileWriter struct{}

func (tileWriter) WriteTo(to io.Writer) (int64, error) {
	out := &counted{to: bufio.NewWriterSize(to, 1<<20)}
	for _, name := range tiles {
		write, n := writeG1, tilePoints
		if name == tiles[4] {
			write, n = writeG2, tileBytes/g2Size
		}
		if err := write(out, "tile of "+name, n); err != nil {
			return out.n, err
		}
	}
	return out.n, out.to.Flush()
}

// TiledKey is a key of any lengths whose vectors repeat their tiles: the address
// space has each in full length, with the same pages of one file mapped again and
// again. So a partition of 61 GB of parameters can be proven where there is no room
// for them. A proof sees an ordinary key, but for the disk: its pages are always in
// the system's cache. The key is valid until unmap.
func (s Store) TiledKey(l groth16.Lengths) (key *groth16.ProvingKey, unmap func() error, err error) {
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return nil, nil, err
	}
	file := filepath.Join(s.Dir, tileFile)
	if info, err := os.Stat(file); err != nil || info.Size() != int64(len(tiles)*tileBytes) {
		s.say("writing %d MiB of arbitrary points, once", len(tiles)*tileBytes>>20)
		if err := params.Write(file, tileWriter{}); err != nil {
			return nil, nil, err
		}
	}
	var head bytes.Buffer
	if _, err := (ArbitraryKey{groth16.Lengths{IC: l.IC}}).WriteTo(&head); err != nil {
		return nil, nil, err
	}
	if key, err = groth16.ParseProvingKey(head.Bytes()); err != nil {
		return nil, nil, err
	}
	sizes := []int{l.H * g1Size, l.L * g1Size, l.A * g1Size, l.B * g1Size, l.B * g2Size}
	vectors, unmap, err := mapTiles(file, tileBytes, sizes)
	if err != nil {
		return nil, nil, fmt.Errorf("map %s: %w", file, err)
	}
	key.H, key.L, key.A, key.B1, key.B2 = vectors[0], vectors[1], vectors[2], vectors[3], vectors[4]
	return key, unmap, nil
}
