package messager

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
)

func halves(n int64) big.Int { return big.Div(big.Mul(oneFIL, big.NewInt(n)), big.NewInt(2)) }

// What a reorg takes back may cost more when it lands again, so it counts for
// that until it is settled: nothing else is promised the difference.
func TestWhatAReorgTakesBackIsStillPromised(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.config.Budgets = map[vigil.DutyKind]Budget{vigil.KindPost: {MaxFee: oneFIL, PerDay: halves(3)}}
		w.restart()
		w.push("a", 400)
		w.mine(4)
		w.expect("a", vigil.MessageIncluded)
		w.push("b", 400)
		w.chain.reorg(4)
		w.chain.baseFee = 19_000_000_000 // "a" costs nearly a FIL now
		w.mine(3)
		if m := w.expect("b", vigil.MessageQueued); !strings.Contains(m.Problem, "day's budget") {
			t.Errorf("problem %q", m.Problem)
		}
		w.mine(20)
		sum := big.Zero()
		for _, id := range []string{"a", "b"} {
			sum = big.Add(sum, amount(w.message(id).Paid))
		}
		if w.included("a") != 1 || sum.GreaterThan(halves(3)) {
			t.Errorf("a is %d times on chain; both cost %s", w.included("a"), sum)
		}
	})
}

// What a stuck recovery costs beyond its own fee is the posts' who wait
// behind it, and no more than their day has left.
func TestThePostsPurseGetsARecoveryOutOfTheWay(t *testing.T) {
	for name, c := range map[string]struct {
		daily big.Int
		lands bool
	}{
		"it has enough left": {halves(3), true},
		"it is too small":    {big.Add(oneFIL, centFIL), false},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				w.config.Budgets = map[vigil.DutyKind]Budget{
					vigil.KindRecover: {MaxFee: centFIL, PerDay: centFIL}, vigil.KindPost: {MaxFee: oneFIL, PerDay: c.daily},
				}
				w.restart()
				w.chain.minPremium = 5_000_000_000 // a quarter of a FIL for 50 million gas
				w.pushAlone(vigil.KindRecover, "recovery", 2000)
				w.pushAlone(vigil.KindPost, "post", 220)
				w.mine(119)
				if lands := w.included("post") == 1; lands != c.lands {
					t.Errorf("the post is on chain: %v; the recovery: %s", lands, w.message("recovery").Problem)
				}
				open, err := w.store.OpenMessages(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				l := newLoop(w.m.c)
				l.head = w.chain.head.Head
				for _, kind := range []vigil.DutyKind{vigil.KindPost, vigil.KindRecover} {
					if left, _, err := l.left(t.Context(), kind, w.m.c.books(open)); err != nil || left.Sign() < 0 {
						t.Errorf("the purse of %s is overdrawn: %s, %v", kind, left, err)
					}
				}
			})
		})
	}
}

func TestAReplacementByHandStaysWithinTheGreatestFee(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.config.MaxFee = oneFIL
		w.restart()
		w.chain.minPremium = 1 << 50
		w.push("a", 160)
		dear := &vigil.Gas{Limit: 50_000_000, FeeCap: big.NewInt(20_000_000_001), Premium: big.NewInt(1_000_000)}
		if err := w.m.Replace(t.Context(), "a", dear); err == nil || !strings.Contains(err.Error(), "raise the greatest fee") {
			t.Errorf("a replacement above the greatest fee: %v", err)
		}
		dear.FeeCap = big.NewInt(20_000_000_000)
		if err := w.m.Replace(t.Context(), "a", dear); err != nil {
			t.Error(err)
		}
	})
}

