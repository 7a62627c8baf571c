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
	"github.com/filecoin-project/go-state-types/exitcode"

	"github.com/vigil-post/vigil"
)

func TestAMessageIsSentIncludedAndConfirmedOnce(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.push("a", 160)
		m := w.expect("a", vigil.MessagePublished) // at once, without waiting for a head
		if m.Call.From != w.chain.keys[w.ids[0]] || m.Nonce != 0 || len(m.Attempts) != 1 {
			t.Errorf("sent from %s with nonce %d in %d attempts", m.Call.From, m.Nonce, len(m.Attempts))
		}
		w.mine(1) // includes it
		w.expect("a", vigil.MessagePublished)
		w.mine(1) // its receipt is known one tipset later
		m = w.expect("a", vigil.MessageIncluded)
		if m.Receipt.Epoch != 101 || m.Receipt.ExitCode != exitcode.Ok {
			t.Errorf("receipt %+v", m.Receipt)
		}
		w.mine(3)
		w.expect("a", vigil.MessageIncluded) // 4 epochs deep
		w.mine(1)
		w.expect("a", vigil.MessageConfirmed)
		if n := w.included("a"); n != 1 {
			t.Errorf("it is on chain %d times", n)
		}
		if w.changes != 4 {
			t.Errorf("Changed was called %d times, want 4: signed, published, included, confirmed", w.changes)
		}
	})
}

// A tipset's messages are executed by the next one: until then the nonce is used,
// and by whom is not known.
func TestAMessageThatTheHeadIncludesIsNotInConflict(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.mine(10) // so that the tipset at the confidence is there to be read
		before := w.changes
		w.push("a", 160)
		w.expect("a", vigil.MessagePublished)
		w.mine(1)
		if m := w.expect("a", vigil.MessagePublished); m.Problem != "" {
			t.Error(m.Problem)
		}
		w.mine(1)
		w.expect("a", vigil.MessageIncluded)
		if w.changes != before+3 {
			t.Errorf("it changed %d times, want 3: signed, published, included", w.changes-before)
		}
	})
}

func TestAMessageThatTheActorRefusedHasFailedAtConfidence(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.chain.exit = exitcode.ErrIllegalArgument
		w.push("a", 160)
		w.mine(6)
		m := w.expect("a", vigil.MessageFailed)
		if m.Receipt.ExitCode != exitcode.ErrIllegalArgument || !strings.Contains(m.Problem, "ErrIllegalArgument") {
			t.Errorf("%+v: %s", m.Receipt, m.Problem)
		}
	})
}

func TestTheSameIDIsOneMessageAndAnotherCallAConflict(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.push("a", 160)
		before := w.message("a")
		again, err := w.m.Push(t.Context(), w.request("a", 160))
		if err != nil || again.Attempts[0].CID != before.Attempts[0].CID {
			t.Errorf("the same again: %v, %v", again, err)
		}
		other := w.request("a", 160)
		other.Call.Params = []byte("other")
		var conflict *vigil.ConflictError
		if _, err := w.m.Push(t.Context(), other); !errors.As(err, &conflict) || conflict.ID != "a" {
			t.Errorf("another call: %v", err)
		}
	})
}

func TestARequestThatCanNeverGetOnChainIsRefused(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		for what, spoil := range map[string]func(*vigil.MessageRequest){
			"no ID":                   func(r *vigil.MessageRequest) { r.ID = "" },
			"no sender":               func(r *vigil.MessageRequest) { r.Senders = nil },
			"a sender that is none":   func(r *vigil.MessageRequest) { r.Senders = append(r.Senders, address.Undef) },
			"no receiver":             func(r *vigil.MessageRequest) { r.Call.To = address.Undef },
			"parameters of 67 kB":     func(r *vigil.MessageRequest) { r.Call.Params = make([]byte, 67_000) },
			"a value less than zero ": func(r *vigil.MessageRequest) { r.Call.Value = big.NewInt(-1) },
		} {
			r := w.request("a", 160)
			spoil(&r)
			if _, err := w.m.Push(t.Context(), r); err == nil {
				t.Errorf("%s was taken", what)
			}
		}
	})
}

