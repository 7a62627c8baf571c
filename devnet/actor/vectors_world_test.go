package actor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin"
	init10 "github.com/filecoin-project/go-state-types/builtin/v10/init"
	miner10 "github.com/filecoin-project/go-state-types/builtin/v10/miner"
	power10 "github.com/filecoin-project/go-state-types/builtin/v10/power"
	reward10 "github.com/filecoin-project/go-state-types/builtin/v10/reward"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/adt"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/smoothing"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/filecoin-project/go-state-types/exitcode"
	"github.com/filecoin-project/go-state-types/proof"
	"github.com/ipfs/go-cid"
	cbg "github.com/whyrusleeping/cbor-gen"
	"golang.org/x/crypto/blake2b"
)

// world is a vector, opened.
type world struct {
	v             vector
	blocks        *memory
	store         adt.Store
	before, after *tree
	// sectors are the roots of arrays of sectors in today's layout, with those
	// that they were made of.
	sectors map[cid.Cid]cid.Cid
}

// tree is the network's actors.
type tree struct {
	actors *adt.Map
	store  adt.Store
}

func (w *world) tree(t *testing.T, c cid.Cid) *tree {
	t.Helper()
	root, _ := w.blocks.find(c)
	fields := array(t, root)
	_, actors, err := cid.CidFromBytes(fields[1][5:]) // tag 42, length, 0
	check(t, err)
	m, err := adt.AsMap(w.store, actors, builtin.DefaultHamtBitwidth)
	check(t, err)
	return &tree{m, w.store}
}

// array splits a CBOR array into its elements.
func array(t *testing.T, data []byte) [][]byte {
	t.Helper()
	r := bytes.NewReader(data)
	_, n, err := cbg.CborReadHeader(r)
	check(t, err)
	var out [][]byte
	for range n {
		var d cbg.Deferred
		check(t, d.UnmarshalCBOR(r))
		out = append(out, d.Raw)
	}
	return out
}

// entry is an actor's head and balance, whatever the version of the tree.
func (x *tree) entry(t *testing.T, id address.Address) (head cid.Cid, balance abi.TokenAmount) {
	t.Helper()
	var d cbg.Deferred
	found, err := x.actors.Get(abi.AddrKey(id), &d)
	check(t, err)
	if !found {
		t.Fatalf("no actor %s", id)
	}
	if len(array(t, d.Raw)) == 4 {
		var a builtin.ActorV4
		check(t, a.UnmarshalCBOR(bytes.NewReader(d.Raw)))
		return a.Head, a.Balance
	}
	var a builtin.ActorV5
	check(t, a.UnmarshalCBOR(bytes.NewReader(d.Raw)))
	return a.Head, a.Balance
}

func (x *tree) miner(t *testing.T, id abi.ActorID) (*miner10.State, abi.TokenAmount) {
	t.Helper()
	head, balance := x.entry(t, idAddress(id))
	var st miner10.State
	check(t, x.store.Get(x.store.Context(), head, &st))
	return &st, balance
}

// call is a message with its addresses resolved.
type call struct {
	from, to abi.ActorID
	method   abi.MethodNum
	params   []byte
}

func (w *world) message(t *testing.T) call {
	t.Helper()
	f := array(t, w.v.ApplyMessages[0].Bytes)
	var to, from address.Address
	check(t, to.UnmarshalCBOR(bytes.NewReader(f[1])))
	check(t, from.UnmarshalCBOR(bytes.NewReader(f[2])))
	_, method, err := cbg.CborReadHeader(bytes.NewReader(f[8]))
	check(t, err)
	params, err := cbg.ReadByteArray(bytes.NewReader(f[9]), 1<<20)
	check(t, err)
	return call{w.id(t, from), w.id(t, to), abi.MethodNum(method), params}
}

func (w *world) id(t *testing.T, a address.Address) abi.ActorID {
	t.Helper()
	if a.Protocol() == address.ID {
		n, err := address.IDFromAddress(a)
		check(t, err)
		return abi.ActorID(n)
	}
	head, _ := w.before.entry(t, builtin.InitActorAddr)
	var st init10.State
	check(t, w.store.Get(t.Context(), head, &st))
	m, err := adt.AsMap(w.store, st.AddressMap, builtin.DefaultHamtBitwidth)
	check(t, err)
	var n cbg.CborInt
	found, err := m.Get(abi.AddrKey(a), &n)
	check(t, err)
	if !found {
		t.Fatalf("no actor of %s", a)
	}
	return abi.ActorID(n)
}

// runtime is the network as the message met it. Whether a proof is right is not
// this package's to say: it was, if a post of it was taken or a dispute of it
// failed.
func (w *world) runtime(t *testing.T, m call, balance abi.TokenAmount) *Runtime {
	t.Helper()
	drawn := func(kind string) Draw {
		return func(tag crypto.DomainSeparationTag, epoch abi.ChainEpoch, entropy []byte) ([]byte, error) {
			for _, r := range w.v.Randomness {
				if len(r.On) >= 2 && r.On[0] == kind && r.On[1] == float64(epoch) {
					return drawFrom(r.Ret, tag, epoch, entropy), nil
				}
			}
			return nil, fmt.Errorf("the network drew no %s randomness at %d", kind, epoch)
		}
	}
	return &Runtime{
		Store: w.store, Epoch: w.v.Preconditions.Variants[0].Epoch,
		Miner: m.to, Caller: m.from, Balance: balance,
		Tickets: drawn("chain"), Beacon: drawn("beacon"),
		Verify: func(proof.WindowPoStVerifyInfo) error {
			taken := w.v.Postconditions.Receipts[0].ExitCode == exitcode.Ok
			if taken == (m.method == builtin.MethodsMiner.DisputeWindowedPoSt) {
				return errors.New("wrong")
			}
			return nil
		},
		Economy:    w.economy(t),
		ProofTypes: []abi.RegisteredPoStProof{abi.RegisteredPoStProof_StackedDrgWindow32GiBV1, abi.RegisteredPoStProof_StackedDrgWindow64GiBV1},
	}
}

// drawFrom is the network's formula, over the digest of a ticket or an entry of
// the beacon.
func drawFrom(digest []byte, tag crypto.DomainSeparationTag, epoch abi.ChainEpoch, entropy []byte) []byte {
	seed := binary.BigEndian.AppendUint64(nil, uint64(tag))
	seed = append(seed, digest...)
	seed = binary.BigEndian.AppendUint64(seed, uint64(epoch))
	out := blake2b.Sum256(append(seed, entropy...))
	return out[:]
}

// economy is read where the message read it.
func (w *world) economy(t *testing.T) (e Economy) {
	t.Helper()
	var r reward10.State
	var p power10.State
	if w.read(t, w.before, builtin.RewardActorAddr, &r) && w.read(t, w.before, builtin.StoragePowerActorAddr, &p) {
		e.Reward = smoothing.FilterEstimate(r.ThisEpochRewardSmoothed)
		e.Power = smoothing.FilterEstimate(p.ThisEpochQAPowerSmoothed)
	}
	return e
}

func (w *world) read(t *testing.T, x *tree, id address.Address, into cbg.CBORUnmarshaler) bool {
	t.Helper()
	var d cbg.Deferred
	if found, err := x.actors.Get(abi.AddrKey(id), &d); err != nil || !found {
		return false // a part of the tree that the message did not touch
	}
	head, _ := x.entry(t, id)
	return w.store.Get(t.Context(), head, into) == nil
}
