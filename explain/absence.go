package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// absence is a time in which nobody could work on the duty: the daemon was off, or blind.
type absence struct {
	from, to abi.ChainEpoch
	off      bool   // it was the daemon that was not there, rather than the chain
	own      bool   // or its database
	text     string // a sentence, without its full stop
}

// shortest is how many epochs an absence has that is worth a word besides the timeline's.
const shortest = 3

// absences gives those of the duty's time, in order.
func (t teller) absences() []absence {
	begin, end := t.deadline.Challenge, t.deadline.Close
	if t.record.Duty.ID.Kind == vigil.KindRecover {
		begin, end = 0, t.deadline.FaultCutoff
	}
	var list []absence
	for i, e := range t.record.Shared {
		switch {
		case e.Kind == vigil.EventStarted && e.Since > 0 && e.Since < end && e.Epoch > max(begin, e.Since+1):
			list = append(list, absence{from: e.Since, to: e.Epoch, off: true, text: t.offWords(i) + t.share(e.Since, e.Epoch)})
		case e.Kind == vigil.EventSeeing:
			if from, ok := t.blindSince(i); ok && from.Epoch < end && e.Epoch > begin {
				list = append(list, absence{
					from: from.Epoch, to: e.Epoch, own: from.About == vigil.AboutDatabase,
					text: blindWords(from, e) + t.share(from.Epoch, e.Epoch) + t.meanwhile(from, e),
				})
			}
		}
	}
	return slices.DeleteFunc(list, func(a absence) bool { return a.to-a.from < shortest && a.to < end })
}

// offWords says that the daemon was off until a start, and whether somebody wanted it so.
func (t teller) offWords(start int) string {
	e := t.record.Shared[start]
	for _, before := range slices.Backward(t.record.Shared[:start]) {
		switch before.Kind {
		case vigil.EventStopped:
			return fmt.Sprintf("The daemon was told to stop and was off from epoch %d to %d", e.Since, e.Epoch)
		case vigil.EventStarted:
			return fmt.Sprintf("The daemon ended without having been told to (it was killed or crashed, or the machine went down) and was off from about epoch %d to %d", e.Since, e.Epoch)
		}
	}
	return fmt.Sprintf("The daemon was off, or saw no chain, from epoch %d to %d", e.Since, e.Epoch)
}

func blindWords(from, to vigil.Event) string {
	switch {
	case from.About == vigil.AboutDatabase:
		return fmt.Sprintf("From epoch %d to %d nothing could be planned, because the daemon's own database could not be read (%s)", from.Epoch, to.Epoch, strings.TrimSuffix(from.Problem, "."))
	case from.Miner != 0:
		return fmt.Sprintf("From epoch %d to %d the miner's state could not be read from any node (%s)", from.Epoch, to.Epoch, strings.TrimSuffix(from.Problem, "."))
	}
	return fmt.Sprintf("From epoch %d to %d no new head was seen", from.Epoch, to.Epoch)
}

// meanwhile says which nodes were not well in a blindness or, where none is to blame for
// heads that the daemon has not seen, what may be.
func (t teller) meanwhile(from, to vigil.Event) string {
	var text strings.Builder
	for _, node := range t.nodesInTrouble(from, to) {
		fmt.Fprintf(&text, "; meanwhile node %s was %s (%s)", node.About, node.After, strings.TrimSuffix(node.Problem, "."))
	}
	if from.About == vigil.AboutDatabase {
		return ""
	}
	if text.Len() == 0 && from.Miner == 0 {
		return " (" + strings.TrimSuffix(from.Problem, ".") + ")"
	}
	return text.String()
}

// nodesInTrouble are the nodes that were not well at the end of a blindness, each with
// what was the matter with it first in that time.
func (t teller) nodesInTrouble(from, to vigil.Event) []vigil.Event {
	var list []vigil.Event
	for _, e := range t.record.Shared {
		if e.Kind != vigil.EventNode || e.Time.After(to.Time) {
			continue
		}
		i := slices.IndexFunc(list, func(known vigil.Event) bool { return known.About == e.About })
		switch {
		case e.Problem == "" && i >= 0 && e.Epoch <= from.Epoch && e.Time.Before(from.Time):
			list = slices.Delete(list, i, i+1)
		case e.Problem != "" && i < 0:
			list = append(list, e)
		}
	}
	return list
}

// blindSince is how the blindness began that the shared event at a place ends.
func (t teller) blindSince(end int) (from vigil.Event, ok bool) {
	for _, e := range slices.Backward(t.record.Shared[:end]) {
		switch {
		case e.Kind == vigil.EventStarted, e.Kind == vigil.EventSeeing && e.Miner == t.record.Shared[end].Miner:
			return from, ok
		case e.Kind == vigil.EventBlind && e.Miner == t.record.Shared[end].Miner:
			from, ok = e, true // with each change of what is the matter there is one more
		}
	}
	return from, ok
}

// share says which part of the duty's time an absence took.
func (t teller) share(from, to abi.ChainEpoch) string {
	d := t.deadline
	if t.record.Duty.ID.Kind != vigil.KindPost {
		return ""
	}
	whole, lost := d.Close-d.Challenge, t.lost(from, to)
	switch {
	case lost <= 0:
		return ""
	case lost >= whole:
		return ": the whole time from its challenge to its Close"
	}
	return fmt.Sprintf(": %d of the %d epochs from its challenge to its Close", lost, whole)
}

// lost is how many epochs of the duty's time are between two.
func (t teller) lost(from, to abi.ChainEpoch) abi.ChainEpoch {
	return min(to, t.deadline.Close) - max(from, t.deadline.Challenge)
}

// mainAbsence is the one that a miss is due to: it took nearly all of the duty's time (of
// the database's, half of it) or, where it was not over at Close, half of it or what was
// left when nothing else stood in the way.
func (t teller) mainAbsence(v Verdict, absences []absence) (absence, bool) {
	for _, a := range absences {
		if v != VerdictMissed || t.record.Duty.ID.Kind != vigil.KindPost {
			continue
		}
		_, hindered := t.hindrance(a.from)
		lost, whole := t.lost(a.from, a.to), t.deadline.Close-t.deadline.Challenge
		if a.to >= t.deadline.Close && (!hindered || 2*lost >= whole) || 10*lost >= 9*whole || a.own && 2*lost >= whole {
			return a, true
		}
	}
	return absence{}, false
}

// missedFor says that a miss is due to an absence, and how far the duty was when it began.
func (t teller) missedFor(a absence) string {
	state := vigil.DutyState("")
	for _, e := range t.record.Events {
		if e.Kind == vigil.EventDuty && e.Epoch <= a.from {
			state = vigil.DutyState(e.After)
		}
	}
	far := map[vigil.DutyState]string{
		vigil.StateScheduled: "Until then there was no proof of it yet",
		vigil.StateProved:    "Until then its proof was made, and had not been sent",
		vigil.StateSubmitted: "Until then its message was signed or sent, and on no block",
		vigil.StateConfirmed: "Until then it was on chain",
	}[state]
	if far == "" {
		far = "Nothing had been begun for it"
	}
	reason := ""
	if t.record.Duty.Reason == vigil.ReasonNotStarted { // else it is how far it was, and not what stopped it
		reason = fmt.Sprintf(" (%s)", vigil.ReasonNotStarted)
	}
	return fmt.Sprintf("It was missed%s. %s. %s.", reason, a.text, far)
}
