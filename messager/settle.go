package messager

import (
	"fmt"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/exitcode"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
)

// finality is when the chain itself is sure: 900 epochs.
const finality abi.ChainEpoch = 900

// facts is what is known of the chain that ends in the head. What could not
// be read is absent, and nothing is concluded from it.
type facts struct {
	head     vigil.Head
	executed map[cid.Cid]vigil.Executed
	onChain  map[vigil.TipSetKey]bool            // of the tipsets that included messages
	baseFees map[vigil.TipSetKey]abi.TokenAmount // of tipsets
	nonces   map[string]nonceFact                // of messages that have a nonce and were not seen, by ID
}

// nonceFact is what became of a message's nonce.
type nonceFact string

const (
	nonceFree  nonceFact = "free"  // the chain has not used it
	nonceTaken nonceFact = "taken" // a message of the head's tipset has it; the next one executes that, and tells which
	nonceUsed  nonceFact = "used"  // the chain has used it, and not for the message
	nonceLost  nonceFact = "lost"  // so it has, at the configured confidence
)

// settle says how far a message has come by the facts. It goes by what is
// true at the head and not by what the state was, so that it also takes back what
// a reorg took back, however long the message has been settled.
func settle(m vigil.Message, f facts, confidence abi.ChainEpoch) vigil.Message {
	if m.Receipt != nil {
		on, known := f.onChain[m.Receipt.TipSet]
		if !known {
			return m
		}
		if !on {
			m = takeBack(m)
		}
	}
	if m.Receipt == nil {
		m = include(m, f)
	}
	switch {
	case m.Receipt != nil:
		return confirm(m, f.head.Epoch, confidence)
	case m.Settled:
	case m.State == vigil.MessageQueued:
		return settleQueued(m, f.head.Epoch)
	default:
		return settleNonce(m, f, confidence)
	}
	return m
}

func takeBack(m vigil.Message) vigil.Message {
	m.Problem = fmt.Sprintf(vigil.TookBack+" at epoch %d", m.Receipt.Epoch)
	m.State, m.Receipt, m.Landed, m.Paid, m.Settled = vigil.MessagePublished, nil, 0, big.Zero(), false
	return m
}

// include finds the message's execution, by any of its attempts. One that was
// made to have a nonce that the message no longer has is no execution of it.
func include(m vigil.Message, f facts) vigil.Message {
	for _, a := range m.Attempts {
		e, ok := f.executed[a.CID]
		if !ok || a.Cancel && !isCurrent(m, a) {
			continue
		}
		receipt := e.Receipt
		m.State, m.Receipt, m.Problem, m.Landed, m.Settled = vigil.MessageIncluded, &receipt, "", a.Number, false
		m.Call.From, m.Nonce = a.Signed.From, a.Signed.Nonce
		m.Paid = gasCost(a.Signed.Gas)
		if fee, known := f.baseFees[receipt.TipSet]; known && !fee.Nil() {
			m.Paid = paid(a.Signed.Gas, receipt.GasUsed, fee)
		}
	}
	return m
}

// confirm says what came of an executed message.
func confirm(m vigil.Message, head, confidence abi.ChainEpoch) vigil.Message {
	a, _ := m.Executed()
	switch {
	case head-m.Receipt.Epoch < confidence:
		m.State, m.Settled = vigil.MessageIncluded, false
		return m
	case a.Cancel && m.Wish.Verb == vigil.WishCancel:
		m.State, m.Problem = vigil.MessageCancelled, "its nonce went to a send of nothing, as was wished"
	case a.Cancel && !tooLate(m, a.Epoch):
		m.State, m.Problem = vigil.MessageExpired, "no node's pool took it as valid, and its nonce went to a send of nothing"
	case a.Cancel:
		m.State, m.Problem = vigil.MessageExpired, "it was too late, and its nonce went to a send of nothing for those behind it"
	case m.Receipt.ExitCode == exitcode.Ok:
		m.State = vigil.MessageConfirmed
	default:
		m.State = vigil.MessageFailed
		m.Problem = fmt.Sprintf("it was executed with exit code %s", m.Receipt.ExitCode)
	}
	m.Settled = true
	return m
}

// settleQueued ends a message that never had a nonce, or has none any more.
func settleQueued(m vigil.Message, head abi.ChainEpoch) vigil.Message {
	switch {
	case m.Wish.Verb == vigil.WishCancel:
		m.State, m.Settled, m.Problem = vigil.MessageCancelled, true, "it was cancelled before it had a nonce"
	case tooLate(m, head):
		m.State, m.Settled = vigil.MessageExpired, true
	}
	return m
}

// settleNonce says what the fate of its nonce means for a message that is not on chain.
func settleNonce(m vigil.Message, f facts, confidence abi.ChainEpoch) vigil.Message {
	fact := f.nonces[m.ID]
	late := gone(m, f, confidence)
	switch {
	case fact == nonceLost:
		return lose(m, f.head.Epoch)
	case late:
		m.State = vigil.MessageExpired
	case m.State.Done():
	case fact == nonceUsed:
		m.Problem = fmt.Sprintf("the chain has used nonce %d of %s for a message that is not this one", m.Nonce, m.Call.From)
		m.State = vigil.MessageConflicted
	case fact == nonceFree && m.State == vigil.MessageConflicted:
		m.State = vigil.MessagePublished
	}
	return m
}

// lose takes the nonce from a message that has lost it for good.
func lose(m vigil.Message, head abi.ChainEpoch) vigil.Message {
	m.Problem = fmt.Sprintf("nonce %d of %s went to a message that is not ours", m.Nonce, m.Call.From)
	switch {
	case m.Duty.Kind == vigil.KindFill, m.Wish.Verb == vigil.WishCancel:
		m.State, m.Settled = vigil.MessageCancelled, true
	case m.State.Done(), tooLate(m, head):
		m.State, m.Settled = vigil.MessageExpired, true
	default:
		m.State, m.Nonce, m.Call.From = vigil.MessageQueued, 0, address.Undef
	}
	return m
}

// inFlight says that the message has a nonce and no tipset is known to have executed it.
func inFlight(m vigil.Message) bool {
	return !m.Settled && m.Receipt == nil && m.State != vigil.MessageQueued && len(m.Attempts) > 0
}

// tooLate says that the first tipset that could still include the message is
// past its time.
func tooLate(m vigil.Message, head abi.ChainEpoch) bool { return head+1 >= m.Expires }

// gone says that no tipset before Expires can have executed the message: the
// confidence has passed since, and the chain was asked.
func gone(m vigil.Message, f facts, confidence abi.ChainEpoch) bool {
	_, asked := f.nonces[m.ID]
	return asked && f.head.Epoch >= m.Expires+confidence || f.head.Epoch >= m.Expires+finality
}

func lastAttempt(m vigil.Message) vigil.Attempt { return m.Attempts[len(m.Attempts)-1] }

// isCurrent says that an attempt has the nonce that the message has now.
func isCurrent(m vigil.Message, a vigil.Attempt) bool {
	return a.Signed.Nonce == m.Nonce && a.Signed.From == m.Call.From
}
