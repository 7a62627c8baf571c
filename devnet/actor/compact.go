package actor

import (
	"fmt"
	"slices"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/adt"
	"github.com/filecoin-project/go-state-types/exitcode"
	"github.com/ipfs/go-cid"
)

// compactPartitions takes partitions out of a deadline and puts their live
// sectors back at its end, so that terminated ones leave no holes. The infos of
// the dead are forgotten.
func (s *session) compactPartitions(p *miner.CompactPartitionsParams) error {
	if p.Deadline >= miner.WPoStPeriodDeadlines {
		return illegal("invalid deadline %d", p.Deadline)
	}
	if err := s.allowControl(); err != nil {
		return err
	}
	start := s.deadline().PeriodStart
	if !mutable(start, p.Deadline, s.rt.Epoch) || disputable(start, p.Deadline, s.rt.Epoch) {
		return refuse(exitcode.ErrForbidden, "cannot compact deadline %d during its challenge window, or the prior challenge window,\n"+
			"                    or before %d epochs have passed since its last challenge window ended", p.Deadline, miner.WPoStDisputeWindow)
	}
	size := s.info.WindowPoStPartitionSectors
	limit := min(miner.AddressedSectorsMax/size, miner.AddressedPartitionsMax)
	if n := count(p.Partitions); n > limit {
		return illegal("too many partitions %d, limit %d", n, limit)
	}
	f, err := s.frame(s.st.Sectors, upcoming(start, p.Deadline, s.rt.Epoch))
	if err != nil {
		return err
	}
	return s.edit(p.Deadline, func(d *deadline) error {
		dead, err := d.compact(f, size, p.Partitions)
		if err != nil {
			return within(err, "failed to remove partitions from deadline %d", p.Deadline)
		}
		return s.forget(dead)
	})
}

// forget deletes the infos of sectors.
func (s *session) forget(dead bits) error {
	arr, err := adt.AsArray(s.rt.Store, s.st.Sectors, miner.SectorsAmtBitwidth)
	if err != nil {
		return fmt.Errorf("load sectors: %w", err)
	}
	if err := arr.BatchDelete(members(dead), true); err != nil {
		return fmt.Errorf("forget dead sectors: %w", err)
	}
	s.st.Sectors, err = arr.Root()
	return err
}

// compact removes partitions without faulty, unproven or unsettled sectors, and
// returns the dead sectors that were in them.
func (d *deadline) compact(f *frame, size uint64, remove bits) (dead bits, err error) {
	arr, err := d.PartitionsArray(f.store)
	if err != nil {
		return dead, err
	}
	which, total := members(remove), arr.Length()
	switch {
	case uint64(len(which)) > total:
		return dead, illegal("partitions to remove exceeds total")
	case len(which) == 0:
		return bitfield.New(), nil
	case which[len(which)-1] >= total:
		return dead, illegal("partition index %d out of range [0, %d)", which[len(which)-1], total)
	case !isEmpty(d.EarlyTerminations):
		return dead, illegal("cannot remove partitions from deadline with early terminations")
	}
	kept, live, dead, err := f.split(arr, which)
	if err != nil {
		return dead, within(err, "while removing partitions")
	}
	d.Partitions = kept
	if err := d.cutExpirations(f, remove); err != nil {
		return dead, err
	}
	return dead, d.putBack(f, size, live, dead)
}

// split keeps the partitions that are not to be removed, moved up, and collects
// the sectors of the others.
func (f *frame) split(arr *adt.Array, remove []uint64) (kept cid.Cid, live, dead bits, err error) {
	rest, err := adt.MakeEmptyArray(f.store, miner.DeadlinePartitionsAmtBitwidth)
	if err != nil {
		return cid.Undef, live, dead, err
	}
	for i := range arr.Length() {
		p, err := getPartition(arr, i)
		if err != nil {
			return cid.Undef, live, dead, err
		}
		switch {
		case !slices.Contains(remove, i):
			if err := rest.AppendContinuous(p); err != nil {
				return cid.Undef, live, dead, err
			}
		case !isEmpty(p.Faults):
			return cid.Undef, live, dead, illegal("cannot remove partition %d: has faults", i)
		case !isEmpty(p.Unproven):
			return cid.Undef, live, dead, illegal("cannot remove partition %d: has unproven sectors", i)
		default:
			live, dead = union(live, p.live()), union(dead, p.Terminated)
		}
	}
	kept, err = rest.Root()
	return kept, live, dead, err
}

// cutExpirations removes partitions from the deadline's queue; those after them
// move up.
func (d *deadline) cutExpirations(f *frame, remove bits) error {
	arr, err := adt.AsArray(f.store, d.ExpirationsEpochs, miner.DeadlineExpirationAmtBitwidth)
	if err != nil {
		return fmt.Errorf("load expirations: %w", err)
	}
	left := map[uint64]bits{}
	var entry bitfield.BitField
	if err := arr.ForEach(&entry, func(epoch int64) error {
		if err := checked(entry); err != nil {
			return err
		}
		left[uint64(epoch)] = must(bitfield.CutBitField(entry, remove))
		return nil
	}); err != nil {
		return err
	}
	var gone []uint64
	for _, epoch := range sorted(left) {
		if isEmpty(left[epoch]) {
			gone = append(gone, epoch)
			continue
		}
		if err := arr.Set(epoch, left[epoch]); err != nil {
			return err
		}
	}
	if err := arr.BatchDelete(gone, true); err != nil {
		return err
	}
	d.ExpirationsEpochs, err = arr.Root()
	return err
}

// putBack adds live sectors that were taken out; they are proven, and pay what
// they paid before.
func (d *deadline) putBack(f *frame, size uint64, live, dead bits) error {
	infos, err := load(f.sectors, live)
	if err != nil {
		return err
	}
	before := d.Deadline
	d.LiveSectors -= count(live)
	d.TotalSectors -= count(live) + count(dead)
	if err := d.add(f, size, infos, true); err != nil {
		return within(err, "failed to add back moved sectors")
	}
	d.LivePower, d.DailyFee = before.LivePower, before.DailyFee
	return nil
}

// compactSectorNumbers takes numbers as used, so that the set of all used ones
// has fewer gaps.
func (s *session) compactSectorNumbers(p *miner.CompactSectorNumbersParams) error {
	if isEmpty(p.MaskSectorNumbers) {
		return illegal("invalid mask bitfield")
	}
	if last := must(p.MaskSectorNumbers.Last()); last > uint64(abi.MaxSectorNumber) {
		return illegal("masked sector number %d exceeded max sector number", last)
	}
	if err := s.allowControl(); err != nil {
		return err
	}
	taken, err := s.allocated()
	if err != nil {
		return err
	}
	return s.allocate(union(taken, p.MaskSectorNumbers))
}
