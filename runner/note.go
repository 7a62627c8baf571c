package runner

import (
	"context"
	"errors"
	"fmt"
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
		if a.doing != "" {
			facts.Problem = "it was stopped while " + a.doing + ": " + stopped(ctx).Error()
		}
	case err.Error() == task.Duty.Problem:
		return
	default:
		facts.Problem = err.Error()
	}
	a.note(vigil.EventEnded, facts)
}

// errUnplanned stops what is no longer planned.
var errUnplanned = errors.New("its time was over, or it is not owed any more")

// outrun writes down of a try that was never over what it was at when there was no time
// left, unless an earlier one says what is in the way.
func (a *action) outrun(ctx context.Context) {
	if a.duty.Problem != "" || a.doing == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	a.duty.Problem, a.duty.Tried = fmt.Sprintf(vigil.TimeOver+" while %s; that try began at epoch %d", a.doing, a.head.Epoch), a.now()
	if err := a.cfg.Store.SaveDuty(ctx, a.duty); err != nil {
		a.log.Error("cannot write to the store; check its disk", "error", err)
	}
}

// lastWords is how long it may take to write down why a try was stopped.
const lastWords = 5 * time.Second

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

// readAsBefore says that a reading came to what that of the last try came to, so that
// there is nothing new to tell: the same problem, the same sectors or, of a try that
// failed after it, none.
func (a *action) readAsBefore(r reading, known []vigil.BadSector, err error) bool {
	switch {
	case a.duty.Problem == "":
		return false
	case err != nil:
		return err.Error() == a.duty.Problem
	case len(r.bad)+len(r.unchecked) > 0:
		return slices.Equal(slices.Concat(r.bad, r.unchecked), known)
	}
	return a.duty.Reason == vigil.ReasonNotProved
}

// noteRead notes what became of a statement's sectors.
func (a *action) noteRead(r reading, sectors int, took time.Duration) {
	named := slices.Concat(r.bad, r.unchecked, r.late)
	a.note(vigil.EventRead, vigil.EventFacts{
		Sectors: sectors, Bad: len(r.bad), Unchecked: len(r.unchecked), Late: len(r.late), Took: took,
		Named: named[:min(len(named), namedSectors)],
	})
}
