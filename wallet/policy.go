package wallet

import (
	"fmt"
	"slices"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin"

	"github.com/vigil-post/vigil"
)

// Policy is what keys are used for. It lets pass a message to one of the
// receivers by one of the methods, within the greatest value and fee; and a
// message that only fills a nonce: from an account to itself, without value,
// method and parameters, within the same fee. All else is refused.
type Policy struct {
	Receivers []address.Address
	Methods   []abi.MethodNum
	MaxValue  abi.TokenAmount // sent along; zero for a Window PoSt
	MaxFee    abi.TokenAmount // gas limit times fee cap
}

// PostMethods are what a Window PoSt daemon calls of a miner.
var PostMethods = []abi.MethodNum{
	builtin.MethodsMiner.SubmitWindowedPoSt,
	builtin.MethodsMiner.DeclareFaults,
	builtin.MethodsMiner.DeclareFaultsRecovered,
}

// PostPolicy lets pass what keeps the miners proven, within the fee.
func PostPolicy(miners []abi.ActorID, maxFee abi.TokenAmount) Policy {
	p := Policy{Methods: slices.Clone(PostMethods), MaxValue: big.Zero(), MaxFee: maxFee}
	for _, id := range miners {
		p.Receivers = append(p.Receivers, vigil.MinerAddress(id))
	}
	return p
}

// maxGasLimit is that of a whole block.
const maxGasLimit int64 = 10_000_000_000

// Check gives a *vigil.SigningRefusal for a message that the policy holds keys
// back from.
func (p Policy) Check(m vigil.SignedMessage) error {
	for _, judge := range []func(vigil.SignedMessage) string{p.sender, p.purpose, p.money, p.size} {
		if why := judge(m); why != "" {
			return &vigil.SigningRefusal{Text: why}
		}
	}
	return nil
}

// Allows gives a *vigil.SigningRefusal for a call that would be refused whatever
// its nonce and gas, so that its caller learns of it at once.
func (p Policy) Allows(c vigil.Call) error {
	return p.Check(vigil.SignedMessage{Call: c})
}

func (p Policy) sender(m vigil.SignedMessage) string {
	switch m.From.Protocol() {
	case address.SECP256K1, address.BLS:
		return ""
	}
	return fmt.Sprintf("the sender %s is not the address of a key: f1 or f3", m.From)
}

func (p Policy) purpose(m vigil.SignedMessage) string {
	switch {
	case m.To == m.From && m.Method == builtin.MethodSend && amount(m.Value).Sign() == 0 && len(m.Params) == 0:
		return "" // it fills a nonce, or takes a message's place
	case !slices.Contains(p.Receivers, m.To):
		return fmt.Sprintf("the receiver %s is not one of the configured miners %v: add it to receivers in [wallet.policy] if it should be", m.To, p.Receivers)
	case !slices.Contains(p.Methods, m.Method):
		return fmt.Sprintf("method %d of %s is not one of the allowed %v: add it to methods in [wallet.policy] if it should be", m.Method, m.To, p.Methods)
	}
	return ""
}

func (p Policy) money(m vigil.SignedMessage) string {
	value, feeCap, premium := amount(m.Value), amount(m.Gas.FeeCap), amount(m.Gas.Premium)
	fee := big.Mul(feeCap, big.NewInt(m.Gas.Limit))
	switch {
	case value.LessThan(big.Zero()) || value.GreaterThan(amount(p.MaxValue)):
		return fmt.Sprintf("it sends %s attoFIL along, and %s is the most allowed: see max_value in [wallet.policy]", value, amount(p.MaxValue))
	case m.Gas.Limit < 0 || m.Gas.Limit > maxGasLimit: // with 0 no chain takes it: a key is tried with that
		return fmt.Sprintf("its gas limit %d is not from 0 to %d", m.Gas.Limit, maxGasLimit)
	case feeCap.LessThan(big.Zero()) || premium.LessThan(big.Zero()) || premium.GreaterThan(feeCap):
		return fmt.Sprintf("its premium %s and fee cap %s are not in order", premium, feeCap)
	case fee.GreaterThan(amount(p.MaxFee)):
		return fmt.Sprintf("it may cost %s attoFIL in gas (limit %d at %s), and %s is the most allowed: see max_fee in [wallet.policy]", fee, m.Gas.Limit, feeCap, amount(p.MaxFee))
	}
	return ""
}

func (p Policy) size(m vigil.SignedMessage) string {
	data, err := m.EncodeUnsigned()
	switch {
	case err != nil:
		return err.Error()
	case len(data) > vigil.MaxMessageSize:
		return fmt.Sprintf("it has %d bytes, and no node takes more than %d", len(data), vigil.MaxMessageSize)
	}
	return ""
}

func amount(a abi.TokenAmount) abi.TokenAmount {
	if a.Nil() {
		return big.Zero()
	}
	return a
}
