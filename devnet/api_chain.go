package devnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/ipfs/go-cid"
	cbg "github.com/whyrusleeping/cbor-gen"
)

// String is how a node writes a key in its errors.
func (k TipSetKey) String() string {
	names := make([]string, len(k))
	for i, c := range k {
		names[i] = c.String()
	}
	return "{" + strings.Join(names, ",") + "}"
}

func (a *api) ChainHead(context.Context) (*TipSet, error) {
	return a.n.chain.current().wire(), nil
}

func (a *api) ChainNotify(ctx context.Context) (<-chan []HeadChange, error) {
	return a.n.notify.subscribe(ctx, a.n.chain.current), nil
}

func (a *api) ChainGetTipSet(_ context.Context, key TipSetKey) (*TipSet, error) {
	ts, err := a.exactly(key)
	if err != nil {
		return nil, err
	}
	return ts.wire(), nil
}

func (a *api) ChainGetGenesis(context.Context) (*TipSet, error) {
	return a.n.chain.genesis.wire(), nil
}

func (a *api) ChainGetTipSetByHeight(_ context.Context, epoch abi.ChainEpoch, key TipSetKey) (*TipSet, error) {
	at, _, err := a.around(key, epoch)
	if err != nil {
		return nil, err
	}
	return at.wire(), nil
}

func (a *api) ChainGetTipSetAfterHeight(_ context.Context, epoch abi.ChainEpoch, key TipSetKey) (*TipSet, error) {
	_, after, err := a.around(key, epoch)
	if err != nil {
		return nil, err
	}
	return after.wire(), nil
}

func (a *api) around(key TipSetKey, epoch abi.ChainEpoch) (at, after *tipset, err error) {
	ts, err := a.loaded(key)
	if err != nil {
		return nil, nil, err
	}
	return a.n.chain.around(ts, epoch)
}

func (a *api) ChainGetFinalizedTipSet(ctx context.Context) (*TipSet, error) {
	return a.ChainGetTipSetByHeight(ctx, a.n.Epoch()-finality, nil)
}

func (a *api) ChainGetPath(_ context.Context, from, to TipSetKey) ([]HeadChange, error) {
	f, err := a.exactly(from)
	if err != nil {
		return nil, fmt.Errorf("loading from tipset %s: %w", from, err)
	}
	t, err := a.exactly(to)
	if err != nil {
		return nil, fmt.Errorf("loading to tipset %s: %w", to, err)
	}
	var reverts, applies []HeadChange
	for f != t {
		var ok bool
		if f.height() >= t.height() {
			reverts = append(reverts, HeadChange{"revert", f.wire()})
			f, ok = a.n.chain.parent(f)
		} else {
			applies = append([]HeadChange{{"apply", t.wire()}}, applies...)
			t, ok = a.n.chain.parent(t)
		}
		if !ok {
			return nil, errors.New("no common ancestor is kept")
		}
	}
	return append(reverts, applies...), nil
}

func (a *api) ChainGetBlock(_ context.Context, c cid.Cid) (*BlockHeader, error) {
	ts, err := a.at(TipSetKey{c})
	if err != nil {
		return nil, errNoBlock{c}
	}
	return ts.header, nil
}

// BlockMessages is the answer of ChainGetBlockMessages.
type BlockMessages struct {
	BlsMessages   []*Message
	SecpkMessages []*SignedMessage
	Cids          []cid.Cid
}

func (a *api) ChainGetBlockMessages(_ context.Context, c cid.Cid) (*BlockMessages, error) {
	ts, err := a.at(TipSetKey{c})
	if err != nil {
		return nil, errNoBlock{c}
	}
	out := &BlockMessages{BlsMessages: []*Message{}, SecpkMessages: []*SignedMessage{}, Cids: append([]cid.Cid{}, ts.cids...)}
	for _, m := range ts.messages {
		if m.Signature.Type == crypto.SigTypeBLS {
			out.BlsMessages = append(out.BlsMessages, m.Message.onChain())
		} else {
			out.SecpkMessages = append(out.SecpkMessages, &SignedMessage{*m.Message.onChain(), m.Signature})
		}
	}
	return out, nil
}

// MessageWithCID is a message in the lists of a tipset. Its CID is the one on chain.
type MessageWithCID struct {
	Cid     cid.Cid
	Message *Message
}

