package actor

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin"
	miner10 "github.com/filecoin-project/go-state-types/builtin/v10/miner"
	power10 "github.com/filecoin-project/go-state-types/builtin/v10/power"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/adt"
	"github.com/filecoin-project/go-state-types/exitcode"
	"github.com/ipfs/go-cid"
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
	w := &world{blocks: newMemory(), sectors: map[cid.Cid]cid.Cid{}}
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
	if m.method == builtin.MethodsMiner.ProveCommitAggregate {
		w.compareArrival(t, rt, head, m, post)
		return
	}
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

// compareArrival assigns the sectors that a ProveCommitAggregate brought to
// deadlines, and compares where the network has put them. Their infos are taken
// from the state that it left.
func (w *world) compareArrival(t *testing.T, rt *Runtime, head cid.Cid, m call, post *miner10.State) {
	t.Helper()
	if w.v.Postconditions.Receipts[0].ExitCode != exitcode.Ok {
		t.Skip("the network refused the sectors, which are not judged here")
	}
	var p miner10.ProveCommitAggregateParams
	check(t, p.UnmarshalCBOR(bytes.NewReader(m.params)))
	after, err := miner.LoadSectors(w.store, w.modernSectors(t, post.Sectors))
	check(t, err)
	var fresh []*miner.SectorOnChainInfo
	for _, n := range members(p.SectorNumbers) {
		info, found, err := after.Get(abi.SectorNumber(n))
		check(t, err)
		if found {
			fresh = append(fresh, info)
		}
	}
	s, err := begin(rt, head)
	check(t, err)
	check(t, s.assign(fresh))
	if got := w.deadlinesAsThen(t, s.st.Deadlines); got != post.Deadlines {
		t.Errorf("%d sectors leave the deadlines %s, on the network %s", len(fresh), got, post.Deadlines)
	}
	t.Logf("%d sectors assigned, as on the network", len(fresh))
}

// isMiner says whether an actor's state is a miner's. Where it is not in the
// vector, the message did not get as far as the actor.
func (w *world) isMiner(t *testing.T, id abi.ActorID) bool {
	t.Helper()
	head, _ := w.before.entry(t, idAddress(id))
	raw, ok := w.blocks.find(head)
	var st miner10.State
	return ok && st.UnmarshalCBOR(bytes.NewReader(raw)) == nil
}

// beyond says why a method of the corpus is not the actor's here.
func beyond(method abi.MethodNum) string {
	switch method {
	case 0:
		return "a transfer runs no actor"
	case 6, 7, 25, 28, 34, 36:
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
	if w.blocks.has(post.Info) {
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
