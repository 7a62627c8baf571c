package actor

import (
	"fmt"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/adt"
	"github.com/filecoin-project/go-state-types/dline"
	"github.com/ipfs/go-cid"
)

// View reads a miner's state. It is as immutable as the state.
type View struct {
	State miner.State
	Info  miner.MinerInfo
	store adt.Store
}

// Open reads the state of a miner.
func Open(store adt.Store, head cid.Cid) (*View, error) {
	v := &View{store: store}
	if err := store.Get(store.Context(), head, &v.State); err != nil {
		return nil, fmt.Errorf("load miner state %s: %w", head, err)
	}
	if err := store.Get(store.Context(), v.State.Info, &v.Info); err != nil {
		return nil, fmt.Errorf("load miner info: %w", err)
	}
	return v, checked(v.State.EarlyTerminations)
}

// ProvingDeadline is the deadline that is open at an epoch.
func (v *View) ProvingDeadline(epoch abi.ChainEpoch) *dline.Info {
	return current(v.State.ProvingPeriodStart, epoch)
}

// Partition is the sectors of one partition, by what they are.
type Partition struct {
	All, Faulty, Recovering, Live, Active, Unproven bitfield.BitField
}

// Partitions lists a deadline's partitions in order.
func (v *View) Partitions(index uint64) ([]Partition, error) {
	_, arr, err := v.deadline(index)
	if err != nil {
		return nil, err
	}
	var out []Partition
	for i := range arr.Length() {
		p, err := getPartition(arr, i)
		if err != nil {
			return nil, err
		}
		out = append(out, Partition{
			All: p.Sectors, Faulty: p.Faults, Recovering: p.Recoveries,
			Live: p.live(), Active: p.active(), Unproven: p.Unproven,
		})
	}
	return out, nil
}

func (v *View) deadline(index uint64) (*deadline, *adt.Array, error) {
	all, err := v.State.LoadDeadlines(v.store)
	if err != nil {
		return nil, nil, err
	}
	d, err := loadDeadline(v.store, all, index)
	if err != nil {
		return nil, nil, err
	}
	arr, err := d.PartitionsArray(v.store)
	return d, arr, err
}

// Deadline is what a deadline has been told.
type Deadline struct {
	// PostSubmissions are the partitions proven in the open window.
	PostSubmissions bitfield.BitField
	// DisputableProofCount counts the proofs of the last window.
	DisputableProofCount uint64
	DailyFee             abi.TokenAmount
}

// Deadlines lists all 48.
func (v *View) Deadlines() ([]Deadline, error) {
	var out []Deadline
	for i := range miner.WPoStPeriodDeadlines {
		d, _, err := v.deadline(i)
		if err != nil {
			return nil, err
		}
		proofs, err := d.OptimisticProofsSnapshotArray(v.store)
		if err != nil {
			return nil, fmt.Errorf("proofs of deadline %d: %w", i, err)
		}
		out = append(out, Deadline{d.PartitionsPoSted, proofs.Length(), d.DailyFee})
	}
	return out, nil
}

// Sectors are the infos of a set of sectors, ascending; nil is all. A number
// that the miner does not have is left out.
func (v *View) Sectors(of *bitfield.BitField) ([]*miner.SectorOnChainInfo, error) {
	all, err := miner.LoadSectors(v.store, v.State.Sectors)
	if err != nil {
		return nil, err
	}
	if of != nil {
		if err := checked(*of); err != nil {
			return nil, err
		}
		if count(*of) < all.Length() {
			return infosOf(all, *of)
		}
	}
	var out []*miner.SectorOnChainInfo
	var s miner.SectorOnChainInfo
	err = all.ForEach(&s, func(n int64) error {
		if of == nil || isIn(uint64(n), *of) {
			c := s
			out = append(out, &c)
		}
		return nil
	})
	return out, err
}

func infosOf(all miner.Sectors, set bits) (out []*miner.SectorOnChainInfo, err error) {
	for _, n := range members(set) {
		if n > uint64(abi.MaxSectorNumber) {
			break
		}
		s, found, err := all.Get(abi.SectorNumber(n))
		if err != nil {
			return nil, err
		}
		if found {
			out = append(out, s)
		}
	}
	return out, nil
}

// SectorsForProof is the list that a proof of these partitions must be over:
// ascending over all of them, with the first good sector of the message in place
// of each that is faulty, terminated or skipped. It is empty where there is
// nothing to prove.
func (v *View) SectorsForProof(index uint64, partitions []miner.PoStPartition) ([]*miner.SectorOnChainInfo, error) {
	_, arr, err := v.deadline(index)
	if err != nil {
		return nil, err
	}
	var all, ignored bits
	for _, x := range partitions {
		p, err := getPartition(arr, x.Index)
		if err != nil {
			return nil, err
		}
		if err := checked(x.Skipped); err != nil {
			return nil, err
		}
		faulty := union(minus(p.Faults, p.Recoveries), both(x.Skipped, p.Sectors))
		all = union(all, p.Sectors)
		ignored = union(ignored, faulty, p.Terminated)
	}
	infos, err := miner.LoadSectors(v.store, v.State.Sectors)
	if err != nil {
		return nil, err
	}
	return withStandIns(infos, all, ignored)
}
