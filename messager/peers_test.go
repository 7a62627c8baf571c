package messager

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
)

// The mistakes of other messagers, each as a story that fails here when it is
// made again; docs/messager.md has the table with what to change to see that.

func TestOneThatANodeRefusesKeepsNoneBehindItBack(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.chain.minPremium = 1 << 40
		w.chain.pushFault = func(m vigil.SignedMessage) (bool, error) {
			if string(m.Params) == "first" {
				return false, errors.New("message with nonce already exists")
			}
			return true, nil
		}
		w.push("first", 160)
		w.push("second", 160)
		w.push("third", 160)
		w.chain.dropPool()
		w.mine(1)
		if len(w.chain.pool) != 2 {
			t.Errorf("%d messages are in the pool, want the second and the third", len(w.chain.pool))
		}
	})
}

func TestWithoutEstimatesWhatIsSignedIsPushedOn(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.chain.minPremium = 1 << 40
		w.push("a", 160)
		w.chain.estimate = func(vigil.Call) (vigil.Gas, error) { return vigil.Gas{}, &vigil.CallError{Text: "no"} }
		w.push("b", 160)
		w.chain.dropPool()
		w.mine(1)
		w.expect("b", vigil.MessageQueued)
		if len(w.chain.pool) != 1 {
			t.Error("the signed message was not pushed again")
		}
	})
}

func TestTheMostUrgentGetsTheFirstNonce(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		estimate := errors.New("context deadline exceeded")
		w.chain.estimate = func(vigil.Call) (vigil.Gas, error) {
			return vigil.Gas{Limit: 1e7, FeeCap: big.NewInt(1100), Premium: big.NewInt(1000)}, estimate
		}
		w.push("later", 180)
		w.push("urgent", 150)
		w.push("middle", 170)
		estimate = nil
		w.mine(1)
		for id, want := range map[string]uint64{"urgent": 0, "middle": 1, "later": 2} {
			if m := w.expect(id, vigil.MessagePublished); m.Nonce != want {
				t.Errorf("%s has nonce %d, want %d", id, m.Nonce, want)
			}
		}
	})
}

func TestASecondMessagerOnTheSameStoreIsKeptOut(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.push("a", 160)
		first := w.m
		w.kill()
		w.config.Holder = "second"
		w.start() // the first one's leases have not ended
		w.push("b", 160)
		m := w.expect("b", vigil.MessageQueued)
		if !strings.Contains(m.Problem, "another vigil (test)") {
			t.Errorf("problem %q", m.Problem)
		}
		l := newLoop(first.c) // what the first would do when it had only been slow
		l.newRound(w.chain.head.Head)
		l.turn(t.Context())
		w.expect("b", vigil.MessagePublished)
		w.kill()
		w.store.leases[w.chain.keys[w.ids[0]]] = lease{holder: "second", token: 9}
		l.leased, l.leases[w.chain.keys[w.ids[0]]] = nil, w.store.leases[w.chain.keys[w.ids[1]]].until // it believes that it has it
		w.start()
		before := w.message("b")
		changed := before
		changed.Attempts = append(changed.Attempts, changed.Attempts[0])
		if err := w.store.SaveMessages(t.Context(), "test", changed); err == nil {
			t.Error("a messager that has lost its sender stored an attempt")
		}
	})
}

func TestAGapOfSeveralTipsetsIsReadWhole(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.push("a", 160)
		w.kill()
		w.chain.mine(4) // the first includes it
		w.start()
		w.expect("a", vigil.MessageIncluded)
		if scanned := w.store.scanned; len(scanned) != 5 {
			t.Errorf("%d tipsets are known to be scanned, want 5", len(scanned))
		}
		w.chain.reorg(4)
		synctest.Wait()
		w.expect("a", vigil.MessagePublished)
		w.mine(7)
		w.expect("a", vigil.MessageConfirmed)
	})
}

func TestAConfirmedMessageIsTakenBackByADeepReorg(t *testing.T) {
	for _, depth := range []int{10, 63, 200} {
		story(t, func(t *testing.T, w *world) {
			w.push("a", 500)
			w.mine(depth + 1)
			w.expect("a", vigil.MessageConfirmed)
			w.chain.dropPool()
			w.chain.reorg(depth + 1)
			synctest.Wait()
			m := w.message("a")
			if m.State.Done() || m.Receipt != nil || m.Settled {
				t.Fatalf("after a reorg of %d tipsets it is %s with %+v", depth+1, m.State, m.Receipt)
			}
			w.mine(8)
			if m = w.expect("a", vigil.MessageConfirmed); w.included("a") != 1 || m.Attempts[0].Signed.Nonce != m.Nonce {
				t.Errorf("%d times on chain", w.included("a"))
			}
		})
	}
}

