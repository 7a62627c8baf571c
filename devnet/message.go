package devnet

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/ipfs/go-cid"
)

// Message is an unsigned message as it stands in JSON and, encoded, on chain.
type Message struct {
	Version    uint64
	To         address.Address
	From       address.Address
	Nonce      uint64
	Value      abi.TokenAmount
	GasLimit   int64
	GasFeeCap  abi.TokenAmount
	GasPremium abi.TokenAmount
	Method     abi.MethodNum
	Params     []byte
}

// SignedMessage is what the pool takes.
type SignedMessage struct {
	Message   Message
	Signature crypto.Signature
}

func (m *Message) encode(e *encoder) {
	e.array(10)
	e.uint(m.Version)
	e.value(&m.To)
	e.value(&m.From)
	e.uint(m.Nonce)
	e.value(&m.Value)
	e.int(m.GasLimit)
	e.value(&m.GasFeeCap)
	e.value(&m.GasPremium)
	e.uint(uint64(m.Method))
	e.bytes(m.Params)
}

// Bytes is the message's encoding on chain.
func (m *Message) Bytes() ([]byte, error) {
	var e encoder
	m.encode(&e)
	return e.buf.Bytes(), e.err
}

// CID names the unsigned message; it is what its sender signs.
func (m *Message) CID() (cid.Cid, error) {
	var e encoder
	m.encode(&e)
	b, err := e.block()
	if err != nil {
		return cid.Undef, fmt.Errorf("message: %w", err)
	}
	return b.Cid(), nil
}

// Bytes is the signed message's encoding.
func (m *SignedMessage) Bytes() ([]byte, error) {
	var e encoder
	m.encode(&e)
	return e.buf.Bytes(), e.err
}

func (m *SignedMessage) encode(e *encoder) {
	e.array(2)
	m.Message.encode(e)
	e.value(&m.Signature)
}

// CID names the message on chain: the unsigned message if its signature goes
// into the block's aggregate (BLS), else the signed one.
func (m *SignedMessage) CID() (cid.Cid, error) {
	if m.Signature.Type == crypto.SigTypeBLS {
		return m.Message.CID()
	}
	var e encoder
	m.encode(&e)
	b, err := e.block()
	if err != nil {
		return cid.Undef, fmt.Errorf("signed message: %w", err)
	}
	return b.Cid(), nil
}

// chainLength is the number of bytes a message takes in a block; a BLS
// signature takes none.
func (m *SignedMessage) chainLength() int {
	enc := m.Bytes
	if m.Signature.Type == crypto.SigTypeBLS {
		enc = m.Message.Bytes
	}
	b, err := enc()
	if err != nil {
		return 0
	}
	return len(b)
}

// equalCall says that two messages do the same, whatever they pay for it.
func (m *Message) equalCall(o *Message) bool {
	a, b := *m, *o
	for _, x := range []*Message{&a, &b} {
		x.GasLimit, x.GasFeeCap, x.GasPremium = 0, big.Zero(), big.Zero()
	}
	ca, errA := a.CID()
	cb, errB := b.CID()
	return errA == nil && errB == nil && ca == cb
}

// MarshalJSON adds the CID, as a node does.
func (m Message) MarshalJSON() ([]byte, error) {
	type plain Message
	c, err := m.CID()
	if err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		plain
		CID cid.Cid
	}{plain(m), c})
}

// MarshalJSON adds the CID, as a node does.
func (m SignedMessage) MarshalJSON() ([]byte, error) {
	type plain SignedMessage
	c, err := m.CID()
	if err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		plain
		CID cid.Cid
	}{plain(m), c})
}

// defaults fills in what a request may leave out, so that arithmetic is safe.
func (m *Message) defaults() {
	for _, v := range []*abi.TokenAmount{&m.Value, &m.GasFeeCap, &m.GasPremium} {
		if v.Int == nil {
			*v = big.Zero()
		}
	}
}

// totalFilecoin is the most that can ever exist, in attoFIL.
var totalFilecoin = big.Mul(big.NewInt(2_000_000_000), big.NewInt(1_000_000_000_000_000_000))

// valid is the syntactic check before a block may hold the message; the words
// are the network's.
func (m *Message) valid(minGas int64) error {
	switch {
	case m.Version != 0:
		return errors.New("'Version' unsupported")
	case m.To == address.Undef:
		return errors.New("'To' address cannot be empty")
	case m.From == address.Undef:
		return errors.New("'From' address cannot be empty")
	case m.Value.Int == nil:
		return errors.New("'Value' cannot be nil")
	case m.Value.LessThan(big.Zero()):
		return errors.New("'Value' field cannot be negative")
	case m.Value.GreaterThan(totalFilecoin):
		return errors.New("'Value' field cannot be greater than total filecoin supply")
	case m.GasFeeCap.Int == nil:
		return errors.New("'GasFeeCap' cannot be nil")
	case m.GasFeeCap.LessThan(big.Zero()):
		return errors.New("'GasFeeCap' field cannot be negative")
	case m.GasPremium.Int == nil:
		return errors.New("'GasPremium' cannot be nil")
	case m.GasPremium.LessThan(big.Zero()):
		return errors.New("'GasPremium' field cannot be negative")
	case m.GasPremium.GreaterThan(m.GasFeeCap):
		return errors.New("'GasFeeCap' less than 'GasPremium'")
	case m.GasLimit > blockGasLimit:
		return fmt.Errorf("'GasLimit' field cannot be greater than a block's gas limit (%d > %d)", m.GasLimit, int64(blockGasLimit))
	case m.GasLimit <= 0:
		return fmt.Errorf("'GasLimit' field %d must be positive", m.GasLimit)
	case m.GasLimit < minGas:
		return fmt.Errorf("'GasLimit' field cannot be less than the cost of storing a message on chain %d < %d", m.GasLimit, minGas)
	}
	return nil
}
