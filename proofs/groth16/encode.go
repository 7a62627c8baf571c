package groth16

import (
	"errors"
	"fmt"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fp"

	"github.com/vigil-post/vigil/proofs/ifma"
	"github.com/vigil-post/vigil/proofs/offheap"
)

// Sizes of a point in a key file: big-endian x, y without flags (the
// uncompressed ZCash form), in G2 the coordinate of u first.
const (
	g1Size = bls12381.SizeOfG1AffineUncompressed
	g2Size = bls12381.SizeOfG2AffineUncompressed
)

var (
	errCoordinate = ifma.ErrCoordinate
	errInfinity   = ifma.ErrInfinity
	errCurve      = errors.New("point is not on the curve")
	errSubgroup   = errors.New("point is not in the subgroup")
)

// decodeG1 reads a point without asking whether it is on the curve. Flag bits
// make the coordinate too big, so they are refused with it.
func decodeG1(p *bls12381.G1Affine, b *[g1Size]byte) error {
	var err error
	if p.X, err = fp.BigEndian.Element((*[fp.Bytes]byte)(b[:fp.Bytes])); err != nil {
		return errCoordinate
	}
	if p.Y, err = fp.BigEndian.Element((*[fp.Bytes]byte)(b[fp.Bytes:])); err != nil {
		return errCoordinate
	}
	if p.IsInfinity() {
		return errInfinity
	}
	return nil
}

func decodeG2(p *bls12381.G2Affine, b *[g2Size]byte) error {
	for i, c := range []*fp.Element{&p.X.A1, &p.X.A0, &p.Y.A1, &p.Y.A0} {
		var err error
		if *c, err = fp.BigEndian.Element((*[fp.Bytes]byte)(b[i*fp.Bytes:])); err != nil {
			return errCoordinate
		}
	}
	if p.IsInfinity() {
		return errInfinity
	}
	return nil
}

func checkedG1(p *bls12381.G1Affine, b *[g1Size]byte) error {
	if err := decodeG1(p, b); err != nil {
		return err
	}
	return checkG1(p)
}

func checkedG2(p *bls12381.G2Affine, b *[g2Size]byte) error {
	if err := decodeG2(p, b); err != nil {
		return err
	}
	return checkG2(p)
}

func checkG1(p *bls12381.G1Affine) error {
	switch {
	case p.IsInfinity():
		return errInfinity
	case !p.IsOnCurve():
		return errCurve
	case !p.IsInSubGroup():
		return errSubgroup
	}
	return nil
}

func checkG2(p *bls12381.G2Affine) error {
	switch {
	case p.IsInfinity():
		return errInfinity
	case !p.IsOnCurve():
		return errCurve
	case !p.IsInSubGroup():
		return errSubgroup
	}
	return nil
}

// decodeAllG1 decodes len(points) points of a key, sharing the work.
func decodeAllG1(points []bls12381.G1Affine, raw []byte, workers int) error {
	return readInParallel(raw, g1Size, workers, func(i int, b []byte) error { return decodeG1(&points[i], (*[g1Size]byte)(b)) })
}

func decodeAllG2(points []bls12381.G2Affine, raw []byte, workers int) error {
	return readInParallel(raw, g2Size, workers, func(i int, b []byte) error { return decodeG2(&points[i], (*[g2Size]byte)(b)) })
}

// readInParallel reads points, of so many bytes each, that may lie in a mapped file.
func readInParallel(raw []byte, size, workers int, read func(i int, b []byte) error) error {
	return inParallel(len(raw)/size, workers, func(start, end int) error {
		return offheap.Reading(raw, func() error {
			for i := start; i < end; i++ {
				if err := read(i, raw[i*size:(i+1)*size]); err != nil {
					return fmt.Errorf("point %d: %w", i, err)
				}
			}
			return nil
		})
	})
}
