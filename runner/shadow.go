package runner

import (
	"context"
	"fmt"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/partition"
)

// asOpened is the state of a miner in shadow: the deadline that is open is read
// as if nobody had posted in it. What another one posts changes what is owed, and
// a proof that was made after its post would be of another statement, and no
// measure of ours. Everything else is the chain's own.
type asOpened struct {
	vigil.MinerState
	heads vigil.Heads
}

// Partitions implements vigil.MinerState. While a deadline is open nothing but a
// post changes what is owed at it, so its state when it opened is its state without posts.
func (s asOpened) Partitions(ctx context.Context, miner abi.ActorID, deadline uint64, key vigil.TipSetKey) ([]vigil.Partition, error) {
	current, err := s.Deadline(ctx, miner, key)
	if err != nil {
		return nil, fmt.Errorf("read the current deadline: %w", err)
	}
	if current.Index != deadline {
		return s.MinerState.Partitions(ctx, miner, deadline, key)
	}
	posted, err := s.MinerState.Posted(ctx, miner, key)
	if err != nil {
		return nil, fmt.Errorf("read what others posted: %w", err)
	}
	if deadline < uint64(len(posted)) {
		none, err := posted[deadline].IsEmpty()
		if err != nil {
			return nil, fmt.Errorf("deadline %d: what others posted: %w", deadline, err)
		}
		if !none {
			opening, err := s.heads.At(ctx, current.Open, key)
			if err != nil {
				return nil, fmt.Errorf("find the tipset at which it opened: %w", err)
			}
			key = opening.Key
		}
	}
	return s.MinerState.Partitions(ctx, miner, deadline, key)
}

// Posted implements vigil.MinerState: nothing.
func (asOpened) Posted(context.Context, abi.ActorID, vigil.TipSetKey) ([]bitfield.BitField, error) {
	return nil, nil
}

// begun notes when a duty in shadow was tried first.
func (a *action) begun() {
	if a.shadow && a.duty.Shadow.Begun == 0 {
		a.duty.Shadow.Begun = a.head.Epoch
	}
}

// ready notes when the proof of a duty in shadow was there.
func (a *action) ready(p vigil.Proof) {
	if work := &a.duty.Shadow; a.shadow {
		work.Ready, work.ReadTime, work.ProveTime = a.now(), p.ReadTime.Seconds(), p.ProveTime.Seconds()
	}
}

// withhold ends a duty in shadow where its message would be handed over.
func (a *action) withhold(ctx context.Context, d vigil.Duty) error {
	d.State, d.Shadow.Sent, d.Reason, d.Problem = vigil.StateShadowed, a.head.Epoch, "", ""
	if err := a.save(d, func(d vigil.Duty) error { return a.cfg.Store.SaveDuty(ctx, d) }); err != nil {
		return err
	}
	a.log.Info("would have been sent: the miner is in shadow", "deadline", d.Deadline.Index, "partitions", d.Partitions, "sectors", d.Sectors, "epoch", a.head.Epoch)
	return nil
}

// withholdRecovery is withhold for a declaration.
func (a *action) withholdRecovery(ctx context.Context, declarations []partition.Declaration) error {
	d := a.duty
	d.Sectors, d.Tried = nil, a.head.Epoch
	for _, declared := range declarations {
		d.Sectors = append(d.Sectors, declared.Sectors...)
	}
	return a.withhold(ctx, d)
}
