package devnet

import (
	"context"
	"errors"
	"fmt"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin/v18/account"
	"github.com/ipfs/go-cid"
)

func (a *api) StateListMiners(_ context.Context, key TipSetKey) ([]address.Address, error) {
	ts, err := a.loaded(key)
	if err != nil {
		return nil, err
	}
	var out []address.Address
	for _, id := range ts.before.miners() {
		out = append(out, idAddress(id))
	}
	return out, nil
}

// Actor is the answer of StateGetActor.
type Actor struct {
	Code             cid.Cid
	Head             cid.Cid
	Nonce            uint64
	Balance          abi.TokenAmount
	DelegatedAddress *address.Address
}

func (a *api) StateGetActor(_ context.Context, addr address.Address, key TipSetKey) (*Actor, error) {
	ts, err := a.loaded(key)
	if err != nil {
		return nil, err
	}
	_, e, err := resolve(ts.before, addr)
	if err != nil {
		return nil, err
	}
	out := ts.before.wireActor(e)
	return &out, nil
}

// wireActor is an actor as the API shows it.
func (s *state) wireActor(a actorEntry) Actor {
	return Actor{Code: s.code(a), Head: a.head, Nonce: a.nonce, Balance: a.balance}
}

// ActorState is the answer of StateReadState.
type ActorState struct {
	Balance abi.TokenAmount
	Code    cid.Cid
	State   any
}

func (a *api) StateReadState(ctx context.Context, addr address.Address, key TipSetKey) (*ActorState, error) {
	ts, err := a.loaded(key)
	if err != nil {
		return nil, err
	}
	_, e, err := resolve(ts.before, addr)
	if err != nil {
		return nil, fmt.Errorf("getting actor: %w", err)
	}
	out := &ActorState{Balance: e.balance, Code: ts.before.code(e), State: &account.State{Address: e.key}}
	if e.code == minerCode {
		v, err := a.n.view(ctx, ts.before, ts.height(), addr)
		if err != nil {
			return nil, err
		}
		out.State = &v.State
	}
	return out, nil
}

func (a *api) StateAccountKey(_ context.Context, addr address.Address, key TipSetKey) (address.Address, error) {
	ts, err := a.loaded(key)
	if err != nil {
		return address.Undef, err
	}
	return keyAddress(ts, addr)
}

// keyAddress is what an account signs with, in the state before a tipset or,
// for an account that is new, after it.
func keyAddress(ts *tipset, addr address.Address) (address.Address, error) {
	switch addr.Protocol() {
	case address.BLS, address.SECP256K1, address.Delegated:
		return addr, nil
	case address.Actor:
		return address.Undef, errors.New("cannot resolve actor address to key address")
	}
	_, e, ok := ts.before.lookup(addr)
	if !ok {
		_, e, ok = ts.after.lookup(addr)
	}
	if !ok {
		return address.Undef, fmt.Errorf("failed to find actor: %s", addr)
	}
	if e.key == address.Undef {
		return address.Undef, fmt.Errorf("failed to get account actor state for %s: actor code is not account: %s", addr, e.kind())
	}
	return e.key, nil
}

func (a *api) StateLookupID(_ context.Context, addr address.Address, key TipSetKey) (address.Address, error) {
	ts, err := a.loaded(key)
	if err != nil {
		return address.Undef, err
	}
	if addr.Protocol() == address.ID && addr != address.Undef {
		return addr, nil
	}
	id, _, ok := ts.before.lookup(addr)
	if !ok {
		return address.Undef, errNoID
	}
	return idAddress(id), nil
}

// StateLookupRobustAddress is the address of an actor that a reorg cannot give
// to another one. Miners of genesis have none.
func (a *api) StateLookupRobustAddress(_ context.Context, addr address.Address, key TipSetKey) (address.Address, error) {
	ts, err := a.loaded(key)
	if err != nil {
		return address.Undef, err
	}
	_, e, ok := ts.before.lookup(addr)
	if !ok || e.key == address.Undef {
		return address.Undef, fmt.Errorf("address %s not found", addr)
	}
	return e.key, nil
}

func (a *api) StateNetworkName(context.Context) (string, error) { return a.n.cfg.Name, nil }

func (a *api) StateNetworkVersion(_ context.Context, key TipSetKey) (int, error) {
	ts, err := a.at(key)
	if err != nil {
		return 0, err
	}
	return int(a.n.versionAt(ts.height())), nil
}

// NetworkParams is the answer of StateGetNetworkParams. BlockDelayMillis is this
// network's own: its epochs may be shorter than a second.
type NetworkParams struct {
	NetworkName             string
	BlockDelaySecs          uint64
	BlockDelayMillis        uint64
	ConsensusMinerMinPower  abi.StoragePower
	PreCommitChallengeDelay abi.ChainEpoch
	ForkUpgradeParams       map[string]int64
	Eip155ChainID           int
	GenesisTimestamp        uint64
}

// upgrades are the heights of the network's past upgrades: all before genesis.
var upgrades = []string{
	"Smoke", "Breeze", "Ignition", "Refuel", "Tape", "Assembly", "Liftoff", "Kumquat", "Calico", "Persian",
	"Orange", "Claus", "Trust", "Norwegian", "Turbo", "Hyperdrive", "Chocolate", "OhSnap", "Skyr", "Shark",
	"Hygge", "Lightning", "Thunder", "Watermelon", "Dragon", "Phoenix", "Waffle", "Tuktuk", "Teep", "Tock",
	"GoldenWeek", "FireHorse",
}

func (a *api) StateGetNetworkParams(context.Context) (*NetworkParams, error) {
	p := &NetworkParams{
		NetworkName:             a.n.cfg.Name,
		BlockDelaySecs:          a.n.blockDelaySecs(),
		BlockDelayMillis:        uint64(a.n.cfg.BlockTime / 1_000_000),
		ConsensusMinerMinPower:  big.NewInt(int64(provableSize)),
		PreCommitChallengeDelay: 10,
		ForkUpgradeParams:       map[string]int64{"BreezeGasTampingDuration": 0, "UpgradeXxHeight": 1_000_000_000},
		Eip155ChainID:           31415926,
		GenesisTimestamp:        a.n.chain.genesis.header.Timestamp,
	}
	for i, name := range upgrades {
		p.ForkUpgradeParams["Upgrade"+name+"Height"] = int64(-1 - i)
	}
	a.n.planned(p.ForkUpgradeParams)
	return p, nil
}
