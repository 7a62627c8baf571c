package groth16

import (
	"fmt"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
)

// ProofSize is the length of a proof: A, B and C compressed.
const ProofSize = 2*bls12381.SizeOfG1AffineCompressed + bls12381.SizeOfG2AffineCompressed

const compressed = 0x80 // flag in the first byte of a compressed point

// Proof is three points, each in its subgroup and not infinity.
type Proof struct {
	A bls12381.G1Affine
	B bls12381.G2Affine
	C bls12381.G1Affine
}

// ParseProof decodes a proof as strictly as filecoin-proofs does: a wrong
// length, a cleared compression flag, a coordinate at or above the modulus, a
// point off the curve, outside the subgroup or at infinity is an error.
func ParseProof(b []byte) (Proof, error) {
	var p Proof
	if len(b) != ProofSize {
		return p, fmt.Errorf("proof has %d bytes, not %d", len(b), ProofSize)
	}
	if err := compressedG1(&p.A, b[:48]); err != nil {
		return p, fmt.Errorf("proof's A: %w", err)
	}
	if err := compressedG2(&p.B, b[48:144]); err != nil {
		return p, fmt.Errorf("proof's B: %w", err)
	}
	if err := compressedG1(&p.C, b[144:]); err != nil {
		return p, fmt.Errorf("proof's C: %w", err)
	}
	return p, nil
}

// Bytes is the proof's one encoding.
func (p *Proof) Bytes() [ProofSize]byte {
	var out [ProofSize]byte
	a, b, c := p.A.Bytes(), p.B.Bytes(), p.C.Bytes()
	copy(out[:48], a[:])
	copy(out[48:144], b[:])
	copy(out[144:], c[:])
	return out
}

func compressedG1(p *bls12381.G1Affine, b []byte) error {
	if b[0]&compressed == 0 {
		return fmt.Errorf("point is not compressed")
	}
	if _, err := p.SetBytes(b); err != nil {
		return err
	}
	return checkG1(p)
}

func compressedG2(p *bls12381.G2Affine, b []byte) error {
	if b[0]&compressed == 0 {
		return fmt.Errorf("point is not compressed")
	}
	if _, err := p.SetBytes(b); err != nil {
		return err
	}
	return checkG2(p)
}
