package devnet

import (
	"fmt"
	"maps"
	"slices"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	actorstypes "github.com/filecoin-project/go-state-types/actors"
	"github.com/filecoin-project/go-state-types/builtin"
	"github.com/filecoin-project/go-state-types/builtin/v18/account"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/adt"
	"github.com/ipfs/go-cid"
)

// The code CIDs of the two kinds of actors, by which this program tells them
// apart: those of bundle v18. On chain stand those of the network version's bundle.
var (
	accountCode = cid.MustParse("bafk2bzacedpmhtrp2kdjoga2phrbi3f7z7wn25s3tluxoagcu7hsg2ppktxbw")
	minerCode   = cid.MustParse("bafk2bzacedhvcxgdz2w75izwa5s5dwvsrxsnzkjcbpbresziyrrjrsvjzwvxe")
)

// The first IDs of the two kinds of actors that genesis makes.
const (
	firstAccount abi.ActorID = 100
	firstMiner   abi.ActorID = 1000
)

// actorEntry is one actor. It is replaced, never changed.
type actorEntry struct {
	code    cid.Cid
	head    cid.Cid
	nonce   uint64
	balance abi.TokenAmount
	key     address.Address // of an account
}

func (a actorEntry) isMiner() bool { return a.code == minerCode }

func (a actorEntry) kind() string {
	if a.isMiner() {
		return "storageminer"
	}
	return "account"
}

// state is what the chain holds after a tipset. It does not change once a
// tipset has it; the producer works on a clone. Its root is an actor tree in
// the network's layout.
type state struct {
	root   cid.Cid
	actors map[abi.ActorID]actorEntry
	keys   map[address.Address]abi.ActorID
	tally  map[abi.ActorID]Tally            // per miner, from genesis on
	power  map[abi.ActorID]abi.StoragePower // quality-adjusted, of miners that have any
	dirty  map[abi.ActorID]bool             // changed since root
	bundle actorstypes.Version              // of the actors' code
}

func emptyState() *state {
	return &state{
		actors: map[abi.ActorID]actorEntry{},
		keys:   map[address.Address]abi.ActorID{},
		tally:  map[abi.ActorID]Tally{},
		power:  map[abi.ActorID]abi.StoragePower{},
		dirty:  map[abi.ActorID]bool{},
		bundle: actorstypes.Version18,
	}
}

func (s *state) clone() *state {
	return &state{
		root:   s.root,
		actors: maps.Clone(s.actors),
		keys:   maps.Clone(s.keys),
		tally:  maps.Clone(s.tally),
		power:  maps.Clone(s.power),
		dirty:  maps.Clone(s.dirty),
		bundle: s.bundle,
	}
}

func (s *state) set(id abi.ActorID, a actorEntry) {
	s.actors[id] = a
	s.dirty[id] = true
	if a.key != address.Undef {
		s.keys[a.key] = id
	}
}

// lookup resolves an address to its actor.
func (s *state) lookup(a address.Address) (abi.ActorID, actorEntry, bool) {
	id, ok := s.keys[a]
	if a.Protocol() == address.ID {
		n, err := address.IDFromAddress(a)
		id, ok = abi.ActorID(n), err == nil
	}
	if !ok {
		return 0, actorEntry{}, false
	}
	act, ok := s.actors[id]
	return id, act, ok
}

// miners lists the miners in the order of their IDs.
func (s *state) miners() []abi.ActorID {
	var out []abi.ActorID
	for id, a := range s.actors {
		if a.isMiner() {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// nextAccount is the ID that a new account gets.
func (s *state) nextAccount() abi.ActorID {
	id := firstAccount
	for {
		if _, taken := s.actors[id]; !taken {
			return id
		}
		id++
	}
}

// addAccount makes an account for a key.
func (s *state) addAccount(store adt.Store, key address.Address) (abi.ActorID, error) {
	head, err := store.Put(store.Context(), &account.State{Address: key})
	if err != nil {
		return 0, fmt.Errorf("store account: %w", err)
	}
	id := s.nextAccount()
	s.set(id, actorEntry{code: accountCode, head: head, balance: abi.NewTokenAmount(0), key: key})
	return id, nil
}

// flush brings the root up to date with the actors that changed.
func (s *state) flush(store adt.Store) error {
	if len(s.dirty) == 0 && s.root.Defined() {
		return nil
	}
	tree, err := loadTree(store, s.root)
	if err != nil {
		return fmt.Errorf("load actor tree: %w", err)
	}
	for _, id := range slices.Sorted(maps.Keys(s.dirty)) {
		a := s.actors[id]
		if err := tree.SetActorV5(idAddress(id), &builtin.ActorV5{
			Code: s.code(a), Head: a.head, CallSeqNum: a.nonce, Balance: a.balance,
		}); err != nil {
			return fmt.Errorf("set actor %d: %w", id, err)
		}
	}
	if s.root, err = tree.Flush(); err != nil {
		return fmt.Errorf("flush actor tree: %w", err)
	}
	s.dirty = map[abi.ActorID]bool{}
	return nil
}

func loadTree(store adt.Store, root cid.Cid) (*builtin.ActorTree, error) {
	if !root.Defined() {
		return builtin.NewTree(store)
	}
	return builtin.LoadTree(store, root)
}

// loadState reads a state from its root.
func loadState(store adt.Store, root cid.Cid) (*state, error) {
	tree, err := loadTree(store, root)
	if err != nil {
		return nil, fmt.Errorf("load actor tree: %w", err)
	}
	s := emptyState()
	err = tree.ForEachV5(func(addr address.Address, a *builtin.ActorV5) error {
		id, err := address.IDFromAddress(addr)
		if err != nil {
			return err
		}
		entry := actorEntry{head: a.Head, nonce: a.CallSeqNum, balance: a.Balance}
		if entry.code, s.bundle, err = codeKind(a.Code); err != nil {
			return fmt.Errorf("actor %s: %w", addr, err)
		}
		if entry.code == accountCode {
			var acc account.State
			if err := store.Get(store.Context(), a.Head, &acc); err != nil {
				return fmt.Errorf("account %s: %w", addr, err)
			}
			if acc.Address.Protocol() != address.ID {
				entry.key = acc.Address
			}
		}
		s.set(abi.ActorID(id), entry)
		return nil
	})
	s.root, s.dirty = root, map[abi.ActorID]bool{}
	return s, err
}

func idAddress(id abi.ActorID) address.Address {
	a, err := address.NewIDAddress(uint64(id))
	if err != nil {
		panic("unreachable: every number is an ID address")
	}
	return a
}
