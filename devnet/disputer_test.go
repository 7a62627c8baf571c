package devnet

import (
	"bytes"
	"io"
	"testing"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
)

func decoded(t *testing.T, data []byte, into interface{ UnmarshalCBOR(io.Reader) error }) {
	t.Helper()
	if err := into.UnmarshalCBOR(bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
}

func TestAWrongProofIsDisputedByAnAccountOfItsOwn(t *testing.T) {
	w := opened(t, Config{Disputer: true})
	disputer, ok := w.Network.Disputer()
	if !ok {
		t.Fatal("nobody disputes")
	}
	m, worker := w.Miners()[0], w.key("worker")
	w.send(worker, m, 5, w.postParams(m, firstDeadline, badProof, bitfield.New(), 0))
	w.to(firstOpen + 60)
	w.pass(2)
	funds := get[abi.TokenAmount](w, "WalletBalance", disputer)
	miner := get[Actor](w, "StateGetActor", m, nil).Balance
	w.pass(disputeAfter + 3)
	if f := numbers(t, w.partition(firstDeadline).FaultySectors); len(f) != 2 {
		t.Errorf("faulty sectors %v, want both", f)
	}
	if a := get[Actor](w, "StateGetActor", disputer, nil); a.Nonce != 1 {
		t.Errorf("the disputer sent %d messages, want 1", a.Nonce)
	}
	if won := big.Sub(get[abi.TokenAmount](w, "WalletBalance", disputer), funds); won.LessThan(fil(3)) {
		t.Errorf("the disputer won %s", filText(won))
	}
	if lost := big.Sub(miner, get[Actor](w, "StateGetActor", m, nil).Balance); lost.LessThan(fil(20)) {
		t.Errorf("the miner lost %s, want 20 FIL and more", filText(lost))
	}
}

func TestAGoodProofIsNotDisputed(t *testing.T) {
	w := opened(t, Config{Disputer: true})
	m := w.Miners()[0]
	w.send(w.key("worker"), m, 5, w.postParams(m, firstDeadline, goodProof, bitfield.New(), 0))
	w.to(firstOpen + 80)
	disputer, _ := w.Network.Disputer()
	if a := get[Actor](w, "StateGetActor", disputer, nil); a.Nonce != 0 {
		t.Errorf("the disputer sent %d messages", a.Nonce)
	}
}

func TestFaultsCostAndBlocksPay(t *testing.T) {
	w := opened(t, Config{})
	m := w.Miners()[0]
	w.send(w.key("worker"), m, 5, w.postParams(m, firstDeadline, goodProof, bitfield.New(), 0))
	before := get[Actor](w, "StateGetActor", m, nil).Balance
	w.pass(10)
	earned := big.Sub(get[Actor](w, "StateGetActor", m, nil).Balance, before)
	if least := big.Mul(blockReward, big.NewInt(10)); earned.LessThan(least) {
		t.Errorf("ten blocks paid %s, want at least %s", filText(earned), filText(least))
	}
	if tip := big.Sub(earned, big.Mul(blockReward, big.NewInt(10))); tip.Sign() <= 0 {
		t.Error("the message's premium went to nobody")
	}
	// The other deadlines are missed: the first miss is free, the second is not.
	w.to(firstOpen + 2880 + 60)
	free := get[Actor](w, "StateGetActor", m, nil).Balance
	w.pass(70)
	fee := big.Sub(big.Add(free, big.Mul(blockReward, big.NewInt(70))), get[Actor](w, "StateGetActor", m, nil).Balance)
	if fee.Sign() <= 0 {
		t.Errorf("faulty sectors cost %s", filText(fee))
	}
}

// Whatever happens, money comes from blocks only, and goes nowhere but to the
// account that burns it.
func TestNoMoneyAppearsOrVanishes(t *testing.T) {
	w := opened(t, Config{Disputer: true, Sectors: 20, NullRounds: 0.1})
	m, worker := w.Miners()[0], w.key("worker")
	total := func() abi.TokenAmount {
		sum := big.Zero()
		for _, a := range w.chain.current().after.actors {
			sum = big.Add(sum, a.balance)
		}
		return sum
	}
	before := total()
	w.send(worker, m, 5, w.postParams(m, firstDeadline, badProof, bitfield.New(), 0))
	blocks := int64(0)
	for w.Epoch() < firstOpen+2*2880+100 {
		if w.Epoch()%700 == 0 {
			w.sent("owner")
			w.send(worker, m, 16, nil) // fails, and pays
		}
		w.pass(1)
		blocks++
	}
	if got, want := total(), big.Add(before, big.Mul(blockReward, big.NewInt(blocks))); !got.Equals(want) {
		t.Errorf("after %d blocks there is %s, want %s", blocks, filText(got), filText(want))
	}
	burnt := get[Actor](w, "StateGetActor", "t099", nil)
	if burnt.Balance.LessThan(fil(20)) {
		t.Errorf("burnt is %s: the dispute's penalty and the fees are more", filText(burnt.Balance))
	}
}

func TestNullRoundsTakeTheirTime(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	w.pass(3)
	if err := w.NullRounds(5, 4); err != nil {
		t.Fatal(err)
	}
	if !w.due(1) {
		t.Error("epoch 4 is not due after an epoch")
	}
	w.pass(1)
	for waited, want := range map[abi.ChainEpoch]bool{1: false, 4: false, 5: true} {
		if w.due(waited) != want {
			t.Errorf("%d epochs after 4 the tipset of 9 is due: %v", waited, !want)
		}
	}
}
