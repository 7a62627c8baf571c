package chain_test

import (
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const aDeadline = `{"CurrentEpoch":100,"PeriodStart":0,"Index":1,"Open":60,"Close":120,"Challenge":40,"FaultCutoff":-10,"WPoStPeriodDeadlines":48,
	"WPoStProvingPeriod":2880,"WPoStChallengeWindow":60,"WPoStChallengeLookback":20,"FaultDeclarationCutoff":70}`

// A picture of the chain is made of many answers, and one that is missing spoils
// it: what fails is asked for again at once, within the same decision.
func TestAQuestionThatFailsIsAskedAgainAtOnce(t *testing.T) {
	for _, nodes := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			h := newHerd(t, nodes, 30*time.Second)
			h.pass(1)
			asked := 0
			fails := func(times int, how func() (any, error)) {
				asked = 0
				h.nodes[0].handle("StateMinerProvingDeadline", func([]json.RawMessage) (any, error) {
					if asked++; asked <= times {
						return how()
					}
					return json.RawMessage(aDeadline), nil
				})
			}
			refuse := func() (any, error) { return nil, errors.New("too many requests") }
			nonsense := func() (any, error) { return json.RawMessage(`"?"`), nil }
			for _, how := range []func() (any, error){refuse, nonsense} {
				fails(2, how)
				if _, err := h.all.Deadline(t.Context(), 1000, ""); err != nil || asked != 3 {
					t.Errorf("%d nodes: after %d questions: %v", nodes, asked, err)
				}
			}
			fails(1000, refuse)
			if _, err := h.all.Deadline(t.Context(), 1000, ""); err == nil || asked != 3 {
				t.Errorf("%d nodes: a question that always fails was asked %d times: %v", nodes, asked, err)
			}
			if s := h.all.Status()[0]; s.Failed != 7 {
				t.Errorf("%d nodes: %d failures are counted, want 7", nodes, s.Failed)
			}
		})
	}
}

// What is an answer is not asked for again, nor what has used up its time.
func TestWhatIsAnsweredOrLateIsNotAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHerd(t, 1, 30*time.Second)
		h.pass(1)
		var asked atomic.Int32
		h.nodes[0].handle("StateMinerProvingDeadline", func([]json.RawMessage) (any, error) {
			asked.Add(1)
			return nil, errors.New("load state: actor not found")
		})
		if _, err := h.all.Deadline(t.Context(), 1000, ""); err == nil || asked.Load() != 1 {
			t.Errorf("asked %d times for a miner that does not exist: %v", asked.Load(), err)
		}
		asked.Store(0)
		h.nodes[0].handle("StateMinerProvingDeadline", func([]json.RawMessage) (any, error) {
			asked.Add(1)
			<-time.After(time.Minute)
			return nil, errors.New("busy")
		})
		began := time.Now()
		if _, err := h.all.Deadline(t.Context(), 1000, ""); err == nil || asked.Load() != 1 || time.Since(began) > 31*time.Second {
			t.Errorf("a node that does not answer was asked %d times in %s: %v", asked.Load(), time.Since(began), err)
		}
		h.pass(2) // until the last answer has come
	})
}
