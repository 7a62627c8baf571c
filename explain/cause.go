package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
)

// why says how the duty came to its end, what matters most first.
func (t teller) why(v Verdict) []string {
	var said []string
	say := func(texts ...string) {
		for _, text := range texts {
			if text != "" {
				said = append(said, oneLine(text))
			}
		}
	}
	absences := t.absences()
	main, mainly := t.mainAbsence(v, absences)
	if mainly {
		say(t.missedFor(main))
	} else {
		say(t.headline(v))
	}
	say(t.disputable())
	if v == VerdictMissed || v == VerdictLate || v == VerdictPending {
		for _, a := range absences {
			if !mainly || a != main {
				say(a.text + ".")
			}
		}
		say(t.obstacle(v), t.takenBack(v), t.unmined(v))
	}
	say(t.steps(v)...)
	if n := len(t.record.Duty.Skipped); n > 0 {
		first := t.record.Duty.Skipped[0]
		say(fmt.Sprintf("%s left out of its proof, the first is %d: %s.", counted(n, "sector is", "sectors are"), first.Number, strings.TrimSuffix(first.Cause, ".")))
	}
	return said
}

// headline is how it ended, in a sentence.
func (t teller) headline(v Verdict) string {
	d := t.record.Duty
	landed, executed := t.landed()
	switch v {
	case VerdictMissed:
		return fmt.Sprintf("It was missed (%s): %s", d.Reason, meaningOf(d.Reason))
	case VerdictReplaced:
		return "Its partitions went on in other duties, because somebody else posted some of them or they owe nothing any more."
	case VerdictLate:
		return fmt.Sprintf("It was late: the chain executed its message at epoch %d, only %s before Close.", landed, t.span(t.deadline.Close-landed))
	case VerdictOnTime:
		if !executed {
			return "It is done: the chain shows it, though by no message of this Vigil."
		}
		if d.ID.Kind == vigil.KindRecover {
			return fmt.Sprintf("It is done: %s declared recovered at epoch %d, %s before the fault cutoff.", counted(len(d.Sectors), "sector was", "sectors were"), landed, t.span(t.deadline.FaultCutoff-landed))
		}
		return fmt.Sprintf("It is done: the chain executed its message at epoch %d, %s before Close.", landed, t.span(t.deadline.Close-landed))
	}
	return t.unended()
}

// disputable says that what stands on chain for the duty is no proof of it.
func (t teller) disputable() string {
	for _, a := range t.record.Audits {
		if a.Verdict != vigil.AuditDisputable {
			continue
		}
		because := ""
		if a.Problem != "" {
			because = " (" + strings.TrimSuffix(a.Problem, ".") + ")"
		}
		return fmt.Sprintf("But the post that is on chain for partitions %v does not prove the chain's sectors%s: until epoch %d anybody can dispute it, which fines the miner and makes the sectors faulty.", a.Partitions, because, a.Until())
	}
	return ""
}

// unended is how far a duty is that is not over, or was when the daemon saw the chain last.
func (t teller) unended() string {
	d := t.record.Duty
	switch {
	case t.at.Head == 0:
		return fmt.Sprintf("How it ended is not known: at epoch %d, the last that is known of, it was %s and its Close was at %d. The daemon finds out when it runs again.", t.lastKnown(), d.State, t.deadline.Close)
	case t.at.Head < t.deadline.Close:
		return fmt.Sprintf("It is not over: it is %s, %s before Close.", d.State, t.span(t.deadline.Close-t.at.Head))
	}
	return fmt.Sprintf("It is not over: it is %s, and whether the chain has it is not believed yet.", d.State)
}

// lastKnown is the newest epoch of all that is known.
func (t teller) lastKnown() (last abi.ChainEpoch) {
	for _, e := range slices.Concat(t.record.Events, t.record.Shared) {
		last = max(last, e.Epoch)
	}
	return last
}

func (t teller) span(n abi.ChainEpoch) string { return span(n, t.at.Epoch) }

// step is a part of the way to the chain.
type step struct {
	name string
	from abi.ChainEpoch
	to   abi.ChainEpoch
	text string
}

