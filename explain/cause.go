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
	say := func(text string) {
		if text != "" {
			said = append(said, text)
		}
	}
	say(t.headline(v))
	if v == VerdictMissed || v == VerdictLate || v == VerdictPending {
		for _, text := range t.absences() {
			say(text)
		}
		say(t.lastProblem(v))
	}
	for _, text := range t.steps(v) {
		say(text)
	}
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
	left := ""
	if t.at.Head > 0 && t.at.Head < t.deadline.Close {
		left = fmt.Sprintf(", %s before Close", t.span(t.deadline.Close-t.at.Head))
	}
	return fmt.Sprintf("It is not over: it is %s%s.", d.State, left)
}

func (t teller) span(n abi.ChainEpoch) string { return span(n, t.at.Epoch) }

// absences says when nobody was there to work on it.
func (t teller) absences() []string {
	begin, end := t.deadline.Challenge, t.deadline.Close
	if t.record.Duty.ID.Kind == vigil.KindRecover {
		begin, end = 0, t.deadline.FaultCutoff
	}
	var said []string
	for _, e := range t.record.Shared {
		switch {
		case e.Kind == vigil.EventStarted && e.Since > 0 && e.Since < end && e.Epoch > max(begin, e.Since+1):
			said = append(said, fmt.Sprintf("The daemon was off, or saw no chain, from epoch %d to %d%s.", e.Since, e.Epoch, t.share(e.Since, e.Epoch)))
		case e.Kind == vigil.EventSeeing:
			if from, ok := t.blindSince(e); ok && from < end && e.Epoch > begin {
				said = append(said, fmt.Sprintf("From epoch %d to %d %s%s.", from, e.Epoch, blindWords(e), t.share(from, e.Epoch)))
			}
		}
	}
	return said
}

func blindWords(e vigil.Event) string {
	if e.Miner == 0 {
		return "no node told of a new head"
	}
	return "the miner's state could not be read from any node"
}

// blindSince is the epoch at which the blindness began that an event ends.
func (t teller) blindSince(end vigil.Event) (abi.ChainEpoch, bool) {
	for _, e := range slices.Backward(t.record.Shared) {
		if e.Kind == vigil.EventBlind && e.Miner == end.Miner && !e.Time.After(end.Time) {
			return e.Epoch, true
		}
	}
	return 0, false
}

// share says which part of the duty's time an absence took.
func (t teller) share(from, to abi.ChainEpoch) string {
	d := t.deadline
	if t.record.Duty.ID.Kind != vigil.KindPost {
		return ""
	}
	whole := d.Close - d.Challenge
	lost := min(to, d.Close) - max(from, d.Challenge)
	switch {
	case lost <= 0:
		return ""
	case lost >= whole:
		return ": the whole time from its challenge to its Close"
	}
	return fmt.Sprintf(": %d of the %d epochs from its challenge to its Close", lost, whole)
}

// lastProblem is what stood in the way at the end.
func (t teller) lastProblem(v Verdict) string {
	d := t.record.Duty
	if d.Problem != "" {
		text := "What stopped the last try"
		if d.Tried > 0 {
			text += fmt.Sprintf(", at epoch %d", d.Tried)
		}
		return text + ": " + strings.TrimSuffix(d.Problem, ".") + "."
	}
	if n := len(t.record.Messages); n > 0 && v != VerdictLate {
		if m := t.record.Messages[n-1]; m.Problem != "" {
			return fmt.Sprintf("Of its message (%s): %s.", m.State, strings.TrimSuffix(m.Problem, "."))
		}
	}
	return ""
}

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
			text += fmt.Sprintf(", and %d times in all", tries)
		}
		add("message", a.Epoch, text+".")
	}
	if landed, ok := t.landed(); ok {
		add("inclusion", landed, fmt.Sprintf("It was executed at epoch %d, %s.", landed, t.cost()))
	}
	return way
}

func (t teller) firstAttempt() (first vigil.Attempt, tries int, ok bool) {
	for _, m := range t.record.Messages {
		if len(m.Attempts) > 0 && !ok {
			first, ok = m.Attempts[0], true
		}
		tries += len(m.Attempts)
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
	switch v {
	case VerdictMissed:
		for _, r := range vigil.Reasons {
			if r.Reason == t.record.Duty.Reason {
				return r.Advice
			}
		}
	case VerdictLate:
		s, _ := t.longest()
		return map[string]string{
			"start":     "Look at what the daemon and its nodes did after the challenge; configure a second node, and keep the daemon running: vigil can-restart says when it may be stopped.",
			"proof":     "Compare the time for reading with that of the proof: vigil storage list shows slow storages, vigil selftest the prover's kernels, and vigil plan whether the next deadlines fit.",
			"message":   "The proof waited to be sent: see what the timeline says of the sender's key, its balance and the estimates.",
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