func TestAFailedMessageIsTakenBackToo(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.chain.exit = 16
		w.push("a", 500)
		w.mine(8)
		w.expect("a", vigil.MessageFailed)
		w.chain.exit = 0
		w.chain.reorg(8)
		synctest.Wait()
		w.mine(8)
		w.expect("a", vigil.MessageConfirmed)
	})
}

func TestAMessageWhoseKeyIsGoneIsStillFollowed(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.push("a", 160)
		w.config.Signer = fakeSigner{}
		w.restart()
		w.mine(7)
		w.expect("a", vigil.MessageConfirmed)
	})
}

func TestAWishedReplacementIsOneThatPoolsTake(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.chain.minPremium = 1 << 40
		w.push("a", 160)
		gas := func(limit, feeCap, premium int64) *vigil.Gas {
			return &vigil.Gas{Limit: limit, FeeCap: big.NewInt(feeCap), Premium: big.NewInt(premium)}
		}
		var no *vigil.WishError
		for what, gas := range map[string]*vigil.Gas{
			"a premium a tenth higher but one": gas(5e7, 1e9, 110_000),
			"a premium above the fee cap":      gas(5e7, 110_000, 110_001),
			"no gas":                           gas(0, 1e9, 110_001),
			"nothing at all":                   {},
		} {
			if err := w.m.Replace(t.Context(), "a", gas); !errors.As(err, &no) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := w.m.Replace(t.Context(), "a", gas(6e7, 1e9, 110_001)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		m := w.expect("a", vigil.MessagePublished)
		if len(m.Attempts) != 2 || m.Attempts[1].Signed.Gas.Limit != 6e7 || !m.Attempts[1].Published {
			t.Fatalf("attempts %+v", m.Attempts)
		}
		w.restart()
		w.mine(1)
		if m := w.message("a"); len(m.Attempts) != 2 {
			t.Error("the wish was done again after a restart")
		}
		if err := w.m.Replace(t.Context(), "a", nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if m := w.message("a"); len(m.Attempts) != 3 || m.Attempts[2].Signed.Gas.Premium.LessThan(big.NewInt(121_002)) {
			t.Errorf("attempts %+v", m.Attempts)
		}
	})
}

func TestWhatHasNoNonceCannotBeReplaced(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.chain.estimate = func(vigil.Call) (vigil.Gas, error) { return vigil.Gas{}, &vigil.CallError{Text: "no"} }
		w.push("a", 160)
		var no *vigil.WishError
		if err := w.m.Replace(t.Context(), "a", nil); !errors.As(err, &no) || !strings.Contains(err.Error(), "queued") {
			t.Errorf("got %v", err)
		}
	})
}

func TestACancelledMessageLeavesNoHole(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.chain.minPremium = 110_000 // what was asked for first is too little
		w.push("a", 160)
		w.push("b", 160)
		if err := w.m.Cancel(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.mine(13)
		m := w.expect("a", vigil.MessageCancelled)
		if w.included("a") != 0 || !m.Attempts[len(m.Attempts)-1].Cancel || m.Receipt == nil {
			t.Errorf("%d times on chain, %+v", w.included("a"), m)
		}
		if m := w.expect("b", vigil.MessageConfirmed); m.Nonce != 1 {
			t.Errorf("nonce %d", m.Nonce)
		}
	})
}

func TestAQueuedMessageIsCancelledAtOnceAndAWishOutlivesARestart(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.chain.estimate = func(vigil.Call) (vigil.Gas, error) { return vigil.Gas{}, &vigil.CallError{Text: "no"} }
		w.push("a", 160)
		w.kill()
		for range 3 { // nobody listens: a wish waits for nobody
			if err := w.m.Cancel(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
		}
		w.chain.estimate = nil
		w.start()
		w.mine(1)
		if m := w.expect("a", vigil.MessageCancelled); len(m.Attempts) != 0 {
			t.Errorf("attempts %+v", m.Attempts)
		}
	})
}

