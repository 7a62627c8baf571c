package actor

import (
	"fmt"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/dline"
	"github.com/ipfs/go-cid"
)

// EndEpoch is the network's cron, to be called after the messages of every
// epoch, null rounds too. In the last epoch of a deadline it closes it: what was
// not proven becomes faulty, what is due expires, the proofs are kept for
// disputes, fees and penalties are charged. In every other epoch it changes
// nothing.
func EndEpoch(rt *Runtime, head cid.Cid) (Effects, error) {
	s, err := begin(rt, head)
	if err != nil {
		return Effects{}, err
	}
	d := s.deadline()
	if rt.Epoch != d.Last() {
		return s.out, nil
	}
	if err := s.close(d); err != nil {
		return Effects{}, fmt.Errorf("close deadline %d at epoch %d: %w", d.Index, rt.Epoch, err)
	}
	return s.end()
}

// close ends a deadline's window and goes on to the next.
func (s *session) close(d *dline.Info) error {
	s.st.CurrentDeadline = (d.Index + 1) % miner.WPoStPeriodDeadlines
	s.st.ProvingPeriodStart = d.PeriodStart
	if s.st.CurrentDeadline == 0 {
		s.st.ProvingPeriodStart += miner.WPoStProvingPeriod
	}
	f, err := s.frame(s.st.Sectors, d)
	if err != nil {
		return err
	}
	c := &Closed{Deadline: d.Index, NewFaults: miner.NewPowerPairZero(), Faulty: miner.NewPowerPairZero(), Penalty: big.Zero()}
	s.out.Closed = c
	if err := s.edit(d.Index, func(dl *deadline) error {
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
	}); err != nil {
		return err
	}
	if err := s.terminate(f, c); err != nil {
		return err
	}
	s.charge(c.Penalty)
	_, err = s.repay()
	return err
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

// terminate settles for the sectors that were faulty for too long: the fee is
// charged and the rest of their pledge is free.
func (s *session) terminate(f *frame, c *Closed) error {
	pledge := big.Zero()
	for _, index := range members(s.st.EarlyTerminations) {
		if err := s.edit(index, func(d *deadline) error {
			return d.takeEarly(f, func(at abi.ChainEpoch, set bits) error {
				infos, err := load(f.sectors, set)
				for _, info := range infos {
					pledge = big.Add(pledge, info.InitialPledge)
					c.Penalty = big.Add(c.Penalty, s.rt.Economy.termination(f.size, info, at))
				}
				return err
			})
		}); err != nil {
			return err
		}
	}
	s.st.EarlyTerminations = bitfield.New()
	return s.release(pledge)
}
