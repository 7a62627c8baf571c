package actor

import (
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
)

// terminateSectors ends the life of sectors now. They lose their power at once;
// what they cost is settled here as far as a message may go, and the rest by the
// cron of this epoch and the next.
//
// On the network it is the next epoch's cron that goes on. Which message left
// something over is not in a miner's state but in the power actor's, which is
// not here.
func (s *session) terminateSectors(p *miner.TerminateSectorsParams) error {
	all := declared{}
	for _, x := range p.Terminations {
		if err := all.add(x.Deadline, x.Partition, x.Sectors); err != nil {
			return err
		}
	}
	if err := all.check(); err != nil {
		return err
	}
	if err := s.allowControl(); err != nil {
		return err
	}
	if err := inOrder(all, s.terminateIn); err != nil {
		return err
	}
	if _, err := s.settleTerminations(); err != nil {
		return err
	}
	return s.answer(&miner.TerminateSectorsReturn{Done: isEmpty(s.st.EarlyTerminations)})
}

func (s *session) terminateIn(index uint64, sectors map[uint64]bits) error {
	start := s.deadline().PeriodStart
	if !mutable(start, index, s.rt.Epoch) {
		return illegal("cannot terminate sectors in immutable deadline %d", index)
	}
	f, err := s.frame(s.st.Sectors, upcoming(start, index, s.rt.Epoch))
	if err != nil {
		return err
	}
	s.st.EarlyTerminations = union(s.st.EarlyTerminations, setOf(index))
	return s.edit(index, func(d *deadline) error {
		lost, err := d.terminate(f, s.rt.Epoch, sectors)
		s.out.Power = s.out.Power.Sub(lost)
		return within(err, "failed to terminate sectors in deadline %d", index)
	})
}

// terminate ends sectors, by partition, and returns the power that the miner's
// claim loses.
func (d *deadline) terminate(f *frame, epoch abi.ChainEpoch, sectors map[uint64]bits) (miner.PowerPair, error) {
	lost := miner.NewPowerPairZero()
	var hit []uint64
	err := d.editNamed(f, "failed to find partition %d", sorted(sectors), func(i uint64, p *partition) error {
		gone, unproven, err := p.terminate(f, epoch, sectors[i])
		if err != nil {
			return within(err, "failed to terminate sectors in partition %d", i)
		}
		if n := count(gone.OnTimeSectors) + count(gone.EarlySectors); n > 0 {
			hit = append(hit, i)
			d.LiveSectors -= n
		}
		d.FaultyPower = d.FaultyPower.Sub(gone.FaultyPower)
		d.LivePower = d.LivePower.Sub(gone.ActivePower).Sub(gone.FaultyPower).Sub(unproven)
		d.DailyFee = big.Sub(d.DailyFee, gone.FeeDeduction)
		lost = lost.Add(gone.ActivePower)
		return nil
	})
	d.EarlyTerminations = union(d.EarlyTerminations, setOf(hit...))
	return lost, err
}

// terminate ends live sectors. It returns them with their power, and the power
// of those that had not been proven yet, which is not in the former.
func (p *partition) terminate(f *frame, epoch abi.ChainEpoch, named bits) (*miner.ExpirationSet, miner.PowerPair, error) {
	unproven := miner.NewPowerPairZero()
	if !covers(p.live(), named) {
		return nil, unproven, illegal("can only terminate live sectors")
	}
	infos, err := load(f.sectors, named)
	if err != nil {
		return nil, unproven, err
	}
	var gone *miner.ExpirationSet
	if err := p.queued(f, func(q *expirations) (err error) {
		gone, err = q.remove(infos, p.Faults)
		return err
	}); err != nil {
		return nil, unproven, err
	}
	unproven = f.power(pick(infos, p.Unproven))
	p.RecoveringPower = p.RecoveringPower.Sub(f.power(pick(infos, p.Recoveries)))
	p.Terminated = union(p.Terminated, named)
	p.Faults, p.Recoveries, p.Unproven = minus(p.Faults, named), minus(p.Recoveries, named), minus(p.Unproven, named)
	p.LivePower = p.LivePower.Sub(gone.ActivePower).Sub(gone.FaultyPower)
	p.FaultyPower = p.FaultyPower.Sub(gone.FaultyPower)
	p.UnprovenPower = p.UnprovenPower.Sub(unproven)
	gone.ActivePower = gone.ActivePower.Sub(unproven)
	p.EarlyTerminated, err = enqueue(f.store, p.EarlyTerminated, miner.PartitionEarlyTerminationArrayAmtBitwidth, epoch, named)
	return gone, unproven, err
}

// remove takes sectors out of the queue, wherever they are, and sums them up.
func (q *expirations) remove(sectors []*miner.SectorOnChainInfo, faults bits) (*miner.ExpirationSet, error) {
	var healthy, faulty []*miner.SectorOnChainInfo
	for _, s := range sectors {
		if isIn(uint64(s.SectorNumber), faults) {
			faulty = append(faulty, s)
		} else {
			healthy = append(healthy, s)
		}
	}
	out, err := q.removeActive(healthy)
	if err != nil || len(faulty) == 0 {
		return out, err
	}
	places, err := q.locate(faulty, false)
	if err != nil {
		return out, err
	}
	for _, p := range places {
		stayed, early := q.f.sum(pick(faulty, p.onTime)), q.f.sum(pick(faulty, p.early))
		gone := emptySet()
		gone.OnTimeSectors, gone.EarlySectors, gone.OnTimePledge = stayed.sectors, early.sectors, stayed.pledge
		gone.FaultyPower, gone.FeeDeduction = stayed.power.Add(early.power), big.Add(stayed.fee, early.fee)
		merge(out, gone)
		if err := q.subtract(p, gone); err != nil {
			return out, err
		}
	}
	return out, nil
}

// removeActive takes sectors out of the queue that are not faulty.
func (q *expirations) removeActive(sectors []*miner.SectorOnChainInfo) (*miner.ExpirationSet, error) {
	out := emptySet()
	places, err := q.locate(sectors, true)
	if err != nil {
		return out, err
	}
	for _, p := range places {
		if !isEmpty(p.early) {
			return out, contradiction("sectors %v are faulty", members(p.early))
		}
		g := q.f.sum(pick(sectors, p.onTime))
		gone := emptySet()
		gone.OnTimeSectors, gone.OnTimePledge, gone.ActivePower, gone.FeeDeduction = g.sectors, g.pledge, g.power, g.fee
		merge(out, gone)
		if err := q.subtract(p, gone); err != nil {
			return out, err
		}
	}
	return out, nil
}

// subtract takes a part out of an entry.
func (q *expirations) subtract(p place, part *miner.ExpirationSet) error {
	s := p.set
	s.OnTimeSectors, s.EarlySectors = minus(s.OnTimeSectors, part.OnTimeSectors), minus(s.EarlySectors, part.EarlySectors)
	s.OnTimePledge = big.Sub(s.OnTimePledge, part.OnTimePledge)
	s.ActivePower, s.FaultyPower = s.ActivePower.Sub(part.ActivePower), s.FaultyPower.Sub(part.FaultyPower)
	s.FeeDeduction = big.Sub(s.FeeDeduction, part.FeeDeduction)
	return q.put(p.epoch, s)
}