func TestACancelThatComesTooLateSaysWhatBecameOfTheMessage(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.push("a", 160)
		w.chain.mu.Lock()
		at := senderNonce{w.chain.keys[w.ids[0]], 0}
		original := w.chain.pool[at]
		w.chain.mu.Unlock()
		if err := w.m.Cancel(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.chain.mu.Lock()
		w.chain.pool[at] = original // a miner who had not heard of the cancelling
		w.chain.mu.Unlock()
		w.mine(7)
		if m := w.expect("a", vigil.MessageConfirmed); m.Landed != 1 {
			t.Errorf("attempt %d was executed", m.Landed)
		}
		var no *vigil.WishError
		if err := w.m.Cancel(t.Context(), "a"); !errors.As(err, &no) {
			t.Errorf("a second cancel: %v", err)
		}
	})
}

func TestAWishForAMessageThatIsUnknownIsAnError(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		for what, err := range map[string]error{
			"republish": w.m.Republish(t.Context(), "x"), "cancel": w.m.Cancel(t.Context(), "x"), "replace": w.m.Replace(t.Context(), "x", nil),
		} {
			if !errors.Is(err, vigil.ErrNotFound) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

func TestAWishToRepublishPushesBetweenHeads(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.chain.minPremium = 1 << 40
		w.push("a", 160)
		w.chain.dropPool()
		if err := w.m.Republish(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(w.chain.pool) != 1 {
			t.Error("it was not pushed")
		}
	})
}

func TestAStrangersMessageIsNoticedWhateverNameItsSenderHas(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.m.Watch(w.ids...)
		w.push("a", 160)
		w.mine(7)
		key := w.chain.keys[w.ids[0]]
		w.push("b", 160)
		w.chain.mu.Lock()
		// The stranger's tool names the sender by its ID: so does the chain.
		stranger := vigil.SignedMessage{Call: vigil.Call{From: w.ids[0], To: key}, Nonce: 1, Signature: w.chain.pool[senderNonce{key, 1}].Signature}
		w.chain.head = w.chain.add(w.chain.head, w.chain.head.Epoch+1, []vigil.SignedMessage{stranger})
		w.chain.announce()
		w.chain.mu.Unlock()
		synctest.Wait()
		w.mine(1)
		for _, s := range w.m.Senders() {
			if s.Address == key.String() && strings.Contains(s.Problem, "not ours") {
				return
			}
		}
		t.Errorf("nobody is told: %+v", w.m.Senders())
	})
}

func TestWhatEachNodeSaysIsWrittenDown(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.chain.pushFault = func(vigil.SignedMessage) (bool, error) { return false, errors.New("message too big") }
		w.push("a", 160)
		a := lastAttempt(w.expect("a", vigil.MessageSigned))
		if len(a.Pushes) != 1 || a.Pushes[0].Node != "fake" || a.Pushes[0].Problem != "message too big" || a.Pushed.IsZero() {
			t.Errorf("%+v at %s", a.Pushes, a.Pushed)
		}
		w.chain.pushFault = nil
		w.mine(1)
		if a := lastAttempt(w.message("a")); a.Pushes[0].Problem != "" {
			t.Errorf("%+v", a.Pushes)
		}
	})
}

func TestAKeyThatWasLostIsNotReliedOn(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		keys := fakeSigner{[]address.Address{w.chain.keys[w.ids[0]], w.chain.keys[w.ids[1]]}}
		w.config.Signer = &keys
		w.restart()
		w.push("a", 160)
		w.mine(7)
		keys.keys = keys.keys[1:]
		w.push("b", 160)
		if m := w.expect("b", vigil.MessagePublished); m.Call.From != w.chain.keys[w.ids[1]] {
			t.Errorf("sent from %s", m.Call.From)
		}
	})
}

func TestWhatIsTooLateIsNotReplaced(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.chain.pushFault = func(vigil.SignedMessage) (bool, error) { return false, errors.New("the line is dead") }
		w.push("a", 104)
		w.mine(3) // 103: no tipset can include it in time
		before := len(w.message("a").Attempts)
		gas := vigil.Gas{Limit: 5e7, FeeCap: big.NewInt(1e11), Premium: big.NewInt(1e11)}
		if err := w.m.Replace(t.Context(), "a", &gas); err != nil {
			t.Fatal(err)
		}
		w.mine(7)
		if m := w.expect("a", vigil.MessageExpired); len(m.Attempts) != before {
			t.Errorf("%d attempts, and %d when it was too late", len(m.Attempts), before)
		}
	})
}

