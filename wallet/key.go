package wallet

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"slices"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/crypto"
	"golang.org/x/crypto/blake2b"
)

// KeyType is the kind of a key. It is stored as this word, which is also the
// word of Lotus' KeyInfo.
type KeyType string

const (
	Secp256k1 KeyType = "secp256k1" // ECDSA; its addresses begin with f1
	BLS       KeyType = "bls"       // BLS12-381; its addresses begin with f3
)

// blsDomain is the domain separation tag of Filecoin's BLS signatures: public
// keys in G1, signatures in G2 (draft-irtf-cfrg-bls-signature, "minimal-pubkey-size").
var blsDomain = []byte("BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_")

const privateKeySize = 32

// key is a private key with what follows from it.
type key struct {
	kind    KeyType
	private []byte // secp256k1: big-endian; bls: little-endian, as Lotus keeps them
	address address.Address
}

// newKey checks a private key and derives its address.
func newKey(kind KeyType, private []byte) (key, error) {
	if len(private) != privateKeySize {
		return key{}, fmt.Errorf("a private key has %d bytes, this one has %d", privateKeySize, len(private))
	}
	var addr address.Address
	var err error
	switch kind {
	case Secp256k1:
		addr, err = secpAddress(private)
	case BLS:
		addr, err = blsAddress(private)
	default:
		return key{}, fmt.Errorf("key type %q is not one of %q and %q", kind, BLS, Secp256k1)
	}
	if err != nil {
		return key{}, err
	}
	return key{kind: kind, private: slices.Clone(private), address: addr}, nil
}

// randomKey makes a key from the system's randomness.
func randomKey(kind KeyType) (key, error) {
	switch kind {
	case Secp256k1:
		k, err := secp256k1.GeneratePrivateKey()
		if err != nil {
			return key{}, fmt.Errorf("make a secp256k1 key: %w", err)
		}
		return newKey(kind, k.Serialize())
	case BLS:
		k, err := rand.Int(rand.Reader, new(big.Int).Sub(fr.Modulus(), big.NewInt(1)))
		if err != nil {
			return key{}, fmt.Errorf("make a BLS key: %w", err)
		}
		k.Add(k, big.NewInt(1)) // 0 is no key
		private := k.FillBytes(make([]byte, privateKeySize))
		slices.Reverse(private)
		return newKey(kind, private)
	}
	return newKey(kind, make([]byte, privateKeySize)) // says that there is no such type
}

// sign signs data as the network does: deterministically, so that a signature
// that was lost is made again with the same bytes. Neither library computes
// in constant time.
func (k key) sign(data []byte) (crypto.Signature, error) {
	if k.kind == Secp256k1 {
		return crypto.Signature{Type: crypto.SigTypeSecp256k1, Data: secpSign(k.private, data)}, nil
	}
	point, err := bls12381.HashToG2(data, blsDomain)
	if err != nil {
		return crypto.Signature{}, fmt.Errorf("hash to G2: %w", err)
	}
	var signed bls12381.G2Affine
	signed.ScalarMultiplication(&point, blsScalar(k.private))
	bytes := signed.Bytes()
	return crypto.Signature{Type: crypto.SigTypeBLS, Data: bytes[:]}, nil
}

func secpAddress(private []byte) (address.Address, error) {
	var scalar secp256k1.ModNScalar
	if overflow := scalar.SetByteSlice(private); overflow || scalar.IsZero() {
		return address.Undef, fmt.Errorf("the private key is not a secp256k1 key: out of range")
	}
	public := secp256k1.NewPrivateKey(&scalar).PubKey().SerializeUncompressed()
	return address.NewSecp256k1Address(public)
}

// secpSign gives R || S || V over the BLAKE2b-256 hash of data, V from 0 to 3;
// decred puts 27 + V in front.
func secpSign(private, data []byte) []byte {
	const firstV = 27
	hash := blake2b.Sum256(data)
	compact := ecdsa.SignCompact(secp256k1.PrivKeyFromBytes(private), hash[:], false)
	return append(compact[1:len(compact):len(compact)], compact[0]-firstV)
}

func blsAddress(private []byte) (address.Address, error) {
	scalar := blsScalar(private)
	if scalar.Sign() == 0 || scalar.Cmp(fr.Modulus()) >= 0 {
		return address.Undef, fmt.Errorf("the private key is not a BLS key: out of range")
	}
	var public bls12381.G1Affine
	public.ScalarMultiplicationBase(scalar)
	bytes := public.Bytes()
	return address.NewBLSAddress(bytes[:])
}

func blsScalar(private []byte) *big.Int {
	bigEndian := slices.Clone(private)
	slices.Reverse(bigEndian)
	return new(big.Int).SetBytes(bigEndian)
}
