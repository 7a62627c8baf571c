package schedule

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// A deadline's faulty sectors are declared in one or several messages, and each
// has a duty of its own. One duty at a time has no sectors yet: it reads all
// that no other has, and what it declares in more than one message it gives
// rows of their own. What cannot be read stays for the next of its kind.

// set is some sectors.
type set map[abi.SectorNumber]bool

// within gives the members of a list that the set has.
func (s set) within(list []abi.SectorNumber) []abi.SectorNumber {
	var in []abi.SectorNumber
	for _, n := range list {
		if s[n] {
			in = append(in, n)
		}
	}
	return in
}

// recoveries plans the declarations for the deadline's faulty sectors.
func (p planner) recoveries() []Task {
	existing := p.duties(vigil.KindRecover)
	open := set{} // faulty and undeclared on chain
	for _, part := range p.deadline.Partitions {
		for _, n := range part.Recoverable {
			open[n] = true
		}
	}
	left := p.unassigned(existing)
	next := p.fresh(vigil.KindRecover, existing)
	tasks := p.returns(existing)
	reading := false
	for _, duty := range existing {
		task := Task{Duty: duty, Sectors: open.within(duty.Sectors), NextBatch: next.ID.Batch}
		if duty.State == vigil.StateScheduled && len(duty.Sectors) == 0 {
			if reading {
				continue
			}
			task.Sectors, reading = left, true
		}
		if p.recovery(&task) {
			tasks = append(tasks, task)
		}
	}
	if !p.cutoffNear() && !reading && len(left) > 0 {
		tasks = append(tasks, Task{Verb: Recover, Duty: next, Sectors: left, NextBatch: next.ID.Batch + 1})
	}
	return tasks
}

// unassigned gives the sectors that can be declared and that no duty has, ascending.
func (p planner) unassigned(duties []vigil.Duty) []abi.SectorNumber {
	taken := set{}
	for _, d := range duties {
		for _, n := range d.Sectors {
			taken[n] = taken[n] || !d.State.Final() || p.view.Shadow && d.State == vigil.StateShadowed
		}
	}
	var left []abi.SectorNumber
	for _, part := range p.deadline.Partitions {
		for _, n := range part.Recoverable {
			if !taken[n] {
				left = append(left, n)
			}
		}
	}
	slices.Sort(left)
	return left
}

// cutoffNear says that a declaration sent now might be executed too late.
func (p planner) cutoffNear() bool {
	return p.view.Epoch >= p.deadline.FaultCutoff-p.policy.RecoverMargin
}

// recovery plans one declaration: it is done when the chain no longer lists
// its sectors as faulty without a recovery.
func (p planner) recovery(task *Task) bool {
	duty := task.Duty
	alive, dead, failed := p.messages(duty.ID)
	task.Generation, task.Failed = dead, failed
	switch {
	case duty.State.Final():
		return false
	case len(task.Sectors) == 0:
		task.Verb = Confirm
	case p.cutoffNear() && !alive:
		task.Verb, task.Reason = Miss, p.undeclared(duty)
	case p.cutoffNear(), alive && duty.State == vigil.StateSubmitted:
		return false
	case duty.State == vigil.StateScheduled && duty.Tried > p.view.Hurried && p.view.Epoch < duty.Tried+p.pause():
		return false // the same sectors were read a moment ago
	default:
		task.Verb = Recover
	}
	return true
}

// pause is how many epochs lie between two reads of the same sectors. In the last such pause
// before declarations are given up it is one: whoever mends something then has no other chance.
func (p planner) pause() abi.ChainEpoch {
	if p.view.Epoch >= p.deadline.FaultCutoff-p.policy.RecoverMargin-p.policy.RecoverEvery {
		return 1
	}
	return p.policy.RecoverEvery
}

// undeclared says why a recovery is missed: what was handed over had been read.
func (p planner) undeclared(duty vigil.Duty) vigil.Reason {
	if duty.State == vigil.StateSubmitted {
		return reason(p.view, duty)
	}
	return cmp.Or(duty.Reason, vigil.ReasonUnreadable)
}

// returns looks after what was declared, when the deadline has closed and its
// end is believed: the power should be back.
func (p planner) returns(duties []vigil.Duty) []Task {
	if p.view.Epoch < p.deadline.Close+p.policy.Confidence {
		return nil
	}
	idle := set{}
	for _, part := range p.deadline.Partitions {
		for _, n := range part.Idle {
			idle[n] = true
		}
	}
	var tasks []Task
	for _, duty := range duties {
		if AwaitsPower(duty) {
			lost := idle.within(duty.Sectors)
			tasks = append(tasks, Task{Verb: Return, Duty: duty, Sectors: lost, Failed: p.stillIdle(lost)})
		}
	}
	return tasks
}

// AwaitsPower says that a recovery stands on chain and that nobody has looked
// yet whether its sectors have their power back.
func AwaitsPower(d vigil.Duty) bool {
	return d.ID.Kind == vigil.KindRecover && d.State == vigil.StateConfirmed && d.Returned == nil && len(d.Sectors) > 0
}

// stillIdle says why the first of the sectors that were declared has no power
// all the same, from what became of the posts.
func (p planner) stillIdle(lost []abi.SectorNumber) string {
	if len(lost) == 0 {
		return ""
	}
	posts := p.duties(vigil.KindPost)
	for _, duty := range posts {
		for _, bad := range duty.Skipped {
			if bad.Number == lost[0] {
				return fmt.Sprintf("sector %d was left out of the proof: %s", bad.Number, bad.Cause)
			}
		}
	}
	for _, part := range p.deadline.Partitions {
		if !part.Proven && slices.Contains(part.Idle, lost[0]) {
			return fmt.Sprintf("the post of partition %d was missed: %s", part.Index, missedFor(p.view, posts, part.Index))
		}
	}
	return fmt.Sprintf("sector %d was not proved, or was lost again after it", lost[0])
}

// missedFor is the reason of the duty that had the partition.
func missedFor(view View, posts []vigil.Duty, partition uint64) vigil.Reason {
	for _, duty := range posts {
		switch {
		case !slices.Contains(duty.Partitions, partition) || duty.State == vigil.StateReplaced:
		case duty.State == vigil.StateMissed:
			return duty.Reason
		default:
			return reason(view, duty)
		}
	}
	return vigil.ReasonNotStarted
}