// unsaving is a store that keeps everything but attempts.
type unsaving struct{ Storage }

func (u unsaving) SaveMessages(ctx context.Context, holder string, messages ...vigil.Message) error {
	for _, m := range messages {
		if len(m.Attempts) > 0 {
			return errors.New("the disk is full")
		}
	}
	return u.Storage.SaveMessages(ctx, holder, messages...)
}

func TestAnAttemptThatIsNotStoredIsNotPushed(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.config.Store = unsaving{w.store}
		w.restart()
		w.push("a", 160)
		w.mine(3)
		if m := w.expect("a", vigil.MessageQueued); len(w.chain.pushes) != 0 || !strings.Contains(m.Problem, "the disk is full") {
			t.Errorf("pushes %v, problem %q", w.chain.pushes, m.Problem)
		}
	})
}

func TestAMessageForAForkThatIsGoneMakesWayForItsSuccessor(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.chain.minPremium = 110_000
		w.push("old", 160)
		r := w.request("new", 160)
		r.Supersedes = "old"
		if _, err := w.m.Push(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.mine(14)
		w.expect("old", vigil.MessageCancelled)
		w.expect("new", vigil.MessageConfirmed)
		if w.included("old") != 0 || w.included("new") != 1 {
			t.Errorf("on chain: old %d times, new %d times", w.included("old"), w.included("new"))
		}
	})
}

func TestWhileAStrangersMessagesWaitOursDoToo(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.chain.minPremium = 1 << 62 // nothing is mined
		w.chain.foreign(w.chain.keys[w.ids[0]], 0)
		w.push("a", 190)
		m := w.expect("a", vigil.MessageQueued)
		if !strings.Contains(m.Problem, "does a second daemon or wallet use the key") {
			t.Errorf("problem %q", m.Problem)
		}
		w.chain.minPremium = 0
		w.mine(1) // the stranger's is on chain
		if m := w.expect("a", vigil.MessagePublished); m.Nonce != 1 {
			t.Errorf("nonce %d", m.Nonce)
		}
	})
}

func TestAHoleThatAStrangerLeavesIsFilled(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.chain.minPremium = 1 << 62
		key := w.chain.keys[w.ids[0]]
		w.chain.foreign(key, 0)
		w.push("a", 250)
		w.mine(5) // waited long enough: it goes behind the stranger's
		if m := w.expect("a", vigil.MessagePublished); m.Nonce != 1 {
			t.Fatalf("nonce %d", m.Nonce)
		}
		w.chain.mu.Lock()
		clear(w.chain.pool)
		clear(w.chain.outsiders) // who gave up
		w.chain.minPremium = 0
		w.chain.mu.Unlock()
		w.mine(14)
		w.expect("a", vigil.MessageConfirmed)
		found, err := w.m.Find(t.Context(), vigil.MessageQuery{ID: "fill/" + key.String() + "/0"})
		if err != nil || len(found) != 1 || found[0].State != vigil.MessageConfirmed {
			t.Errorf("the fill: %+v, %v", found, err)
		}
	})
}

func TestADaysBudgetHoldsMessagesBackWithItsReason(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.config.Budgets = map[vigil.DutyKind]Budget{vigil.KindPost: {MaxFee: oneFIL, PerDay: big.Div(big.Mul(oneFIL, big.NewInt(3)), big.NewInt(2))}}
		w.restart()
		w.push("a", 160)
		w.push("b", 160)
		w.expect("a", vigil.MessagePublished)
		if m := w.expect("b", vigil.MessageQueued); !strings.Contains(m.Problem, "day's budget for post messages") {
			t.Errorf("problem %q", m.Problem)
		}
		w.mine(5) // the first is on chain, and a reorg may take it back: it counts for the most that it may cost
		w.expect("a", vigil.MessageIncluded)
		w.expect("b", vigil.MessageQueued)
		w.mine(2) // it is confirmed, and counts for what it took
		if m := w.expect("b", vigil.MessagePublished); gasCost(m.Attempts[0].Signed.Gas).GreaterThan(oneFIL) {
			t.Errorf("gas %+v", m.Attempts[0].Signed.Gas)
		}
	})
}

func TestPostsHaveTheirSenderAlone(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		r := w.request("recovery", 160)
		r.Duty.Kind = vigil.KindRecover
		if _, err := w.m.Push(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		w.push("post", 160)
		if a, b := w.message("recovery"), w.message("post"); a.Call.From != w.chain.keys[w.ids[1]] || b.Call.From != w.chain.keys[w.ids[0]] {
			t.Errorf("the recovery is sent from %s, the post from %s", a.Call.From, b.Call.From)
		}
	})
}