func TestALostAnswerIsResolvedByTheSameBytes(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		for _, taken := range []bool{true, false} {
			id := map[bool]string{true: "taken", false: "not taken"}[taken]
			w.chain.pushFault = func(vigil.SignedMessage) (bool, error) { return taken, errors.New("connection reset") }
			w.push(id, 160)
			m := w.expect(id, vigil.MessageSigned)
			if !strings.Contains(m.Problem, "connection reset") {
				t.Errorf("problem %q", m.Problem)
			}
			w.chain.pushFault = nil
			w.mine(2)
			m = w.message(id)
			if len(m.Attempts) != 1 {
				t.Errorf("%s: %d attempts, want the first again", id, len(m.Attempts))
			}
			w.mine(7)
			w.expect(id, vigil.MessageConfirmed)
		}
	})
}

func TestWithoutHeadsTheClockPushesAgain(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.chain.pushFault = func(vigil.SignedMessage) (bool, error) { return false, errors.New("no") }
		w.push("a", 160)
		first := w.message("a").Attempts[0].CID
		time.Sleep(10*30*time.Second + time.Second)
		synctest.Wait()
		w.chain.mu.Lock() // the clock moves by itself here: only the lock orders the accesses
		if n := w.chain.pushes[first]; n != 11 {
			t.Errorf("pushed %d times in 10 epochs without a head, want 11", n)
		}
		w.chain.pushFault = nil
		w.chain.mu.Unlock()
		time.Sleep(30 * time.Second)
		synctest.Wait()
		w.expect("a", vigil.MessagePublished)
	})
}

func TestARefusedEstimateIsTriedAgainEachHeadAndNotBetween(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.config.Signer = fakeSigner{[]address.Address{w.chain.keys[w.ids[0]]}} // one candidate
		w.restart()
		// Lotus' recorded words for a call that the actor refuses.
		refusal := &vigil.CallError{Text: "message execution failed (exit=[ErrSerialization(21)], vm error=[message failed with backtrace])"}
		w.chain.estimate = func(c vigil.Call) (vigil.Gas, error) {
			if string(c.Params) == "early" && w.chain.head.Epoch < 105 {
				return vigil.Gas{}, refusal
			}
			return vigil.Gas{Limit: 1e7, FeeCap: big.NewInt(1100), Premium: big.NewInt(1000)}, nil
		}
		w.push("early", 160)
		m := w.expect("early", vigil.MessageQueued)
		if !strings.Contains(m.Problem, "ErrSerialization(21)") {
			t.Errorf("problem %q", m.Problem)
		}
		w.push("other", 160) // its arrival is no reason to ask again for the first
		w.expect("other", vigil.MessagePublished)
		if w.chain.estimates != 2 {
			t.Errorf("%d estimates, want 2", w.chain.estimates)
		}
		w.mine(4)
		w.expect("early", vigil.MessageQueued)
		if w.chain.estimates != 6 {
			t.Errorf("%d estimates after 4 heads, want 6", w.chain.estimates)
		}
		w.mine(1)
		w.expect("early", vigil.MessagePublished)
		w.mine(6)
		w.expect("early", vigil.MessageConfirmed)
	})
}

func TestWhenNoNodeCanEstimateTheGasIsGuessed(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.chain.estimate = func(vigil.Call) (vigil.Gas, error) { return vigil.Gas{}, errors.New("context deadline exceeded") }
		w.push("a", 160)
		w.expect("a", vigil.MessageQueued)
		w.mine(1)
		m := w.expect("a", vigil.MessagePublished)
		if gas := lastAttempt(m).Signed.Gas; gas.Limit != guessedLimit {
			t.Errorf("gas %+v", gas)
		}
		w.mine(6)
		w.expect("a", vigil.MessageConfirmed)
	})
}

func TestAMessageBeforeItsNonceExpiresAtOnce(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.chain.estimate = func(vigil.Call) (vigil.Gas, error) { return vigil.Gas{}, &vigil.CallError{Text: "no"} }
		w.push("a", 105)
		w.mine(3) // 103: a tipset at 104 could include it
		w.expect("a", vigil.MessageQueued)
		w.mine(1)
		m := w.expect("a", vigil.MessageExpired)
		if !strings.Contains(m.Problem, "refuse") {
			t.Errorf("the last problem is forgotten: %q", m.Problem)
		}
	})
}

