package chain

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/ipfs/go-cid"
	cbg "github.com/whyrusleeping/cbor-gen"

	"github.com/vigil-post/vigil"
)

// messageCID is the name a message has on chain: of the message alone where
// blocks aggregate the signature (BLS), of the signed message otherwise.
func messageCID(m vigil.SignedMessage) (cid.Cid, error) {
	if m.From == address.Undef || m.To == address.Undef {
		return cid.Undef, errors.New("a message without a sender or a receiver")
	}
	data, err := encodeMessage(m)
	if err != nil {
		return cid.Undef, fmt.Errorf("encode the message: %w", err)
	}
	if m.Signature.Type != crypto.SigTypeBLS {
		signature, err := cborOf(&m.Signature)
		if err != nil {
			return cid.Undef, fmt.Errorf("encode the signature: %w", err)
		}
		data = append(append([]byte{0x82}, data...), signature...)
	}
	return abi.CidBuilder.Sum(data)
}

// encodeMessage is the CBOR of an unsigned message: a tuple of ten
// (lotus chain/types/message.go).
func encodeMessage(m vigil.SignedMessage) ([]byte, error) {
	var buf bytes.Buffer
	w := cbg.NewCborWriter(&buf)
	err := errors.Join(
		w.WriteMajorTypeHeader(cbg.MajArray, 10),
		w.WriteMajorTypeHeader(cbg.MajUnsignedInt, 0), // version
		ptr(m.To).MarshalCBOR(w),
		ptr(m.From).MarshalCBOR(w),
		w.WriteMajorTypeHeader(cbg.MajUnsignedInt, m.Nonce),
		ptr(orZero(m.Value)).MarshalCBOR(w),
		writeInt(w, m.Gas.Limit),
		ptr(orZero(m.Gas.FeeCap)).MarshalCBOR(w),
		ptr(orZero(m.Gas.Premium)).MarshalCBOR(w),
		w.WriteMajorTypeHeader(cbg.MajUnsignedInt, uint64(m.Method)),
		cbg.WriteByteArray(w, m.Params),
	)
	return buf.Bytes(), err
}

func writeInt(w *cbg.CborWriter, n int64) error {
	if n < 0 {
		return w.WriteMajorTypeHeader(cbg.MajNegativeInt, uint64(-n-1))
	}
	return w.WriteMajorTypeHeader(cbg.MajUnsignedInt, uint64(n))
}

func cborOf(v interface{ MarshalCBOR(io.Writer) error }) ([]byte, error) {
	var buf bytes.Buffer
	err := v.MarshalCBOR(&buf)
	return buf.Bytes(), err
}

func orZero(n big.Int) big.Int {
	if n.Int == nil {
		return big.Zero()
	}
	return n
}

// wireMessage is a message as nodes read it.
func wireMessage(call vigil.Call, nonce uint64, gas vigil.Gas) message {
	return message{
		To:         account{call.To},
		From:       account{call.From},
		Nonce:      &nonce,
		Value:      amount{orZero(call.Value)},
		GasLimit:   &gas.Limit,
		GasFeeCap:  amount{orZero(gas.FeeCap)},
		GasPremium: amount{orZero(gas.Premium)},
		Method:     call.Method,
		Params:     call.Params,
	}
}
