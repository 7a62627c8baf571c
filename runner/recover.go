package runner

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/partition"
	"github.com/vigil-post/vigil/schedule"
)

// recover reads faulty sectors of the deadline for random challenges, as a
// proof would, and declares those that can be proved again. The row is stored
// first, so that the plan knows who reads them.
func (a *action) recover(ctx context.Context, task schedule.Task) error {
	d := a.duty
	d.State = vigil.StateScheduled
	if err := a.save(d, func(d vigil.Duty) error { return a.cfg.Store.SaveDuty(ctx, d) }); err != nil {
		return err
	}
	if err := a.stands(ctx); err != nil {
		return err
	}
	partitions, readable, err := a.inTurn(ctx, task.Sectors)
	if err != nil {
		return err
	}
	limits := partition.Limits{Sectors: max(1, a.cfg.Policy.DeclareSectors), Partitions: max(1, a.cfg.Policy.DeclarePartitions)}
	messages, err := partition.Declare(partitions, readable, limits)
	if err != nil {
		return err
	}
	switch {
	case len(messages) > 0 && a.shadow:
		return a.withholdRecovery(ctx, slices.Concat(messages...))
	case len(messages) > 0:
		return a.declareAll(vigil.OneDecision(ctx), messages, task) // reading may have lasted
	case len(a.duty.Skipped) > 0:
		return because(vigil.ReasonUnreadable, a.unreadable())
	}
	return nil // somebody else has declared them meanwhile
}

// unreadable says what cannot be declared.
func (a *action) unreadable() error {
	bad := a.duty.Skipped
	return fmt.Errorf("%d faulty sectors cannot be read, the first is %d: %s", len(bad), bad[0].Number, bad[0].Cause)
}

// stands looks beforehand whether the chain would take a declaration. Where
// that cannot be known, the chain is asked with the message.
func (a *action) stands(ctx context.Context) error {
	if a.cfg.Standing == nil {
		return nil
	}
	standing, err := a.cfg.Standing.Standing(ctx, a.id, a.head.Key)
	if err != nil {
		a.log.Debug("cannot read what the miner owes", "error", err)
		return nil
	}
	why := standing.Hindrance(a.head.Epoch + 1)
	if why == "" {
		return nil
	}
	if cutoff := a.duty.Deadline.FaultCutoff; standing.ConsensusFault+1 >= cutoff {
		why += fmt.Sprintf("; that is too late for this proving period, whose cutoff is epoch %d", cutoff)
	}
	return because(vigil.ReasonHindered, errors.New(why))
}

// inTurn reads sectors when those of more urgent deadlines were read. What was
// known before the wait may be old by then, and the node that it was asked of
// another: so it is a decision of its own.
func (a *action) inTurn(ctx context.Context, wanted []abi.SectorNumber) ([]vigil.Partition, []abi.SectorNumber, error) {
	done, err := a.work.recoveries.turn(ctx, a.duty.Deadline.FaultCutoff, a.untilUrgent())
	if err != nil {
		return nil, nil, fmt.Errorf("wait for other deadlines' sectors: %w", err)
	}
	defer done()
	ctx = vigil.OneDecision(ctx)
	if a.now() > a.head.Epoch {
		if head, err := a.cfg.Heads.Head(ctx); err == nil {
			a.head, a.began = head, time.Now()
		}
	}
	partitions, err := a.cfg.State.Partitions(ctx, a.id, a.duty.Deadline.Index, a.head.Key)
	if err != nil {
		return nil, nil, fmt.Errorf("read the partitions of deadline %d: %w", a.duty.Deadline.Index, err)
	}
	readable, err := a.readFaulty(ctx, partitions, wanted)
	return partitions, readable, err
}

// recoverReading is how long faulty sectors are read for a declaration at most:
// what cannot be read in that time is tried again later.
const recoverReading = 10 * time.Minute

// recoverAtOnce is how many of them are read at a time; recoverPatience is how long
// each waits at most for posts' sectors: beside them one or two are read a second, and
// more only near the cutoff.
const (
	recoverAtOnce   = 64
	recoverPatience = time.Minute
)

// recoverUrgent is how many epochs before declarations are given up a deadline's faulty
// sectors wait for no other's, and not long for posts'. Cutoffs are 60 epochs apart, so that
// of each miner it is one deadline at a time.
const recoverUrgent = 20

