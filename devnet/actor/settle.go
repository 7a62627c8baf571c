package actor

import (
	"errors"
	"fmt"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/adt"
)

// budget is what one call may still settle of early terminations.
type budget struct{ partitions, sectors uint64 }

func (b *budget) spent() bool { return b.partitions == 0 || b.sectors == 0 }

// settleTerminations charges the fees of sectors that were terminated early and
// frees their pledge, 25,000 sectors of 3,000 partitions at a time. It returns
// what it charged.
func (s *session) settleTerminations() (fees abi.TokenAmount, err error) {
	fees = big.Zero()
	if isEmpty(s.st.EarlyTerminations) {
		return fees, nil
	}
	infos, err := miner.LoadSectors(s.rt.Store, s.st.Sectors)
	if err != nil {
		return fees, fmt.Errorf("load sectors: %w", err)
	}
	pledge := big.Zero()
	left := &budget{miner.AddressedPartitionsMax, miner.AddressedSectorsMax}
	bill := func(at abi.ChainEpoch, set bits) error {
		sectors, err := load(infos, set)
		for _, x := range sectors {
			pledge = big.Add(pledge, x.InitialPledge)
			fees = big.Add(fees, s.rt.Economy.termination(s.info.SectorSize, x, at))
		}
		return err
	}
	for _, index := range members(s.st.EarlyTerminations) {
		if err := s.edit(index, func(d *deadline) error {
			more, err := d.takeEarly(s.rt.Store, left, bill)
			if !more {
				s.st.EarlyTerminations = minus(s.st.EarlyTerminations, setOf(index))
			}
			return err
		}); err != nil {
			return fees, err
		}
		if left.spent() {
			break
		}
	}
	if left.sectors == miner.AddressedSectorsMax {
		return fees, nil
	}
	s.charge(fees)
	if err := s.release(pledge); err != nil {
		return fees, err
	}
	_, err = s.repay()
	return fees, err
}

// takeEarly takes sectors that were terminated early out of their queues, by the
// epoch of their termination, as far as the budget goes.
func (d *deadline) takeEarly(store adt.Store, left *budget, visit func(abi.ChainEpoch, bits) error) (more bool, err error) {
	arr, err := d.PartitionsArray(store)
	if err != nil {
		return false, err
	}
	for _, i := range members(d.EarlyTerminations) {
		p, err := getPartition(arr, i)
		if err != nil {
			return false, err
		}
		more, err := p.takeEarly(store, left, visit)
		if err != nil {
			return false, fmt.Errorf("early terminations of partition %d: %w", i, err)
		}
		if !more {
			d.EarlyTerminations = minus(d.EarlyTerminations, setOf(i))
		}
		if err := arr.Set(i, p); err != nil {
			return false, err
		}
		if left.spent() {
			break
		}
	}
	d.Partitions, err = arr.Root()
	return !isEmpty(d.EarlyTerminations), err
}

func (p *partition) takeEarly(store adt.Store, left *budget, visit func(abi.ChainEpoch, bits) error) (more bool, err error) {
	arr, err := adt.AsArray(store, p.EarlyTerminated, miner.PartitionEarlyTerminationArrayAmtBitwidth)
	if err != nil {
		return false, err
	}
	left.partitions--
	taken := map[abi.ChainEpoch]bits{}
	rest := map[abi.ChainEpoch]bits{}
	var entry bitfield.BitField
	err = arr.ForEach(&entry, func(i int64) error {
		if left.sectors == 0 {
			return errEnough
		}
		if err := checked(entry); err != nil {
			return err
		}
		part := entry
		if n := count(entry); n > left.sectors {
			part = must(entry.Slice(0, left.sectors))
			rest[abi.ChainEpoch(i)] = minus(entry, part)
		}
		left.sectors -= count(part)
		taken[abi.ChainEpoch(i)] = part
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return false, err
	}
	for _, at := range sorted(taken) {
		if err := visit(at, taken[at]); err != nil {
			return false, err
		}
		if err := putRest(arr, at, rest); err != nil {
			return false, err
		}
	}
	p.EarlyTerminated, err = arr.Root()
	return arr.Length() > 0, err
}

// putRest keeps what is left of an entry of a queue.
func putRest(arr *adt.Array, at abi.ChainEpoch, rest map[abi.ChainEpoch]bits) error {
	if left, ok := rest[at]; ok {
		return arr.Set(uint64(at), left)
	}
	return arr.Delete(uint64(at))
}
