package messager

import (
	"fmt"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
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
	onChain  map[vigil.TipSetKey]bool // of the tipsets that included messages
	nonces   map[string]nonceFact     // of messages that have a nonce and were not seen, by ID
}

// nonceFact is what became of a message's nonce.
type nonceFact string

const (
	nonceFree nonceFact = "free" // the chain has not used it
	nonceUsed nonceFact = "used" // the chain has used it, and not for the message
	nonceLost nonceFact = "lost" // so it has, at the configured confidence
)

// settle says how far a message has come by the facts. It goes by what is
// true at the head and not by what the state was, so that it also takes back what
// a reorg took back.
func settle(m vigil.Message, f facts, confidence abi.ChainEpoch) vigil.Message {
	if m.State == vigil.MessageIncluded {
		on, known := f.onChain[m.Receipt.TipSet]
		if !known {
			return m
		}
		if !on {
			m.Problem = fmt.Sprintf("a reorg took back its inclusion at epoch %d", m.Receipt.Epoch)
			m.State, m.Receipt = vigil.MessagePublished, nil
		}
	}
	if inFlight(m) {
		m = include(m, f.executed)
	}
	switch {
	case m.State == vigil.MessageIncluded:
		return confirm(m, f.head.Epoch, confidence)
	case m.State == vigil.MessageQueued && tooLate(m, f.head.Epoch):
		m.State = vigil.MessageExpired
	case inFlight(m) && gone(m, f, confidence):
		m.State = vigil.MessageExpired
	case inFlight(m) && f.nonces[m.ID] == nonceLost:
		m.Problem = fmt.Sprintf("nonce %d of %s went to a message that is not ours", m.Nonce, m.Call.From)
		m.State, m.Nonce, m.Call.From = vigil.MessageQueued, 0, address.Undef
	}
	return m
}

// inFlight says that the message has a nonce and no tipset is known to have executed it.
func inFlight(m vigil.Message) bool {
	return m.State == vigil.MessageSigned || m.State == vigil.MessagePublished
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

func include(m vigil.Message, executed map[cid.Cid]vigil.Executed) vigil.Message {
	for _, a := range m.Attempts {
		if e, ok := executed[a.CID]; ok {
			receipt := e.Receipt
			m.State, m.Receipt, m.Problem = vigil.MessageIncluded, &receipt, ""
		}
	}
	return m
}

func confirm(m vigil.Message, head, confidence abi.ChainEpoch) vigil.Message {
	switch {
	case head-m.Receipt.Epoch < confidence:
	case m.Receipt.ExitCode == exitcode.Ok:
		m.State = vigil.MessageConfirmed
	default:
		m.State = vigil.MessageFailed
		m.Problem = fmt.Sprintf("it was executed with exit code %s", m.Receipt.ExitCode)
	}
	return m
}

// toPush chooses what to hand to a node of the messages that hold a sender's
// nonces from the chain's own on: all up to the last that can still be in
// time, in whatever state those below it are (too late, or confirmed on a fork
// that is gone), for the network takes a sender's messages in the order of
// their nonces.
func toPush(holders []vigil.Message, head abi.ChainEpoch) []vigil.Message {
	last := -1
	for i, m := range holders {
		if inFlight(m) && !tooLate(m, head) {
			last = i
		}
	}
	return holders[:last+1]
}

// stuck says that a message has waited long enough for its fee to be raised.
func stuck(m vigil.Message, head, after abi.ChainEpoch) bool {
	return m.State == vigil.MessagePublished && !tooLate(m, head) && head-lastAttempt(m).Epoch >= after
}

func lastAttempt(m vigil.Message) vigil.Attempt { return m.Attempts[len(m.Attempts)-1] }
