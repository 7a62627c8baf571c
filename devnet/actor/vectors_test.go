package actor

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin"
	init10 "github.com/filecoin-project/go-state-types/builtin/v10/init"
	miner10 "github.com/filecoin-project/go-state-types/builtin/v10/miner"
	power10 "github.com/filecoin-project/go-state-types/builtin/v10/power"
	reward10 "github.com/filecoin-project/go-state-types/builtin/v10/reward"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/adt"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/smoothing"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/filecoin-project/go-state-types/exitcode"
	"github.com/filecoin-project/go-state-types/proof"
	"github.com/ipfs/go-cid"
	cbg "github.com/whyrusleeping/cbor-gen"
	"golang.org/x/crypto/blake2b"
)

// vector is a message of the main network with the state that it met and the
// state that it left (filecoin-project/fvm-test-vectors). The blocks are only
// those that its execution touched.
type vector struct {
	CAR        []byte
	Randomness []struct {
		On  []any
		Ret []byte
	}
	Preconditions struct {
		Variants  []struct{ Epoch abi.ChainEpoch }
		StateTree root `json:"state_tree"`
	}
	ApplyMessages  []struct{ Bytes []byte } `json:"apply_messages"`
	Postconditions struct {
		StateTree root `json:"state_tree"`
		Receipts  []struct {
			ExitCode exitcode.ExitCode `json:"exit_code"`
		}
	}
}

type root struct {
	RootCID cid.Cid `json:"root_cid"`
}

// TestVectors runs real messages of the main network on the states that they
// met, and compares the exit code, all of the deadlines to the bit, what the
// message cost and what it did to the miner's power. Every *.json file of the
// folder is one subtest, so others can be put in their place.
func TestVectors(t *testing.T) {
	dir := fixtures(t, "miner-vectors")
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors in %s: %v", dir, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			runVector(t, readVector(t, file))
		})
	}
}

func readVector(t *testing.T, file string) *world {
	t.Helper()
	data, err := os.ReadFile(file)
	check(t, err)
	w := &world{blocks: memory{}, sectors: map[cid.Cid]cid.Cid{}}
	check(t, json.Unmarshal(data, &w.v))
	z, err := gzip.NewReader(bytes.NewReader(w.v.CAR))
	check(t, err)
	car, err := io.ReadAll(z)
	check(t, err)
	check(t, w.blocks.readCAR(car))
	w.store = w.blocks.store(t.Context())
	w.before = w.tree(t, w.v.Preconditions.StateTree.RootCID)
	w.after = w.tree(t, w.v.Postconditions.StateTree.RootCID)
	return w
}

func runVector(t *testing.T, w *world) {
	want := w.v.Postconditions.Receipts[0].ExitCode
	if want == exitcode.SysErrOutOfGas {
		t.Skip("the message ran out of gas, which this package does not count")
	}
	m := w.message(t)
	m.renew(t)
	if why := beyond(m.method); why != "" {
		t.Skipf("method %d: %s", m.method, why)
	}
	if !w.isMiner(t, m.to) {
		t.Skipf("method %d of f0%d, which is no miner", m.method, m.to)
	}
	pre, preMoney := w.before.miner(t, m.to)
	post, postMoney := w.after.miner(t, m.to)
	head := w.modern(t, pre)

	rt := w.runtime(t, m, preMoney)
	out, err := Invoke(rt, head, m.method, m.params)
	if err != nil && strings.HasPrefix(err.Error(), "too many partitions") {
		// Ten were allowed then, and more of smaller sectors.
		out, err = postAsThen(t, rt, head, m.params)
	}
	if got := code(t, err); got != want {
		t.Fatalf("exit code %d (%v), the network's was %d", got, err, want)
	}
	if want != exitcode.Ok {
		if pre.Deadlines != post.Deadlines {
			t.Fatal("the network changed the deadlines in a failed message")
		}
		t.Logf("refused as on the network: %v", err)
		return
	}
	ours, err := Open(w.store, out.Head)
	check(t, err)
	if got := w.deadlinesAsThen(t, ours.State.Deadlines); got != post.Deadlines {
		t.Errorf("the message leaves the deadlines %s, on the network %s", got, post.Deadlines)
	}
	if pre.Deadlines != post.Deadlines {
		t.Logf("deadlines changed to %s, as on the network", post.Deadlines)
	}
	w.comparePower(t, m.to, out.Power)
	w.compareState(t, m, ours, post)
	w.compareMoney(t, m, out, ours, [2]*miner10.State{pre, post}, [2]abi.TokenAmount{preMoney, postMoney})
}

// renew asks for an extension as it is asked for today: without claims, method 32
// is what 8 was.
func (m *call) renew(t *testing.T) {
	t.Helper()
	if m.method != builtin.MethodsMiner.ExtendSectorExpiration {
		return
	}
	var old miner10.ExtendSectorExpirationParams
	check(t, old.UnmarshalCBOR(bytes.NewReader(m.params)))
	p := &miner.ExtendSectorExpiration2Params{}
	for _, x := range old.Extensions {
		p.Extensions = append(p.Extensions, miner.ExpirationExtension2{
			Deadline: x.Deadline, Partition: x.Partition, Sectors: x.Sectors, NewExpiration: x.NewExpiration,
		})
	}
	m.method, m.params = builtin.MethodsMiner.ExtendSectorExpiration2, encoded(t, p)
}

