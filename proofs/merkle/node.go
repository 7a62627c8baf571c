package merkle

import (
	"fmt"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
)

// Node decodes 32 little-endian bytes, which must be below the field's modulus.
func Node(b [NodeSize]byte) (fr.Element, error) {
	e, err := fr.LittleEndian.Element(&b)
	if err != nil {
		return e, fmt.Errorf("%x is not a field element", b)
	}
	return e, nil
}

// NodeBytes is the inverse of [Node].
func NodeBytes(e fr.Element) [NodeSize]byte {
	var b [NodeSize]byte
	fr.LittleEndian.PutElement(&b, e)
	return b
}

// appendNodes writes elements one after another.
func appendNodes(out []byte, nodes []fr.Element) []byte {
	for i := range nodes {
		b := NodeBytes(nodes[i])
		out = append(out, b[:]...)
	}
	return out
}

// readNodes reads count nodes from the one with the given index.
func readNodes(name string, f File, index uint64, count int) ([]fr.Element, error) {
	buf := make([]byte, count*NodeSize)
	if err := readAt(name, f, buf, int64(index*NodeSize)); err != nil {
		return nil, err
	}
	return decodeNodes(name, buf, index)
}

// decodeNodes decodes what was read of a file from the node with the given index.
func decodeNodes(name string, buf []byte, index uint64) ([]fr.Element, error) {
	nodes := make([]fr.Element, len(buf)/NodeSize)
	for i := range nodes {
		var err error
		if nodes[i], err = Node([NodeSize]byte(buf[i*NodeSize:])); err != nil {
			return nil, defect(DefectNode, name, "node %d: %v", index+uint64(i), err)
		}
	}
	return nodes, nil
}
