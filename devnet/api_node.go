package devnet

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"time"

	"github.com/filecoin-project/go-jsonrpc/auth"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/google/uuid"
	"github.com/multiformats/go-multihash"
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
	return APIVersion{Version: a.n.agent(), APIVersion: apiVersion1, BlockDelay: a.n.blockDelaySecs(), Agent: "vigil-devnet"}, nil
}

// blockDelaySecs is the block time as far as the API can say it: whole seconds, at least one.
func (n *Network) blockDelaySecs() uint64 {
	return uint64(max(n.cfg.BlockTime.Round(time.Second), time.Second) / time.Second)
}

// AuthVerify says what a token permits.
func (a *api) AuthVerify(_ context.Context, token string) ([]auth.Permission, error) {
	return a.n.tokens.permissions(token)
}

// AuthNew makes a token that permits less than the network's own.
func (a *api) AuthNew(ctx context.Context, perms []auth.Permission) ([]byte, error) {
	if err := need(ctx, "admin", "AuthNew"); err != nil {
		return nil, err
	}
	return a.n.tokens.issue(perms)
}

// Session is another one after every start, by which a client sees a restart.
func (a *api) Session(context.Context) (uuid.UUID, error) { return a.session, nil }

// StartTime is when the API began to be served.
func (a *api) StartTime(context.Context) (time.Time, error) { return a.started, nil }

// Closing gives a channel that closes when the node does; nothing is sent.
func (a *api) Closing(ctx context.Context) (<-chan struct{}, error) {
	closing := make(chan struct{})
	context.AfterFunc(ctx, func() { close(closing) })
	return closing, nil
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

// ID is the peer ID that a libp2p host of this node would have: that of a key
// made from the API's token, so that it stays the same. There is no host.
func (a *api) ID(context.Context) (string, error) {
	key := ed25519.NewKeyFromSeed(hash256([]byte("peer"), a.n.tokens.secret))
	public := append([]byte{0x08, 0x01, 0x12, ed25519.PublicKeySize}, key.Public().(ed25519.PublicKey)...)
	id, err := multihash.Sum(public, multihash.IDENTITY, -1)
	if err != nil {
		return "", err
	}
	return id.B58String(), nil
}

// AddrInfo is the answer of NetAddrsListen.
type AddrInfo struct {
	ID    string
	Addrs []string
}

func (a *api) NetAddrsListen(ctx context.Context) (AddrInfo, error) {
	id, err := a.ID(ctx)
	return AddrInfo{ID: id, Addrs: []string{}}, err
}

func (a *api) NetPeers(context.Context) ([]json.RawMessage, error) { return []json.RawMessage{}, nil }
