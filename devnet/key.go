package devnet

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"

	bls "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/crypto"
)

// blsDST is the domain of Filecoin's BLS signatures: public keys in G1,
// signatures in G2, no augmentation.
var blsDST = []byte("BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_")

// Key is an account's key, with the means to sign messages in tests.
type Key struct {
	Type    crypto.SigType
	private []byte // big-endian for secp256k1, little-endian for BLS, as in a KeyInfo
	Address address.Address
}

// NewKey draws a key.
func NewKey(typ crypto.SigType) (*Key, error) {
	seed := make([]byte, 32)
	if _, err := rand.Read(seed); err != nil {
		return nil, err
	}
	if typ == crypto.SigTypeBLS {
		var s fr.Element
		s.SetBytes(seed)
		be := s.Bytes()
		seed = reversed(be[:])
	}
	return keyOf(typ, seed)
}

func keyOf(typ crypto.SigType, private []byte) (*Key, error) {
	k := &Key{Type: typ, private: private}
	var err error
	switch typ {
	case crypto.SigTypeSecp256k1:
		pub := secp256k1.PrivKeyFromBytes(private).PubKey().SerializeUncompressed()
		k.Address, err = address.NewSecp256k1Address(pub)
	case crypto.SigTypeBLS:
		_, _, g1, _ := bls.Generators()
		var pub bls.G1Affine
		pub.ScalarMultiplication(&g1, new(big.Int).SetBytes(reversed(private)))
		b := pub.Bytes()
		k.Address, err = address.NewBLSAddress(b[:])
	default:
		err = fmt.Errorf("no keys of type %d", typ)
	}
	return k, err
}

func reversed(b []byte) []byte {
	out := make([]byte, len(b))
	for i, x := range b {
		out[len(b)-1-i] = x
	}
	return out
}

// Sign signs as a wallet does: over the bytes given, which for a message are
// its CID's.
func (k *Key) Sign(data []byte) (crypto.Signature, error) {
	if k.Type == crypto.SigTypeSecp256k1 {
		compact := ecdsa.SignCompact(secp256k1.PrivKeyFromBytes(k.private), hash256(data), false)
		return crypto.Signature{Type: k.Type, Data: append(compact[1:], compact[0]-27)}, nil
	}
	h, err := bls.HashToG2(data, blsDST)
	if err != nil {
		return crypto.Signature{}, fmt.Errorf("hash to curve: %w", err)
	}
	h.ScalarMultiplication(&h, new(big.Int).SetBytes(reversed(k.private)))
	b := h.Bytes()
	return crypto.Signature{Type: k.Type, Data: b[:]}, nil
}

// SignMessage signs a message.
func (k *Key) SignMessage(m Message) (*SignedMessage, error) {
	m.defaults()
	c, err := m.CID()
	if err != nil {
		return nil, err
	}
	sig, err := k.Sign(c.Bytes())
	if err != nil {
		return nil, err
	}
	return &SignedMessage{Message: m, Signature: sig}, nil
}

// verify checks a signature against a key address; the words are a node's.
func verify(sig *crypto.Signature, signer address.Address, data []byte) error {
	switch {
	case signer.Protocol() == address.ID:
		return errors.New("must resolve ID addresses before using them to verify a signature")
	case sig.Type == crypto.SigTypeSecp256k1:
		return verifySecp(sig.Data, signer, data)
	case sig.Type == crypto.SigTypeBLS:
		return verifyBLS(sig.Data, signer, data)
	}
	return fmt.Errorf("cannot verify signature of unsupported type: %v", sig.Type)
}

func verifySecp(sig []byte, signer address.Address, data []byte) error {
	if len(sig) != 65 {
		return fmt.Errorf("secp256k1 signature of %d bytes", len(sig))
	}
	compact := append([]byte{sig[64] + 27}, sig[:64]...)
	pub, _, err := ecdsa.RecoverCompact(compact, hash256(data))
	if err != nil {
		return fmt.Errorf("recover public key: %w", err)
	}
	got, err := address.NewSecp256k1Address(pub.SerializeUncompressed())
	if err != nil {
		return err
	}
	if got != signer {
		return errors.New("signature did not match")
	}
	return nil
}

func verifyBLS(sig []byte, signer address.Address, data []byte) error {
	if signer.Protocol() != address.BLS {
		return errors.New("bls signature of an address that is not a bls key")
	}
	if len(sig) != bls.SizeOfG2AffineCompressed {
		return errors.New("bls signature incorrectly sized")
	}
	var pub bls.G1Affine
	var s bls.G2Affine
	if _, err := pub.SetBytes(signer.Payload()); err != nil {
		return fmt.Errorf("bls public key: %w", err)
	}
	if _, err := s.SetBytes(sig); err != nil {
		return fmt.Errorf("bls signature: %w", err)
	}
	h, err := bls.HashToG2(data, blsDST)
	if err != nil {
		return err
	}
	_, _, g1, _ := bls.Generators()
	var neg bls.G1Affine
	neg.Neg(&g1)
	ok, err := bls.PairingCheck([]bls.G1Affine{pub, neg}, []bls.G2Affine{h, s})
	if err != nil {
		return err
	}
	if !ok || pub.IsInfinity() {
		return errors.New("bls signature failed to verify")
	}
	return nil
}

// keyInfo is how lotus exports a key: this, as JSON, in hex.
type keyInfo struct {
	Type       string
	PrivateKey []byte
}

var keyTypes = map[string]crypto.SigType{"secp256k1": crypto.SigTypeSecp256k1, "bls": crypto.SigTypeBLS}

// info is the key as it is exported.
func (k *Key) info() *keyInfo {
	info := &keyInfo{PrivateKey: k.private}
	for name, typ := range keyTypes {
		if typ == k.Type {
			info.Type = name
		}
	}
	return info
}

// key is the inverse of info.
func (i *keyInfo) key() (*Key, error) {
	typ, ok := keyTypes[i.Type]
	if !ok || len(i.PrivateKey) != 32 {
		return nil, fmt.Errorf("not a %q key of 32 bytes", i.Type)
	}
	return keyOf(typ, i.PrivateKey)
}

// write exports the key for a wallet to import.
func (k *Key) write(path string) error {
	b, err := json.Marshal(k.info())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(hex.EncodeToString(b)+"\n"), 0o600)
}

// ReadKey reads an exported key.
func ReadKey(path string) (*Key, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	b, err := hex.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	var info keyInfo
	if err := json.Unmarshal(b, &info); err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	k, err := info.key()
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	return k, nil
}