// isMiner says whether an actor's state is a miner's. Where it is not in the
// vector, the message did not get as far as the actor.
func (w *world) isMiner(t *testing.T, id abi.ActorID) bool {
	t.Helper()
	head, _ := w.before.entry(t, idAddress(id))
	raw, ok := w.blocks[head]
	var st miner10.State
	return ok && st.UnmarshalCBOR(bytes.NewReader(raw)) == nil
}

// beyond says why a method of the corpus is not the actor's here.
func beyond(method abi.MethodNum) string {
	switch method {
	case 0:
		return "a transfer runs no actor"
	case 6, 7, 25, 26, 28, 34, 36:
		return "sectors arrive through AddSectors here, not by pre-commits and seal proofs"
	case 27, 29, 35:
		return "there are no replica updates here"
	}
	return ""
}

// postAsThen takes a post without the limit of three partitions.
func postAsThen(t *testing.T, rt *Runtime, head cid.Cid, params []byte) (Effects, error) {
	t.Helper()
	var p miner.SubmitWindowedPoStParams
	check(t, p.UnmarshalCBOR(bytes.NewReader(params)))
	s, err := begin(rt, head)
	check(t, err)
	if err := s.takePost(&p); err != nil {
		return Effects{}, err
	}
	return s.end()
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// code is the exit code of a call; an error of the host fails the test.
func code(t testing.TB, err error) exitcode.ExitCode {
	t.Helper()
	if err == nil {
		return exitcode.Ok
	}
	var r *Refusal
	if !errors.As(err, &r) {
		t.Fatalf("an error of the host: %v", err)
	}
	return r.Code
}

// world is a vector, opened.
type world struct {
	v             vector
	blocks        memory
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
	fields := array(t, w.blocks[c])
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

// compareState compares what lies in the state itself.
func (w *world) compareState(t *testing.T, m call, ours *View, post *miner10.State) {
	t.Helper()
	fields := map[string][2]any{
		"EarlyTerminations": {post.EarlyTerminations, ours.State.EarlyTerminations},
		"InitialPledge":     {post.InitialPledge, ours.State.InitialPledge},
		"PreCommitDeposits": {post.PreCommitDeposits, ours.State.PreCommitDeposits},
		"AllocatedSectors":  {post.AllocatedSectors, ours.State.AllocatedSectors},
	}
	if m.method != builtin.MethodsMiner.TerminateSectors { // see compareMoney
		fields["LockedFunds"] = [2]any{post.LockedFunds, ours.State.LockedFunds}
		fields["VestingFunds"] = [2]any{w.modernVesting(t, post.VestingFunds), ours.State.VestingFunds}
	}
	var info miner10.MinerInfo
	if _, ok := w.blocks[post.Info]; ok {
		check(t, w.store.Get(t.Context(), post.Info, &info))
		fields["Info"] = [2]any{modernInfo(info), ours.Info}
	}
	same(t, "state", fields)
}

// compareMoney compares what the message cost: burnt, paid out, or owed. The fee
// for a termination was another one then (FIP-0098 is younger).
func (w *world) compareMoney(t *testing.T, m call, out Effects, ours *View, states [2]*miner10.State, balances [2]abi.TokenAmount) {
	t.Helper()
	if m.method == builtin.MethodsMiner.TerminateSectors {
		return
	}
	network := big.Add(big.Sub(balances[0], balances[1]), big.Sub(states[1].FeeDebt, states[0].FeeDebt))
	here := big.Sum(out.Burn, out.Reward, out.Withdrawn, big.Sub(ours.State.FeeDebt, states[0].FeeDebt))
	if !network.Equals(here) {
		t.Errorf("the message cost the miner %s, on the network %s", here, network)
	}
	if !here.IsZero() {
		t.Logf("cost %s attoFIL, as on the network", here)
	}
}

// comparePower compares the change of the miner's claim, if there was one.
func (w *world) comparePower(t *testing.T, id abi.ActorID, delta miner.PowerPair) {
	t.Helper()
	before, ok := w.claim(t, w.before, id)
	after, ok2 := w.claim(t, w.after, id)
	if !ok || !ok2 {
		if !delta.IsZero() {
			t.Errorf("power changes by %v, on the network it did not", delta)
		}
		return
	}
	network := after.Sub(before)
	if !network.Equals(delta) {
		t.Errorf("power changes by %v, on the network by %v", delta, network)
	}
	t.Logf("power changes by %s bytes raw, as on the network", delta.Raw)
}

func (w *world) claim(t *testing.T, x *tree, id abi.ActorID) (miner.PowerPair, bool) {
	t.Helper()
	var p power10.State
	if !w.read(t, x, builtin.StoragePowerActorAddr, &p) {
		return miner.PowerPair{}, false
	}
	m, err := adt.AsMap(w.store, p.Claims, builtin.DefaultHamtBitwidth)
	if err != nil {
		return miner.PowerPair{}, false
	}
	var c power10.Claim
	found, err := m.Get(abi.AddrKey(idAddress(id)), &c)
	return miner.NewPowerPair(c.RawBytePower, c.QualityAdjPower), found && err == nil
}