func TestASignedMessageExpiresOnlyWhenTheChainIsSure(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.chain.minPremium = 1 << 40 // nothing is mined
		w.push("a", 105)
		w.mine(9) // 109
		w.expect("a", vigil.MessagePublished)
		w.mine(1)
		w.expect("a", vigil.MessageExpired)
	})
}

func TestAnExpiredMessageIsPushedOnOnlyWhileLaterOnesWaitBehindIt(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		refuse := true
		w.chain.pushFault = func(m vigil.SignedMessage) (bool, error) {
			if refuse && m.Nonce == 0 {
				return false, errors.New("no")
			}
			return true, nil
		}
		w.push("late", 103)
		w.mine(8)
		w.expect("late", vigil.MessageExpired)
		first := w.message("late").Attempts[0].CID
		before := w.chain.pushes[first]
		refuse = false
		w.mine(3)
		if w.chain.pushes[first] != before {
			t.Error("an expired message was pushed with nothing behind it")
		}
		w.push("next", 160)
		w.mine(7)
		w.expect("next", vigil.MessageConfirmed)
		if m := w.message("next"); m.Nonce != 1 {
			t.Errorf("nonce %d", m.Nonce)
		}
	})
}

func TestAReorgTakesAnInclusionBackAndTheMessageLandsAgain(t *testing.T) {
	for _, dropped := range []bool{false, true} {
		story(t, func(t *testing.T, w *world) {
			w.push("a", 160)
			w.mine(3)
			w.expect("a", vigil.MessageIncluded)
			if dropped {
				w.chain.dropPool()
			}
			w.chain.reorg(3)
			synctest.Wait()
			m := w.expect("a", vigil.MessagePublished)
			if m.Receipt != nil || !strings.Contains(m.Problem, "reorg") {
				t.Errorf("receipt %v, problem %q", m.Receipt, m.Problem)
			}
			w.mine(7)
			m = w.expect("a", vigil.MessageConfirmed)
			if len(m.Attempts) > 2 || w.included("a") != 1 {
				t.Errorf("%d attempts, %d times on chain", len(m.Attempts), w.included("a"))
			}
		})
	}
}

func TestAReorgToAForkThatHasTheMessageElsewhereMovesItsReceipt(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.push("a", 160)
		w.mine(2)
		old := w.expect("a", vigil.MessageIncluded).Receipt
		w.chain.mu.Lock()
		fork := w.chain.head.parent.parent // before the inclusion
		pool := w.chain.selectMessages(fork)
		one := w.chain.add(fork, fork.Epoch+2, pool)
		w.chain.head = w.chain.add(one, fork.Epoch+3, nil)
		w.chain.announce()
		w.chain.mu.Unlock()
		synctest.Wait()
		m := w.expect("a", vigil.MessageIncluded)
		if m.Receipt.TipSet != one.Key || m.Receipt.TipSet == old.TipSet {
			t.Errorf("receipt at %s, want %s", m.Receipt.TipSet, one.Key)
		}
	})
}

func TestARestartAnywhereGoesOnWithoutASecondIntent(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.push("a", 160)
		w.restart()
		w.expect("a", vigil.MessagePublished)
		w.mine(2)
		w.restart()
		w.expect("a", vigil.MessageIncluded)
		w.kill()
		w.chain.mine(70) // longer than the scan reaches
		w.start()
		w.expect("a", vigil.MessageConfirmed)
	})
}

func TestAnExecutionInALongGapIsFoundBySearch(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.push("a", 500)
		w.kill()
		w.chain.mine(300)
		w.start()
		if m := w.expect("a", vigil.MessageConfirmed); m.Receipt.Epoch != 101 {
			t.Errorf("receipt %+v", m.Receipt)
		}
	})
}

func TestNullRoundsAreWalkedOver(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.push("a", 160)
		w.chain.skip(10)
		synctest.Wait()
		w.chain.skip(3)
		synctest.Wait()
		w.expect("a", vigil.MessageIncluded)
		w.chain.skip(0)
		synctest.Wait()
		w.expect("a", vigil.MessageConfirmed)
	})
}