func TestASenderThatCannotPayForADayIsSaid(t *testing.T) {
	for balance, want := range map[int64]string{1000: "", 4: "one message may cost", 7: "the 2 messages of a day may cost"} {
		story(t, func(t *testing.T, w *world) {
			key := w.chain.keys[w.ids[0]]
			w.push("a", 160)
			w.push("b", 160)
			w.chain.mu.Lock()
			w.chain.balance[key] = big.Mul(big.NewInt(balance), oneFIL)
			w.chain.mu.Unlock()
			w.mine(7)
			for _, s := range w.m.Senders() {
				if s.Address == key.String() && (want == "" && s.Problem != "" || !strings.Contains(s.Problem, want)) {
					t.Errorf("with %d FIL: %+v", balance, s)
				}
			}
			if len(w.m.Senders()) == 0 {
				t.Error("nothing is said of any sender")
			}
		})
	}
}

func TestTooLargeAMessageIsATypedError(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		r := w.request("a", 160)
		r.Call.Params = make([]byte, 67_000)
		var large *vigil.TooLargeError
		if _, err := w.m.Push(t.Context(), r); !errors.As(err, &large) || large.Most != 64<<10 {
			t.Errorf("got %v", err)
		}
	})
}

// The simulation found this one: while the chain could not be read, a message
// that a reorg had taken back looked done, and its nonce was given to nothing.
func TestAMessageThatAReorgMayHaveTakenBackKeepsItsNonce(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.push("a", 160)
		w.mine(3)
		w.expect("a", vigil.MessageIncluded)
		w.chain.minPremium = 1 << 50
		w.push("b", 160)
		w.chain.readFault = func(method string) error {
			if method == "At" || method == "Executed" {
				return errors.New("node is busy")
			}
			return nil
		}
		w.chain.reorg(3)
		synctest.Wait()
		w.mine(1)
		for _, a := range w.message("a").Attempts {
			if a.Cancel {
				t.Fatal("it is cancelled")
			}
		}
		w.chain.readFault, w.chain.minPremium = nil, 0
		w.mine(8)
		w.expect("a", vigil.MessageConfirmed)
		w.expect("b", vigil.MessageConfirmed)
	})
}

// A crash before or after each single write of a message's life is followed
// by the same life.
func TestACrashAtEveryWriteChangesNothing(t *testing.T) {
	for at := 0; ; at++ {
		crashed := false
		story(t, func(t *testing.T, w *world) {
			w.kill()
			crashed = liveWithACrash(w, at)
			w.start()
		})
		if !crashed {
			if at < 10 {
				t.Fatalf("only %d places to crash at", at)
			}
			return
		}
	}
}

// liveWithACrash takes a message through a replacement, a reorg and its
// confirmation, and dies before or after its n-th write.
func liveWithACrash(w *world, n int) (crashed bool) {
	config := w.config
	config.Store = crashing{w.store, func() {
		if n--; n == -1 {
			crashed = true
			panic(crash{})
		}
	}}
	m, err := New(config)
	if err != nil {
		w.t.Fatal(err)
	}
	s := &sim{t: w.t, m: m, loop: newLoop(m.c)}
	turn := func() {
		w.chain.mine(1)
		for !s.survive(func() { s.loop.newRound(w.chain.head.Head); s.loop.turn(w.t.Context()) }) {
		}
	}
	for !s.survive(func() {
		if _, err := m.Push(w.t.Context(), w.request("a", 160)); err != nil {
			w.t.Error(err)
		}
	}) {
	}
	w.chain.minPremium = 200_000
	for range 8 { // signed, published, replaced
		turn()
	}
	w.chain.minPremium = 0
	turn()
	turn()
	w.chain.reorg(3)
	for range 9 {
		turn()
	}
	if found := w.store.messages["a"].m; found.State != vigil.MessageConfirmed || w.included("a") != 1 {
		w.t.Errorf("after a crash at write %d it is %s and %d times on chain", n, found.State, w.included("a"))
	}
	return crashed
}

// daemon is another messager with a store of its own on the same chain and keys.
func (w *world) daemon() *world {
	other := &world{t: w.t, chain: w.chain, store: newMemory(), config: w.config, ids: w.ids}
	other.config.Store, other.config.Holder, other.config.Changed = other.store, "other", nil
	return other
}

