package vigil

import (
	"encoding/binary"
	"fmt"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/ipfs/go-cid"
)

// The network's form of a message is CBOR (RFC 8949): an array of ten,
// [version, to, from, nonce, value, gas limit, gas fee cap, gas premium,
// method, params], and of a signed one the array [message, signature]
// (lotus/chain/types/message.go and signedmessage.go).

// The major types of RFC 8949, section 3.1.
const (
	cborUint  = 0 << 5
	cborNeg   = 1 << 5
	cborBytes = 2 << 5
	cborArray = 4 << 5
)

// MaxMessageSize is what a node's pool takes, encoded and signed.
const MaxMessageSize = 64 << 10

// maxAmountBytes is the longest amount that the network decodes (BigIntMaxSerializedLen of go-state-types).
const maxAmountBytes = 128

// EncodeUnsigned gives the bytes whose CID is signed; the signature is not looked at.
func (m SignedMessage) EncodeUnsigned() ([]byte, error) {
	if m.To == address.Undef || m.From == address.Undef {
		return nil, fmt.Errorf("encode message: it has no sender or no receiver")
	}
	for _, a := range []abi.TokenAmount{m.Value, m.Gas.FeeCap, m.Gas.Premium} {
		if len(amountBytes(a)) > maxAmountBytes {
			return nil, fmt.Errorf("encode message: an amount of it is beyond all FIL there is: it takes more than %d bytes", maxAmountBytes)
		}
	}
	out := cborHead(nil, cborArray, 10)
	out = cborHead(out, cborUint, 0) // version
	out = cborString(out, m.To.Bytes())
	out = cborString(out, m.From.Bytes())
	out = cborHead(out, cborUint, m.Nonce)
	out = cborString(out, amountBytes(m.Value))
	out = cborInt(out, m.Gas.Limit)
	out = cborString(out, amountBytes(m.Gas.FeeCap))
	out = cborString(out, amountBytes(m.Gas.Premium))
	out = cborHead(out, cborUint, uint64(m.Method))
	return cborString(out, m.Params), nil
}

// Encode gives the bytes that the network spreads.
func (m SignedMessage) Encode() ([]byte, error) {
	message, err := m.EncodeUnsigned()
	if err != nil {
		return nil, err
	}
	out := append(cborHead(nil, cborArray, 2), message...)
	return cborString(out, append([]byte{byte(m.Signature.Type)}, m.Signature.Data...)), nil
}

// UnsignedCID is the CID of the message without its signature. Its bytes are
// what a key signs.
func (m SignedMessage) UnsignedCID() (cid.Cid, error) {
	data, err := m.EncodeUnsigned()
	if err != nil {
		return cid.Undef, err
	}
	return abi.CidBuilder.Sum(data)
}

// CID is the message's name on chain, where BLS signatures are kept apart
// from their messages.
func (m SignedMessage) CID() (cid.Cid, error) {
	if m.Signature.Type == crypto.SigTypeBLS {
		return m.UnsignedCID()
	}
	data, err := m.Encode()
	if err != nil {
		return cid.Undef, err
	}
	return abi.CidBuilder.Sum(data)
}

// amountBytes is 0 (or 1 for a negative amount) and the magnitude, big-endian; nothing for zero.
func amountBytes(a abi.TokenAmount) []byte {
	if a.NilOrZero() {
		return nil
	}
	sign := byte(0)
	if a.Sign() < 0 {
		sign = 1
	}
	return append([]byte{sign}, a.Int.Bytes()...)
}

func cborString(out, data []byte) []byte {
	return append(cborHead(out, cborBytes, uint64(len(data))), data...)
}

func cborInt(out []byte, n int64) []byte {
	if n < 0 {
		return cborHead(out, cborNeg, uint64(-1-n))
	}
	return cborHead(out, cborUint, uint64(n))
}

// cborHead appends a major type with its argument in the shortest form.
func cborHead(out []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(out, major|byte(n))
	case n < 1<<8:
		return append(out, major|24, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(out, major|25), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(out, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(out, major|27), n)
}
