package actor

import (
	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/adt"
)

// partition is the sectors that one proof is made over, and their states.
type partition struct{ miner.Partition }

func newPartition(store adt.Store) (*partition, error) {
	expirations, err := adt.StoreEmptyArray(store, miner.PartitionExpirationAmtBitwidth)
	if err != nil {
		return nil, err
	}
	early, err := adt.StoreEmptyArray(store, miner.PartitionEarlyTerminationArrayAmtBitwidth)
	if err != nil {
		return nil, err
	}
	zero := miner.NewPowerPairZero()
	return &partition{miner.Partition{
		Sectors: bitfield.New(), Unproven: bitfield.New(), Faults: bitfield.New(),
		Recoveries: bitfield.New(), Terminated: bitfield.New(),
		ExpirationsEpochs: expirations, EarlyTerminated: early,
		LivePower: zero, UnprovenPower: zero, FaultyPower: zero, RecoveringPower: zero,
	}}, nil
}

func (p *partition) live() bits   { return minus(p.Sectors, p.Terminated) }
func (p *partition) active() bits { return minus(p.live(), p.Faults, p.Unproven) }

// check says whether the partition contradicts itself.
func (p *partition) check() error {
	if !isEmpty(p.Unproven) || !isEmpty(p.Faults) || !isEmpty(p.Terminated) || !isEmpty(p.Recoveries) {
		if err := p.checkStates(); err != nil {
			return err
		}
	}
	return p.checkPower()
}

func (p *partition) checkStates() error {
	switch {
	case !covers(p.Sectors, union(p.Unproven, p.Faults, p.Terminated)):
		return contradiction("states of sectors that it does not have")
	case !isEmpty(both(p.Terminated, union(p.Unproven, p.Faults))):
		return contradiction("terminated sectors in another state")
	case !covers(p.Faults, p.Recoveries):
		return contradiction("recoveries of sectors that are not faulty")
	}
	return nil
}

func (p *partition) checkPower() error {
	for _, pair := range [...]struct{ part, whole *miner.PowerPair }{
		{&p.UnprovenPower, &p.LivePower}, {&p.RecoveringPower, &p.FaultyPower}, {&p.FaultyPower, &p.LivePower},
	} {
		if pair.part.Raw.GreaterThan(pair.whole.Raw) || pair.part.QA.GreaterThan(pair.whole.QA) || pair.part.Raw.Sign() < 0 || pair.part.QA.Sign() < 0 {
			return contradiction("power out of order: %v of %v", *pair.part, *pair.whole)
		}
	}
	return nil
}

// queued changes the partition's expirations.
func (p *partition) queued(f *frame, by func(*expirations) error) error {
	q, err := loadExpirations(f, p.ExpirationsEpochs)
	if err != nil {
		return err
	}
	if err := by(q); err != nil {
		return err
	}
	p.ExpirationsEpochs, err = q.arr.Root()
	return err
}

// add takes in sectors, which are healthy or have yet to be proven, and sums them
// up.
func (p *partition) add(f *frame, sectors []*miner.SectorOnChainInfo, proven bool) (g group, err error) {
	if err := p.queued(f, func(q *expirations) (err error) {
		g, err = q.add(sectors)
		return err
	}); err != nil {
		return g, err
	}
	if !isEmpty(both(p.Sectors, g.sectors)) {
		return g, contradiction("sectors %v are there already", members(both(p.Sectors, g.sectors)))
	}
	p.Sectors = union(p.Sectors, g.sectors)
	p.LivePower = p.LivePower.Add(g.power)
	if !proven {
		p.Unproven = union(p.Unproven, g.sectors)
		p.UnprovenPower = p.UnprovenPower.Add(g.power)
	}
	return g, nil
}

// faulted is what became faulty.
type faulted struct {
	sectors bits
	power   miner.PowerPair // of these sectors
	delta   miner.PowerPair // to the claim: unproven sectors had none to lose
}

func noFault() faulted {
	return faulted{bitfield.New(), miner.NewPowerPairZero(), miner.NewPowerPairZero()}
}

