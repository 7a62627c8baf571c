package devnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/ipfs/go-cid"
)

// noLimit is how a caller says that all of the chain may be searched.
const noLimit abi.ChainEpoch = -1

// MsgLookup is where a message was executed: the tipset that has its receipt,
// which is the one after the tipset that has the message.
type MsgLookup struct {
	Message   cid.Cid
	Receipt   Receipt
	ReturnDec any
	TipSet    TipSetKey
	Height    abi.ChainEpoch
}

func (a *api) StateSearchMsg(_ context.Context, from TipSetKey, c cid.Cid, limit abi.ChainEpoch, allowReplaced bool) (*MsgLookup, error) {
	ts, err := a.at(from)
	if err != nil {
		return nil, fmt.Errorf("loading tipset %v: %w", from, err)
	}
	found, err := a.search(ts, c, limit, allowReplaced)
	var replaced *replacedError
	if !allowReplaced && errors.As(err, &replaced) {
		return nil, nil
	}
	return found, err
}

func (a *api) search(ts *tipset, c cid.Cid, limit abi.ChainEpoch, allowReplaced bool) (*MsgLookup, error) {
	m, ok := a.n.chain.message(c)
	if !ok {
		return nil, errNoMessageHere{errNoBlock{c}}
	}
	return a.n.lookup(ts, c, m, limit, allowReplaced)
}

// errNoMessageHere has the words of a node, which come from two %w verbs in
// xerrors.Errorf, one too many. Clients know them as they are.
type errNoMessageHere struct{ error }

func (e errNoMessageHere) Error() string {
	return "%!w(*errors.errorString=&{failed to load message}): " + e.error.Error()
}

// replacedError says that another message took the nonce of the one that was
// looked for. The words are a node's, which says what it is before and after: so
// xerrors.Errorf writes a %w that is not the last verb.
type replacedError struct{ text string }

func (e *replacedError) Error() string {
	return "message was replaced: " + e.text + ": message was replaced"
}

// lookup finds a message that was executed at ts or before. It finds another one
// that took its nonce if that does the same and the caller is content with it;
// else that is a *replacedError.
func (n *Network) lookup(ts *tipset, c cid.Cid, m *SignedMessage, limit abi.ChainEpoch, allowReplaced bool) (*MsgLookup, error) {
	in, ok := n.chain.place(m.Message.From, m.Message.Nonce)
	if !ok {
		return nil, nil
	}
	executed, ok := n.chain.child(in.tipset)
	if !ok || executed.height() > ts.height() {
		return nil, nil
	}
	if limit != noLimit && executed != ts && executed.height() <= ts.height()-limit {
		return nil, nil
	}
	if err := in.takes(c, m, allowReplaced); err != nil {
		if executed != ts && allowReplaced {
			err = fmt.Errorf("checking for message execution during lookback: %w", err)
		}
		return nil, err
	}
	return &MsgLookup{
		Message: in.tipset.cids[in.index],
		Receipt: in.tipset.receipts[in.index],
		TipSet:  executed.key(),
		Height:  executed.height(),
	}, nil
}

// takes says why the included message cannot stand for another one of its nonce.
func (in inclusion) takes(c cid.Cid, m *SignedMessage, allowReplaced bool) error {
	got, nonce := in.tipset.cids[in.index], m.Message.Nonce
	switch {
	case got == c:
		return nil
	case !m.Message.equalCall(&in.tipset.messages[in.index].Message):
		return &replacedError{fmt.Sprintf("found message with equal nonce as the one we are looking for that is NOT a valid replacement message (F:%s n %d, TS: %s n%d)", c, nonce, got, nonce)}
	case !allowReplaced:
		return &replacedError{fmt.Sprintf("found message with equal nonce as the one we are looking for (F:%s n %d, TS: %s n%d)", c, nonce, got, nonce)}
	}
	return nil
}

// StateWaitMsg waits until a message was executed and is so deep in the chain.
// One that was replaced against the caller's will is an error; a node notices
// that only if it happens while it waits, and else waits on.
func (a *api) StateWaitMsg(ctx context.Context, c cid.Cid, confidence uint64, limit abi.ChainEpoch, allowReplaced bool) (*MsgLookup, error) {
	if confidence > finality {
		return nil, fmt.Errorf("message confidence exceeds maximum: %d > %d: message confidence exceeds maximum", confidence, finality)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	heads := a.n.notify.subscribe(ctx, a.n.chain.current)
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case _, ok := <-heads:
			if !ok {
				return nil, errors.New("the node is shutting down, or this call fell behind")
			}
		}
		head := a.n.chain.current()
		found, err := a.search(head, c, limit, allowReplaced)
		if err != nil || found != nil && head.height() >= found.Height+abi.ChainEpoch(confidence) {
			return a.withReturn(found), err
		}
	}
}

// withReturn adds to a lookup what the call returned, decoded. What cannot be
// decoded stays bytes.
func (a *api) withReturn(found *MsgLookup) *MsgLookup {
	if found == nil || found.Receipt.ExitCode != 0 || len(found.Receipt.Return) == 0 {
		return found
	}
	found.ReturnDec = found.Receipt.Return
	m, ok := a.n.chain.message(found.Message)
	if !ok {
		return found
	}
	_, to, ok := a.n.chain.current().after.lookup(m.Message.To)
	if !ok {
		return found
	}
	if v := to.returnType(m.Message.Method); v != nil && v.UnmarshalCBOR(bytes.NewReader(found.Receipt.Return)) == nil {
		found.ReturnDec = v
	}
	return found
}
