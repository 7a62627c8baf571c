package messager

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vigil-post/vigil"
)

// A message that no pool takes, whatever its price, must not cost those behind it
// their deadlines: its nonce is freed for them long before its own time is over.
func TestAMessageThatNoPoolEverTakesHoldsUpNoPost(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.chain.pushFault = func(m vigil.SignedMessage) (bool, error) {
			if string(m.Params) == "recovery" {
				return false, fmt.Errorf("%w: 'GasLimit' field cannot be less than the cost of storing a message on chain", vigil.ErrMessageInvalid)
			}
			return true, nil
		}
		w.pushAlone(vigil.KindRecover, "recovery", 2000)
		w.mine(2)
		w.pushAlone(vigil.KindPost, "post", 160)
		w.mine(12)
		w.expect("post", vigil.MessageConfirmed)
		m := w.expect("recovery", vigil.MessageExpired) // its caller asks for another one
		if !m.Settled || w.included("recovery") != 0 || !strings.Contains(m.Problem, "no node's pool took it") {
			t.Errorf("the recovery is on chain %d times; it says %q", w.included("recovery"), m.Problem)
		}
	})
}

// What a pool refuses for a moment only keeps its nonce.
func TestAMessageThatAPoolRefusesForAMomentIsNotGivenUp(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		refused := true
		w.chain.pushFault = func(m vigil.SignedMessage) (bool, error) {
			if refused {
				return false, fmt.Errorf("%w: signature verification failed", vigil.ErrMessageInvalid)
			}
			return true, nil
		}
		w.pushAlone(vigil.KindPost, "post", 160)
		w.mine(3)
		w.chain.mu.Lock()
		refused = false
		w.chain.mu.Unlock()
		w.mine(10)
		if m := w.expect("post", vigil.MessageConfirmed); m.Nonce != 0 || len(m.Attempts) != 1 {
			t.Errorf("nonce %d, %d attempts", m.Nonce, len(m.Attempts))
		}
	})
}

// A restart in between forgets what the pools said, and nothing else.
func TestAMessageThatNoPoolTakesIsGivenUpAfterARestartToo(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.chain.pushFault = func(m vigil.SignedMessage) (bool, error) {
			if string(m.Params) == "bad" {
				return false, fmt.Errorf("%w: the message is too big", vigil.ErrMessageInvalid)
			}
			return true, nil
		}
		w.chain.minPremium = 1 << 40 // the send of nothing waits too
		w.pushAlone(vigil.KindPost, "bad", 160)
		w.mine(6)
		w.restart()
		w.mine(1)
		w.chain.mu.Lock()
		w.chain.minPremium = 0
		w.chain.mu.Unlock()
		w.mine(8)
		w.expect("bad", vigil.MessageExpired)
	})
}
