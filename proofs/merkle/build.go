package merkle

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/poseidon"
)

// Built is a tree made from a replica.
type Built struct {
	Root  fr.Element // comm_r_last
	Files [][]byte   // contents of Shape.TreeFiles
}

// readAtOnce is how much of a replica is read before all cores hash it.
const readAtOnce = 4 << 20

// Build makes the tree files of a replica, which it reads once from start to
// end. It holds the kept rows in memory (77 MB for 32 GiB) and hashes every leaf
// on all cores: 4.8 million hashes for each GiB.
func Build(shape Shape, replica io.Reader) (*Built, error) {
	built := &Built{}
	var roots []fr.Element
	for tree := range shape.BaseTrees() {
		row, err := buildLowest(shape, replica)
		if err != nil {
			return nil, fmt.Errorf("base tree %d: %w", tree, err)
		}
		var file []byte
		for {
			file = appendNodes(file, row)
			if len(row) == 1 {
				break
			}
			row = hashRowOnAllCores(row)
		}
		built.Files = append(built.Files, file)
		roots = append(roots, row[0])
	}
	built.join(shape, roots)
	return built, nil
}

// BuildZeros makes the tree files of a replica of zeros. All nodes of a row are
// the same, so that there is one hash for each row, and one file for all base
// trees, which Files has several times.
func BuildZeros(shape Shape) *Built {
	var node fr.Element
	var file []byte
	for row := 1; row < shape.BaseRows(); row++ {
		group := make([]fr.Element, baseArity)
		for i := range group {
			group[i] = node
		}
		if node = poseidon.Hash(group...); row > shape.RowsToDiscard() {
			b := NodeBytes(node)
			file = append(file, bytes.Repeat(b[:], int(shape.rowLength(row)))...)
		}
	}
	built := &Built{}
	roots := make([]fr.Element, shape.BaseTrees())
	for i := range roots {
		roots[i], built.Files = node, append(built.Files, file)
	}
	built.join(shape, roots)
	return built
}

func (b *Built) join(shape Shape, roots []fr.Element) {
	joined := shape.join(roots)
	b.Root = joined[len(joined)-1][0]
}

// buildLowest returns the lowest kept row of the base tree over the next leaves.
func buildLowest(shape Shape, replica io.Reader) ([]fr.Element, error) {
	height := shape.RowsToDiscard() + 1
	size := shape.BaseLeaves() * NodeSize
	buf := make([]byte, min(size, readAtOnce))
	var lowest []fr.Element
	for read := uint64(0); read < size; read += uint64(len(buf)) {
		if _, err := io.ReadFull(replica, buf); err != nil {
			return nil, fmt.Errorf("read replica: %w", err)
		}
		row, err := decodeOnAllCores(buf, read/NodeSize)
		if err != nil {
			return nil, err
		}
		for range height {
			row = hashRowOnAllCores(row)
		}
		lowest = append(lowest, row...)
	}
	return lowest, nil
}

// decodeOnAllCores decodes the leaves from the one with the given index.
func decodeOnAllCores(buf []byte, index uint64) ([]fr.Element, error) {
	leaves := make([]fr.Element, len(buf)/NodeSize)
	var mu sync.Mutex // guards failed
	var failed error
	onAllCores(len(leaves), 1, func(from, to int) {
		for i := from; i < to; i++ {
			var err error
			if leaves[i], err = Node([NodeSize]byte(buf[i*NodeSize:])); err != nil {
				mu.Lock()
				failed = fmt.Errorf("leaf %d: %w", index+uint64(i), err)
				mu.Unlock()
				return
			}
		}
	})
	return leaves, failed
}

// hashRowOnAllCores is hashRow of a long row.
func hashRowOnAllCores(row []fr.Element) []fr.Element {
	above := make([]fr.Element, len(row)/baseArity)
	hash := poseidon.For(baseArity)
	onAllCores(len(above), 128, func(from, to int) {
		hash.HashMany(above[from:to], row[from*baseArity:to*baseArity])
	})
	return above
}

// onAllCores divides 0 to n into a part for each core, of whole multiples of unit.
func onAllCores(n, unit int, work func(from, to int)) {
	cores := runtime.GOMAXPROCS(0)
	part := (n + cores*unit - 1) / (cores * unit) * unit
	var all sync.WaitGroup
	for from := 0; from < n; from += part {
		all.Go(func() { work(from, min(from+part, n)) })
	}
	all.Wait()
}
