package actor

import (
	"fmt"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/exitcode"
)

// disputePost makes every sector faulty that a wrong proof of the last window
// was over. Anybody may dispute; a dispute of a right proof fails.
func (s *session) disputePost(p *miner.DisputeWindowedPoStParams) error {
	if p.Deadline >= miner.WPoStPeriodDeadlines {
		return illegal("invalid deadline %d of %d", p.Deadline, miner.WPoStPeriodDeadlines)
	}
	now := s.deadline()
	if !disputable(now.PeriodStart, p.Deadline, s.rt.Epoch) {
		return refuse(exitcode.ErrForbidden, "can only dispute window posts during the dispute window (%d epochs after the challenge window closes)", miner.WPoStDisputeWindow)
	}
	start := now.PeriodStart
	if now.Index < p.Deadline {
		start -= miner.WPoStProvingPeriod
	}
	window := miner.NewDeadlineInfo(start, p.Deadline, s.rt.Epoch)
	var disputed miner.PowerPair
	if err := s.edit(p.Deadline, func(d *deadline) error {
		post, err := d.takePost(s.rt.Store, p.PoStIndex)
		if err != nil {
			return within(err, "failed to load proof for dispute")
		}
		f, err := s.frame(d.SectorsSnapshot, window)
		if err != nil {
			return err
		}
		judged, err := d.judged(f, post.Partitions)
		if err != nil {
			return within(err, "failed to load partition for dispute")
		}
		disputed = judged.power
		if err := s.refute(f, judged, post, window.Challenge); err != nil {
			return err
		}
		delta, err := d.recordFaults(f, judged.active)
		s.out.Power = delta
		return within(err, "failed to declare faults")
	}); err != nil {
		return err
	}
	return s.penalize(disputed)
}

// judgement is what a proof of the last window was over.
type judgement struct {
	all, ignored bits
	active       map[uint64]bits // by partition
	power        miner.PowerPair // of the active, as it was then
}

// judged reads the partitions of a proof as they were when its window closed.
func (d *deadline) judged(f *frame, partitions bits) (judgement, error) {
	out := judgement{active: map[uint64]bits{}, power: miner.NewPowerPairZero()}
	arr, err := d.PartitionsSnapshotArray(f.store)
	if err != nil {
		return out, err
	}
	for _, i := range members(partitions) {
		p, err := getPartition(arr, i)
		if err != nil {
			return out, err
		}
		out.all = union(out.all, p.Sectors)
		out.ignored = union(out.ignored, p.Faults, p.Terminated, p.Unproven)
		out.active[i] = p.active()
		out.power = out.power.Add(p.ActivePower())
	}
	return out, nil
}

// refute is nil if the proof is wrong.
func (s *session) refute(f *frame, j judgement, post *miner.WindowedPoSt, challenge abi.ChainEpoch) error {
	sectors, err := withStandIns(f.sectors, j.all, j.ignored)
	if err != nil {
		return within(err, "failed to load sectors to dispute window post")
	}
	q, err := s.rt.question(challenge, sectors, post.Proofs)
	if err != nil {
		return fmt.Errorf("question of the disputed proof: %w", err)
	}
	if s.rt.Verify(q) == nil {
		return illegal("failed to dispute valid post")
	}
	return nil
}

// penalize charges for a wrong proof, and rewards the disputer from what can be
// collected now.
func (s *session) penalize(disputed miner.PowerPair) error {
	s.charge(big.Sum(disputePenalty, s.rt.Economy.reward(disputed.QA, disputedPeriod), disputeReward))
	paid, err := s.repay()
	if err != nil {
		return err
	}
	s.out.Reward = big.Min(paid, disputeReward)
	s.out.Burn = big.Sub(s.out.Burn, s.out.Reward)
	return nil
}
