package runner

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/schedule"
)

// action is one task being carried out, in its own goroutine: it shares
// nothing with the loop but the shelf of its duty.
type action struct {
	id    abi.ActorID // the miner's
	cfg   Config
	head  vigil.Head    // all reads are at this head
	began time.Time     // when that was the head
	epoch time.Duration // the length of an epoch
	duty  vigil.Duty    // the row as this action knows it
	shelf *shelf        // nil when nothing is to be kept
	took  time.Duration // of the latest proof,
	alone time.Duration // and of that without the wait for others
	keeps bool          // what is read for no duty is to be proved too
	doing string        // what is going on, for people who ask what was when it was stopped
	work  *work
	log   *slog.Logger

	shadow bool // somebody else posts for the miner
}

// setback is an error together with what it means for the duty.
type setback struct {
	reason vigil.Reason
	err    error
}

func (s *setback) Error() string { return s.err.Error() }
func (s *setback) Unwrap() error { return s.err }

// because gives an error its meaning; nil stays nil.
func because(reason vigil.Reason, err error) error {
	if err == nil {
		return nil
	}
	return &setback{reason, err}
}

// save writes a changed row down; only then is it the row of the action.
func (a *action) save(d vigil.Duty, write func(vigil.Duty) error) error {
	if err := write(d); err != nil {
		return err
	}
	a.duty = d
	return nil
}

// fail writes down what stopped the task. It will be tried again at the next
// head for as long as it is planned.
func (a *action) fail(ctx context.Context, verb schedule.Verb, err error) {
	var s *setback
	if errors.As(err, &s) {
		a.duty.Reason = s.reason
	}
	if a.duty.Problem != err.Error() {
		a.log.Warn("will be tried again", "verb", verb, "epoch", a.head.Epoch, "error", err)
	}
	a.duty.Problem, a.duty.Tried = err.Error(), a.head.Epoch
	if err := a.cfg.Store.SaveDuty(ctx, a.duty); err != nil && ctx.Err() == nil {
		a.log.Error("cannot write to the store; check its disk", "error", err)
	}
}

// settle writes down an outcome that the plan has read from the chain.
func (a *action) settle(ctx context.Context, task schedule.Task) error {
	d := a.duty
	switch task.Verb {
	case schedule.Confirm:
		d.State, d.Reason, d.Problem = vigil.StateConfirmed, "", ""
		if d.ID.Kind == vigil.KindPost {
			d.Took.Included = a.included(ctx)
		}
	case schedule.Miss:
		d.State, d.Reason = vigil.StateMissed, task.Reason
	case schedule.Retire:
		a.shelf.load() // for the other duties: it is dropped below
		d.State = vigil.StateReplaced
	}
	if err := a.cfg.Store.SaveDuty(ctx, d); err != nil {
		return err
	}
	a.shelf.clear(d.ID)
	switch {
	case task.Verb == schedule.Confirm:
		a.log.Info("confirmed on chain", "deadline", d.Deadline.Index, "partitions", d.Partitions, "epoch", a.head.Epoch)
	case task.Verb == schedule.Retire:
		a.log.Info("its partitions go on in other duties", "partitions", d.Partitions, "epoch", a.head.Epoch)
	case a.shadow:
		a.log.Warn("would have been missed: the miner is in shadow", "deadline", d.Deadline.Index, "partitions", d.Partitions, "reason", d.Reason, "problem", d.Problem, "epoch", a.head.Epoch)
	case d.ID.Kind == vigil.KindRecover:
		a.log.Warn("not recovered in this proving period", "reason", d.Reason, "problem", d.Problem, "epoch", a.head.Epoch)
	default:
		a.log.Error("missed", "deadline", d.Deadline.Index, "partitions", d.Partitions, "reason", d.Reason, "problem", d.Problem, "epoch", a.head.Epoch)
	}
	return nil
}

// included is the epoch in which the chain executed the message of a duty that is
// confirmed. Where the messager cannot say it yet, it is that of the confirmation,
// less what was waited for: it is only for people and for forecasts.
func (a *action) included(ctx context.Context) abi.ChainEpoch {
	messages, err := a.cfg.Messager.Messages(ctx, a.id, a.duty.ID.Open)
	if err != nil {
		messages = nil
	}
	for _, m := range messages {
		if m.Duty == a.duty.ID && m.Receipt != nil && m.Receipt.ExitCode.IsSuccess() {
			return m.Receipt.Epoch
		}
	}
	return max(a.duty.Took.Submitted, min(a.head.Epoch-a.cfg.Policy.Confidence, a.duty.Deadline.Close)-1)
}
