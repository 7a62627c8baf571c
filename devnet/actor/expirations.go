package actor

import (
	"errors"
	"fmt"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/adt"
	"github.com/ipfs/go-cid"
)

// expirations is a partition's queue of the sectors that end in each proving
// period: on time, at the end of the life they were committed for, or early,
// because they have been faulty for too long. A faulty sector that would end on
// time before that stays on time; its power moves from active to faulty.
type expirations struct {
	f   *frame
	arr *adt.Array
}

func loadExpirations(f *frame, root cid.Cid) (*expirations, error) {
	arr, err := adt.AsArray(f.store, root, miner.PartitionExpirationAmtBitwidth)
	if err != nil {
		return nil, fmt.Errorf("load expirations: %w", err)
	}
	return &expirations{f, arr}, nil
}

func emptySet() *miner.ExpirationSet {
	return &miner.ExpirationSet{
		OnTimeSectors: bitfield.New(), EarlySectors: bitfield.New(), OnTimePledge: big.Zero(),
		ActivePower: miner.NewPowerPairZero(), FaultyPower: miner.NewPowerPairZero(), FeeDeduction: big.Zero(),
	}
}

// at reads the entry of an epoch, which may be empty.
func (q *expirations) at(epoch abi.ChainEpoch) (*miner.ExpirationSet, error) {
	s := emptySet()
	if _, err := q.arr.Get(uint64(epoch), s); err != nil {
		return nil, err
	}
	return s, accept(s)
}

// accept completes and checks an entry that was read.
func accept(s *miner.ExpirationSet) error {
	s.FeeDeduction = amount(s.FeeDeduction)
	return checked(s.OnTimeSectors, s.EarlySectors)
}

// put writes the entry of an epoch, or removes one without sectors.
func (q *expirations) put(epoch abi.ChainEpoch, s *miner.ExpirationSet) error {
	if isEmpty(s.OnTimeSectors) && isEmpty(s.EarlySectors) {
		_, err := q.arr.TryDelete(uint64(epoch))
		return err
	}
	for _, a := range []big.Int{s.OnTimePledge, s.ActivePower.Raw, s.ActivePower.QA, s.FaultyPower.Raw, s.FaultyPower.QA, s.FeeDeduction} {
		if a.Sign() < 0 {
			return contradiction("expirations of epoch %d fall below zero", epoch)
		}
	}
	return q.arr.Set(uint64(epoch), s)
}

// change rewrites the entry of an epoch, rounded up.
func (q *expirations) change(epoch abi.ChainEpoch, by func(*miner.ExpirationSet)) error {
	epoch = q.f.quant.QuantizeUp(epoch)
	s, err := q.at(epoch)
	if err != nil {
		return err
	}
	by(s)
	return q.put(epoch, s)
}

var errEnough = errors.New("enough")