func TestReadsThatFailDelayAndDecideNothing(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.push("a", 106)
		for _, method := range []string{"Executed", "At", "Account", "Search", "Head"} {
			w.chain.readFault = func(m string) error {
				if m == method {
					return errors.New("node is busy")
				}
				return nil
			}
			w.mine(3)
			if m := w.message("a"); m.State == vigil.MessageExpired || m.State == vigil.MessageFailed {
				t.Fatalf("while %s failed: %s", method, m.State)
			}
		}
		w.chain.readFault = nil
		w.mine(1)
		w.expect("a", vigil.MessageConfirmed)
	})
}

func TestAForeignMessageAtItsNonceSendsItBackForAnother(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.chain.pushFault = func(m vigil.SignedMessage) (bool, error) { return false, errors.New("no") }
		w.push("a", 160)
		w.expect("a", vigil.MessageSigned)
		w.chain.foreign(w.chain.keys[w.ids[0]], 0)
		w.chain.pushFault = nil
		w.mine(5)
		if m := w.expect("a", vigil.MessageConflicted); m.Nonce != 0 || !strings.Contains(m.Problem, "nonce 0") {
			t.Errorf("a new nonce %d before it was sure: %s", m.Nonce, m.Problem)
		}
		w.mine(1)
		m := w.expect("a", vigil.MessagePublished)
		if m.Nonce != 1 || len(m.Attempts) != 2 || m.Attempts[0].Signed.Nonce != 0 {
			t.Errorf("nonce %d, attempts %v", m.Nonce, m.Attempts)
		}
		w.mine(6)
		w.expect("a", vigil.MessageConfirmed)
	})
}

func TestAStuckMessageIsReplacedAtItsNonceWithinItsBudget(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.chain.minPremium = 1_000_000
		w.push("a", 160)
		w.mine(4)
		if m := w.message("a"); len(m.Attempts) != 1 {
			t.Errorf("replaced after 4 epochs")
		}
		w.mine(1)
		m := w.message("a")
		if len(m.Attempts) != 2 || m.Attempts[1].Signed.Nonce != 0 || !m.Attempts[1].Signed.Gas.Premium.Equals(big.NewInt(398_107)) {
			t.Fatalf("attempts %+v", m.Attempts)
		}
		w.mine(5)
		m = w.message("a")
		if len(m.Attempts) != 3 || !m.Attempts[2].Signed.Gas.Premium.Equals(big.NewInt(1_584_892)) {
			t.Fatalf("attempts %+v", m.Attempts)
		}
		for _, a := range m.Attempts {
			if gasCost(a.Signed.Gas).GreaterThan(defaultMaxFee) {
				t.Errorf("attempt %d may cost %s", a.Number, gasCost(a.Signed.Gas))
			}
		}
		w.mine(6)
		w.expect("a", vigil.MessageConfirmed)
	})
}

func TestAnEarlierAttemptThatLandsIsTheMessage(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.chain.minPremium = 1 << 40
		w.push("a", 160)
		w.chain.pushFault = func(m vigil.SignedMessage) (bool, error) {
			return m.Gas.Premium.LessThan(big.NewInt(300_000)), nil // the replacement is lost
		}
		w.mine(5)
		if m := w.message("a"); len(m.Attempts) != 2 {
			t.Fatalf("%d attempts", len(m.Attempts))
		}
		w.chain.minPremium = 0
		w.mine(6)
		w.expect("a", vigil.MessageConfirmed)
	})
}

func TestOneBadMessageBlocksNoOther(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		blind := true
		w.chain.estimate = func(c vigil.Call) (vigil.Gas, error) {
			if blind || string(c.Params) == "bad" {
				return vigil.Gas{}, &vigil.CallError{Text: "no"}
			}
			return vigil.Gas{Limit: 1e7, FeeCap: big.NewInt(1100), Premium: big.NewInt(1000)}, nil
		}
		w.push("bad", 150)
		w.push("good", 160)
		blind = false
		w.mine(1) // both are tried, the bad one first
		w.expect("good", vigil.MessagePublished)
		w.mine(6)
		w.expect("bad", vigil.MessageQueued)
		w.expect("good", vigil.MessageConfirmed)
	})
}

