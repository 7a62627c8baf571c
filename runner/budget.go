package runner

import (
	"context"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/schedule"
)

// budget is a post duty's time, counted backwards from Close: what its proof
// will take and what its message needs on top is not there for reading.
type budget struct {
	// cutoff is the epoch until which sectors that could not be checked, or too
	// many that look bad, are waited for; from then on the rest is proved.
	cutoff abi.ChainEpoch
	delay  time.Duration // the length of an epoch
}

// newBudget gives the budget of a deadline. A proof time that nobody has measured
// yet takes no more from the reading than three quarters of the time there is.
func newBudget(d vigil.Deadline, delay, prove time.Duration, measured bool, policy schedule.Policy) budget {
	delay = max(delay, 1)
	cutoff := d.Close - policy.PostMargin - abi.ChainEpoch((prove+delay-1)/delay)
	least := d.Challenge + policy.StartConfidence + 1
	if !measured {
		least = d.Challenge + (d.Close-d.Challenge)/4
	}
	return budget{cutoff: max(cutoff, least), delay: delay}
}

// until is how long sectors may be read from an epoch on: to the cutoff, but when
// that is near or over for a quarter of what is left to Close, because without
// any reading there is nothing to prove.
func (b budget) until(epoch abi.ChainEpoch, d vigil.Deadline) time.Duration {
	return time.Duration(max(b.cutoff-epoch, (d.Close-epoch)/4, 1)) * b.delay
}

// over says that what could not be read by the epoch is to be left out.
func (b budget) over(epoch abi.ChainEpoch) bool { return epoch >= b.cutoff }

// now is the epoch at this moment: heads have come since the action's own.
func (a *action) now() abi.ChainEpoch {
	return a.head.Epoch + abi.ChainEpoch(time.Since(a.began)/max(a.epoch, 1))
}

// messageEpochs is how many epochs the message of a proof needs at least.
const messageEpochs = 3

// lastMoment is when a proof would come too late for its message.
func (a *action) lastMoment() time.Time {
	left := min(a.duty.Deadline.Close-messageEpochs-a.head.Epoch, 1<<20) // of a trial there is no end
	return a.began.Add(time.Duration(left) * a.epoch)
}

// measuredDuties is how many of the newest proofs the next one's time is estimated from.
const measuredDuties = 6

// proveTime estimates what the duty's proof will take: the slowest of the newest
// proofs of this miner, for as many partitions. Without any it is a guess.
func (a *action) proveTime(ctx context.Context, form abi.RegisteredPoStProof) (estimate time.Duration, measured bool) {
	d := a.duty.Deadline
	partitions := time.Duration(len(a.duty.Partitions))
	duties, err := a.cfg.Store.Duties(ctx, a.id, d.Plus(-int(d.Count)).Open)
	if err != nil {
		duties = nil // the guess must do; that the store fails is said elsewhere
	}
	seen := 0
	for i := len(duties) - 1; i >= 0 && seen < measuredDuties; i-- {
		proof, err := a.cfg.Store.Proof(ctx, duties[i].ID)
		if err != nil || len(proof.Partitions) == 0 {
			continue
		}
		seen++
		estimate = max(estimate, proof.ProveTime*partitions/time.Duration(len(proof.Partitions)))
	}
	if seen > 0 {
		return estimate, true
	}
	return partitions * guessedProveTime(form), false
}

// guessedProveTime is for a partition of which no proof was made yet, on the side
// of a slow machine.
func guessedProveTime(form abi.RegisteredPoStProof) time.Duration {
	size, err := form.SectorSize()
	switch {
	case err != nil || size > 1<<30:
		return 15 * time.Minute
	case size > 16<<20:
		return time.Minute
	}
	return 2 * time.Second
}
