package devnet

import (
	"context"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"

	"github.com/vigil-post/vigil/devnet/actor"
)

func (a *api) StateMinerSectors(ctx context.Context, addr address.Address, filter *bitfield.BitField, key TipSetKey) ([]*miner.SectorOnChainInfo, error) {
	v, err := a.miner(ctx, addr, key, nestedWords)
	if err != nil {
		return nil, err
	}
	return v.infos(filter)
}

// infos lists sectors, all of them for no set; none is an empty list. A number
// that the miner does not have is an error.
func (v *minerView) infos(of *bitfield.BitField) ([]*miner.SectorOnChainInfo, error) {
	list, err := v.load(of)
	return append([]*miner.SectorOnChainInfo{}, list...), err
}

func (v *minerView) load(of *bitfield.BitField) ([]*miner.SectorOnChainInfo, error) {
	if of == nil {
		return v.Sectors(nil)
	}
	all, err := miner.LoadSectors(v.store, v.State.Sectors)
	if err != nil {
		return nil, err
	}
	return all.Load(*of)
}

func (a *api) StateMinerActiveSectors(ctx context.Context, addr address.Address, key TipSetKey) ([]*miner.SectorOnChainInfo, error) {
	v, err := a.miner(ctx, addr, key, nestedWords)
	if err != nil {
		return nil, err
	}
	active, err := v.union(func(p *actor.Partition) bitfield.BitField { return p.Active })
	if err != nil {
		return nil, err
	}
	return v.infos(&active)
}

func (a *api) StateSectorGetInfo(ctx context.Context, addr address.Address, number abi.SectorNumber, key TipSetKey) (*miner.SectorOnChainInfo, error) {
	v, err := a.miner(ctx, addr, key, sectorWords)
	if err != nil {
		return nil, err
	}
	s, found, err := v.State.GetSector(v.store, number)
	if err != nil || !found {
		return nil, err
	}
	return s, nil
}

// SectorLocation is the answer of StateSectorPartition.
type SectorLocation struct {
	Deadline  uint64
	Partition uint64
}

func (a *api) StateSectorPartition(ctx context.Context, addr address.Address, number abi.SectorNumber, key TipSetKey) (*SectorLocation, error) {
	v, err := a.miner(ctx, addr, key, plainWords)
	if err != nil {
		return nil, err
	}
	d, p, err := v.State.FindSector(v.store, number)
	if err != nil {
		return nil, err
	}
	return &SectorLocation{d, p}, nil
}

func (a *api) StateMinerAllocated(ctx context.Context, addr address.Address, key TipSetKey) (*bitfield.BitField, error) {
	v, err := a.miner(ctx, addr, key, plainWords)
	if err != nil {
		return nil, err
	}
	return v.allocated()
}

func (v *minerView) allocated() (*bitfield.BitField, error) {
	f := bitfield.New()
	return &f, v.store.Get(v.store.Context(), v.State.AllocatedSectors, &f)
}

func (a *api) StateMinerSectorAllocated(ctx context.Context, addr address.Address, number abi.SectorNumber, key TipSetKey) (bool, error) {
	v, err := a.miner(ctx, addr, key, usualWords)
	if err != nil {
		return false, err
	}
	f, err := v.allocated()
	if err != nil {
		return false, err
	}
	return f.IsSet(uint64(number))
}

// StateSectorPreCommitInfo finds a sector between its precommit and its proof.
func (a *api) StateSectorPreCommitInfo(ctx context.Context, addr address.Address, number abi.SectorNumber, key TipSetKey) (*miner.SectorPreCommitOnChainInfo, error) {
	v, err := a.miner(ctx, addr, key, sectorWords)
	if err != nil {
		return nil, err
	}
	info, found, err := v.State.GetPrecommittedSector(v.store, number)
	if err != nil || !found {
		return nil, err
	}
	return info, nil
}
