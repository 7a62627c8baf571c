package actor

import (
	"errors"
	"fmt"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/adt"
	"github.com/filecoin-project/go-state-types/exitcode"
	"github.com/ipfs/go-cid"
)

// deadline is the partitions that are proven in the same window of every
// proving period, and the proofs of the open window and of the last one.
type deadline struct{ miner.Deadline }

func newDeadline(store adt.Store) (*deadline, error) {
	d, err := miner.ConstructDeadline(store)
	if err != nil {
		return nil, err
	}
	d.LivePower, d.DailyFee = miner.NewPowerPairZero(), big.Zero()
	return &deadline{*d}, nil
}

func loadDeadline(store adt.Store, all *miner.Deadlines, index uint64) (*deadline, error) {
	d, err := all.LoadDeadline(store, index)
	if err != nil {
		return nil, fmt.Errorf("load deadline %d: %w", index, err)
	}
	d.DailyFee = amount(d.DailyFee)
	return &deadline{*d}, checked(d.PartitionsPoSted, d.EarlyTerminations)
}

// edit visits partitions by index and keeps what visit made of them. One that
// is not there is refused.
func (d *deadline) edit(f *frame, indexes []uint64, visit func(i uint64, p *partition) error) error {
	return d.editNamed(f, noPartition, indexes, visit)
}

// noPartition is how most methods of the network's actor refuse a partition that
// is not there.
const noPartition = "no such partition %d"

// editNamed is edit with words of its own for a partition that is not there.
func (d *deadline) editNamed(f *frame, missing string, indexes []uint64, visit func(i uint64, p *partition) error) error {
	arr, err := d.PartitionsArray(f.store)
	if err != nil {
		return err
	}
	for _, i := range indexes {
		if i >= arr.Length() {
			return refuse(exitcode.ErrNotFound, missing, i)
		}
		p, err := getPartition(arr, i)
		if err != nil {
			return err
		}
		if err := visit(i, p); err != nil {
			return err
		}
		if err := p.check(); err != nil {
			return within(err, "partition %d", i)
		}
		if err := arr.Set(i, p); err != nil {
			return err
		}
	}
	d.Partitions, err = arr.Root()
	return err
}

func getPartition(arr *adt.Array, i uint64) (*partition, error) {
	p := new(partition)
	found := i < arr.Length()
	if found {
		var err error
		if found, err = arr.Get(i, p); err != nil {
			return nil, fmt.Errorf("load partition %d: %w", i, err)
		}
	}
	if !found {
		return nil, refuse(exitcode.ErrNotFound, noPartition, i)
	}
	if err := checked(p.Sectors, p.Unproven, p.Faults, p.Recoveries, p.Terminated); err != nil {
		return nil, fmt.Errorf("partition %d: %w", i, err)
	}
	return p, nil
}

// expectAt notes that partitions have sectors that expire at an epoch or were
// rescheduled to it.
func (d *deadline) expectAt(f *frame, epoch abi.ChainEpoch, partitions bits) error {
	root, err := enqueue(f.store, d.ExpirationsEpochs, miner.DeadlineExpirationAmtBitwidth, f.quant.QuantizeUp(epoch), partitions)
	if err != nil {
		return fmt.Errorf("expirations of partitions %v: %w", members(partitions), err)
	}
	d.ExpirationsEpochs = root
	return nil
}

// add fills the last partition up to its size and then appends new ones. Holes
// that terminated sectors have left are not filled. New sectors have yet to be
// proven.
func (d *deadline) add(f *frame, size uint64, sectors []*miner.SectorOnChainInfo, proven bool) error {
	arr, err := d.PartitionsArray(f.store)
	if err != nil {
		return err
	}
	empty, err := newPartition(f.store)
	if err != nil {
		return err
	}
	d.LiveSectors += uint64(len(sectors))
	d.TotalSectors += uint64(len(sectors))
	ends := map[abi.ChainEpoch][]uint64{}
	for i := arr.Length() - min(1, arr.Length()); len(sectors) > 0; i++ {
		p := &partition{empty.Partition}
		if i < arr.Length() {
			if p, err = getPartition(arr, i); err != nil {
				return err
			}
		}
		room := min(size-min(size, count(p.Sectors)), uint64(len(sectors)))
		g, err := p.add(f, sectors[:room], proven)
		if err != nil {
			return within(err, "partition %d", i)
		}
		d.LivePower = d.LivePower.Add(g.power)
		d.DailyFee = big.Add(d.DailyFee, g.fee)
		for _, s := range sectors[:room] {
			e := f.quant.QuantizeUp(s.Expiration)
			ends[e] = append(ends[e], i)
		}
		sectors = sectors[room:]
		if err := arr.Set(i, p); err != nil {
			return err
		}
	}
	if d.Partitions, err = arr.Root(); err != nil {
		return err
	}
	return inOrder(ends, func(e abi.ChainEpoch, partitions []uint64) error {
		return d.expectAt(f, e, setOf(partitions...))
	})
}

