package runner

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin"
	actor "github.com/filecoin-project/go-state-types/builtin/v18/miner"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/partition"
	"github.com/vigil-post/vigil/schedule"
)

// recover reads the deadline's faulty sectors for random challenges, as a
// proof would, and declares those that can be proved again.
func (a *action) recover(ctx context.Context, task schedule.Task) error {
	partitions, err := a.cfg.State.Partitions(ctx, a.id, a.duty.Deadline.Index, a.head.Key)
	if err != nil {
		return fmt.Errorf("read the partitions of deadline %d: %w", a.duty.Deadline.Index, err)
	}
	readable, err := a.readFaulty(ctx, partitions)
	if err != nil {
		return err
	}
	declarations, err := partition.Declare(partitions, readable, actor.AddressedSectorsMax)
	if err != nil {
		return err
	}
	if len(declarations) == 0 {
		return because(vigil.ReasonUnreadable, fmt.Errorf("%d faulty sectors cannot be read", len(a.duty.Skipped)))
	}
	if a.shadow {
		return a.withholdRecovery(ctx, declarations)
	}
	return a.declare(ctx, declarations, task)
}

// recoverReading is how long faulty sectors are read for a declaration at most:
// what cannot be read in that time is tried again later.
const recoverReading = 10 * time.Minute

// recoverAtOnce is how many of them are read at a time; recoverPatience is how long
// each waits at most for posts' sectors: beside them one or two are read a second.
const (
	recoverAtOnce   = 64
	recoverPatience = time.Minute
)

// recoverTime is how long faulty sectors are read: what was read until then must be
// declared before declarations are given up.
func (a *action) recoverTime() time.Duration {
	left := a.duty.Deadline.FaultCutoff - a.cfg.Policy.RecoverMargin - 2 - a.now()
	return min(recoverReading, time.Duration(max(left, 1))*a.epoch)
}

// readFaulty gives the faulty, undeclared sectors that can be proved, and
// notes the others with their causes.
func (a *action) readFaulty(ctx context.Context, partitions []vigil.Partition) ([]abi.SectorNumber, error) {
	sets := make([]bitfield.BitField, 0, len(partitions))
	for _, p := range partitions {
		set, err := partition.Recoverable(p)
		if err != nil {
			return nil, err
		}
		sets = append(sets, set)
	}
	faulty, err := bitfield.MultiMerge(sets...)
	if err != nil {
		return nil, fmt.Errorf("merge faulty sectors: %w", err)
	}
	info, err := a.cfg.State.Miner(ctx, a.id, a.head.Key)
	if err != nil {
		return nil, fmt.Errorf("read the miner: %w", err)
	}
	s := vigil.Statement{Miner: a.id, ProofType: info.ProofType}
	if s.Sectors, err = a.cfg.State.Sectors(ctx, a.id, faulty, a.head.Key); err != nil {
		return nil, fmt.Errorf("read the faulty sectors: %w", err)
	}
	rand.Read(s.Randomness[:])
	s.Randomness[31] &= 0x3f // a field element, as the chain's seed becomes one
	r, err := a.pass(ctx, s, a.recoverTime(), a.behind(recoverAtOnce, recoverPatience))
	if err != nil {
		return nil, err
	}
	a.duty.Skipped = slices.Concat(r.bad, r.unchecked, r.late)
	var readable []abi.SectorNumber
	for i, proof := range r.proofs {
		if proof != nil {
			readable = append(readable, s.Sectors[i].Number)
		}
	}
	return readable, nil
}

// declare hands DeclareFaultsRecovered to the messager.
func (a *action) declare(ctx context.Context, declarations []partition.Declaration, task schedule.Task) error {
	var params actor.DeclareFaultsRecoveredParams
	var sectors []abi.SectorNumber
	for _, d := range declarations {
		params.Recoveries = append(params.Recoveries, actor.RecoveryDeclaration{
			Deadline: a.duty.Deadline.Index, Partition: d.Partition, Sectors: partition.Set(d.Sectors),
		})
		sectors = append(sectors, d.Sectors...)
	}
	id := fmt.Sprintf("%s#%d sectors=%s", a.duty.ID, task.Generation, digest(sectors))
	request, err := a.request(ctx, id, builtin.MethodsMiner.DeclareFaultsRecovered, &params, a.duty.Deadline.FaultCutoff)
	if err != nil {
		return err
	}
	if err := a.push(ctx, request); err != nil {
		return err
	}
	d := a.duty
	d.State, d.Sectors, d.MessageID, d.Tried = vigil.StateSubmitted, sectors, request.ID, a.head.Epoch
	d.Skipped, d.Reason, d.Problem = nil, earlier(task), task.Failed
	if err := a.save(d, func(d vigil.Duty) error { return a.cfg.Store.SaveDuty(ctx, d) }); err != nil {
		return err
	}
	a.log.Info("recovery declared", "deadline", a.duty.Deadline.Index, "sectors", sectors, "epoch", a.head.Epoch, "cutoff", a.duty.Deadline.FaultCutoff)
	return nil
}
