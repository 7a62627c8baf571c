// Package schedule decides what should be in progress now. Plan is a pure
// function of how things are: it is never told what happened, so a lost
// notification, a failed call, a reorg, a crash or a restart costs at most
// until the next head, and needs no code of its own. The stories in testdata
// are its specification.
package schedule

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/exitcode"

	"github.com/vigil-post/vigil"
)

// Plan says which tasks should be in progress, the most urgent first. A duty
// whose task it does not name is either done or waits for the chain.
func Plan(view View, policy Policy) []Task {
	var tasks []Task
	for _, d := range view.Deadlines {
		p := planner{view: view, policy: policy, deadline: d}
		tasks = append(tasks, p.posts()...)
		tasks = append(tasks, p.recoveries()...)
	}
	tasks = append(tasks, forgotten(view)...)
	slices.SortStableFunc(tasks, byUrgency)
	return tasks
}

func byUrgency(a, b Task) int {
	return cmp.Or(
		cmp.Compare(a.Duty.Deadline.Close, b.Duty.Deadline.Close),
		cmp.Compare(a.Duty.ID.Kind, b.Duty.ID.Kind),
		cmp.Compare(a.Duty.ID.Batch, b.Duty.ID.Batch),
	)
}

// planner plans for one deadline of the view.
type planner struct {
	view     View
	policy   Policy
	deadline Deadline
}

// duties gives the deadline's rows of a kind, by batch.
func (p planner) duties(kind vigil.DutyKind) []vigil.Duty {
	var duties []vigil.Duty
	for _, d := range p.view.Duties {
		if d.ID.Kind == kind && d.ID.Open == p.deadline.Open {
			duties = append(duties, d)
		}
	}
	slices.SortFunc(duties, func(a, b vigil.Duty) int { return cmp.Compare(a.ID.Batch, b.ID.Batch) })
	return duties
}

// fresh is a duty that has no row yet, in the place after the existing ones.
func (p planner) fresh(kind vigil.DutyKind, existing []vigil.Duty) vigil.Duty {
	batch := 0
	if len(existing) > 0 {
		batch = existing[len(existing)-1].ID.Batch + 1
	}
	return vigil.Duty{
		ID:       vigil.DutyID{Kind: kind, Miner: p.view.Miner, Open: p.deadline.Open, Batch: batch},
		Deadline: p.deadline.Deadline,
		State:    vigil.StateScheduled,
	}
}

// posts plans the deadline's Window PoSts.
func (p planner) posts() []Task {
	epoch, d := p.view.Epoch, p.deadline
	switch {
	case epoch < d.Challenge+p.policy.StartConfidence:
		return nil
	case epoch >= d.Close+p.policy.Confidence:
		return p.judge()
	case epoch >= d.Close:
		return nil // its end may still be reorganised
	}
	existing := p.duties(vigil.KindPost)
	var tasks []Task
	for _, duty := range existing {
		if task, ok := p.post(duty); ok {
			tasks = append(tasks, task)
		}
	}
	if p.tooLate() {
		return tasks
	}
	for _, batch := range p.policy.Batches(p.uncovered(existing), p.recovers) {
		duty := p.fresh(vigil.KindPost, existing)
		duty.Partitions = batch
		existing = append(existing, duty)
		tasks = append(tasks, Task{Verb: Prove, Duty: duty})
	}
	return tasks
}

// tooLate says that a message sent now could only be executed after Close.
func (p planner) tooLate() bool { return p.view.Epoch >= p.deadline.Close-1 }

// uncovered gives the partitions that owe a proof and that no duty has.
func (p planner) uncovered(duties []vigil.Duty) []uint64 {
	covered := map[uint64]bool{}
	for _, d := range duties {
		if d.State == vigil.StateReplaced {
			continue
		}
		for _, index := range d.Partitions {
			covered[index] = true
		}
	}
	var left []uint64
	for _, part := range p.deadline.Partitions {
		if part.Due > 0 && !part.Posted && !covered[part.Index] {
			left = append(left, part.Index)
		}
	}
	return left
}