// recordFaults marks sectors as faulty, by partition, and returns the change to
// the claim.
func (d *deadline) recordFaults(f *frame, sectors map[uint64]bits) (miner.PowerPair, error) {
	delta := miner.NewPowerPairZero()
	var hit []uint64
	err := d.edit(f, sorted(sectors), func(i uint64, p *partition) error {
		if !covers(p.Sectors, sectors[i]) {
			return within(illegal("failed fault declaration: not all sectors are assigned to the partition"), "failed to declare faults in partition %d", i)
		}
		out, err := p.fault(f, sectors[i])
		if err != nil {
			return within(err, "failed to declare faults in partition %d", i)
		}
		d.FaultyPower = d.FaultyPower.Add(out.power)
		delta = delta.Add(out.delta)
		if !isEmpty(out.sectors) {
			hit = append(hit, i)
		}
		return nil
	})
	if err != nil {
		return delta, err
	}
	return delta, d.expectAt(f, f.faultExpiration, setOf(hit...))
}

// declareRecovered marks faulty sectors as recovering, by partition.
func (d *deadline) declareRecovered(f *frame, sectors map[uint64]bits) error {
	return d.edit(f, sorted(sectors), func(i uint64, p *partition) error {
		return within(p.declareRecovered(f, sectors[i]), "failed to add recoveries")
	})
}

// idle says that there is nothing to do when the window closes: no sectors, and
// nothing of the last window left to put away.
func (d *deadline) idle() bool {
	return d.LiveSectors == 0 && isEmpty(d.PartitionsPoSted) &&
		d.Partitions == d.PartitionsSnapshot &&
		d.OptimisticPoStSubmissions == d.OptimisticPoStSubmissionsSnapshot
}

// missing makes the partitions faulty that were not proven, and counts.
func (d *deadline) missing(f *frame, c *Closed) (delta miner.PowerPair, err error) {
	arr, err := d.PartitionsArray(f.store)
	if err != nil {
		return delta, err
	}
	delta = miner.NewPowerPairZero()
	c.NewFaults = miner.NewPowerPairZero()
	var late, hit []uint64
	for i := range arr.Length() {
		if isIn(i, d.PartitionsPoSted) {
			c.Posted++
			continue
		}
		p, err := getPartition(arr, i)
		if err != nil {
			return delta, err
		}
		if !p.RecoveringPower.IsZero() || !p.FaultyPower.Equals(p.LivePower) {
			c.Missed++
			late = append(late, i)
		}
	}
	err = d.edit(f, late, func(i uint64, p *partition) error {
		penalized, out, err := p.missed(f)
		if err != nil {
			return within(err, "missed post of partition %d", i)
		}
		if !out.power.IsZero() {
			hit = append(hit, i)
		}
		d.FaultyPower = d.FaultyPower.Add(out.power)
		delta = delta.Add(out.delta)
		c.NewFaults = c.NewFaults.Add(penalized)
		return nil
	})
	if err != nil {
		return delta, err
	}
	return delta, d.expectAt(f, f.faultExpiration, setOf(hit...))
}

// putAway keeps what a dispute of this window will need: the partitions as they
// were judged, the proofs nobody has looked at, and the sectors they are over.
func (d *deadline) putAway(f *frame, sectors cid.Cid) error {
	none, err := adt.StoreEmptyArray(f.store, miner.DeadlineOptimisticPoStSubmissionsAmtBitwidth)
	if err != nil {
		return err
	}
	d.PartitionsPoSted = bitfield.New()
	d.PartitionsSnapshot = d.Partitions
	d.OptimisticPoStSubmissionsSnapshot, d.OptimisticPoStSubmissions = d.OptimisticPoStSubmissions, none
	d.SectorsSnapshot = sectors
	if d.OptimisticPoStSubmissionsSnapshot == none {
		d.SectorsSnapshot, err = adt.StoreEmptyArray(f.store, miner.SectorsAmtBitwidth)
	}
	return err
}

// expire terminates the sectors that are due at the end of this window.
func (d *deadline) expire(f *frame, last abi.ChainEpoch) (*miner.ExpirationSet, error) {
	var due []bits
	root, err := dequeue(f.store, d.ExpirationsEpochs, miner.DeadlineExpirationAmtBitwidth, last, func(_ abi.ChainEpoch, partitions bits) error {
		due = append(due, partitions)
		return nil
	})
	if err != nil {
		return nil, err
	}
	d.ExpirationsEpochs = root
	all := emptySet()
	var early []uint64
	err = d.edit(f, members(union(due...)), func(i uint64, p *partition) error {
		out, err := p.expire(f, last)
		if err != nil {
			return within(err, "expire sectors of partition %d", i)
		}
		if !isEmpty(out.EarlySectors) {
			early = append(early, i)
		}
		merge(all, out)
		return nil
	})
	if err != nil {
		return nil, err
	}
	d.EarlyTerminations = union(d.EarlyTerminations, setOf(early...))
	d.LiveSectors -= count(all.OnTimeSectors) + count(all.EarlySectors)
	d.FaultyPower = d.FaultyPower.Sub(all.FaultyPower)
	d.LivePower = d.LivePower.Sub(all.FaultyPower).Sub(all.ActivePower)
	d.DailyFee = big.Sub(d.DailyFee, all.FeeDeduction)
	return all, nil
}

// takePost takes a proof of the last window out of its snapshot: it cannot be
// disputed twice.
func (d *deadline) takePost(store adt.Store, index uint64) (*miner.WindowedPoSt, error) {
	arr, err := d.OptimisticProofsSnapshotArray(store)
	if err != nil {
		return nil, err
	}
	var post miner.WindowedPoSt
	found, err := arr.Pop(index, &post)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, illegal("proof %d not found", index)
	}
	d.OptimisticPoStSubmissionsSnapshot, err = arr.Root()
	return &post, errors.Join(err, checked(post.Partitions))
}
