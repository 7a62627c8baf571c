//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package params

import (
	"errors"
	"fmt"
	"os"
	"testing"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/proofs/ifma"
	"github.com/vigil-post/vigil/proofs/offheap"
)

// Points are read by a kernel's assembly, by Go, and by the runtime's copying; the file
// ends in a group of points or between two.
func TestAKeyThatIsCutShortWhileItIsMappedEndsTheProofAlone(t *testing.T) {
	for _, k := range kernels() {
		for _, left := range []int64{0, 4096, 3 * 4096} {
			t.Run(fmt.Sprintf("%T, %d bytes left", k, left), func(t *testing.T) {
				key := cutShort(t, left)
				g1 := make([]bls12381.G1Jac, 1)
				err := k.G1(t.Context(), g1, termsOf(key.H, 96), termsOf(key.L, 96))
				if !errors.Is(err, offheap.ErrUnreadable) || !g1[0].Z.IsZero() {
					t.Errorf("G1: %v", err)
				}
				if err := k.G1(t.Context(), g1, termsOf(key.L[len(key.L)-3*96:], 96)); !errors.Is(err, offheap.ErrUnreadable) {
					t.Errorf("G1, three points: %v", err)
				}
				if err := k.G2(t.Context(), make([]bls12381.G2Jac, 1), termsOf(key.B2, 192)); !errors.Is(err, offheap.ErrUnreadable) {
					t.Errorf("G2: %v", err)
				}
				if err := key.CheckPoints(t.Context()); !errors.Is(err, offheap.ErrUnreadable) {
					t.Errorf("points: %v", err)
				}
			})
		}
	}
}

func kernels() []groth16.Multiexp {
	all := []groth16.Multiexp{&groth16.Portable{Workers: 2}}
	if ifma.Supported() {
		all = append(all, &ifma.Sums{Workers: 2})
	}
	return all
}

// cutShort is an open key of whose file so many bytes are left.
func cutShort(t *testing.T, left int64) *Key {
	t.Helper()
	path, made := smallKey(t)
	key, err := Open(path, made.Lengths())
	check(t, err)
	t.Cleanup(func() { check(t, key.Close()) })
	check(t, os.Truncate(path, left))
	return key
}

func termsOf(points []byte, size int) groth16.Terms {
	scalars := make([]fr.Element, len(points)/size)
	for i := range scalars {
		scalars[i].SetUint64(uint64(i + 1))
	}
	return groth16.Terms{Points: points, Scalars: [][]fr.Element{scalars}}
}