func TestTheFirstSenderThatHoldsAKeyAndCanPayIsTaken(t *testing.T) {
	first, second := 0, 1
	for name, test := range map[string]struct {
		arrange func(w *world)
		want    *int
		problem string
	}{
		"the first":         {func(*world) {}, &first, ""},
		"the preferred one": {func(w *world) { w.config.Preferred = w.ids[1:] }, &second, ""},
		"the one whose key is held": {func(w *world) {
			w.config.Signer = fakeSigner{[]address.Address{w.chain.keys[w.ids[1]]}}
		}, &second, ""},
		"the one with a balance": {func(w *world) { w.chain.balance[w.chain.keys[w.ids[0]]] = big.NewInt(1) }, &second, ""},
		"the richer when both are poor": {func(w *world) {
			w.chain.estimate = func(vigil.Call) (vigil.Gas, error) {
				return vigil.Gas{Limit: 1000, FeeCap: big.NewInt(5000), Premium: big.NewInt(100)}, nil
			}
			w.chain.balance[w.chain.keys[w.ids[0]]] = big.NewInt(300_000)
			w.chain.balance[w.chain.keys[w.ids[1]]] = big.NewInt(400_000)
		}, &second, ""},
		"none without a key":                {func(w *world) { w.config.Signer = fakeSigner{} }, nil, "is not in the wallet"},
		"none without a balance":            {func(w *world) { clear(w.chain.balance) }, nil, "top it up with"},
		"none that the chain does not know": {func(w *world) { clear(w.chain.keys) }, nil, "read the key address of f0101"},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				keys := []address.Address{w.chain.keys[w.ids[0]], w.chain.keys[w.ids[1]]}
				test.arrange(w)
				w.restart()
				w.push("a", 160)
				if test.want == nil {
					if m := w.expect("a", vigil.MessageQueued); !strings.Contains(m.Problem, test.problem) {
						t.Errorf("problem %q", m.Problem)
					}
					return
				}
				if m := w.expect("a", vigil.MessagePublished); m.Call.From != keys[*test.want] {
					t.Errorf("sent from %s, want %s", m.Call.From, keys[*test.want])
				}
			})
		})
	}
}

// Who may send for a miner can change while a message waits: an operator whose control
// address has run out of money gives the miner another one, and the message goes from that.
func TestAMessageThatWaitsIsSentByWhoMaySendNow(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		control := w.ids[:1]
		w.chain.balance[w.chain.keys[w.ids[0]]] = big.NewInt(1)
		unread := false
		w.config.Miner = func(context.Context, abi.ActorID, vigil.TipSetKey) (vigil.MinerInfo, error) {
			if unread {
				return vigil.MinerInfo{}, errors.New("node is busy")
			}
			return vigil.MinerInfo{Control: control, Worker: w.ids[0], Owner: w.ids[0]}, nil
		}
		w.restart()
		r := w.request("a", 160)
		r.Senders = w.ids[:1]
		if _, err := w.m.Push(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		w.mine(2)
		w.expect("a", vigil.MessageQueued)
		control, unread = w.ids[1:], true // what cannot be read changes nothing
		w.mine(1)
		w.expect("a", vigil.MessageQueued)
		unread = false
		w.mine(1)
		if m := w.expect("a", vigil.MessagePublished); m.Call.From != w.chain.keys[w.ids[1]] {
			t.Errorf("sent from %s: %s", m.Call.From, m.Problem)
		}
	})
}

// A message of somebody who names its sender is sent by that one and no other.
func TestAMessageThatIsNoDutysKeepsItsSenders(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.config.Miner = func(context.Context, abi.ActorID, vigil.TipSetKey) (vigil.MinerInfo, error) {
			return vigil.MinerInfo{Worker: w.ids[0], Owner: w.ids[0]}, nil
		}
		w.restart()
		r := w.request("a", 160)
		r.Duty, r.Senders = vigil.DutyID{}, w.ids[1:]
		if _, err := w.m.Push(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		w.mine(1)
		if found, err := w.m.Find(t.Context(), vigil.MessageQuery{ID: "a"}); err != nil || len(found) != 1 || found[0].Call.From != w.chain.keys[w.ids[1]] {
			t.Errorf("%v, %v", found, err)
		}
	})
}

