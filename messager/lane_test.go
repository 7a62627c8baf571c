package messager

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/crypto"

	"github.com/vigil-post/vigil"
)

// A sender's messages are executed in the order of their nonces, so one that is
// stuck keeps those behind it from their deadline.

var centFIL = big.Div(oneFIL, big.NewInt(100))

// pushAlone pushes a message that only the first sender can send.
func (w *world) pushAlone(kind vigil.DutyKind, id string, expires abi.ChainEpoch) {
	w.t.Helper()
	r := w.request(id, expires)
	r.Duty.Kind, r.Senders = kind, w.ids[:1]
	if _, err := w.m.Push(w.t.Context(), r); err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
}

func TestAStuckRecoveryClimbsToTheBudgetOfThePostBehindIt(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.config.Budgets = map[vigil.DutyKind]Budget{vigil.KindRecover: {MaxFee: centFIL, PerDay: centFIL}}
		w.restart()
		w.chain.minPremium = 10_000_000_000 // a cent is a fiftieth of that for 50 million gas
		w.pushAlone(vigil.KindRecover, "recovery", 2000)
		w.mine(60)
		for _, a := range w.message("recovery").Attempts {
			if gasCost(a.Signed.Gas).GreaterThan(centFIL) {
				t.Fatalf("attempt %d may cost %s, and nobody waits behind it", a.Number, gasCost(a.Signed.Gas))
			}
		}
		w.pushAlone(vigil.KindPost, "post", 220)
		w.mine(59) // a tipset at 219 is the last that counts
		for _, id := range []string{"recovery", "post"} {
			if w.included(id) != 1 {
				t.Errorf("%s is not on chain at epoch %d: %s", id, w.chain.head.Epoch, w.message(id).Problem)
			}
		}
		for _, m := range []vigil.Message{w.message("recovery"), w.message("post")} {
			for _, a := range m.Attempts {
				if gasCost(a.Signed.Gas).GreaterThan(defaultMaxFee) {
					t.Errorf("attempt %d of %s may cost %s", a.Number, m.ID, gasCost(a.Signed.Gas))
				}
			}
		}
	})
}

func TestOneKindsDayIsNotWidenedByItsOwnThatWait(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.config.Budgets = map[vigil.DutyKind]Budget{vigil.KindRecover: {MaxFee: centFIL}}
		w.restart()
		w.chain.minPremium = 1 << 40
		w.pushAlone(vigil.KindRecover, "first", 200)
		w.pushAlone(vigil.KindRecover, "second", 200)
		w.mine(98)
		for _, a := range w.message("first").Attempts {
			if gasCost(a.Signed.Gas).GreaterThan(centFIL) {
				t.Errorf("attempt %d may cost %s", a.Number, gasCost(a.Signed.Gas))
			}
		}
	})
}

func TestANonceIsFreedAtThePriceOfTheDearestThatWaits(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.config.Budgets = map[vigil.DutyKind]Budget{vigil.KindRecover: {MaxFee: centFIL}}
		w.restart()
		w.chain.minPremium = 20_000_000_000 // a cent is a quarter of that for a send of nothing
		w.pushAlone(vigil.KindRecover, "cancelled", 2000)
		w.pushAlone(vigil.KindRecover, "urgent", 150)
		w.pushAlone(vigil.KindPost, "post", 160)
		if err := w.m.Cancel(t.Context(), "cancelled"); err != nil {
			t.Fatal(err)
		}
		w.mine(49) // the more urgent recovery must be on chain by then, and all before it
		for _, id := range []string{"urgent", "post"} {
			if w.included(id) != 1 {
				t.Errorf("%s is not on chain at epoch %d: %s", id, w.chain.head.Epoch, w.message(id).Problem)
			}
		}
	})
}

func TestAPostThatWaitsForItsSendersMoneyHurriesWhatHasIt(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.chain.balance[w.chain.keys[w.ids[0]]] = big.Mul(big.NewInt(4), oneFIL) // less than one message may cost
		w.chain.minPremium = 100_000_000
		w.pushAlone(vigil.KindRecover, "recovery", 2000)
		w.pushAlone(vigil.KindPost, "post", 160)
		if m := w.expect("post", vigil.MessageQueued); !strings.Contains(m.Problem, "to spend") {
			t.Fatalf("problem %q", m.Problem)
		}
		w.mine(59)
		for _, id := range []string{"recovery", "post"} {
			if w.included(id) != 1 {
				t.Errorf("%s is not on chain at epoch %d: %s", id, w.chain.head.Epoch, w.message(id).Problem)
			}
		}
	})
}

// Those behind a stuck message cannot be executed before it: it may have of
// their money what they do not need at the least.
func TestAStuckMessageBorrowsFromThoseBehindIt(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.config.Budgets = map[vigil.DutyKind]Budget{vigil.KindRecover: {MaxFee: centFIL}, vigil.KindPost: {MaxFee: oneFIL}}
		w.chain.balance[w.chain.keys[w.ids[0]]] = big.Add(oneFIL, centFIL)
		w.restart()
		w.chain.minPremium = 5_000_000_000 // a quarter of a FIL for 50 million gas
		w.pushAlone(vigil.KindRecover, "recovery", 2000)
		w.pushAlone(vigil.KindPost, "post", 220)
		w.expect("post", vigil.MessagePublished) // all of the sender's money is promised
		w.mine(119)
		for _, id := range []string{"recovery", "post"} {
			if w.included(id) != 1 {
				t.Errorf("%s is not on chain at epoch %d: %s", id, w.chain.head.Epoch, w.message(id).Problem)
			}
		}
	})
}

