package explain

import (
	"fmt"
	"strings"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/exitcode"

	"github.com/vigil-post/vigil"
)

// story is what happened to a message, a sentence for each thing.
func story(m vigil.Message, at At) []string {
	said := []string{asks(m)}
	for i, a := range m.Attempts {
		said = append(said, signed(m, i), heard(a))
	}
	if m.Receipt != nil {
		said = append(said, executed(m))
	}
	if end := ending(m, at); end != "" {
		said = append(said, end)
	}
	return said
}

func asks(m vigil.Message) string {
	if m.Duty.Kind == vigil.KindFill {
		return fmt.Sprintf("It is the messager's own, a send of nothing from %s to itself, for a nonce that nobody uses and that others wait behind.", m.Call.To)
	}
	what := fmt.Sprintf("method %d", m.Call.Method)
	if name := methodName(m.Call); name != "" {
		what = fmt.Sprintf("%s (method %d)", name, m.Call.Method)
	}
	text := fmt.Sprintf("It asks %s for %s", m.Call.To, what)
	if hasDuty(m) {
		text += fmt.Sprintf(", for the duty %s", m.Duty)
	}
	if m.Expires < eternity {
		text += fmt.Sprintf(", and has to be executed before epoch %d", m.Expires)
	}
	return text + "."
}

// signed tells why there is an attempt and what it may cost.
func signed(m vigil.Message, i int) string {
	a := m.Attempts[i]
	gas := a.Signed.Gas
	text := fmt.Sprintf("Attempt %d (%s) was signed at epoch %d by %s with nonce %d%s: gas limit %d, fee cap %s and premium %s a unit, so at most %s.",
		a.Number, a.CID, a.Epoch, a.Signed.From, a.Signed.Nonce, why(m.Attempts, i), gas.Limit, FIL(gas.FeeCap), FIL(gas.Premium),
		FIL(big.Mul(amount(gas.FeeCap), big.NewInt(gas.Limit))))
	return text
}

func why(attempts []vigil.Attempt, i int) string {
	a := attempts[i]
	switch {
	case a.Cancel:
		return ", to take the nonce with a message that does nothing, so that this one cannot be executed"
	case i == 0:
		return ""
	case a.Signed.From == attempts[i-1].Signed.From && a.Signed.Nonce == attempts[i-1].Signed.Nonce:
		return fmt.Sprintf(", in place of attempt %d, whose premium was %s", attempts[i-1].Number, FIL(attempts[i-1].Signed.Gas.Premium))
	}
	return fmt.Sprintf(", because the chain gave nonce %d to another message", attempts[i-1].Signed.Nonce)
}

// heard is what the nodes said to an attempt.
func heard(a vigil.Attempt) string {
	var took []string
	var refused []string
	for _, p := range a.Pushes {
		if p.Problem == "" {
			took = append(took, p.Node)
		} else {
			refused = append(refused, fmt.Sprintf("%s said: %s", p.Node, p.Problem))
		}
	}
	text := "No node has taken it."
	switch {
	case len(took) > 0:
		text = "Taken by " + strings.Join(took, ", ") + "."
	case a.Published:
		text = "A node took it."
	}
	for _, r := range refused {
		text += " " + r + "."
	}
	if a.Problem != "" && len(refused) == 0 {
		text += " The last answer: " + a.Problem + "."
	}
	return text
}

func executed(m vigil.Message) string {
	r := m.Receipt
	which := "it"
	if a, ok := m.Executed(); ok {
		which = fmt.Sprintf("attempt %d", a.Number)
		if a.Cancel {
			which += ", the one that does nothing,"
		}
	}
	text := fmt.Sprintf("The tipset at epoch %d executed %s with exit code %s, using %d gas", r.Epoch, which, exitWords(r.ExitCode), r.GasUsed)
	if !m.Paid.Nil() && m.Paid.Sign() > 0 {
		text += " for " + FIL(m.Paid)
	}
	return text + "."
}

// exitWords is an exit code with its name in go-state-types.
func exitWords(code exitcode.ExitCode) string {
	switch code {
	case exitcode.Ok:
		return "0 (all went well)"
	case exitcode.SysErrInsufficientFunds:
		return "6 (the sender had too little money)"
	case exitcode.SysErrOutOfGas:
		return "7 (the gas limit was too low)"
	case exitcode.ErrIllegalArgument:
		return "16 (the actor refuses the arguments)"
	case exitcode.ErrForbidden:
		return "18 (the sender may not do this)"
	case exitcode.ErrIllegalState:
		return "20 (it does not fit the actor's state)"
	}
	return fmt.Sprintf("%d (%s)", code, code)
}

// givenUp says why an expired message is not tried any more.
func givenUp(m vigil.Message) string {
	if a, landed := m.Executed(); landed && a.Epoch+1 < m.Expires {
		return "It was given up in time for another to be made in its place"
	}
	return "Its time was over before it was executed"
}