// Batches says which partitions are proved and posted together. The network
// verifies the proof of a message with recovering sectors at once and refuses
// all of it if that fails, so their partitions go alone if the policy says so.
func (p Policy) Batches(partitions []uint64, recovers func(index uint64) bool) [][]uint64 {
	var alone, together [][]uint64
	shared := slices.DeleteFunc(slices.Clone(partitions), func(index uint64) bool {
		lone := p.RecoverAlone && recovers(index)
		if lone {
			alone = append(alone, []uint64{index})
		}
		return lone
	})
	for batch := range slices.Chunk(shared, max(1, p.MaxPartitions)) {
		together = append(together, batch)
	}
	return slices.Concat(together, alone)
}

func (p planner) recovers(index uint64) bool {
	return slices.ContainsFunc(p.deadline.Partitions, func(part Partition) bool { return part.Index == index && part.Recovering > 0 })
}

// post plans one duty while its deadline can still be met.
func (p planner) post(duty vigil.Duty) (Task, bool) {
	task := Task{Duty: duty}
	posted, settled, due := p.count(duty.Partitions)
	whole := len(duty.Partitions)
	switch {
	case duty.State == vigil.StateReplaced, p.view.Shadow && !inHand(duty.State):
		return task, false
	case settled == whole:
		task.Verb = Confirm
		return task, duty.State != vigil.StateConfirmed
	case posted == whole:
		return task, false // it is on chain; wait for the confidence
	case posted > 0 || due == 0:
		// Somebody else posted a part, or nothing is owed any more. A message
		// with a posted partition fails whole, so what is left is proved anew.
		task.Verb = Retire
		return task, true
	case p.tooLate():
		return task, false
	case duty.State == vigil.StateScheduled, duty.State == vigil.StateMissed:
		task.Verb = Prove
		return task, true
	}
	return p.submission(task)
}

// inHand says that in shadow something is left to do about a duty: it is neither
// done nor on its way from a time when the miner was not in shadow.
func inHand(s vigil.DutyState) bool {
	return s == vigil.StateScheduled || s == vigil.StateProved || s == vigil.StateMissed
}

// submission plans the message of a duty whose proof is stored.
func (p planner) submission(task Task) (Task, bool) {
	if p.view.Epoch < p.deadline.Open+p.policy.SubmitConfidence {
		return task, false
	}
	task.Verb = Submit
	alive, dead, failed := p.messages(task.Duty.ID)
	task.Generation, task.Failed = dead, failed
	doomed := task.Duty.Commit != "" && p.deadline.Commit != "" && task.Duty.Commit != p.deadline.Commit
	return task, task.Duty.State == vigil.StateProved || !alive || doomed
}

// count says how many of the partitions are posted, settled, and owe a proof.
func (p planner) count(indices []uint64) (posted, settled, due int) {
	for _, part := range p.deadline.Partitions {
		if !slices.Contains(indices, part.Index) {
			continue
		}
		if part.Posted {
			posted++
		}
		if part.Posted && part.Settled {
			settled++
		}
		if part.Due > 0 {
			due++
		}
	}
	return posted, settled, due
}

// messages says whether a message of the duty may still change what the view
// shows, how many of them came to nothing, and what came of the last of these.
// The messager may be ahead of the view: what was executed at or after its head
// is in no state it has read.
func (p planner) messages(id vigil.DutyID) (alive bool, dead int, failed string) {
	for _, m := range p.view.Messages {
		switch {
		case m.Duty != id:
		case p.fruitless(m):
			dead++
			if failed = ""; m.State == vigil.MessageFailed {
				failed = fmt.Sprintf("its message number %d: %s", dead, m.Problem)
			} else if !m.State.Done() && !cancelled(m) {
				failed = fmt.Sprintf("its message number %d was executed with exit code %s", dead, m.Receipt.ExitCode)
			}
		default:
			alive = true
		}
	}
	return alive, dead, failed
}

