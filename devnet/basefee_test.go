package devnet

import (
	"testing"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
)

// The values are those of FIP-0115.
func TestTheBaseFeeFollowsThePremiumOfFourFifthsOfABlock(t *testing.T) {
	for _, c := range [][3]int64{
		{100, 0, 100}, {100, 13, 100}, {100, 14, 101}, {100, 26, 113},
		{801, 0, 700}, {801, 100, 800}, {801, 200, 900}, {801, 201, 901}, {801, 5000, 902},
		{808, 0, 707}, {808, 202, 909}, {808, 203, 909},
	} {
		if got := baseFeeByPremium(big.NewInt(c[0]), big.NewInt(c[1])); got.Int64() != c[2] {
			t.Errorf("after %d with a premium of %d it is %s, want %d", c[0], c[1], got, c[2])
		}
	}
}

func TestTheDecidingPremiumIsThatOfAUnitOfGas(t *testing.T) {
	offers := func(list ...[2]int64) (out []*SignedMessage) {
		for _, o := range list {
			out = append(out, &SignedMessage{Message: Message{GasLimit: o[0], GasPremium: big.NewInt(o[1]), GasFeeCap: big.NewInt(10_000)}})
		}
		return out
	}
	for _, c := range []struct {
		sentence string
		list     []*SignedMessage
		want     int64
	}{
		{"an empty block has none", nil, 0},
		{"a block of less than four fifths has none", offers([2]int64{7_999_999_999, 900}), 0},
		{"a block of four fifths has its own", offers([2]int64{8_000_000_000, 900}), 900},
		{"the cheaper ones decide", offers([2]int64{5e9, 900}, [2]int64{1e9, 50}, [2]int64{3e9, 300}), 300},
		{"what lies past four fifths does not", offers([2]int64{2e9, 1}, [2]int64{8e9, 700}), 700},
		{"the fee cap limits what is paid", offers([2]int64{9e9, 9_950}), 9_900},
	} {
		if got := decidingPremium(c.list, big.NewInt(100)); got.Int64() != c.want {
			t.Errorf("%s: %s, want %d", c.sentence, got, c.want)
		}
	}
}

func TestABaseFeeThatWasToldHoldsForItsEpochsAndThenFalls(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	w.pass(2)
	if err := w.MultiplyBaseFee(1000, 3); err != nil {
		t.Fatal(err)
	}
	var got []int64
	for range 5 {
		w.pass(1)
		got = append(got, get[TipSet](w, "ChainHead").Blocks[0].ParentBaseFee.Int64())
	}
	want := []int64{100_000, 100_000, 100_000, 87_500, 76_562}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("base fees %v, want %v", got, want)
		}
	}
	if err := w.Reorg(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	ts := get[TipSet](w, "ChainGetTipSetByHeight", 4, nil)
	if fee := ts.Blocks[0].ParentBaseFee.Int64(); fee != 100_000 {
		t.Errorf("on another branch the same epoch costs %d", fee)
	}
	if err := w.SetBaseFee(big.NewInt(99), 1); err == nil {
		t.Error("a base fee below the network's least was taken")
	}
}

func TestTheRuleOfTheBaseFeeChangesWithTheUpgrade(t *testing.T) {
	w := start(t, Config{Sectors: -1, NetworkVersion: 27})
	w.pass(1)
	if err := w.Upgrade(t.Context(), Upgrade{Epoch: 10, Version: 28}); err != nil {
		t.Fatal(err)
	}
	if err := w.SetBaseFee(big.NewInt(8_000), 1); err != nil {
		t.Fatal(err)
	}
	fees := map[abi.ChainEpoch]int64{}
	for w.Epoch() < 13 {
		full := w.signed(w.key("owner"), Message{To: w.key("owner").Address})
		full.Message.GasLimit, full.Message.GasPremium = 7_900_000_000, big.NewInt(1_000)
		sm, err := w.key("owner").SignMessage(full.Message)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.push(t.Context(), sm, maxPendingTrusted); err != nil {
			t.Fatal(err)
		}
		w.pass(1)
		head := get[TipSet](w, "ChainHead")
		fees[head.Height] = head.Blocks[0].ParentBaseFee.Int64()
	}
	// 7.9 G of 10 G: by use it rises, by premium it falls.
	if fees[9] <= fees[8] || fees[10] <= fees[9] || fees[11] >= fees[10] || fees[12] >= fees[11] {
		t.Errorf("base fees %v; it must rise up to 10 and fall from 11 on", fees)
	}
}
