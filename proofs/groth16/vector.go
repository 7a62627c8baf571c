package groth16

import (
	"unsafe"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/offheap"
)

// fewElements is a vector small enough for the garbage collector, which gives its
// memory to the next proof.
const fewElements = 1 << 19

// newVector makes a vector of zeros. Large ones lie outside the garbage
// collector's heap, which would otherwise let as much garbage again pile up
// before it collects. The caller calls free, once, when nothing reads the vector
// any more.
func newVector(n int) (v []fr.Element, free func(), err error) {
	if n <= fewElements {
		return make([]fr.Element, n), func() {}, nil
	}
	b, free, err := offheap.Map(n * fr.Bytes)
	if err != nil {
		return nil, nil, err
	}
	return unsafe.Slice((*fr.Element)(unsafe.Pointer(&b[0])), n), free, nil
}
