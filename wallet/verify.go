package wallet

import (
	"errors"
	"fmt"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/crypto"
	"golang.org/x/crypto/blake2b"

	"github.com/vigil-post/vigil"
)

// Verify says whether a signature is of a message and by its From, as the
// network judges it; the error says what is wrong. A signature of the message
// itself is not looked at.
func Verify(m vigil.SignedMessage, s crypto.Signature) error {
	unsigned, err := m.UnsignedCID()
	if err != nil {
		return err
	}
	switch {
	case m.From.Protocol() == address.SECP256K1 && s.Type == crypto.SigTypeSecp256k1:
		return secpVerify(m.From, unsigned.Bytes(), s.Data)
	case m.From.Protocol() == address.BLS && s.Type == crypto.SigTypeBLS:
		return blsVerify(m.From, unsigned.Bytes(), s.Data)
	}
	name, err := s.Type.Name()
	if err != nil {
		name = fmt.Sprintf("unknown type %d", s.Type)
	}
	return fmt.Errorf("a signature of type %s cannot be by %s", name, m.From)
}

// secpVerify recovers the key from R || S || V, as the chain does.
func secpVerify(from address.Address, data, signature []byte) error {
	const size, mostV, firstV = 65, 3, 27
	if len(signature) != size || signature[size-1] > mostV {
		return errors.New("the signature is not 64 bytes and a recovery number from 0 to 3")
	}
	hash := blake2b.Sum256(data)
	compact := append([]byte{firstV + signature[size-1]}, signature[:size-1]...)
	public, _, err := ecdsa.RecoverCompact(compact, hash[:])
	if err != nil {
		return fmt.Errorf("the signature is of no key: %w", err)
	}
	signer, err := address.NewSecp256k1Address(public.SerializeUncompressed())
	if err != nil {
		return err
	}
	if signer != from {
		return fmt.Errorf("the signature is of another message, or by another key than %s", from)
	}
	return nil
}

// blsVerify checks e(g1, signature) = e(public key, H(data)). The decoding
// refuses points outside the subgroups.
func blsVerify(from address.Address, data, signature []byte) error {
	var public bls12381.G1Affine
	if n, err := public.SetBytes(from.Payload()); err != nil || n != len(from.Payload()) || public.IsInfinity() {
		return fmt.Errorf("%s is not the address of a BLS key", from)
	}
	var signed bls12381.G2Affine
	if n, err := signed.SetBytes(signature); err != nil || n != len(signature) {
		return errors.New("the signature is not a compressed point of G2")
	}
	hashed, err := bls12381.HashToG2(data, blsDomain)
	if err != nil {
		return fmt.Errorf("hash to G2: %w", err)
	}
	_, _, base, _ := bls12381.Generators()
	base.Neg(&base)
	ok, err := bls12381.PairingCheck([]bls12381.G1Affine{base, public}, []bls12381.G2Affine{signed, hashed})
	if err != nil {
		return fmt.Errorf("verify the signature: %w", err)
	}
	if !ok {
		return fmt.Errorf("the signature is of another message, or by another key than %s", from)
	}
	return nil
}
