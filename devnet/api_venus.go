package devnet

import (
	"context"
	"errors"
	"fmt"

	"github.com/filecoin-project/go-address"
	"github.com/ipfs/go-cid"
)

// The methods that a Venus node has beside a Lotus node's: what its messager asks for.

// EstimateMessage is a message to be priced.
type EstimateMessage struct {
	Msg  *Message
	Spec *MessageSendSpec
}

// EstimateResult is a priced message, or why it cannot be sent.
type EstimateResult struct {
	Msg *Message
	Err string
}

// GasBatchEstimateMessageGas prices messages of one sender that follow one
// another from a nonce on. One that cannot be sent takes no nonce.
func (a *api) GasBatchEstimateMessageGas(ctx context.Context, list []*EstimateMessage, nonce uint64, key TipSetKey) ([]*EstimateResult, error) {
	if len(list) == 0 {
		return nil, errors.New("estimate messages are empty")
	}
	ts, err := a.at(key)
	if err != nil {
		return nil, fmt.Errorf("getting tipset: %w", err)
	}
	var out []*EstimateResult
	var before []*Message
	for _, e := range list {
		if e == nil || e.Msg == nil {
			return nil, errNoMessage
		}
		if err := e.Msg.complete(); err != nil {
			return nil, err
		}
		m := *e.Msg
		m.Nonce = nonce
		priced, err := a.n.priced(ctx, m, e.Spec, ts, before)
		if err != nil {
			m.Nonce = 0
			out = append(out, &EstimateResult{Msg: &m, Err: fmt.Sprintf("estimating gas limit: %v", err)})
			continue
		}
		out = append(out, &EstimateResult{Msg: priced})
		before = append(before, priced)
		nonce++
	}
	return out, nil
}

// MpoolSelects is MpoolSelect for several ticket qualities, which are all the
// same to a network with one producer.
func (a *api) MpoolSelects(ctx context.Context, key TipSetKey, qualities []float64) ([][]*SignedMessage, error) {
	list, err := a.MpoolSelect(ctx, key, 1)
	if err != nil {
		return nil, err
	}
	var out [][]*SignedMessage
	for range qualities {
		out = append(out, list)
	}
	return out, nil
}

// MpoolPublishMessage would send a message to the node's peers. There are none:
// what the pool takes is where it can be.
func (a *api) MpoolPublishMessage(ctx context.Context, m *SignedMessage) error {
	if err := need(ctx, "write", "MpoolPublishMessage"); err != nil {
		return err
	}
	if m == nil {
		return errNoMessage
	}
	c, err := m.CID()
	if err != nil {
		return err
	}
	if a.n.pool.has(m.Message.From, c) {
		return nil
	}
	_, err = a.pushed(ctx, m, maxPendingTrusted)
	return err
}

// MpoolPublishByAddr would send an account's messages to the node's peers again.
func (a *api) MpoolPublishByAddr(ctx context.Context, _ address.Address) error {
	return need(ctx, "write", "MpoolPublishByAddr")
}

func (p *pool) has(from address.Address, c cid.Cid) bool {
	for _, m := range p.of(from) {
		if id, err := m.CID(); err == nil && id == c {
			return true
		}
	}
	return false
}
