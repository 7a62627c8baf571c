package runner

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/partition"
	"github.com/vigil-post/vigil/schedule"
)

// declareAll hands the declarations to the messager, each as a duty of its own.
// The action's own duty is the last to change: until then no other reads what
// is left, and after a crash it reads what was not handed over.
//
// A duty that had sectors before declares what fits into one message; the rest
// is read by the next that has none.
func (a *action) declareAll(ctx context.Context, messages [][]partition.Declaration, task schedule.Task) error {
	messages, err := partition.Fit(messages, func(message []partition.Declaration) (bool, error) { return a.tooLarge(ctx, message) })
	if err != nil {
		return err
	}
	own := messages[0]
	if len(task.Duty.Sectors) == 0 {
		next := a.duty
		next.ID.Batch = task.NextBatch
		for _, message := range messages[1:] {
			if err := a.declare(ctx, next, message, schedule.Task{}); err != nil {
				return err
			}
			next.ID.Batch++
		}
		if len(a.duty.Skipped) > 0 {
			if err := a.leave(ctx, next); err != nil {
				return err
			}
		}
	}
	return a.declare(ctx, a.duty, own, task)
}

// leave writes down what could not be read, for the next try.
func (a *action) leave(ctx context.Context, d vigil.Duty) error {
	d.Skipped, d.Reason, d.Tried = a.duty.Skipped, vigil.ReasonUnreadable, a.head.Epoch
	d.Problem = a.unreadable().Error()
	if d.Problem != a.duty.Problem {
		a.log.Warn("not all faulty sectors can be declared; the rest is read again until the cutoff", "deadline", d.Deadline.Index,
			"left", len(d.Skipped), "problem", d.Problem, "cutoff", d.Deadline.FaultCutoff, "epoch", a.head.Epoch)
	}
	return a.cfg.Store.SaveDuty(ctx, d)
}

// tooLarge says that a declaration has too many bytes, or needs more gas than
// the policy has for one: a block must have room for others. What a node cannot
// estimate is left to the messager, which asks again.
func (a *action) tooLarge(ctx context.Context, message []partition.Declaration) (bool, error) {
	if long := partition.TooLong(message); long || a.cfg.Gas == nil {
		return long, nil
	}
	r, err := a.declaration(ctx, a.duty.ID, message, 0)
	if err != nil {
		return false, err
	}
	call := r.Call
	call.From = r.Senders[0]
	gas, err := a.cfg.Gas.EstimateGas(ctx, call, 0)
	var refused *vigil.CallError
	if errors.As(err, &refused) {
		return refused.OutOfGas, nil
	}
	return err == nil && gas.Limit > a.cfg.Policy.DeclareGas, ctx.Err()
}

// declaration builds DeclareFaultsRecovered for a duty.
func (a *action) declaration(ctx context.Context, duty vigil.DutyID, message []partition.Declaration, generation int) (vigil.MessageRequest, error) {
	params := partition.Params(a.duty.Deadline.Index, message)
	id := fmt.Sprintf("%s#%d sectors=%s", duty, generation, digest(partition.Declared(message)))
	r, err := a.request(ctx, id, builtin.MethodsMiner.DeclareFaultsRecovered, &params, a.duty.Deadline.FaultCutoff)
	r.Duty = duty
	return r, err
}

// declare hands a declaration to the messager, and writes the duty's row.
func (a *action) declare(ctx context.Context, d vigil.Duty, message []partition.Declaration, task schedule.Task) error {
	request, err := a.declaration(ctx, d.ID, message, task.Generation)
	if err != nil {
		return err
	}
	if err := a.push(ctx, request); err != nil {
		return err
	}
	d.State, d.Sectors, d.MessageID, d.Tried = vigil.StateSubmitted, partition.Declared(message), request.ID, a.head.Epoch
	d.Skipped, d.Reason, d.Problem = nil, earlier(task), task.Failed
	write := func(d vigil.Duty) error { return a.cfg.Store.SaveDuty(ctx, d) }
	if d.ID == a.duty.ID {
		err = a.save(d, write)
	} else {
		err = write(d)
	}
	if err != nil {
		return err
	}
	a.cfg.Log.Info("recovery declared", "miner", vigil.MinerAddress(a.id).String(), "duty", d.ID.String(), "deadline", d.Deadline.Index, "partitions", len(message), "count", len(d.Sectors),
		"sectors", brief(d.Sectors), "epoch", a.head.Epoch, "cutoff", d.Deadline.FaultCutoff)
	return nil
}

// brief writes ascending sectors so that thousands fit into a line.
func brief(sectors []abi.SectorNumber) string {
	var runs []string
	for i := 0; i < len(sectors); {
		j := i
		for j+1 < len(sectors) && sectors[j+1] == sectors[j]+1 {
			j++
		}
		if len(runs) == briefRuns {
			runs = append(runs, fmt.Sprintf("and %d more", len(sectors)-i))
			break
		}
		if i == j {
			runs = append(runs, fmt.Sprint(sectors[i]))
		} else {
			runs = append(runs, fmt.Sprintf("%d-%d", sectors[i], sectors[j]))
		}
		i = j + 1
	}
	return "[" + strings.Join(runs, " ") + "]"
}

const briefRuns = 20