func TestAFeeCapFollowsABalanceThatFell(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.chain.minPremium = 1 << 40
		w.pushAlone(vigil.KindPost, "post", 400)
		w.mine(1)
		key := w.chain.keys[w.ids[0]]
		w.chain.balance[key] = oneFIL // somebody has spent the rest, and a block takes nothing that could cost more
		w.mine(1)
		m := w.message("post")
		last := lastAttempt(m).Signed.Gas
		if gasCost(last).GreaterThan(oneFIL) || len(m.Attempts) != 2 {
			t.Fatalf("attempt %d may cost %s, and the sender has %s", len(m.Attempts), gasCost(last), oneFIL)
		}
		w.mine(3)
		if n := len(w.message("post").Attempts); n != 2 {
			t.Errorf("%d attempts, and nothing has changed", n)
		}
	})
}

// within refuses to sign what may use much gas, as a wallet with a policy of its own may.
type within struct{ vigil.Signer }

func (s within) Sign(ctx context.Context, m vigil.SignedMessage) (crypto.Signature, error) {
	if m.Gas.Limit > 50_000_000 {
		return crypto.Signature{}, &vigil.SigningRefusal{Text: "too much gas"}
	}
	return s.Signer.Sign(ctx, m)
}

func TestAWishThatNoKeySignsKeepsNoReplacementBack(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.config.MaxFee, w.config.Signer = oneFIL, within{w.config.Signer}
		w.restart()
		w.chain.minPremium = 10_000_000_000
		w.push("a", 160)
		gas := &vigil.Gas{Limit: 60_000_000, FeeCap: big.NewInt(1 << 33), Premium: big.NewInt(1 << 33)}
		if err := w.m.Replace(t.Context(), "a", gas); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if m := w.message("a"); len(m.Attempts) != 1 || !strings.Contains(m.Problem, "too much gas") {
			t.Fatalf("%d attempts, problem %q", len(m.Attempts), m.Problem)
		}
		w.mine(59)
		if w.included("a") != 1 {
			t.Errorf("not on chain at epoch %d: %s", w.chain.head.Epoch, w.message("a").Problem)
		}
	})
}

func TestADaysBudgetThatCanSendNothingIsRefused(t *testing.T) {
	c := newWorld(t).config
	c.Budgets = map[vigil.DutyKind]Budget{vigil.KindPost: {PerDay: big.Mul(big.NewInt(3), oneFIL)}}
	if _, err := New(c); err == nil || !strings.Contains(err.Error(), "none would ever be sent") {
		t.Errorf("three FIL a day, and five for one: %v", err)
	}
	c.MaxFee = oneFIL
	if _, err := New(c); err != nil {
		t.Error(err)
	}
}

// slow is a wallet that does not answer and is given up after ten seconds.
type slow struct{ vigil.Signer }

func (s slow) Has(context.Context, address.Address) (bool, error) {
	<-time.After(10 * time.Second)
	return false, errors.New("the wallet does not answer")
}

func TestAWalletThatHangsHoldsATurnUpOnceForEachKey(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.config.Signer = slow{w.config.Signer}
		w.kill()
		for i := range 20 {
			w.push(name(i), 160)
		}
		began := time.Now() // in the bubble time passes for the wallet alone
		w.start()
		for w.message(name(19)).Problem == "" {
			time.Sleep(time.Second)
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("twenty messages of two senders were looked at in %s", took)
		}
	})
}

func TestAFeeThatThePoolRefusesIsRaised(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.config.LowFeeCap = true
		w.restart()
		w.chain.baseFee = 1_000_000 // of the next tipset on: the first attempt knows nothing of it
		w.chain.pushFault = func(m vigil.SignedMessage) (bool, error) {
			if m.Gas.FeeCap.LessThan(big.NewInt(1_000_000)) {
				return false, vigil.ErrFeeTooLow
			}
			return true, nil
		}
		w.push("a", 160)
		w.mine(59)
		if w.included("a") != 1 {
			t.Errorf("not on chain at epoch %d: %s", w.chain.head.Epoch, w.message("a").Problem)
		}
	})
}

func TestACostThatThePoolSaysTheSenderLacksIsLowered(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.chain.pushFault = func(m vigil.SignedMessage) (bool, error) {
			if gasCost(m.Gas).GreaterThan(centFIL) {
				return false, vigil.ErrNotEnoughFunds // beside others' messages in the pool, which we do not see
			}
			return true, nil
		}
		w.push("a", 105) // all its budget is in play from the first on
		w.mine(4)
		if w.included("a") != 1 {
			t.Errorf("not on chain at epoch %d: %s", w.chain.head.Epoch, w.message("a").Problem)
		}
	})
}

func TestStrangersThatAreGoneFromThePoolAreSaidNoMore(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		key := w.chain.keys[w.ids[0]]
		w.chain.foreign(key, 0)
		w.chain.minPremium = 1 << 61
		w.pushAlone(vigil.KindPost, "post", 115) // it has no time to wait for them
		w.mine(1)
		said := func() string {
			for _, s := range w.m.Senders() {
				if s.Address == key.String() {
					return s.Problem
				}
			}
			return ""
		}
		if !strings.Contains(said(), "wait in the node's pool") {
			t.Fatalf("while it waits: %q", said())
		}
		w.chain.minPremium = 0
		w.mine(3)
		w.expect("post", vigil.MessageIncluded)
		if strings.Contains(said(), "wait in the node's pool") {
			t.Errorf("it is on chain, and yet: %q", said())
		}
	})
}