func TestASmallBalanceIsSharedAndNeverOverdrawn(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		key := w.chain.keys[w.ids[0]]
		w.config.Signer = fakeSigner{[]address.Address{key}}
		w.chain.balance[key] = big.Mul(big.NewInt(6), oneFIL)
		w.chain.minPremium = 1 << 40 // all wait
		w.restart()
		w.push("a", 160)
		w.push("b", 160)
		w.push("c", 160)
		sum := big.Zero()
		for _, id := range []string{"a", "b"} {
			sum = big.Add(sum, gasCost(lastAttempt(w.expect(id, vigil.MessagePublished)).Signed.Gas))
		}
		w.expect("c", vigil.MessageQueued)
		w.mine(12) // with replacements
		for _, id := range []string{"a", "b"} {
			sum = big.Zero()
			sum = big.Add(sum, gasCost(lastAttempt(w.message(id)).Signed.Gas))
		}
		if sum.GreaterThan(w.chain.balance[key]) {
			t.Errorf("%s attoFIL may be spent", sum)
		}
	})
}

func TestNothingIsPushedThatCouldNotBeStored(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.push("a", 160)
		w.store.mu.Lock()
		w.store.broken = errors.New("disk full")
		w.store.mu.Unlock()
		if _, err := w.m.Push(t.Context(), w.request("b", 160)); err == nil {
			t.Error("a message was acknowledged without being stored")
		}
		pushed := len(w.chain.intents)
		w.mine(3)
		if len(w.chain.intents) != pushed {
			t.Error("something new was pushed while nothing could be stored")
		}
		w.store.mu.Lock()
		w.store.broken = nil
		w.store.mu.Unlock()
		w.mine(4)
		w.expect("a", vigil.MessageConfirmed)
	})
}

func TestTheChainsNonceIsTakenWhereItIsAhead(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		for n := range uint64(5) {
			w.chain.foreign(w.chain.keys[w.ids[0]], n) // sent before Vigil was installed
		}
		w.mine(1)
		w.push("a", 160)
		if m := w.expect("a", vigil.MessagePublished); m.Nonce != 5 {
			t.Errorf("nonce %d, want 5", m.Nonce)
		}
		w.mine(6)
		w.expect("a", vigil.MessageConfirmed)
	})
}

func TestANodeThatIsBehindTakesNothingBack(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.push("a", 160)
		w.mine(3)
		w.expect("a", vigil.MessageIncluded)
		w.chain.mu.Lock()
		ahead := w.chain.head
		w.chain.head = ahead.parent.parent.parent // the tipset before the inclusion
		w.chain.announce()
		w.chain.head = ahead
		w.chain.mu.Unlock()
		changes := w.changes
		synctest.Wait()
		w.expect("a", vigil.MessageIncluded)
		if w.changes != changes {
			t.Error("states changed")
		}
		w.mine(3)
		w.expect("a", vigil.MessageConfirmed)
	})
}

func TestAnExecutionThatCouldNotBeReadInTimeIsNotCalledExpired(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.push("a", 106)
		w.chain.readFault = func(m string) error {
			if m == "Executed" || m == "Search" {
				return errors.New("node is busy")
			}
			return nil
		}
		w.mine(30)
		w.expect("a", vigil.MessagePublished)
		w.chain.readFault = nil
		w.mine(1)
		w.expect("a", vigil.MessageConfirmed)
	})
}

func TestABaseFeeAboveTheBudgetIsSaidAndNotAnsweredWithPremiums(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.chain.minPremium = 1 << 40
		w.push("a", 160)
		w.chain.baseFee = 200_000_000_000 // 5 FIL for 50 million gas are half of that
		w.mine(8)
		if m := w.message("a"); len(m.Attempts) != 1 || !strings.Contains(m.Problem, "base fee") {
			t.Errorf("%d attempts, problem %q", len(m.Attempts), m.Problem)
		}
		w.chain.baseFee = 100
		w.mine(1)
		if m := w.message("a"); len(m.Attempts) != 2 {
			t.Errorf("%d attempts after the base fee fell", len(m.Attempts))
		}
	})
}