func ending(m vigil.Message, at At) string {
	switch m.State {
	case vigil.MessageConfirmed:
		return "It is confirmed: deep enough below the head that no usual reorg takes it back."
	case vigil.MessageFailed:
		return "It failed for good. Its gas is paid and its nonce used."
	case vigil.MessageExpired:
		return ended(givenUp(m), m.Problem)
	case vigil.MessageCancelled:
		return ended("It was cancelled", m.Problem)
	}
	return ""
}

func ended(text, problem string) string {
	if problem != "" {
		text += ": " + problem
	}
	return text + "."
}

// waits is what a message that is not done waits for.
func waits(m vigil.Message, at At) string {
	text := waitsFor(m, at)
	if text == "" || at.Head == 0 || m.Expires >= eternity {
		return text
	}
	left := m.Expires - at.Head
	if left <= 0 {
		return text + " Its time is over."
	}
	return text + fmt.Sprintf(" %s are left.", span(left, at.Epoch))
}

func waitsFor(m vigil.Message, at At) string {
	switch m.State {
	case vigil.MessageQueued:
		return ended("It has no nonce yet", m.Problem)
	case vigil.MessageSigned:
		return ended("It is signed and stored, and no node has taken it yet", m.Problem)
	case vigil.MessagePublished:
		return ended(pooled(m, at), m.Problem)
	case vigil.MessageConflicted:
		return ended("The chain gave its nonce to another message; when that cannot be taken back any more, it is signed with another nonce", m.Problem)
	case vigil.MessageIncluded:
		return included(m, at)
	}
	return ""
}

func pooled(m vigil.Message, at At) string {
	last := m.Attempts
	if len(last) == 0 {
		return "It is with another messager, which has signed it"
	}
	if last[len(last)-1].Cancel {
		return "The message that takes its nonce is in the nodes' pools and waits for a block to have it"
	}
	feeCap := amount(last[len(last)-1].Signed.Gas.FeeCap)
	if !at.BaseFee.Nil() && feeCap.LessThan(at.BaseFee) {
		return fmt.Sprintf("It is in the nodes' pools, and its fee cap of %s a unit is below the base fee of %s: no block can have it until one of them changes", FIL(feeCap), FIL(at.BaseFee))
	}
	return "It is in the nodes' pools and waits for a block to have it"
}

func included(m vigil.Message, at At) string {
	text := "It is on chain and is believed when it is deep enough"
	if m.Receipt != nil && at.Head >= m.Receipt.Epoch && at.Confidence > 0 {
		text += fmt.Sprintf(": %d of %s", min(at.Head-m.Receipt.Epoch, at.Confidence), span(at.Confidence, at.Epoch))
	}
	return text + "."
}

// advice is what somebody could do, or nothing.
func advice(m vigil.Message, at At) string {
	switch {
	case pending(m) != "":
		return fmt.Sprintf("Somebody wished to %s it; the daemon does so as soon as it can.", m.Wish.Verb)
	case m.State == vigil.MessageFailed:
		return failedAdvice(m)
	case m.State == vigil.MessageExpired:
		return "Nothing can be done for it any more. The log and the duty say what stopped it."
	case m.State.Done(), m.State == vigil.MessageIncluded, m.State == vigil.MessageConflicted:
		return ""
	case m.Problem != "":
		return "It is tried again at every head. If the problem is a key, money, a setting or a node, mend that, and it goes on by itself."
	case m.State == vigil.MessagePublished && tooCheap(m, at):
		return "The fee is raised by itself as its time runs out, up to its budget. To raise it now: vigil message replace."
	}
	return ""
}

func failedAdvice(m vigil.Message) string {
	if m.Receipt == nil {
		return ""
	}
	switch m.Receipt.ExitCode {
	case exitcode.SysErrInsufficientFunds:
		return "Put money on the sender. What is still owed is sent again by itself, as long as there is time."
	case exitcode.SysErrOutOfGas:
		return "What is still owed is sent again by itself, with another estimate of the gas."
	case exitcode.ErrForbidden:
		return "Use a key of the miner's owner, worker or control addresses."
	}
	return "What is still owed is proved and sent again by itself, as long as there is time; the log says what the chain held against it."
}

func tooCheap(m vigil.Message, at At) bool {
	n := len(m.Attempts)
	return n > 0 && !at.BaseFee.Nil() && amount(m.Attempts[n-1].Signed.Gas.FeeCap).LessThan(at.BaseFee)
}

// Left is how many epochs a message that is not done has, and false where
// that is not known.
func (m Message) Left(head abi.ChainEpoch) (abi.ChainEpoch, bool) {
	return m.Expires - head, m.Expires > 0 && head > 0 && !m.Done
}