// way gives the parts of the way as far as they are known, in order.
func (t teller) way() []step {
	d := t.deadline
	if t.record.Duty.ID.Kind != vigil.KindPost {
		return nil
	}
	var way []step
	at := d.Challenge
	add := func(name string, to abi.ChainEpoch, text string) {
		way = append(way, step{name, at, to, text})
		at = max(at, to)
	}
	if e, ok := t.first(vigil.EventBegun, func(e vigil.Event) bool { return e.Task == "prove" }); ok {
		add("start", e.Epoch, fmt.Sprintf("Work on it began at epoch %d, %s after its challenge.", e.Epoch, t.span(e.Epoch-d.Challenge)))
	}
	if e, ok := t.last(vigil.EventProof); ok {
		text := fmt.Sprintf("Its proof was ready at epoch %d, %s before Close: %s for reading %d sectors and %s for the proof.", e.Epoch, t.span(d.Close-e.Epoch), brief(e.Read), e.Sectors, brief(e.Prove))
		add("proof", e.Epoch, text)
	}
	if a, tries, ok := t.firstAttempt(); ok {
		at = max(at, d.Open)
		text := fmt.Sprintf("Its message was signed first at epoch %d, %s before Close", a.Epoch, t.span(d.Close-a.Epoch))
		if tries > 1 {
			text += fmt.Sprintf(", and %d times in all, each time for another fee or nonce", tries)
		}
		add("message", a.Epoch, text+".")
	}
	if landed, ok := t.landed(); ok {
		add("inclusion", landed, fmt.Sprintf("It was executed at epoch %d, %s.", landed, t.cost()))
	}
	return way
}

// sendings are the attempts of its messages that could still count: without those that
// only take a nonce, and those after Close.
func (t teller) sendings() []vigil.Attempt {
	var list []vigil.Attempt
	for _, m := range t.record.Messages {
		for _, a := range m.Attempts {
			if !a.Cancel && a.Epoch < t.deadline.Close {
				list = append(list, a)
			}
		}
	}
	return list
}

func (t teller) firstAttempt() (first vigil.Attempt, tries int, ok bool) {
	for _, a := range t.sendings() {
		if tries++; !ok {
			first, ok = a, true
		}
	}
	return first, tries, ok
}

func (t teller) cost() string {
	paid := big.Zero()
	for _, m := range t.record.Messages {
		paid = big.Add(paid, amount(m.Paid))
	}
	if paid.Sign() == 0 {
		return "at a cost that is not known"
	}
	return "for " + FIL(paid)
}

// steps tells the way to the chain; of a duty that was late, which part of it took longest.
func (t teller) steps(v Verdict) []string {
	var said []string
	for _, s := range t.way() {
		said = append(said, s.text)
	}
	if s, ok := t.longest(); ok && v == VerdictLate {
		said = append(said, fmt.Sprintf("The longest part of its way was %s: %s.", partWords[s.name], t.span(s.to-s.from)))
	}
	return said
}

var partWords = map[string]string{
	"start": "until work began", "proof": "reading and proving", "message": "from the proof to the first message", "inclusion": "from the first message to its execution",
}

func (t teller) longest() (longest step, ok bool) {
	for _, s := range t.way() {
		if !ok || s.to-s.from > longest.to-longest.from {
			longest, ok = s, true
		}
	}
	return longest, ok
}

// advice is what to do, now or for the next time.
func (t teller) advice(v Verdict) string {
	if t.disputable() != "" {
		return "It cannot be taken back. Find out who made that proof: stop another daemon that uses the miner's keys; if it was this one, keep its log and report it. " +
			"Keep the miner's balance above the fine, for with a debt no recovery is taken; the sectors are proved again at the next deadline."
	}
	switch v {
	case VerdictMissed:
		return t.adviceAfterMiss()
	case VerdictLate:
		s, _ := t.longest()
		if h, ok := t.hindrance(t.deadline.Close); ok && s.name == "proof" && !h.message && h.from < s.to {
			return "Mend what stopped the proof, and see before the next deadline that it stays so: vigil selftest proves without one."
		}
		return map[string]string{
			"start":     "Look at what the daemon and its nodes did after the challenge; configure a second node, and keep the daemon running: vigil can-restart says when it may be stopped.",
			"proof":     "Compare the time for reading with that of the proof: vigil storage list shows slow storages, vigil selftest the prover's kernels, and vigil plan whether the next deadlines fit.",
			"message":   "The proof waited to be sent: the timeline says what kept it. Mend that before the next deadline; vigil doctor looks at keys, balances and nodes.",
			"inclusion": "The message waited for a block: see its fee cap in vigil message explain, and max_fee and replace_after in [messager].",
		}[s.name]
	case VerdictPending:
		if n := len(t.record.Messages); n > 0 {
			return advice(t.record.Messages[n-1], t.at)
		}
	}
	return ""
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// PickLast gives the newest of the duties, newest first, that was missed or was
// late, with its messages; ok is false when none was.
func PickLast(duties []vigil.Duty, messages func(vigil.DutyID) ([]vigil.Message, error)) (d vigil.Duty, ok bool, err error) {
	for _, d := range duties {
		switch d.State {
		case vigil.StateMissed:
			return d, true, nil
		case vigil.StateConfirmed:
			sent, err := messages(d.ID)
			if err != nil {
				return d, false, err
			}
			if (teller{record: Record{Duty: d, Messages: sent}, deadline: d.Deadline}).verdict() == VerdictLate {
				return d, true, nil
			}
		}
	}
	return d, false, nil
}
