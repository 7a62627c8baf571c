package groth16

import (
	"context"
	"fmt"

	"github.com/consensys/gnark-crypto/ecc"
	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
)

// Multiexp sums multiples of points, nine tenths of the work of a proof.
//
// Points come as they lie in the key file, 96 bytes each in G1 and 192 in G2,
// so that a kernel can decode them on its way. They are points of the subgroup
// and not infinity; a kernel need not check more than that each coordinate is
// below the modulus, and must not write to them. There are as many scalars as
// points, at most a few million in a call. One call runs at a time; it may use
// as many goroutines as it likes and returns when all of them have ended.
type Multiexp interface {
	G1(ctx context.Context, points []byte, scalars []fr.Element) (bls12381.G1Jac, error)
	G2(ctx context.Context, points []byte, scalars []fr.Element) (bls12381.G2Jac, error)
}

// defaultPiece is enough points to fill the largest buckets that gnark-crypto
// uses; larger pieces are hardly faster and take more memory.
const defaultPiece = 1 << 19

// Portable is gnark-crypto's multi-exponentiation, for any CPU. It keeps its
// buffers from call to call, so each proof should have its own.
type Portable struct {
	Workers int // goroutines that compute; 0 means GOMAXPROCS
	Piece   int // points decoded and summed at a time; 0 means 2^19

	g1 []bls12381.G1Affine
	g2 []bls12381.G2Affine
}

func (m *Portable) piece() int {
	if m.Piece > 0 {
		return m.Piece
	}
	return defaultPiece
}

// G1 implements Multiexp.
func (m *Portable) G1(ctx context.Context, points []byte, scalars []fr.Element) (bls12381.G1Jac, error) {
	var sum, part bls12381.G1Jac
	for len(scalars) > 0 {
		if err := ctx.Err(); err != nil {
			return sum, err
		}
		n := min(len(scalars), m.piece())
		if cap(m.g1) < n {
			m.g1 = make([]bls12381.G1Affine, n)
		}
		if err := decodeAllG1(m.g1[:n], points, m.Workers); err != nil {
			return sum, fmt.Errorf("decode: %w", err)
		}
		if _, err := part.MultiExp(m.g1[:n], scalars[:n], ecc.MultiExpConfig{NbTasks: workersOr(m.Workers)}); err != nil {
			return sum, err
		}
		sum.AddAssign(&part)
		points, scalars = points[n*g1Size:], scalars[n:]
	}
	return sum, nil
}

// G2 implements Multiexp.
func (m *Portable) G2(ctx context.Context, points []byte, scalars []fr.Element) (bls12381.G2Jac, error) {
	var sum, part bls12381.G2Jac
	for len(scalars) > 0 {
		if err := ctx.Err(); err != nil {
			return sum, err
		}
		n := min(len(scalars), m.piece())
		if cap(m.g2) < n {
			m.g2 = make([]bls12381.G2Affine, n)
		}
		if err := decodeAllG2(m.g2[:n], points, m.Workers); err != nil {
			return sum, fmt.Errorf("decode: %w", err)
		}
		if _, err := part.MultiExp(m.g2[:n], scalars[:n], ecc.MultiExpConfig{NbTasks: workersOr(m.Workers)}); err != nil {
			return sum, err
		}
		sum.AddAssign(&part)
		points, scalars = points[n*g2Size:], scalars[n:]
	}
	return sum, nil
}