// fault marks sectors as faulty. Those that are faulty or terminated already
// are passed over; those recovering stop recovering.
func (p *partition) fault(f *frame, named bits) (faulted, error) {
	out := noFault()
	out.sectors = minus(named, p.Terminated, p.Faults)
	infos, err := load(f.sectors, out.sectors)
	if err != nil {
		return out, within(err, "failed to load fault sectors")
	}
	if len(infos) > 0 {
		if err := p.queued(f, func(q *expirations) (err error) {
			out.power, err = q.fault(infos)
			return err
		}); err != nil {
			return out, err
		}
		unproven := both(out.sectors, p.Unproven)
		lost := f.power(pick(infos, unproven))
		p.Faults = union(p.Faults, out.sectors)
		p.FaultyPower = p.FaultyPower.Add(out.power)
		p.Unproven = minus(p.Unproven, unproven)
		p.UnprovenPower = p.UnprovenPower.Sub(lost)
		out.delta = lost.Sub(out.power)
	}
	return out, p.retract(f, both(p.Recoveries, named))
}

func (p *partition) retract(f *frame, recovering bits) error {
	infos, err := load(f.sectors, recovering)
	if err != nil {
		return within(err, "failed to load recovery sectors")
	}
	p.Recoveries = minus(p.Recoveries, recovering)
	p.RecoveringPower = p.RecoveringPower.Sub(f.power(infos))
	return nil
}

// declareRecovered marks faulty sectors as recovering and passes over others.
func (p *partition) declareRecovered(f *frame, named bits) error {
	if !covers(p.Sectors, named) {
		return illegal("failed fault declaration: not all sectors are assigned to the partition")
	}
	recovering := minus(both(named, p.Faults), p.Recoveries)
	infos, err := load(f.sectors, recovering)
	if err != nil {
		return within(err, "failed to load recovery sectors")
	}
	p.Recoveries = union(p.Recoveries, recovering)
	p.RecoveringPower = p.RecoveringPower.Add(f.power(infos))
	return nil
}

// recover takes the recovering sectors as healthy and returns their power.
func (p *partition) recover(f *frame) (miner.PowerPair, error) {
	power := miner.NewPowerPairZero()
	if isEmpty(p.Recoveries) {
		return power, nil
	}
	infos, err := load(f.sectors, p.Recoveries)
	if err != nil {
		return power, within(err, "failed to load recovered sectors")
	}
	if err := p.queued(f, func(q *expirations) (err error) {
		power, err = q.recover(infos)
		return err
	}); err != nil {
		return power, err
	}
	p.Faults = minus(p.Faults, p.Recoveries)
	p.Recoveries = bitfield.New()
	p.FaultyPower = p.FaultyPower.Sub(power)
	p.RecoveringPower = p.RecoveringPower.Sub(power)
	return power, nil
}

// missed makes every live sector faulty: nothing of the partition was proven.
func (p *partition) missed(f *frame) (penalized miner.PowerPair, out faulted, err error) {
	out.sectors = minus(p.live(), p.Faults)
	out.power = p.LivePower.Sub(p.FaultyPower)
	out.delta = p.UnprovenPower.Sub(out.power)
	penalized = p.RecoveringPower.Add(out.power)
	zero := miner.NewPowerPairZero()
	p.Faults, p.FaultyPower = p.live(), p.LivePower
	p.Recoveries, p.RecoveringPower = bitfield.New(), zero
	p.Unproven, p.UnprovenPower = bitfield.New(), zero
	return penalized, out, p.queued(f, (*expirations).faultAll)
}

// expire terminates what is due at the end of a deadline, after its proofs and
// misses are dealt with.
func (p *partition) expire(f *frame, last abi.ChainEpoch) (*miner.ExpirationSet, error) {
	if !isEmpty(p.Unproven) || !isEmpty(p.Recoveries) {
		return nil, contradiction("unproven or recovering sectors while sectors expire")
	}
	var out *miner.ExpirationSet
	if err := p.queued(f, func(q *expirations) (err error) {
		out, err = q.popUntil(last)
		return err
	}); err != nil {
		return nil, err
	}
	ended := union(out.OnTimeSectors, out.EarlySectors)
	if !isEmpty(both(p.Terminated, ended)) {
		return nil, contradiction("expiring sectors are terminated already")
	}
	p.Terminated = union(p.Terminated, ended)
	p.Faults = minus(p.Faults, ended)
	p.LivePower = p.LivePower.Sub(out.ActivePower).Sub(out.FaultyPower)
	p.FaultyPower = p.FaultyPower.Sub(out.FaultyPower)
	var err error
	p.EarlyTerminated, err = enqueue(f.store, p.EarlyTerminated, miner.PartitionEarlyTerminationArrayAmtBitwidth, last, out.EarlySectors)
	return out, err
}
