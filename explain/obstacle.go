package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// hindrance is what stood in a duty's way for a time.
type hindrance struct {
	from, to abi.ChainEpoch
	message  bool // of its message, rather than of its proof
	problem  string
}

// hindrance is what stood in the duty's way longest before an epoch, by what was written
// down when it happened: what came last may only be that time was over.
func (t teller) hindrance(before abi.ChainEpoch) (longest hindrance, ok bool) {
	for _, h := range t.hindrances() {
		h.to = min(h.to, before)
		if h.from < before && (!ok || h.to-h.from > longest.to-longest.from) {
			longest, ok = h, true
		}
	}
	return longest, ok
}

// hindrances gives all, in order: each lasts until something else is written of the same.
func (t teller) hindrances() []hindrance {
	var list []hindrance
	for i, e := range t.record.Events {
		about := subject(e)
		if about == "" || e.Problem == "" || isStop(e.Problem) {
			continue
		}
		to := t.deadline.Close
		next := slices.IndexFunc(t.record.Events[i+1:], func(later vigil.Event) bool { return subject(later) == about && later.Problem != e.Problem })
		if next >= 0 {
			to = min(to, t.record.Events[i+1+next].Epoch)
		}
		list = append(list, hindrance{e.Epoch, max(to, e.Epoch), e.Kind == vigil.EventMessage, e.Problem})
	}
	return list
}

// subject is what an event with or without a problem is about: a message, or the duty's own work.
func subject(e vigil.Event) string {
	switch {
	case e.Kind == vigil.EventMessage:
		return "message " + e.About
	case e.Kind == vigil.EventEnded && e.Task != "miss", e.Kind == vigil.EventProof,
		e.Kind == vigil.EventDuty && e.Before != "" && e.After != string(vigil.StateMissed):
		return "work"
	}
	return ""
}

// isStop says that a problem is only that a task was stopped.
func isStop(problem string) bool { return strings.HasPrefix(problem, "it was stopped") }

// obstacle is what stood in the way: at the end or, where that is not known, longest.
func (t teller) obstacle(v Verdict) string {
	d := t.record.Duty
	long, ok := t.hindrance(t.deadline.Close)
	switch {
	case d.Problem != "" && v != VerdictLate:
		return t.lastProblem()
	case !ok || v == VerdictPending && t.mended(long):
		return ""
	case long.message:
		return fmt.Sprintf("What kept its message from the chain, from epoch %d to %d: %s.", long.from, long.to, strings.TrimSuffix(long.problem, "."))
	}
	return fmt.Sprintf("What stopped it, from epoch %d to %d: %s.", long.from, long.to, strings.TrimSuffix(long.problem, "."))
}

// mended says that what stood in the way of a duty that is not over does so no more.
func (t teller) mended(h hindrance) bool {
	if !h.message {
		return true
	}
	n := len(t.record.Messages)
	return n == 0 || t.record.Messages[n-1].Problem != h.problem
}

// lastProblem is what stopped the last try, and since when that was so.
func (t teller) lastProblem() string {
	d := t.record.Duty
	text := "What stopped it"
	first, known := t.first(vigil.EventEnded, func(e vigil.Event) bool { return e.Problem == d.Problem })
	switch {
	case known && d.Tried > first.Epoch:
		text += fmt.Sprintf(", from epoch %d to the last try at epoch %d", first.Epoch, d.Tried)
	case d.Tried > 0:
		text += fmt.Sprintf(" at the last try, at epoch %d", d.Tried)
	}
	return text + ": " + strings.TrimSuffix(d.Problem, ".") + "."
}

// takenBack says which execution a reorg took back, and when that was seen.
func (t teller) takenBack(v Verdict) string {
	for _, e := range slices.Backward(t.record.Events) {
		if v == VerdictMissed && e.Kind == vigil.EventMessage && strings.HasPrefix(e.Problem, vigil.TookBack) {
			return fmt.Sprintf("It was seen at epoch %d that %s, %s before Close.", e.Epoch, e.Problem, t.span(max(0, t.deadline.Close-e.Epoch)))
		}
	}
	return ""
}

