package devnet

import (
	"testing"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/ipfs/go-cid"
)

// The upgrade falls into the middle of a deadline: a post before it and one after it count.
func TestAnUpgradeInTheMiddleOfADeadline(t *testing.T) {
	dir := t.TempDir()
	w := opened(t, Config{Dir: dir, NetworkVersion: 27, Sectors: 8})
	at := w.Epoch() + 10
	if err := w.Upgrade(t.Context(), Upgrade{Epoch: at, Version: 28}); err != nil {
		t.Fatal(err)
	}
	m, worker := w.Miners()[0], w.key("worker")
	params := get[NetworkParams](w, "StateGetNetworkParams").ForkUpgradeParams
	if params["UpgradeFireHorseHeight"] != int64(at) || params["UpgradeGoldenWeekHeight"] >= 0 || params["UpgradeXxHeight"] < 1e9 {
		t.Errorf("planned upgrades: %v", params)
	}
	old := get[Actor](w, "StateGetActor", m, nil).Code
	c := w.send(worker, m, 5, w.postParams(m, firstDeadline, goodProof, bitfield.New(), 0))
	w.pass(int(at - w.Epoch()))
	before := w.chain.current().key()
	w.stop()

	w = start(t, Config{Dir: dir})
	if v := get[int](w, "StateNetworkVersion", nil); v != 27 {
		t.Errorf("at the upgrade's epoch the version is %d, want 27", v)
	}
	w.pass(1)
	if v := get[int](w, "StateNetworkVersion", nil); v != 28 {
		t.Errorf("after it the version is %d, want 28", v)
	}
	if v := get[int](w, "StateNetworkVersion", before); v != 27 {
		t.Errorf("read at a tipset before it the version is %d, want 27", v)
	}
	if now := get[Actor](w, "StateGetActor", m, nil).Code; now == old || now != minerCode {
		t.Errorf("the miner's code was %s, is %s", old, now)
	}
	if was := get[Actor](w, "StateGetActor", m, before).Code; was != old {
		t.Errorf("before it the code was %s, is now said to be %s", old, was)
	}
	if r := w.receipt(c); r.ExitCode != 0 {
		t.Errorf("the post before it: exit code %d", r.ExitCode)
	}
	w.pass(60)
	w.to(firstOpen + 61)
	late := get[cid.Cid](w, "MpoolPush", w.signed(worker, Message{To: m, Method: 5, Params: w.postParams(m, firstDeadline+1, goodProof, bitfield.New(), 0)}))
	w.pass(2)
	if r := w.receipt(late); r.ExitCode != 0 {
		t.Errorf("the post after it: exit code %d", r.ExitCode)
	}
	if got := w.Stats().Total; got.PartitionsConfirmed != 1 || got.PartitionsMissed != 0 {
		t.Errorf("counts %+v", got)
	}
}

func TestAVersionThatNobodyKnowsYetIsANumber(t *testing.T) {
	w := start(t, Config{Sectors: 2})
	if err := w.Upgrade(t.Context(), Upgrade{Epoch: 3, Version: 29}); err != nil {
		t.Fatal(err)
	}
	w.pass(5)
	if v := get[int](w, "StateNetworkVersion", nil); v != 29 {
		t.Errorf("version %d", v)
	}
	if code := get[Actor](w, "StateGetActor", w.Miners()[0], nil).Code; code != minerCode {
		t.Errorf("code %s", code)
	}
}

// A proof of the old type is taken up to the upgrade, one of the new type after it.
func TestTheProofTypeChangesInTheMiddleOfADeadline(t *testing.T) {
	w := opened(t, Config{NetworkVersion: 18, VerifyV1: byWord, Verify: byWord, Sector: sectorOfWords})
	at := w.Epoch() + 10
	if err := w.Upgrade(t.Context(), Upgrade{Epoch: at, Version: 19}); err != nil {
		t.Fatal(err)
	}
	m, worker := w.Miners()[0], w.key("worker")
	typed := func(deadline uint64, typ abi.RegisteredPoStProof) []byte {
		var p miner.SubmitWindowedPoStParams
		decoded(t, w.postParams(m, deadline, goodProof, bitfield.New(), 0), &p)
		p.Proofs[0].PoStProof = typ
		return encoded(t, &p)
	}
	const v1, v11 = abi.RegisteredPoStProof_StackedDrgWindow2KiBV1, abi.RegisteredPoStProof_StackedDrgWindow2KiBV1_1
	if got := get[MinerInfo](w, "StateMinerInfo", m, nil).WindowPoStProofType; got != v1 {
		t.Errorf("the miner's proof type is %d, want %d", got, v1)
	}
	newer := w.send(worker, m, 5, typed(firstDeadline, v11))
	older := w.send(worker, m, 5, typed(firstDeadline, v1))
	w.pass(2)
	if a, b := w.receipt(newer).ExitCode, w.receipt(older).ExitCode; a != 16 || b != 0 {
		t.Errorf("before the upgrade: exit code %d of the new type, %d of the old one", a, b)
	}
	w.pass(10)
	if got := get[MinerInfo](w, "StateMinerInfo", m, nil).WindowPoStProofType; got != v11 {
		t.Errorf("after it the miner's proof type is %d, want %d", got, v11)
	}
	w.to(firstOpen + 61)
	older, newer = w.send(worker, m, 5, typed(firstDeadline+1, v1)), w.send(worker, m, 5, typed(firstDeadline+1, v11))
	w.pass(2)
	if a, b := w.receipt(newer).ExitCode, w.receipt(older).ExitCode; a != 0 || b != 16 {
		t.Errorf("after the upgrade: exit code %d of the new type, %d of the old one", a, b)
	}
	if got := w.Stats().Total; got.ProofsChecked != 2 || got.ProofsInvalid != 0 {
		t.Errorf("counts %+v", got)
	}
}
