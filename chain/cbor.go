package chain

import (
	"bytes"
	"io"

	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
)

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