// unmined says of a message that nodes had and no block took, what is known of why.
func (t teller) unmined(v Verdict) string {
	sent := slices.DeleteFunc(t.sendings(), func(a vigil.Attempt) bool { return !a.Published })
	if _, landed := t.landed(); landed || v != VerdictMissed || len(sent) == 0 || t.record.Duty.Reason != vigil.ReasonNotIncluded {
		return ""
	}
	first, last := sent[0], sent[len(sent)-1]
	text := fmt.Sprintf("Its message was handed to the nodes at epoch %d", first.Epoch)
	if took := tookIt(last); took != "" {
		text += " (" + took + " took it)"
	}
	if len(sent) > 1 {
		text += fmt.Sprintf(" and, with a higher fee, again until epoch %d", last.Epoch)
	}
	text += fmt.Sprintf(", and no block had it in the %s until Close.", t.span(t.deadline.Close-first.Epoch))
	if long, hindered := t.hindrance(t.deadline.Close); !hindered || !isFee(long.problem) {
		text += " It paid more than the base fee all the time: the nodes that took it did not get it to those who make blocks."
	}
	return text
}

// isFee says that a problem is that the base fee is too high for a message.
func isFee(problem string) bool { return strings.Contains(problem, "base fee is") }

// tookIt are the nodes that took an attempt.
func tookIt(a vigil.Attempt) string {
	var nodes []string
	for _, p := range a.Pushes {
		if p.Problem == "" {
			nodes = append(nodes, p.Node)
		}
	}
	return strings.Join(nodes, ", ")
}

// adviceAfterMiss is what to do against the next one, by what this one was due to.
func (t teller) adviceAfterMiss() string {
	text := t.prevention()
	if d := t.record.Duty; d.ID.Kind == vigil.KindPost {
		text += fmt.Sprintf(" Its sectors are faulty now: they are read and declared recovered by themselves, if they can be read before epoch %d.", t.deadline.Plus(int(t.deadline.Count)).FaultCutoff)
	}
	return strings.TrimSpace(text)
}

func (t teller) prevention() string {
	d := t.record.Duty
	if main, ok := t.mainAbsence(VerdictMissed, t.absences()); ok {
		if main.off {
			return "Keep the daemon running over its deadlines: vigil can-restart says until when it may be off. Let what starts it start it again at once, and let heartbeat_url in [alarms] tell somebody when it is gone."
		}
		if main.own {
			return "Look at the disk of the data folder, and whether another program has the database open: nothing is planned or sent that cannot be written down first."
		}
		return "Mend what kept the daemon from seeing the chain, and configure a second node: one alone can make it blind."
	}
	long, hindered := t.hindrance(t.deadline.Close)
	switch {
	case d.Reason == vigil.ReasonNotProved && d.Problem != "":
		return "Mend what stopped the proof, and see before the next deadline that it is mended: vigil selftest proves without one."
	case d.Reason == vigil.ReasonNoSectors:
		return "Bring the sectors' files or their storage back: vigil check says what is wrong with a sector, and vigil storage list which storages do not answer."
	case hindered && long.message && isFee(long.problem):
		return "Raise max_window_post_gas_fee (or max_fee) in [messager], or put more on the sender, so that a message can pay more than the base fee."
	case d.Reason == vigil.ReasonNotSent && (hindered || d.Problem != ""):
		return "Mend what kept the message from being sent, and see before the next deadline that it is mended: vigil doctor looks at keys, balances and nodes."
	case d.Reason == vigil.ReasonNotIncluded:
		return "Look whether the nodes that took the message have peers and pass messages on, and configure a second node that does."
	}
	for _, r := range vigil.Reasons {
		if r.Reason == d.Reason {
			return r.Advice
		}
	}
	return ""
}

// oneLine puts what several said side by side.
func oneLine(text string) string { return strings.Join(strings.Split(text, "\n"), "; ") }
