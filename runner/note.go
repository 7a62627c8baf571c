package runner

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/schedule"
)

// What is noted here is for people who ask later why something took long or
// came to nothing. Nothing is ever read back from it to decide. What is tried
// again at every head with the same result is noted once: the duty's row says
// when it was tried last.

// forgetful is the journal of a runner that was given none.
type forgetful struct{}

func (forgetful) Note(vigil.Event) {}

// note writes an event of the action's duty down, as of now.
func (a *action) note(kind vigil.EventKind, facts vigil.EventFacts) {
	a.cfg.Journal.Note(vigil.Event{Epoch: a.now(), Kind: kind, Duty: a.duty.ID, EventFacts: facts})
}

// begins notes that a long task begins, unless it is one more try of what failed.
func (a *action) begins(task schedule.Task) {
	again := task.Duty.Problem != "" && task.Duty.Tried > 0
	if long := task.Verb == schedule.Prove || task.Verb == schedule.Recover; long && !again {
		a.note(vigil.EventBegun, vigil.EventFacts{Task: string(task.Verb), TipSet: a.head.Key, Partitions: task.Duty.Partitions})
	}
}

// ends notes how a task ended, unless it failed as the last try did.
func (a *action) ends(ctx context.Context, task schedule.Task, err error) {
	facts := vigil.EventFacts{Task: string(task.Verb), TipSet: a.head.Key, Took: time.Since(a.began)}
	switch {
	case err == nil:
	case ctx.Err() != nil:
		facts.Problem = "it was stopped: " + stopped(ctx).Error()
	case err.Error() == task.Duty.Problem:
		return
	default:
		facts.Problem = err.Error()
	}
	a.note(vigil.EventEnded, facts)
}

// errUnplanned stops what is no longer planned.
var errUnplanned = errors.New("it is not to be done any more")

// errStopping stops what is running when the daemon ends.
var errStopping = errors.New("the daemon was told to end")

// stopped is why a task's context ended.
func stopped(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != context.Canceled {
		return cause
	}
	return errStopping // the cause of its parent
}

// namedSectors is how many sectors an event names.
const namedSectors = 5

// noteRead notes what became of a statement's sectors.
func (a *action) noteRead(r reading, sectors int, took time.Duration) {
	named := slices.Concat(r.bad, r.unchecked, r.late)
	a.note(vigil.EventRead, vigil.EventFacts{
		Sectors: sectors, Bad: len(r.bad), Unchecked: len(r.unchecked), Late: len(r.late), Took: took,
		Named: named[:min(len(named), namedSectors)],
	})
}
