package actor

import (
	"fmt"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/dline"
	"github.com/ipfs/go-cid"
)

// EndEpoch is the network's cron, to be called after the messages of every
// epoch, null rounds too. In the last epoch of a deadline it closes it: what was
// not proven becomes faulty, what is due expires, the proofs are kept for
// disputes, fees and penalties are charged. Terminations that are not settled
// yet are settled in any epoch, as many as the network allows in one. In every
// other epoch it changes nothing, and never for a miner that has no money locked
// in anything: its deadlines rest until it gets sectors.
func EndEpoch(rt *Runtime, head cid.Cid) (Effects, error) {
	s, err := begin(rt, head)
	if err != nil {
		return Effects{}, err
	}
	d := s.deadline()
	closes := rt.Epoch == d.Last() && s.st.DeadlineCronActive
	if !closes && isEmpty(s.st.EarlyTerminations) {
		return s.out, nil
	}
	if closes {
		if err := s.close(d); err != nil {
			return Effects{}, fmt.Errorf("close deadline %d at epoch %d: %w", d.Index, rt.Epoch, err)
		}
	}
	fees, err := s.settleTerminations()
	if err != nil {
		return Effects{}, fmt.Errorf("settle early terminations at epoch %d: %w", rt.Epoch, err)
	}
	if s.out.Closed != nil {
		s.out.Closed.Penalty = big.Add(s.out.Closed.Penalty, fees)
	}
	return s.end()
}

// close ends a deadline's window and goes on to the next.
func (s *session) close(d *dline.Info) error {
	if err := s.takePendingWorker(); err != nil {
		return err
	}
	s.st.CurrentDeadline = (d.Index + 1) % miner.WPoStPeriodDeadlines
	if s.st.CurrentDeadline == 0 {
		s.st.ProvingPeriodStart = d.PeriodStart + miner.WPoStProvingPeriod
	}
	c, err := s.closeDeadline(d)
	if err != nil {
		return err
	}
	s.out.Closed = c
	s.charge(c.Penalty)
	if _, err := s.repay(); err != nil {
		return err
	}
	if err := s.unlockVested(); err != nil {
		return err
	}
	s.st.DeadlineCronActive = s.st.ContinueDeadlineCron()
	return nil
}

// closeDeadline deals with the deadline's partitions, and says what is to be
// paid for them.
func (s *session) closeDeadline(d *dline.Info) (*Closed, error) {
	c := &Closed{Deadline: d.Index, NewFaults: miner.NewPowerPairZero(), Faulty: miner.NewPowerPairZero(), Penalty: big.Zero()}
	f, err := s.frame(s.st.Sectors, d)
	if err != nil {
		return c, err
	}
	return c, s.edit(d.Index, func(dl *deadline) error {
		if dl.idle() {
			return nil
		}
		continued := dl.FaultyPower
		if err := s.closeWindow(f, dl, d.Last(), c); err != nil {
			return err
		}
		c.Penalty = big.Add(
			s.rt.Economy.continuedFault(continued.QA),
			s.rt.Economy.dailyFee(dl.DailyFee, dl.LivePower.QA))
		return nil
	})
}

// closeWindow deals with what was not proven, then with what is due to expire.
func (s *session) closeWindow(f *frame, dl *deadline, last abi.ChainEpoch, c *Closed) error {
	delta, err := dl.missing(f, c)
	if err != nil {
		return err
	}
	if err := dl.putAway(f, s.st.Sectors); err != nil {
		return err
	}
	c.Faulty = dl.FaultyPower
	ended, err := dl.expire(f, last)
	if err != nil {
		return err
	}
	c.Expired, c.Terminated = count(ended.OnTimeSectors), count(ended.EarlySectors)
	if c.Terminated > 0 {
		s.st.EarlyTerminations = union(s.st.EarlyTerminations, setOf(c.Deadline))
	}
	s.out.Power = delta.Sub(ended.ActivePower)
	return s.release(ended.OnTimePledge)
}