// fruitless says that a message came to nothing, as far as the view can show
// it. A failed execution is believed at the confidence, for a reorg may undo it;
// but at once where there would be no time left for another message then.
func (p planner) fruitless(m vigil.Message) bool {
	switch {
	case m.Receipt != nil && m.Receipt.Epoch >= p.view.Epoch:
		return false
	case m.State.Done():
		return true
	}
	end := p.deadline.Close
	if m.Duty.Kind == vigil.KindRecover {
		end = p.deadline.FaultCutoff
	}
	return m.Receipt != nil && (m.Receipt.ExitCode != exitcode.Ok || cancelled(m)) && p.view.Epoch >= end-p.policy.PostMargin
}

// judge settles the duties of a deadline that has closed by what the chain
// shows: a partition that was not posted has no active sector left.
func (p planner) judge() []Task {
	existing := p.duties(vigil.KindPost)
	tasks := p.unseen(existing)
	for _, duty := range existing {
		if duty.State.Final() {
			continue
		}
		task := Task{Verb: Confirm, Duty: duty}
		for _, part := range p.deadline.Partitions {
			if slices.Contains(duty.Partitions, part.Index) && !part.Proven {
				task.Verb, task.Reason = Miss, reason(p.view, duty)
			}
		}
		if p.view.Shadow && inHand(duty.State) { // who posted was somebody else
			task.Verb, task.Reason = Miss, reason(p.view, duty)
		}
		tasks = append(tasks, task)
	}
	return tasks
}

// unseen gives the duties that nobody began: the daemon was not running, or
// blind, for the whole of their deadline.
func (p planner) unseen(existing []vigil.Duty) []Task {
	duty := p.fresh(vigil.KindPost, existing)
	duty.Partitions = slices.DeleteFunc(p.uncovered(existing), func(index uint64) bool {
		return slices.ContainsFunc(p.deadline.Partitions, func(part Partition) bool { return part.Index == index && part.Proven })
	})
	if len(duty.Partitions) == 0 {
		return nil
	}
	return []Task{{Verb: Miss, Duty: duty, Reason: vigil.ReasonNotStarted}}
}

// reason says why a duty was missed, from how far it had come.
func reason(view View, duty vigil.Duty) vigil.Reason {
	switch duty.State {
	case vigil.StateScheduled:
		return cmp.Or(duty.Reason, vigil.ReasonNotStarted)
	case vigil.StateProved:
		return cmp.Or(duty.Reason, vigil.ReasonNotSent)
	}
	verdict := vigil.ReasonNotIncluded
	for _, m := range view.Messages {
		if m.Duty != duty.ID {
			continue
		}
		switch {
		case strings.HasPrefix(m.Problem, vigil.TookBack):
			return vigil.ReasonTakenBack
		case m.Receipt != nil && m.Receipt.Epoch >= duty.Deadline.Close && !cancelled(m): // a block had it too late
		case m.State == vigil.MessageFailed, m.State == vigil.MessageIncluded && m.Receipt != nil && !m.Receipt.ExitCode.IsSuccess():
			verdict = vigil.ReasonMessageFailed
		case m.State == vigil.MessageConfirmed, m.State == vigil.MessageIncluded && !cancelled(m):
			return vigil.ReasonTakenBack
		case !slices.ContainsFunc(m.Attempts, func(a vigil.Attempt) bool { return a.Published }):
			verdict = vigil.ReasonNotSent
		}
	}
	return verdict
}

// cancelled says that what the chain executed is not the message, but what took its nonce.
func cancelled(m vigil.Message) bool {
	a, executed := m.Executed()
	return executed && a.Cancel
}

// forgotten closes the rows of deadlines so long past that the chain's state
// no longer tells, and which the view therefore does not hold.
func forgotten(view View) []Task {
	var tasks []Task
	for _, duty := range view.Duties {
		d := duty.Deadline
		period := abi.ChainEpoch(d.Count) * (d.Close - d.Open)
		if duty.State.Final() || view.Epoch < d.Close+period || inView(view, d.Open) {
			continue
		}
		tasks = append(tasks, Task{Verb: Miss, Duty: duty, Reason: reason(view, duty)})
	}
	return tasks
}

func inView(view View, open abi.ChainEpoch) bool {
	return slices.ContainsFunc(view.Deadlines, func(d Deadline) bool { return d.Open == open })
}
