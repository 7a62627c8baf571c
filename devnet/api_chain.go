package devnet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/ipfs/go-cid"
)

// The API versions that a node of network version 28 says it has.
const (
	apiVersion0 = 1<<16 | 5<<8
	apiVersion1 = 2<<16 | 3<<8
)

// APIVersion is the answer of Version.
type APIVersion struct {
	Version    string
	APIVersion int
	BlockDelay uint64
	Agent      string
}

func (a *api) Version(context.Context) (APIVersion, error) {
	return APIVersion{Version: a.n.agent(), APIVersion: a.version, BlockDelay: a.n.blockDelaySecs(), Agent: "vigil-devnet"}, nil
}

// blockDelaySecs is the block time as far as the API can say it: whole seconds, at least one.
func (n *Network) blockDelaySecs() uint64 {
	return uint64(max(n.cfg.BlockTime.Round(time.Second), time.Second) / time.Second)
}

func (a *api) ChainHead(context.Context) (*TipSet, error) {
	return a.n.chain.current().wire(), nil
}

func (a *api) ChainNotify(ctx context.Context) (<-chan []HeadChange, error) {
	return a.n.notify.subscribe(ctx, a.n.chain.current), nil
}

func (a *api) ChainGetTipSet(_ context.Context, key TipSetKey) (*TipSet, error) {
	ts, err := a.at(key)
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
	ts, err := a.at(key)
	if err != nil {
		return nil, nil, err
	}
	return a.n.chain.around(ts, epoch)
}

func (a *api) ChainGetFinalizedTipSet(ctx context.Context) (*TipSet, error) {
	return a.ChainGetTipSetByHeight(ctx, a.n.Epoch()-finality, nil)
}

func (a *api) ChainGetPath(_ context.Context, from, to TipSetKey) ([]HeadChange, error) {
	f, err := a.at(from)
	if err != nil {
		return nil, err
	}
	t, err := a.at(to)
	if err != nil {
		return nil, err
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
			out.BlsMessages = append(out.BlsMessages, &m.Message)
		} else {
			out.SecpkMessages = append(out.SecpkMessages, m)
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
		out = append(out, MessageWithCID{t.cids[i], &m.Message})
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
		return []*Receipt{}, err
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
		return nil, fmt.Errorf("failed to load message: %w", errNoBlock{c})
	}
	return &m.Message, nil
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

// ActiveSync and SyncState are what a node that has nothing to catch up with says.
type ActiveSync struct {
	WorkerID uint64
	Base     *TipSet
	Target   *TipSet
	Stage    int
	Height   abi.ChainEpoch
	Start    time.Time
	End      time.Time
	Message  string
}

// SyncState is the answer of SyncState.
type SyncState struct {
	ActiveSyncs []ActiveSync
	VMApplied   uint64
}

func (a *api) SyncState(context.Context) (*SyncState, error) {
	return &SyncState{ActiveSyncs: []ActiveSync{{}}}, nil
}

// NodeStatus is the answer of NodeStatus.
type NodeStatus struct {
	SyncStatus  struct{ Epoch, Behind uint64 }
	PeerStatus  struct{ PeersToPublishMsgs, PeersToPublishBlocks int }
	ChainStatus struct{ BlocksPerTipsetLast100, BlocksPerTipsetLastFinality float64 }
}

func (a *api) NodeStatus(_ context.Context, withChain bool) (NodeStatus, error) {
	var s NodeStatus
	s.SyncStatus.Epoch = uint64(a.n.Epoch())
	if withChain {
		s.ChainStatus.BlocksPerTipsetLast100, s.ChainStatus.BlocksPerTipsetLastFinality = 1, 1
	}
	return s, nil
}

func (a *api) NetPeers(context.Context) ([]json.RawMessage, error) { return []json.RawMessage{}, nil }

// resolve finds an actor, with the words of a node where there is none.
func resolve(st *state, addr address.Address) (abi.ActorID, actorEntry, error) {
	id, entry, ok := st.lookup(addr)
	if !ok {
		return 0, actorEntry{}, errors.New("actor not found")
	}
	return id, entry, nil
}
