package sophon

import (
	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
)

// never is a message's Expires where its sender gave none.
const never = abi.ChainEpoch(1 << 40)

// stateOf is a state in sophon-messager's numbers. A message whose nonce went
// to another one is not given up here: it gets another nonce.
func stateOf(s vigil.MessageState) State {
	switch s {
	case vigil.MessageQueued:
		return UnFillMsg
	case vigil.MessageSigned, vigil.MessagePublished, vigil.MessageConflicted:
		return FillMsg
	case vigil.MessageIncluded, vigil.MessageConfirmed, vigil.MessageFailed:
		return OnChainMsg
	case vigil.MessageExpired, vigil.MessageCancelled:
		return FailedMsg
	}
	return Unknown
}

// statesOf is the inverse of stateOf.
func statesOf(wanted []State) []vigil.MessageState {
	var states []vigil.MessageState
	for _, s := range vigil.MessageStates {
		for _, w := range wanted {
			if stateOf(s) == w {
				states = append(states, s)
			}
		}
	}
	return states
}

// wordsOf is a message as sophon-messager would tell of it, at a head.
func wordsOf(m vigil.Message, head abi.ChainEpoch) (*Message, error) {
	w := &Message{
		ID:        m.ID,
		Call:      callOf(vigil.SignedMessage{Call: m.Call, Nonce: m.Nonce}),
		State:     stateOf(m.State),
		Meta:      &SendSpec{ExpireEpoch: m.Expires, MaxFee: big.Zero()},
		TipSetKey: []cid.Cid{},
		ErrorMsg:  m.Problem,
		CreatedAt: m.Created,
		UpdatedAt: m.Updated,
	}
	if m.Call.From == address.Undef && len(m.Senders) == 1 {
		w.From = m.Senders[0]
	}
	if m.Expires == never {
		w.Meta.ExpireEpoch = 0
	}
	if err := w.addAttempt(m); err != nil {
		return nil, err
	}
	return w, w.addReceipt(m, head)
}

// addAttempt tells of the attempt that counts: the executed one, or else the last.
func (w *Message) addAttempt(m vigil.Message) error {
	a, ok := m.Executed()
	if !ok && len(m.Attempts) > 0 {
		a, ok = m.Attempts[len(m.Attempts)-1], true
	}
	if !ok {
		return nil
	}
	unsigned, err := a.Signed.UnsignedCID()
	if err != nil {
		return err
	}
	w.UnsignedCid, w.SignedCid = &unsigned, &a.CID
	w.Signature = &a.Signed.Signature
	if !a.Cancel {
		w.Call = callOf(a.Signed)
	}
	return nil
}

func (w *Message) addReceipt(m vigil.Message, head abi.ChainEpoch) error {
	if m.Receipt == nil {
		return nil
	}
	tipset, err := m.Receipt.TipSet.CIDs()
	if err != nil {
		return err
	}
	w.Receipt = &Receipt{ExitCode: m.Receipt.ExitCode, GasUsed: m.Receipt.GasUsed}
	w.TipSetKey = append(w.TipSetKey, tipset...)
	w.Height = int64(m.Receipt.Epoch)
	w.Confidence = max(0, int64(head-m.Receipt.Epoch))
	return nil
}

func callOf(m vigil.SignedMessage) Call {
	return Call{
		To: m.To, From: m.From, Nonce: m.Nonce, Value: amount(m.Value), Method: m.Method, Params: m.Params,
		GasLimit: m.Gas.Limit, GasFeeCap: amount(m.Gas.FeeCap), GasPremium: amount(m.Gas.Premium),
	}
}

func amount(a abi.TokenAmount) abi.TokenAmount {
	if a.Nil() {
		return big.Zero()
	}
	return a
}