// walk visits the entries by epoch until visit says that it has seen enough.
// Visit may not change the queue.
func (q *expirations) walk(visit func(epoch abi.ChainEpoch, s *miner.ExpirationSet) (enough bool)) error {
	var s miner.ExpirationSet
	err := q.arr.ForEach(&s, func(i int64) error {
		entry := s
		if err := accept(&entry); err != nil {
			return err
		}
		if visit(abi.ChainEpoch(i), &entry) {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// add schedules active sectors at the end of their life, and sums them up.
func (q *expirations) add(sectors []*miner.SectorOnChainInfo) (all group, err error) {
	byEpoch := map[abi.ChainEpoch][]*miner.SectorOnChainInfo{}
	for _, s := range sectors {
		e := q.f.quant.QuantizeUp(s.Expiration)
		byEpoch[e] = append(byEpoch[e], s)
	}
	all = q.f.sum(nil)
	for _, e := range sorted(byEpoch) {
		g := q.f.sum(byEpoch[e])
		all = group{union(all.sectors, g.sectors), all.power.Add(g.power), big.Add(all.pledge, g.pledge), big.Add(all.fee, g.fee)}
		if err := q.change(e, func(s *miner.ExpirationSet) {
			s.OnTimeSectors = union(s.OnTimeSectors, g.sectors)
			s.OnTimePledge = big.Add(s.OnTimePledge, g.pledge)
			s.ActivePower = s.ActivePower.Add(g.power)
			s.FeeDeduction = big.Add(s.FeeDeduction, g.fee)
		}); err != nil {
			return all, err
		}
	}
	return all, nil
}

// group is what some sectors amount to.
type group struct {
	sectors bits
	power   miner.PowerPair
	pledge  abi.TokenAmount
	fee     abi.TokenAmount
}

func (f *frame) sum(sectors []*miner.SectorOnChainInfo) group {
	g := group{numbers(sectors), f.power(sectors), big.Zero(), big.Zero()}
	for _, s := range sectors {
		g.pledge = big.Add(g.pledge, s.InitialPledge)
		g.fee = big.Add(g.fee, amount(s.DailyFee))
	}
	return g
}

// place is an entry and those of the wanted sectors that it holds.
type place struct {
	epoch  abi.ChainEpoch
	set    *miner.ExpirationSet
	onTime bits
	early  bits
}

// locate finds the entries of sectors: where their own expirations say, else by
// walking on from the first, for a sector may have been moved forward.
func (q *expirations) locate(sectors []*miner.SectorOnChainInfo, declared bool) ([]place, error) {
	left := numbers(sectors)
	var found []place
	take := func(epoch abi.ChainEpoch, s *miner.ExpirationSet) bool {
		p := place{epoch, s, both(s.OnTimeSectors, left), both(s.EarlySectors, left)}
		if !isEmpty(p.onTime) || !isEmpty(p.early) {
			found = append(found, p)
			left = minus(left, p.onTime, p.early)
		}
		return isEmpty(left)
	}
	if declared {
		if err := q.visitDeclared(sectors, take); err != nil {
			return nil, err
		}
	}
	if !isEmpty(left) {
		if err := q.walk(take); err != nil {
			return nil, err
		}
	}
	if !isEmpty(left) {
		return nil, contradiction("sectors %v are not in the expiration queue", members(left))
	}
	return found, nil
}

func (q *expirations) visitDeclared(sectors []*miner.SectorOnChainInfo, take func(abi.ChainEpoch, *miner.ExpirationSet) bool) error {
	epochs := map[abi.ChainEpoch]bool{}
	for _, s := range sectors {
		epochs[q.f.quant.QuantizeUp(s.Expiration)] = true
	}
	for _, e := range sorted(epochs) {
		s, err := q.at(e)
		if err != nil {
			return err
		}
		take(e, s)
	}
	return nil
}

// fault makes active sectors faulty, to be terminated early unless their life
// ends before. It returns their power.
func (q *expirations) fault(sectors []*miner.SectorOnChainInfo) (miner.PowerPair, error) {
	places, err := q.locate(sectors, true)
	if err != nil {
		return miner.PowerPair{}, err
	}
	early := q.f.quant.QuantizeUp(q.f.faultExpiration)
	var moved []*miner.SectorOnChainInfo
	for _, p := range places {
		if !isEmpty(p.early) {
			return miner.PowerPair{}, contradiction("sectors %v are faulty already", members(p.early))
		}
		these := pick(sectors, p.onTime)
		g := q.f.sum(these)
		p.set.ActivePower = p.set.ActivePower.Sub(g.power)
		if p.epoch <= early {
			p.set.FaultyPower = p.set.FaultyPower.Add(g.power)
		} else {
			p.set.OnTimeSectors = minus(p.set.OnTimeSectors, g.sectors)
			p.set.OnTimePledge = big.Sub(p.set.OnTimePledge, g.pledge)
			p.set.FeeDeduction = big.Sub(p.set.FeeDeduction, g.fee)
			moved = append(moved, these...)
		}
		if err := q.put(p.epoch, p.set); err != nil {
			return miner.PowerPair{}, err
		}
	}
	g := q.f.sum(moved)
	return q.f.power(sectors), q.addEarly(g.sectors, g.power, g.fee)
}

func (q *expirations) addEarly(sectors bits, power miner.PowerPair, fee abi.TokenAmount) error {
	if isEmpty(sectors) {
		return nil
	}
	return q.change(q.f.faultExpiration, func(s *miner.ExpirationSet) {
		s.EarlySectors = union(s.EarlySectors, sectors)
		s.FaultyPower = s.FaultyPower.Add(power)
		s.FeeDeduction = big.Add(s.FeeDeduction, fee)
	})
}

// faultAll makes every sector of the queue faulty.
func (q *expirations) faultAll() error {
	early := q.f.quant.QuantizeUp(q.f.faultExpiration)
	all := emptySet() // of the entries that come after the fault's own end
	var gone []uint64
	stay := map[abi.ChainEpoch]*miner.ExpirationSet{}
	var bad error
	err := q.walk(func(epoch abi.ChainEpoch, s *miner.ExpirationSet) bool {
		power := s.FaultyPower.Add(s.ActivePower)
		switch {
		case epoch <= early:
			s.FaultyPower, s.ActivePower = power, miner.NewPowerPairZero()
			stay[epoch] = s
		case !isEmpty(s.EarlySectors):
			bad = contradiction("early expirations at epoch %d, after a fault of now would expire", epoch)
		default:
			gone = append(gone, uint64(epoch))
			all.EarlySectors = union(all.EarlySectors, s.OnTimeSectors)
			all.FaultyPower = all.FaultyPower.Add(power)
			all.FeeDeduction = big.Add(all.FeeDeduction, s.FeeDeduction)
		}
		return bad != nil
	})
	if err := errors.Join(err, bad); err != nil {
		return err
	}
	for _, e := range sorted(stay) {
		if err := q.put(e, stay[e]); err != nil {
			return err
		}
	}
	if err := q.addEarly(all.EarlySectors, all.FaultyPower, all.FeeDeduction); err != nil {
		return err
	}
	return q.arr.BatchDelete(gone, true)
}

// recover makes faulty sectors active again, to the end of their life. It
// returns their power.
func (q *expirations) recover(sectors []*miner.SectorOnChainInfo) (miner.PowerPair, error) {
	places, err := q.locate(sectors, false)
	if err != nil {
		return miner.PowerPair{}, err
	}
	var moved []*miner.SectorOnChainInfo
	for _, p := range places {
		stay, leave := q.f.sum(pick(sectors, p.onTime)), pick(sectors, p.early)
		moved = append(moved, leave...)
		g := q.f.sum(leave)
		p.set.FaultyPower = p.set.FaultyPower.Sub(stay.power).Sub(g.power)
		p.set.ActivePower = p.set.ActivePower.Add(stay.power)
		p.set.EarlySectors = minus(p.set.EarlySectors, g.sectors)
		p.set.FeeDeduction = big.Sub(p.set.FeeDeduction, g.fee)
		if err := q.put(p.epoch, p.set); err != nil {
			return miner.PowerPair{}, err
		}
	}
	_, err = q.add(moved)
	return q.f.power(sectors), err
}

// popUntil takes out what expires up to an epoch.
func (q *expirations) popUntil(last abi.ChainEpoch) (*miner.ExpirationSet, error) {
	out := emptySet()
	var gone []uint64
	if err := q.walk(func(epoch abi.ChainEpoch, s *miner.ExpirationSet) bool {
		if epoch > last {
			return true
		}
		gone = append(gone, uint64(epoch))
		merge(out, s)
		return false
	}); err != nil {
		return nil, err
	}
	return out, q.arr.BatchDelete(gone, true)
}

func merge(into, s *miner.ExpirationSet) {
	into.OnTimeSectors = union(into.OnTimeSectors, s.OnTimeSectors)
	into.EarlySectors = union(into.EarlySectors, s.EarlySectors)
	into.OnTimePledge = big.Add(into.OnTimePledge, s.OnTimePledge)
	into.ActivePower = into.ActivePower.Add(s.ActivePower)
	into.FaultyPower = into.FaultyPower.Add(s.FaultyPower)
	into.FeeDeduction = big.Add(into.FeeDeduction, s.FeeDeduction)
}
