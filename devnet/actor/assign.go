package actor

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/adt"
	"github.com/filecoin-project/go-state-types/exitcode"
	"github.com/ipfs/go-cid"
)

// AddSectors gives a miner sectors whose replicas are taken as proven, and
// assigns them to deadlines by the network's rule: never to the current or the
// next one. They have power from their first Window PoSt on. Their pledge must
// be in the balance; a number that the miner ever had is refused.
func AddSectors(rt *Runtime, head cid.Cid, sectors []*miner.SectorOnChainInfo) (Effects, error) {
	s, err := begin(rt, head)
	if err != nil {
		return Effects{}, err
	}
	fresh := make([]*miner.SectorOnChainInfo, len(sectors))
	for i, info := range sectors {
		c := *info
		c.DailyFee = amount(c.DailyFee)
		fresh[i] = &c
	}
	slices.SortFunc(fresh, func(a, b *miner.SectorOnChainInfo) int { return cmp.Compare(a.SectorNumber, b.SectorNumber) })
	if err := s.enter(fresh); err != nil {
		return Effects{}, err
	}
	if err := s.assign(fresh); err != nil {
		return Effects{}, err
	}
	pledge := big.Zero()
	for _, info := range fresh {
		pledge = big.Add(pledge, info.InitialPledge)
	}
	if err := s.release(pledge.Neg()); err != nil {
		return Effects{}, err
	}
	s.st.DeadlineCronActive = true
	return s.end()
}

// enter writes the sectors into the miner's books.
func (s *session) enter(sectors []*miner.SectorOnChainInfo) error {
	taken, err := s.allocated()
	if err != nil {
		return err
	}
	arr, err := adt.AsArray(s.rt.Store, s.st.Sectors, miner.SectorsAmtBitwidth)
	if err != nil {
		return fmt.Errorf("load sectors: %w", err)
	}
	for i, info := range sectors {
		if i > 0 && info.SectorNumber == sectors[i-1].SectorNumber {
			return illegal("sector %d already allocated", info.SectorNumber)
		}
		if err := s.fits(info); err != nil {
			return err
		}
		if err := arr.Set(uint64(info.SectorNumber), info); err != nil {
			return err
		}
	}
	fresh := numbers(sectors)
	if again := both(taken, fresh); !isEmpty(again) {
		return illegal("sector %d already allocated", must(again.First()))
	}
	if s.st.Sectors, err = arr.Root(); err != nil {
		return err
	}
	return s.allocate(union(taken, fresh))
}

// allocated are the sector numbers that the miner ever had.
func (s *session) allocated() (taken bits, err error) {
	if err := s.rt.Store.Get(s.rt.Store.Context(), s.st.AllocatedSectors, &taken); err != nil {
		return taken, fmt.Errorf("load allocated sector numbers: %w", err)
	}
	return taken, checked(taken)
}

func (s *session) allocate(taken bits) (err error) {
	s.st.AllocatedSectors, err = s.rt.Store.Put(s.rt.Store.Context(), taken)
	return err
}

func (s *session) fits(info *miner.SectorOnChainInfo) error {
	if info.SectorNumber > abi.MaxSectorNumber {
		return illegal("sector number %d is too large", info.SectorNumber)
	}
	size, err := info.SealProof.SectorSize()
	if err != nil || size != s.info.SectorSize {
		return illegal("sector %d of seal proof type %d does not fit a miner of %s sectors", info.SectorNumber, info.SealProof, s.info.SectorSize)
	}
	if info.Expiration <= s.rt.Epoch || info.Expiration <= info.Activation {
		return illegal("sector %d expires at %d, activated at %d, now %d", info.SectorNumber, info.Expiration, info.Activation, s.rt.Epoch)
	}
	return nil
}

// assign puts sectors, ascending by number, into deadlines.
func (s *session) assign(sectors []*miner.SectorOnChainInfo) error {
	if len(sectors) == 0 {
		return nil
	}
	all, err := s.st.LoadDeadlines(s.rt.Store)
	if err != nil {
		return err
	}
	var loads []*fill
	for i := range miner.WPoStPeriodDeadlines {
		d, err := all.LoadDeadline(s.rt.Store, i)
		if err != nil {
			return err
		}
		if mutable(s.st.ProvingPeriodStart, i, s.rt.Epoch) {
			loads = append(loads, &fill{index: i, live: d.LiveSectors, total: d.TotalSectors})
		}
	}
	shares, err := share(loads, s.info.WindowPoStPartitionSectors, sectors)
	if err != nil {
		return err
	}
	return inOrder(shares, func(index uint64, share []*miner.SectorOnChainInfo) error {
		f, err := s.frame(s.st.Sectors, upcoming(s.st.ProvingPeriodStart, index, s.rt.Epoch))
		if err != nil {
			return err
		}
		return s.edit(index, func(d *deadline) error { return d.add(f, s.info.WindowPoStPartitionSectors, share, false) })
	})
}

// fill is how full a deadline is.
type fill struct{ index, live, total uint64 }

// share decides the deadline of each sector, one after the other: fill one
// partition to its end, and let no deadline have more partitions than needed.
func share(loads []*fill, size uint64, sectors []*miner.SectorOnChainInfo) (map[uint64][]*miner.SectorOnChainInfo, error) {
	out := map[uint64][]*miner.SectorOnChainInfo{}
	for _, info := range sectors {
		best := slices.MinFunc(loads, func(a, b *fill) int { return a.compare(b, size) })
		if best.total >= size*miner.MaxPartitionsPerDeadline {
			return nil, refuse(exitcode.ErrIllegalState, "max partitions limit %d reached for all deadlines", miner.MaxPartitionsPerDeadline)
		}
		out[best.index] = append(out[best.index], info)
		best.live++
		best.total++
	}
	return out, nil
}

// compare is the network's order of preference. Live sectors are those that
// compaction would leave.
func (a *fill) compare(b *fill, size uint64) int {
	after := func(n uint64) uint64 { return n/size + 1 } // partitions, with one sector more
	return cmp.Or(
		cmp.Compare(after(a.live), after(b.live)),
		cmp.Compare(after(a.total), after(b.total)),
		a.compareOpen(b, size),
		cmp.Compare(a.live, b.live),
		cmp.Compare(a.index, b.index),
	)
}

// compareOpen prefers a partition that has room, and the fuller of two.
func (a *fill) compareOpen(b *fill, size uint64) int {
	switch openA, openB := a.total%size != 0, b.total%size != 0; {
	case openA && openB:
		return cmp.Compare(b.total, a.total)
	case openA:
		return -1
	case openB:
		return 1
	}
	return 0
}
