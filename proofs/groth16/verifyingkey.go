package groth16

import (
	"encoding/binary"
	"errors"
	"fmt"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
)

// vkHeadSize is the length of a verifying key before the points of its inputs:
// three G1 points, three G2 points and their count.
const vkHeadSize = 3*g1Size + 3*g2Size + 4

// VerifyingKey is what a verifier needs to know of a circuit.
type VerifyingKey struct {
	head
	IC []bls12381.G1Affine // a point for each public input, One first
}

// head holds the points that the prover needs of a verifying key.
type head struct {
	AlphaG1, BetaG1, DeltaG1 bls12381.G1Affine
	BetaG2, GammaG2, DeltaG2 bls12381.G2Affine
}

// ParseVerifyingKey reads a `.vk` file (bellperson, verifying_key.rs) and checks
// every point: on the curve, in the subgroup, not infinity. A file that is too
// short, too long or not canonical is refused. Points may repeat.
//
// bellperson, too, refuses points off the curve or outside the subgroup, and
// infinity among the inputs. It takes infinity as one of the six points at the
// head, and bytes after the end; both are refused here, because a key with
// either is not one that a setup made.
func ParseVerifyingKey(b []byte) (*VerifyingKey, error) {
	h, count, rest, err := parseHead(b)
	if err != nil {
		return nil, err
	}
	if uint64(len(rest)) != uint64(count)*g1Size {
		return nil, fmt.Errorf("verifying key has %d bytes for %d inputs, not %d", len(rest), count, uint64(count)*g1Size)
	}
	k := &VerifyingKey{head: h, IC: make([]bls12381.G1Affine, count)}
	if err := checkedAllG1(k.IC, rest, 0); err != nil {
		return nil, fmt.Errorf("points of the inputs: %w", err)
	}
	return k, nil
}

// checkedAllG1 decodes and checks len(points) points of a key, sharing the work.
func checkedAllG1(points []bls12381.G1Affine, raw []byte, workers int) error {
	if err := decodeAllG1(points, raw, workers); err != nil {
		return err
	}
	for i := range points {
		if !points[i].IsOnCurve() {
			return fmt.Errorf("point %d: %w", i, errCurve)
		}
	}
	return checkSubgroup(points, workers)
}

func parseHead(b []byte) (h head, count int, rest []byte, err error) {
	if len(b) < vkHeadSize {
		return h, 0, nil, fmt.Errorf("key is cut off in its first %d bytes", vkHeadSize)
	}
	for _, f := range h.fields() {
		if f.g1 != nil {
			err, b = checkedG1(f.g1, (*[g1Size]byte)(b)), b[g1Size:]
		} else {
			err, b = checkedG2(f.g2, (*[g2Size]byte)(b)), b[g2Size:]
		}
		if err != nil {
			return h, 0, nil, fmt.Errorf("key's %s: %w", f.name, err)
		}
	}
	n := binary.BigEndian.Uint32(b)
	if n == 0 {
		return h, 0, nil, errors.New("key has no point for the input one")
	}
	return h, int(n), b[4:], nil
}

type headField struct {
	name string
	g1   *bls12381.G1Affine
	g2   *bls12381.G2Affine
}

// fields are the head's points in the order of the file.
func (h *head) fields() []headField {
	return []headField{
		{name: "alpha in G1", g1: &h.AlphaG1},
		{name: "beta in G1", g1: &h.BetaG1},
		{name: "beta in G2", g2: &h.BetaG2},
		{name: "gamma in G2", g2: &h.GammaG2},
		{name: "delta in G1", g1: &h.DeltaG1},
		{name: "delta in G2", g2: &h.DeltaG2},
	}
}

// AppendBinary appends the key in the form of a `.vk` file.
func (k *VerifyingKey) AppendBinary(b []byte) ([]byte, error) {
	b = k.appendTo(b)
	b = binary.BigEndian.AppendUint32(b, uint32(len(k.IC)))
	for i := range k.IC {
		p := k.IC[i].RawBytes()
		b = append(b, p[:]...)
	}
	return b, nil
}

func (h *head) appendTo(b []byte) []byte {
	for _, f := range h.fields() {
		if f.g1 != nil {
			p := f.g1.RawBytes()
			b = append(b, p[:]...)
		} else {
			p := f.g2.RawBytes()
			b = append(b, p[:]...)
		}
	}
	return b
}
