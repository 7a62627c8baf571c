package devnet

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/big"
)

// pushes are the messages that the node signed itself.
type pushes struct {
	mu   sync.Mutex // held from the choice of a nonce until the message is in the pool; guards sent
	sent map[string]*SignedMessage
}

// noUUID is how a caller says that it names no push.
const noUUID = "00000000-0000-0000-0000-000000000000"

// MpoolPushMessage estimates, signs and pushes a message of an account whose
// key is in the wallet. A push with the UUID of an earlier one is that one.
func (a *api) MpoolPushMessage(ctx context.Context, m *Message, spec *MessageSendSpec) (*SignedMessage, error) {
	if err := need(ctx, "sign", "MpoolPushMessage"); err != nil {
		return nil, err
	}
	if err := m.complete(); err != nil {
		return nil, err
	}
	a.pushes.mu.Lock()
	defer a.pushes.mu.Unlock()
	id := noUUID
	if spec != nil && spec.MsgUuid != "" {
		id = spec.MsgUuid
	}
	if sm, ok := a.pushes.sent[id]; ok {
		return sm, nil
	}
	sm, err := a.pushNext(ctx, *m, spec)
	if err == nil && id != noUUID {
		if a.pushes.sent == nil {
			a.pushes.sent = map[string]*SignedMessage{}
		}
		a.pushes.sent[id] = sm
	}
	return sm, err
}

// pushNext gives a message the next nonce of its sender.
func (a *api) pushNext(ctx context.Context, m Message, spec *MessageSendSpec) (*SignedMessage, error) {
	from, err := keyAddress(a.n.chain.current(), m.From)
	if err != nil {
		return nil, fmt.Errorf("getting key address: %w", err)
	}
	if m.Nonce != 0 {
		return nil, fmt.Errorf("MpoolPushMessage expects message nonce to be 0, was %d", m.Nonce)
	}
	priced, err := a.GasEstimateMessageGas(ctx, &m, spec, nil)
	if err != nil {
		return nil, fmt.Errorf("GasEstimateMessageGas error: %w", err)
	}
	priced.From = from
	balance, err := a.WalletBalance(ctx, from)
	if err != nil {
		return nil, fmt.Errorf("mpool push: getting origin balance: %w", err)
	}
	if cost := big.Add(priced.Value, requiredFunds(&SignedMessage{Message: *priced})); balance.LessThan(cost) {
		return nil, fmt.Errorf("mpool push: not enough funds: %s < %s", balance, cost)
	}
	if priced.Nonce, err = a.MpoolGetNonce(ctx, from); err != nil {
		return nil, fmt.Errorf("failed to create nonce: %w", err)
	}
	k, err := a.n.signer(from)
	if err != nil {
		return nil, fmt.Errorf("failed to sign message: %w, addr=%s", err, from)
	}
	sm, err := k.SignMessage(*priced)
	if err != nil {
		return nil, err
	}
	if _, err := a.pushed(ctx, sm, maxPendingTrusted); err != nil {
		return nil, fmt.Errorf("mpool push: failed to push message: %w", err)
	}
	return sm, nil
}

// MpoolBatchPushMessage stops at the first message that cannot be sent.
func (a *api) MpoolBatchPushMessage(ctx context.Context, list []*Message, spec *MessageSendSpec) ([]*SignedMessage, error) {
	if err := need(ctx, "sign", "MpoolBatchPushMessage"); err != nil {
		return nil, err
	}
	var out []*SignedMessage
	for _, m := range list {
		sm, err := a.MpoolPushMessage(ctx, m, spec)
		if err != nil {
			return nil, err
		}
		out = append(out, sm)
	}
	return out, nil
}

// complete says whether a message that a caller made can be encoded at all.
func (m *Message) complete() error {
	if m == nil {
		return errNoMessage
	}
	if m.To == address.Undef {
		return errors.New("message To address is undefined")
	}
	if m.From == address.Undef {
		return errors.New("message From address is undefined")
	}
	return nil
}
