package actor

import (
	"fmt"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/adt"
	"github.com/filecoin-project/go-state-types/exitcode"
)

// endOfTime is past every epoch that a chain reaches.
const endOfTime = abi.ChainEpoch(1 << 62)

// maxLifetime is how long a sector of today's seal proofs may live.
const maxLifetime = 5 * builtin.EpochsInYear

// extendExpiration gives healthy sectors a longer life. Claims of verified deals
// are not kept here, so a sector that names one is refused as by a registry
// without it.
func (s *session) extendExpiration(p *miner.ExtendSectorExpiration2Params) error {
	all := map[uint64][]extension{}
	for _, x := range p.Extensions {
		if x.Deadline >= miner.WPoStPeriodDeadlines {
			return illegal("deadline %d not in range 0..%d", x.Deadline, miner.WPoStPeriodDeadlines)
		}
		set := x.Sectors
		for _, c := range x.SectorsWithClaims {
			if len(c.MaintainClaims)+len(c.DropClaims) > 0 {
				return illegal("failed to get claims for sector %d: invalid claims", c.SectorNumber)
			}
			if c.SectorNumber > abi.MaxSectorNumber {
				return refuse(exitcode.ErrSerialization, "Serialization error for Cbor protocol: sector number %d", c.SectorNumber)
			}
			set = union(set, setOf(uint64(c.SectorNumber)))
		}
		all[x.Deadline] = append(all[x.Deadline], extension{x.Partition, set, x.NewExpiration})
	}
	if err := s.allowControl(); err != nil {
		return err
	}
	return inOrder(all, s.extendIn)
}

// extension is a part of a partition and when it is to expire.
type extension struct {
	partition uint64
	sectors   bits
	epoch     abi.ChainEpoch
}

func (s *session) extendIn(index uint64, all []extension) error {
	f, err := s.frame(s.st.Sectors, upcoming(s.st.ProvingPeriodStart, index, s.rt.Epoch))
	if err != nil {
		return err
	}
	return s.edit(index, func(d *deadline) error {
		at := map[abi.ChainEpoch][]uint64{}
		for _, x := range all {
			words := fmt.Sprintf("no such partition PartitionKey { deadline: %d, partition: %%d }", index)
			if err := d.editNamed(f, words, []uint64{x.partition}, func(_ uint64, p *partition) error {
				return s.extendSome(f, d, p, x)
			}); err != nil {
				return err
			}
			if x.epoch < 0 || x.epoch > endOfTime { // of no sectors, or a sector would have been in the way
				return refuse(exitcode.ErrIllegalState, "failed to add expiration partitions to deadline %d epoch %d", index, x.epoch)
			}
			at[x.epoch] = append(at[x.epoch], x.partition)
		}
		return inOrder(at, func(epoch abi.ChainEpoch, partitions []uint64) error {
			return d.expectAt(f, epoch, setOf(partitions...))
		})
	})
}

// extendSome rewrites the infos of some sectors of a partition and moves them in
// its queue.
func (s *session) extendSome(f *frame, d *deadline, p *partition, x extension) error {
	if n := count(x.sectors); n > uint64(s.info.WindowPoStPartitionSectors) {
		return refuse(exitcode.ErrIllegalState, "refusing to replace %d sectors in a partition of at most %d", n, s.info.WindowPoStPartitionSectors)
	}
	before, err := load(f.sectors, x.sectors)
	if err != nil {
		return within(err, "failed to load sectors")
	}
	after := make([]*miner.SectorOnChainInfo, len(before))
	for i, info := range before {
		if after[i], err = s.extended(info, x.epoch); err != nil {
			return err
		}
	}
	if !covers(p.active(), x.sectors) {
		return refuse(exitcode.ErrIllegalState, "refusing to replace inactive sectors in %s (active: %s)", ranges(x.sectors), ranges(p.active()))
	}
	if err := s.rewrite(f, after); err != nil {
		return err
	}
	old, next := f.sum(before), f.sum(after)
	p.LivePower = p.LivePower.Add(next.power).Sub(old.power)
	d.LivePower = d.LivePower.Add(next.power).Sub(old.power)
	d.DailyFee = big.Add(d.DailyFee, big.Sub(next.fee, old.fee))
	s.out.Power = s.out.Power.Add(next.power).Sub(old.power)
	return p.queued(f, func(q *expirations) error {
		if _, err := q.removeActive(before); err != nil {
			return err
		}
		_, err := q.add(after)
		return err
	})
}

