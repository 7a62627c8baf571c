package actor

import (
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/adt"
	"github.com/filecoin-project/go-state-types/dline"
	"github.com/filecoin-project/go-state-types/exitcode"
)

// frame is what work on one deadline needs at hand.
type frame struct {
	store   adt.Store
	sectors miner.Sectors
	size    abi.SectorSize
	// quant rounds expirations up to the last epoch of this deadline in some
	// proving period.
	quant builtin.QuantSpec
	// faultExpiration is when a sector found faulty now is terminated.
	faultExpiration abi.ChainEpoch
}

func newFrame(store adt.Store, sectors miner.Sectors, size abi.SectorSize, d *dline.Info) *frame {
	return &frame{
		store: store, sectors: sectors, size: size,
		quant:           miner.QuantSpecForDeadline(d),
		faultExpiration: d.Last() + miner.FaultMaxAge,
	}
}

// load reads the infos of a set, ascending; a number without info is refused.
func load(from miner.Sectors, set bits) ([]*miner.SectorOnChainInfo, error) {
	var out []*miner.SectorOnChainInfo
	for _, n := range members(set) {
		s, found, err := from.Get(abi.SectorNumber(n))
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, refuse(exitcode.ErrNotFound, "sector not found: %d", n)
		}
		out = append(out, s)
	}
	return out, nil
}

func (f *frame) power(sectors []*miner.SectorOnChainInfo) miner.PowerPair {
	return powerOf(f.size, sectors)
}

func powerOf(size abi.SectorSize, sectors []*miner.SectorOnChainInfo) miner.PowerPair {
	sum := miner.NewPowerPairZero()
	for _, s := range sectors {
		sum = sum.Add(miner.NewPowerPair(big.NewIntUnsigned(uint64(size)), miner.QAPowerForSector(size, s)))
	}
	return sum
}

// amount reads a field that an older encoding leaves out.
func amount(a big.Int) big.Int {
	if a.Int == nil {
		return big.Zero()
	}
	return a
}

func pick(sectors []*miner.SectorOnChainInfo, set bits) []*miner.SectorOnChainInfo {
	var out []*miner.SectorOnChainInfo
	for _, s := range sectors {
		if isIn(uint64(s.SectorNumber), set) {
			out = append(out, s)
		}
	}
	return out
}

func numbers(sectors []*miner.SectorOnChainInfo) bits {
	ns := make([]uint64, len(sectors))
	for i, s := range sectors {
		ns[i] = uint64(s.SectorNumber)
	}
	return setOf(ns...)
}