func TestTwoDaemonsWithOneKeyAndTwoFoldersSendNothingTwice(t *testing.T) {
	for what, hidden := range map[string]bool{"the second sees the first's message": false, "both sign before either is seen": true} {
		t.Run(what, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				w.chain.estimate = func(vigil.Call) (vigil.Gas, error) { // the chain takes a partition's post once
					for ts := w.chain.head; ts != nil; ts = ts.parent {
						if len(ts.included) > 0 {
							return vigil.Gas{}, &vigil.CallError{Text: "partition already proven"}
						}
					}
					return vigil.Gas{Limit: 5e7 + int64(w.chain.estimates), FeeCap: big.NewInt(1100), Premium: big.NewInt(100_000)}, nil
				}
				other := w.daemon()
				other.start()
				w.push("post", 160)
				if hidden {
					w.chain.readFault = func(method string) error {
						if method == "PoolNonce" {
							return errors.New("no such method")
						}
						return nil
					}
					w.chain.mu.Lock()
					at := senderNonce{w.chain.keys[w.ids[0]], 0}
					first := w.chain.pool[at]
					delete(w.chain.pool, at) // it is on the way from another node
					w.chain.pushFault = func(vigil.SignedMessage) (bool, error) { return false, errors.New("too slow") }
					w.chain.mu.Unlock()
					other.push("post", 160)
					other.expect("post", vigil.MessageSigned)
					w.chain.mu.Lock()
					w.chain.pool[at], w.chain.pushFault = first, nil
					w.chain.mu.Unlock()
				} else {
					other.push("post", 160)
					other.expect("post", vigil.MessageQueued)
				}
				w.mine(70)
				w.expect("post", vigil.MessageConfirmed)
				if n := w.included("post"); n != 1 {
					t.Errorf("it is %d times on chain", n)
				}
				if m := other.message("post"); m.Receipt != nil || !m.State.Done() {
					t.Errorf("the second daemon's is %s: %s", m.State, m.Problem)
				}
				other.stop()
				<-other.stopped
			})
		})
	}
}

// Where a second daemon is at work its nonces change at every head, and what
// is said of it does not.
func TestStrangersThatWaitAreSaidOnceForEachMessage(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		var said bytes.Buffer
		w.config.Log = slog.New(slog.NewTextHandler(&said, nil))
		w.restart()
		w.chain.minPremium = 1 << 62 // nothing is mined
		w.chain.foreign(w.chain.keys[w.ids[0]], 0)
		w.push("a", 190)
		for nonce := range uint64(4) {
			w.chain.foreign(w.chain.keys[w.ids[0]], nonce+1)
			w.mine(1)
		}
		w.expect("a", vigil.MessageQueued)
		if n := strings.Count(said.String(), "does a second daemon"); n != 1 {
			t.Errorf("said %d times:\n%s", n, said.String())
		}
	})
}

// The IDs of sends of nothing are the messager's own: nobody's call is signed
// in the place of one.
func TestNobodysCallIsSignedToFillAHole(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		key := w.chain.keys[w.ids[0]]
		r := w.request("fill/"+key.String()+"/0", 1000)
		if _, err := w.m.Push(t.Context(), r); err == nil || !strings.Contains(err.Error(), "messager's own") {
			t.Errorf("an ID of the messager's own was taken: %v", err)
		}
		// One that came into the store by another way.
		r.Senders = []address.Address{w.chain.keys[w.ids[1]]}
		r.Expires = 101
		if _, err := w.store.AddMessage(t.Context(), vigil.Message{MessageRequest: r, State: vigil.MessageExpired, Settled: true}); err != nil {
			t.Fatal(err)
		}
		w.chain.minPremium = 1 << 62
		w.chain.foreign(key, 0)
		w.push("a", 250)
		w.mine(5) // it goes behind the stranger's
		w.chain.mu.Lock()
		clear(w.chain.pool)
		clear(w.chain.outsiders) // who gave up
		w.chain.mu.Unlock()
		w.mine(14)
		if m := w.expect("a", vigil.MessagePublished); m.Nonce != 1 {
			t.Fatalf("nonce %d", m.Nonce)
		}
		if m, filled := w.chain.pool[senderNonce{key, 0}]; filled {
			t.Errorf("a call of method %d was signed for the hole", m.Method)
		}
	})
}
