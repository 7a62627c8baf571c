package chain

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// askAt asks a method of one miner's state at a tipset.
func askAt[T any](ctx context.Context, c *Client, method string, miner abi.ActorID, key vigil.TipSetKey) (T, error) {
	k, err := keyParam(key)
	if err != nil {
		var none T
		return none, err
	}
	return ask[T](ctx, c, method, vigil.MinerAddress(miner), k)
}

// Miner gives what does not change from day to day.
func (c *Client) Miner(ctx context.Context, miner abi.ActorID, key vigil.TipSetKey) (vigil.MinerInfo, error) {
	info, err := askAt[minerInfo](ctx, c, "StateMinerInfo", miner, key)
	if err != nil {
		return vigil.MinerInfo{}, err
	}
	var control []address.Address
	for _, a := range info.ControlAddresses {
		control = append(control, a.Address)
	}
	return vigil.MinerInfo{
		Miner:            miner,
		Owner:            info.Owner.Address,
		Worker:           info.Worker.Address,
		Control:          control,
		ProofType:        *info.WindowPoStProofType,
		SectorSize:       info.SectorSize,
		PartitionSectors: info.WindowPoStPartitionSectors,
	}, nil
}

// Deadline is the one that is current at the tipset's epoch.
func (c *Client) Deadline(ctx context.Context, miner abi.ActorID, key vigil.TipSetKey) (vigil.Deadline, error) {
	const method = "StateMinerProvingDeadline"
	d, err := askAt[deadlineInfo](ctx, c, method, miner, key)
	if err != nil {
		return vigil.Deadline{}, err
	}
	if h, ok := c.tipsets.get(key); ok && h.Epoch != *d.CurrentEpoch {
		return vigil.Deadline{}, unusable(method, "the deadline at epoch %d for a tipset of epoch %d", *d.CurrentEpoch, h.Epoch)
	}
	return around(vigil.Deadline{
		Index:       *d.Index,
		Count:       d.WPoStPeriodDeadlines,
		Challenge:   *d.Challenge,
		Open:        *d.Open,
		Close:       *d.Close,
		FaultCutoff: *d.FaultCutoff,
	}, *d.CurrentEpoch), nil
}

// around is the deadline that is open at an epoch, by one told for it. A node
// tells the next occurrence of a deadline that has closed while the state still
// has it as the current one: where its last epoch was null its cron has not
// run, and that of a miner without sectors never runs.
func around(told vigil.Deadline, epoch abi.ChainEpoch) vigil.Deadline {
	window := told.Close - told.Open
	if epoch >= told.Open {
		return told
	}
	return told.Plus(-int((told.Open - epoch + window - 1) / window))
}

// Partitions of a deadline, by index. A node's null is a deadline without any.
func (c *Client) Partitions(ctx context.Context, miner abi.ActorID, deadline uint64, key vigil.TipSetKey) ([]vigil.Partition, error) {
	const method = "StateMinerPartitions"
	k, err := keyParam(key)
	if err != nil {
		return nil, err
	}
	list, err := askMaybe[[]*partitionInfo](ctx, c, method, vigil.MinerAddress(miner), deadline, k)
	if err != nil || list == nil || len(*list) == 0 { // nodes differ in which they say
		return nil, err
	}
	partitions := make([]vigil.Partition, len(*list))
	for i, p := range *list {
		if err := p.check(); err != nil {
			return nil, unusable(method, "partition %d of deadline %d: %w", i, deadline, err)
		}
		partitions[i] = vigil.Partition{
			Index:      uint64(i),
			All:        p.AllSectors.bits,
			Live:       p.LiveSectors.bits,
			Active:     p.ActiveSectors.bits,
			Faulty:     p.FaultySectors.bits,
			Recovering: p.RecoveringSectors.bits,
		}
	}
	return partitions, nil
}

// Posted gives, for each deadline, the partitions posted in its present occurrence.
func (c *Client) Posted(ctx context.Context, miner abi.ActorID, key vigil.TipSetKey) ([]bitfield.BitField, error) {
	const method = "StateMinerDeadlines"
	list, err := askAt[[]*deadlineState](ctx, c, method, miner, key)
	if err != nil {
		return nil, err
	}
	if len(list) != deadlines {
		return nil, unusable(method, "%d deadlines where there are %d", len(list), deadlines)
	}
	posted := make([]bitfield.BitField, len(list))
	for i, d := range list {
		if d == nil || !d.PostSubmissions.there {
			return nil, unusable(method, "deadline %d has no PostSubmissions", i)
		}
		posted[i] = d.PostSubmissions.bits
	}
	return posted, nil
}

// Sectors gives the sectors of a set, ascending; one that does not exist is an error.
func (c *Client) Sectors(ctx context.Context, miner abi.ActorID, set bitfield.BitField, key vigil.TipSetKey) ([]vigil.Sector, error) {
	const method = "StateMinerSectors"
	wanted, err := set.All(maxSet)
	if err != nil {
		return nil, fmt.Errorf("the set of sectors to ask for: %w", err)
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	k, err := keyParam(key)
	if err != nil {
		return nil, err
	}
	list, err := ask[[]*sectorInfo](ctx, c, method, vigil.MinerAddress(miner), set, k)
	if err != nil {
		return nil, err
	}
	return theSectors(method, wanted, list)
}

// theSectors are exactly those wanted, in their order.
func theSectors(method string, wanted []uint64, list []*sectorInfo) ([]vigil.Sector, error) {
	sectors := make([]vigil.Sector, len(list))
	for i, s := range list {
		if err := s.check(); err != nil {
			return nil, unusable(method, "%w", err)
		}
		sectors[i] = vigil.Sector{Number: *s.SectorNumber, SealProof: *s.SealProof, SealedCID: s.SealedCID}
	}
	slices.SortFunc(sectors, func(a, b vigil.Sector) int { return cmp.Compare(a.Number, b.Number) })
	for i, number := range wanted {
		switch {
		case i == len(sectors), uint64(sectors[i].Number) > number:
			return nil, fmt.Errorf("%s: sector %d: %w", method, number, vigil.ErrNotFound)
		case uint64(sectors[i].Number) < number:
			return nil, unusable(method, "sector %d is there twice or was not asked for", sectors[i].Number)
		}
	}
	if len(sectors) > len(wanted) {
		return nil, unusable(method, "%d sectors where %d were asked for", len(sectors), len(wanted))
	}
	return sectors, nil
}

// Faults gives all faulty sectors, the recovering ones included, and those.
func (c *Client) Faults(ctx context.Context, miner abi.ActorID, key vigil.TipSetKey) (faulty, recovering bitfield.BitField, err error) {
	const method = "StateMinerRecoveries"
	f, err := askAt[sectorSet](ctx, c, "StateMinerFaults", miner, key)
	if err != nil {
		return bitfield.New(), bitfield.New(), err
	}
	r, err := askAt[sectorSet](ctx, c, method, miner, key)
	if err != nil {
		return bitfield.New(), bitfield.New(), err
	}
	if key != "" && !r.within(f) { // without a key the two are of different moments
		return bitfield.New(), bitfield.New(), unusable(method, "sectors are recovering that are not faulty")
	}
	return f.bits, r.bits, nil
}