func (t *tipset) listed() []MessageWithCID {
	var out []MessageWithCID
	for i, m := range t.messages {
		out = append(out, MessageWithCID{t.cids[i], m.Message.onChain()})
	}
	return out
}

func (a *api) ChainGetMessagesInTipset(_ context.Context, key TipSetKey) ([]MessageWithCID, error) {
	ts, err := a.at(key)
	if err != nil {
		return nil, err
	}
	return ts.listed(), nil
}

// parentOf finds the parent of a block; genesis has none.
func (a *api) parentOf(c cid.Cid) (*tipset, error) {
	ts, err := a.at(TipSetKey{c})
	if err != nil {
		return nil, errNoBlock{c}
	}
	if ts == a.n.chain.genesis {
		return nil, nil
	}
	p, ok := a.n.chain.parent(ts)
	if !ok {
		return nil, errNoBlock{ts.header.Parents[0]}
	}
	return p, nil
}

func (a *api) ChainGetParentMessages(_ context.Context, c cid.Cid) ([]MessageWithCID, error) {
	p, err := a.parentOf(c)
	if err != nil || p == nil {
		return nil, err
	}
	return p.listed(), nil
}

func (a *api) ChainGetParentReceipts(_ context.Context, c cid.Cid) ([]*Receipt, error) {
	p, err := a.parentOf(c)
	if err != nil || p == nil {
		return nil, err
	}
	out := []*Receipt{}
	for i := range p.receipts {
		out = append(out, &p.receipts[i])
	}
	return out, nil
}

func (a *api) ChainGetMessage(_ context.Context, c cid.Cid) (*Message, error) {
	m, ok := a.n.chain.message(c)
	if !ok {
		return nil, errNoBlock{c}
	}
	return m.Message.onChain(), nil
}

// onChain is the message as it is read back from its encoding: what is empty is
// not there.
func (m *Message) onChain() *Message {
	out := *m
	if len(out.Params) == 0 {
		out.Params = nil
	}
	return &out
}

func (a *api) ChainHasObj(_ context.Context, c cid.Cid) (bool, error) {
	_, err := a.object(c)
	return err == nil, nil
}

func (a *api) ChainReadObj(_ context.Context, c cid.Cid) ([]byte, error) {
	b, err := a.object(c)
	if err != nil {
		return nil, fmt.Errorf("blockstore get: %w", err)
	}
	return b, nil
}

func (a *api) object(c cid.Cid) ([]byte, error) {
	if b, ok := a.n.blocks.read(c); ok {
		return b, nil
	}
	ts, err := a.at(TipSetKey{c})
	if err != nil {
		return nil, errNoBlock{c}
	}
	b, err := ts.header.block()
	if err != nil {
		return nil, err
	}
	return b.RawData(), nil
}

// ObjStat is the answer of ChainStatObj.
type ObjStat struct {
	Size  uint64
	Links uint64
}

// ChainStatObj counts the objects below one, itself included, and their bytes:
// those that are not below the base too.
func (a *api) ChainStatObj(ctx context.Context, c cid.Cid, base *cid.Cid) (ObjStat, error) {
	seen := map[cid.Cid]bool{}
	if base != nil && base.Defined() {
		if _, err := a.walk(ctx, *base, seen); err != nil {
			return ObjStat{}, err
		}
	}
	return a.walk(ctx, c, seen)
}

// walk visits what has not been seen below an object.
func (a *api) walk(ctx context.Context, root cid.Cid, seen map[cid.Cid]bool) (ObjStat, error) {
	var s ObjStat
	for left := []cid.Cid{root}; len(left) > 0; {
		c := left[len(left)-1]
		left = left[:len(left)-1]
		if seen[c] || c.Type() == codecSealed {
			continue
		}
		seen[c] = true
		b, err := a.object(c)
		if err != nil {
			return ObjStat{}, err
		}
		if err := ctx.Err(); err != nil {
			return ObjStat{}, err
		}
		s.Size, s.Links = s.Size+uint64(len(b)), s.Links+1
		if c.Type() != cid.DagCBOR {
			continue
		}
		if err := cbg.ScanForLinks(bytes.NewReader(b), func(l cid.Cid) { left = append(left, l) }); err != nil {
			return ObjStat{}, fmt.Errorf("links of %s: %w", c, err)
		}
	}
	return s, nil
}