// rewrite stores infos in place of the old ones.
func (s *session) rewrite(f *frame, infos []*miner.SectorOnChainInfo) error {
	arr, err := adt.AsArray(s.rt.Store, s.st.Sectors, miner.SectorsAmtBitwidth)
	if err != nil {
		return fmt.Errorf("load sectors: %w", err)
	}
	for _, info := range infos {
		if err := arr.Set(uint64(info.SectorNumber), info); err != nil {
			return err
		}
	}
	if s.st.Sectors, err = arr.Root(); err != nil {
		return err
	}
	f.sectors, err = miner.LoadSectors(s.rt.Store, s.st.Sectors)
	return err
}

// extended is a sector with a later end: its power counts from now on, and its
// fee follows its power.
func (s *session) extended(info *miner.SectorOnChainInfo, to abi.ChainEpoch) (*miner.SectorOnChainInfo, error) {
	if err := s.checkExtension(info, to); err != nil {
		return nil, err
	}
	verified := info.VerifiedDealWeight.Sign() > 0
	if verified && info.Flags&miner.SIMPLE_QA_POWER != 0 {
		return nil, illegal("claim missing from declaration for sector %d with non-zero verified deal weight %s", info.SectorNumber, info.VerifiedDealWeight)
	}
	out := *info
	if to == s.rt.Epoch || info.Expiration == info.PowerBaseEpoch {
		return nil, refuse(exitcode.ErrAssertionFailed, "sector %d has no time left to extend", info.SectorNumber)
	}
	left := big.NewInt(int64(info.Expiration - s.rt.Epoch))
	whole := big.NewInt(int64(info.Expiration - info.PowerBaseEpoch))
	out.DealWeight = big.Div(big.Mul(info.DealWeight, left), whole)
	out.Expiration, out.PowerBaseEpoch = to, s.rt.Epoch
	if info.Flags&miner.SIMPLE_QA_POWER == 0 {
		out.VerifiedDealWeight = big.Div(big.Mul(info.VerifiedDealWeight, left), whole)
		out.ExpectedDayReward, out.ExpectedStoragePledge, out.ReplacedDayReward = nil, nil, nil
	}
	was, is := miner.QAPowerForSector(s.info.SectorSize, info), miner.QAPowerForSector(s.info.SectorSize, &out)
	switch fee := amount(info.DailyFee); {
	case fee.IsZero():
		out.DailyFee = miner.DailyProofFee(amount(s.rt.Economy.Circulating), is)
	case !was.Equals(is):
		out.DailyFee = big.Div(big.Mul(fee, is), was)
	}
	return &out, nil
}

// checkExtension holds a sector's new end to the network's limits.
func (s *session) checkExtension(info *miner.SectorOnChainInfo, to abi.ChainEpoch) error {
	life := to - info.Activation
	switch {
	case info.Expiration < s.rt.Epoch:
		return refuse(exitcode.ErrForbidden, "cannot extend expiration for expired sector %d at %d", info.SectorNumber, info.Expiration)
	case to < info.Expiration:
		return illegal("cannot reduce sector %d expiration to %d from %d", info.SectorNumber, to, info.Expiration)
	case to <= info.Activation:
		return illegal("sector expiration %d must be after activation %d", to, info.Activation)
	case life < miner.MinSectorExpiration:
		return illegal("invalid expiration %d, total sector lifetime (%d) must exceed %d after activation %d", to, life, miner.MinSectorExpiration, info.Activation)
	case to > s.rt.Epoch+miner.MaxSectorExpirationExtension:
		return illegal("invalid expiration %d, cannot be more than %d past current epoch %d", to, miner.MaxSectorExpirationExtension, s.rt.Epoch)
	case life > maxLifetime:
		return illegal("invalid expiration %d, total sector lifetime (%d) cannot exceed %d after activation %d", to, life, maxLifetime, info.Activation)
	}
	return nil
}
