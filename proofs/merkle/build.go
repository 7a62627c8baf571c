package merkle

import (
	"fmt"
	"io"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
)

// Built is a tree made from a replica.
type Built struct {
	Root  fr.Element // comm_r_last
	Files [][]byte   // contents of Shape.TreeFiles
}

// Build makes the tree files of a replica, which it reads once from start to
// end. It holds the kept rows in memory (77 MB for 32 GiB) and hashes every leaf:
// about a minute for each GiB and core.
func Build(shape Shape, replica io.Reader) (*Built, error) {
	built := &Built{}
	var roots []fr.Element
	for tree := range shape.BaseTrees() {
		rows, err := buildBase(shape, replica)
		if err != nil {
			return nil, fmt.Errorf("base tree %d: %w", tree, err)
		}
		var file []byte
		for _, row := range rows {
			file = appendNodes(file, row)
		}
		built.Files = append(built.Files, file)
		roots = append(roots, rows[len(rows)-1][0])
	}
	joined := shape.join(roots)
	built.Root = joined[len(joined)-1][0]
	return built, nil
}

// buildBase returns the kept rows of the base tree over the next leaves.
func buildBase(shape Shape, replica io.Reader) ([][]fr.Element, error) {
	lowest := shape.RowsToDiscard() + 1
	segment := make([]byte, NodeSize<<(3*lowest))
	row := make([]fr.Element, shape.rowLength(lowest))
	for i := range row {
		if _, err := io.ReadFull(replica, segment); err != nil {
			return nil, fmt.Errorf("read replica: %w", err)
		}
		leaves := make([]fr.Element, len(segment)/NodeSize)
		for j := range leaves {
			var err error
			if leaves[j], err = Node([NodeSize]byte(segment[j*NodeSize:])); err != nil {
				return nil, fmt.Errorf("leaf %d: %w", i*len(leaves)+j, err)
			}
		}
		for len(leaves) > 1 {
			leaves = hashRow(leaves, baseArity)
		}
		row[i] = leaves[0]
	}
	rows := [][]fr.Element{row}
	for len(row) > 1 {
		row = hashRow(row, baseArity)
		rows = append(rows, row)
	}
	return rows, nil
}