// recoverLeft is how many epochs there are for reading: what was read until then must be
// declared before declarations are given up.
func (a *action) recoverLeft() abi.ChainEpoch {
	return a.duty.Deadline.FaultCutoff - a.cfg.Policy.RecoverMargin - 2 - a.now()
}

// untilUrgent is how long it is until the deadline is so near.
func (a *action) untilUrgent() time.Duration {
	return time.Duration(max(a.recoverLeft()-recoverUrgent, 0)) * a.epoch
}

// recoverTime is how long faulty sectors are read.
func (a *action) recoverTime() time.Duration {
	return min(recoverReading, time.Duration(max(a.recoverLeft(), 1))*a.epoch)
}

// patience is how long each of so many sectors waits for posts' at most: near the cutoff
// so short that all have their turn in half the time.
func (a *action) patience(sectors int) time.Duration {
	if a.untilUrgent() > 0 {
		return recoverPatience
	}
	rounds := time.Duration(sectors/recoverAtOnce + 1)
	return min(recoverPatience, a.recoverTime()/(2*rounds))
}

// readFaulty gives those of the wanted sectors that are faulty, undeclared and
// can be proved, and notes the others with their causes.
func (a *action) readFaulty(ctx context.Context, partitions []vigil.Partition, wanted []abi.SectorNumber) ([]abi.SectorNumber, error) {
	s, err := a.faulty(ctx, partitions, partition.Set(wanted))
	if err != nil {
		return nil, err
	}
	began := time.Now()
	r, err := a.pass(ctx, s, a.recoverTime(), a.behind(recoverAtOnce, a.patience(len(s.Sectors))))
	if err != nil {
		return nil, err
	}
	a.duty.Skipped = slices.Concat(r.bad, r.unchecked, r.late)
	if bad := len(a.duty.Skipped); bad == 0 || bad < len(s.Sectors) || a.unreadable().Error() != a.duty.Problem {
		a.noteRead(r, len(s.Sectors), time.Since(began))
	}
	var readable []abi.SectorNumber
	for i, proof := range r.proofs {
		if proof != nil {
			readable = append(readable, s.Sectors[i].Number)
		}
	}
	return readable, nil
}

// faulty states the wanted sectors that are faulty and undeclared, with random challenges.
func (a *action) faulty(ctx context.Context, partitions []vigil.Partition, wanted bitfield.BitField) (s vigil.Statement, err error) {
	sets := make([]bitfield.BitField, len(partitions))
	for i, p := range partitions {
		if sets[i], err = partition.Recoverable(p); err != nil {
			return s, err
		}
	}
	set, err := bitfield.MultiMerge(sets...)
	if err != nil {
		return s, fmt.Errorf("merge faulty sectors: %w", err)
	}
	if set, err = bitfield.IntersectBitField(set, wanted); err != nil {
		return s, fmt.Errorf("pick faulty sectors: %w", err)
	}
	info, err := a.cfg.State.Miner(ctx, a.id, a.head.Key)
	if err != nil {
		return s, fmt.Errorf("read the miner: %w", err)
	}
	s = vigil.Statement{Miner: a.id, ProofType: info.ProofType}
	if s.Sectors, err = a.cfg.State.Sectors(ctx, a.id, set, a.head.Key); err != nil {
		return s, fmt.Errorf("read the faulty sectors: %w", err)
	}
	rand.Read(s.Randomness[:])
	s.Randomness[31] &= 0x3f // a field element, as the chain's seed becomes one
	return s, nil
}

// returned writes down how many of a recovery's sectors have power again.
func (a *action) returned(ctx context.Context, task schedule.Task) error {
	d := a.duty
	back := len(d.Sectors) - len(task.Sectors)
	d.Returned = &back
	if len(task.Sectors) > 0 {
		d.Problem = fmt.Sprintf("%d of %d sectors that were declared recovered have no power: %s", len(task.Sectors), len(d.Sectors), task.Failed)
	}
	if err := a.save(d, func(d vigil.Duty) error { return a.cfg.Store.SaveDuty(ctx, d) }); err != nil {
		return err
	}
	if len(task.Sectors) > 0 {
		a.log.Warn("sectors were declared recovered and have no power; they are read and declared again", "deadline", d.Deadline.Index,
			"returned", back, "without", brief(task.Sectors), "why", task.Failed, "epoch", a.head.Epoch)
		return nil
	}
	a.log.Info("the power of recovered sectors is back", "deadline", d.Deadline.Index, "sectors", back, "epoch", a.head.Epoch)
	return nil
}