func TestTheDearestKindPaysForWhatIsInTheWay(t *testing.T) {
	c := Config{MaxFee: oneFIL, Budgets: map[vigil.DutyKind]Budget{vigil.KindPost: {MaxFee: halves(6)}, vigil.KindRecover: {MaxFee: centFIL, PerDay: oneFIL}, "sealing": {MaxFee: halves(4)}}}
	if c.payer() != vigil.KindPost {
		t.Errorf("%s pays", c.payer())
	}
	b := c.books(nil)
	for _, share := range []struct {
		kind              vigil.DutyKind
		cost, own, beyond big.Int
	}{
		{vigil.KindPost, halves(8), halves(8), big.Zero()},
		{vigil.KindRecover, halves(2), centFIL, big.Sub(oneFIL, centFIL)},
		{vigil.KindFill, halves(1), halves(1), big.Zero()},
		{"sealing", halves(5), halves(4), halves(1)},
	} {
		if own, beyond := b.shares(share.kind, share.cost); !own.Equals(share.own) || !beyond.Equals(share.beyond) {
			t.Errorf("%s of %s: %s and %s", share.cost, share.kind, own, beyond)
		}
	}
	stuck := vigil.Message{
		MessageRequest: vigil.MessageRequest{Duty: vigil.DutyID{Kind: vigil.KindRecover}}, State: vigil.MessagePublished,
		Attempts: []vigil.Attempt{{Signed: vigil.SignedMessage{Gas: vigil.Gas{Limit: 1, FeeCap: oneFIL}}}},
	}
	b.add(vigil.Message{}, stuck)
	if own, beyond := b.promised[vigil.KindRecover], b.promised[vigil.KindPost]; !own.Equals(centFIL) || !beyond.Equals(big.Sub(oneFIL, centFIL)) {
		t.Errorf("promised %s and %s", own, beyond)
	}
	b.add(stuck, vigil.Message{})
	if own, beyond := b.promised[vigil.KindRecover], b.promised[vigil.KindPost]; own.Sign() != 0 || beyond.Sign() != 0 {
		t.Errorf("promised %s and %s for nothing", own, beyond)
	}
	c.Budgets["sealing"] = Budget{MaxFee: halves(7)}
	if c.payer() != "sealing" {
		t.Errorf("%s pays", c.payer())
	}
}

// A version without budgets wrote down no costs.
func TestWhatWasNotPricedIsPricedBeforeADayIsCounted(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.config.MaxFee = oneFIL
		w.restart()
		w.chain.estimate = func(vigil.Call) (vigil.Gas, error) {
			return vigil.Gas{Limit: 50_000_000, FeeCap: big.NewInt(20_000_000_000), Premium: big.NewInt(16_000_000_000)}, nil
		}
		w.push("old", 150)
		w.mine(8)
		old := w.expect("old", vigil.MessageConfirmed)
		cost := old.Paid
		w.kill()
		old.Paid = big.Zero()
		if err := w.store.SaveMessages(t.Context(), "test", old); err != nil {
			t.Fatal(err)
		}
		w.config.Budgets = map[vigil.DutyKind]Budget{vigil.KindPost: {PerDay: halves(3)}}
		w.start()
		w.push("new", 400)
		if m := w.expect("new", vigil.MessageQueued); !strings.Contains(m.Problem, "day's budget") {
			t.Errorf("problem %q", m.Problem)
		}
		if m := w.message("old"); !m.Paid.Equals(cost) || cost.LessThan(halves(1)) {
			t.Errorf("it cost %s, and is counted for %s", cost, m.Paid)
		}
	})
}

// forgetful is a node that has lost a tipset.
type forgetful struct {
	*fakeChain
	lost abi.ChainEpoch
}

func (f forgetful) At(ctx context.Context, epoch abi.ChainEpoch, key vigil.TipSetKey) (vigil.Head, error) {
	if epoch == f.lost {
		return vigil.Head{}, errors.New("it was pruned")
	}
	return f.fakeChain.At(ctx, epoch, key)
}

// What is known of a day's costs is written down, also where the rest is not: of many
// messages not all can be asked for in one round, and of one not at all.
func TestWhatCanBePricedIsPricedWithoutTheRest(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.push("first", 150)
		w.mine(8)
		w.push("second", 160)
		w.mine(8)
		first, second := w.expect("first", vigil.MessageConfirmed), w.expect("second", vigil.MessageConfirmed)
		cost := second.Paid
		w.kill()
		first.Paid, second.Paid = big.Zero(), big.Zero()
		if err := w.store.SaveMessages(t.Context(), "test", first, second); err != nil {
			t.Fatal(err)
		}
		w.config.Heads = forgetful{w.chain, first.Receipt.Epoch}
		w.config.Budgets = map[vigil.DutyKind]Budget{vigil.KindPost: {PerDay: halves(300)}}
		w.start()
		w.push("new", 400)
		if m := w.message("second"); cost.Sign() == 0 || !m.Paid.Equals(cost) {
			t.Errorf("it cost %s, and is counted for %s", cost, m.Paid)
		}
	})
}
