package devnet

import (
	"context"
	"fmt"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/adt"
	"github.com/filecoin-project/go-state-types/dline"
	"github.com/multiformats/go-multihash"

	"github.com/vigil-post/vigil/devnet/actor"
)

// minerView reads a miner as a client sees it at a tipset: in the state that
// the tipset's parent left, with the tipset's epoch as now.
type minerView struct {
	*actor.View
	id      abi.ActorID
	entry   actorEntry
	store   adt.Store
	epoch   abi.ChainEpoch
	network *state
}

// miner loads the actor of a miner; the errors are a node's.
func (a *api) miner(ctx context.Context, addr address.Address, key TipSetKey, w words) (*minerView, error) {
	ts, err := a.at(key)
	if err != nil {
		return nil, fmt.Errorf(w.tipset, key, err)
	}
	return a.n.minerAt(ctx, ts.before, ts.height(), addr, w)
}

func (n *Network) view(ctx context.Context, st *state, epoch abi.ChainEpoch, addr address.Address) (*minerView, error) {
	return n.minerAt(ctx, st, epoch, addr, usualWords)
}

func (n *Network) minerAt(ctx context.Context, st *state, epoch abi.ChainEpoch, addr address.Address, w words) (*minerView, error) {
	id, entry, err := resolve(st, addr)
	if err != nil {
		return nil, fmt.Errorf(w.actor, err)
	}
	if !entry.isMiner() {
		return nil, fmt.Errorf(w.state, fmt.Errorf("actor code is not miner: %s", entry.kind()))
	}
	v := &minerView{id: id, entry: entry, store: newScratch(n.blocks).adt(ctx), epoch: epoch, network: st}
	if v.View, err = actor.Open(v.store, entry.head); err != nil {
		return nil, fmt.Errorf(w.state, err)
	}
	return v, nil
}

// all visits the partitions of all deadlines.
func (v *minerView) all(visit func(p *actor.Partition) error) error {
	for d := range miner.WPoStPeriodDeadlines {
		list, err := v.Partitions(d)
		if err != nil {
			return err
		}
		for i := range list {
			if err := visit(&list[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// union joins one bitfield of every partition.
func (v *minerView) union(of func(p *actor.Partition) bitfield.BitField) (bitfield.BitField, error) {
	var parts []bitfield.BitField
	err := v.all(func(p *actor.Partition) error {
		parts = append(parts, of(p))
		return nil
	})
	if err != nil {
		return bitfield.New(), err
	}
	return bitfield.MultiMerge(parts...)
}

// MinerInfo is the answer of StateMinerInfo.
type MinerInfo struct {
	Owner                      address.Address
	Worker                     address.Address
	NewWorker                  address.Address
	ControlAddresses           []address.Address
	WorkerChangeEpoch          abi.ChainEpoch
	PeerId                     *string
	Multiaddrs                 []abi.Multiaddrs
	WindowPoStProofType        abi.RegisteredPoStProof
	SectorSize                 abi.SectorSize
	WindowPoStPartitionSectors uint64
	ConsensusFaultElapsed      abi.ChainEpoch
	PendingOwnerAddress        *address.Address
	Beneficiary                address.Address
	BeneficiaryTerm            *miner.BeneficiaryTerm
	PendingBeneficiaryTerm     *miner.PendingBeneficiaryChange
}

func (a *api) StateMinerInfo(ctx context.Context, addr address.Address, key TipSetKey) (*MinerInfo, error) {
	v, err := a.miner(ctx, addr, key, infoWords)
	if err != nil {
		return nil, err
	}
	info := v.Info
	out := &MinerInfo{
		Owner: info.Owner, Worker: info.Worker, NewWorker: address.Undef, ControlAddresses: info.ControlAddresses,
		WorkerChangeEpoch: -1, Multiaddrs: info.Multiaddrs, WindowPoStProofType: info.WindowPoStProofType, SectorSize: info.SectorSize,
		WindowPoStPartitionSectors: info.WindowPoStPartitionSectors, ConsensusFaultElapsed: info.ConsensusFaultElapsed,
		PendingOwnerAddress: info.PendingOwnerAddress, Beneficiary: info.Beneficiary,
		BeneficiaryTerm: &info.BeneficiaryTerm, PendingBeneficiaryTerm: info.PendingBeneficiaryTerm,
	}
	if p := info.PendingWorkerKey; p != nil {
		out.NewWorker, out.WorkerChangeEpoch = p.NewWorker, p.EffectiveAt
	}
	if id, err := multihash.Cast(info.PeerId); err == nil {
		text := id.B58String()
		out.PeerId = &text
	}
	return out, nil
}

// StateMinerProvingDeadline tells the deadline that the state has as the current
// one. Where the epoch before was null that one has closed, because its cron has
// not run yet, and its next occurrence is told, as real nodes do.
func (a *api) StateMinerProvingDeadline(ctx context.Context, addr address.Address, key TipSetKey) (*dline.Info, error) {
	v, err := a.miner(ctx, addr, key, usualWords)
	if err != nil {
		return nil, err
	}
	return v.State.RecordedDeadlineInfo(v.epoch).NextNotElapsed(), nil
}

// Deadline is one of the answer of StateMinerDeadlines.
type Deadline struct {
	PostSubmissions      bitfield.BitField
	DisputableProofCount uint64
	DailyFee             abi.TokenAmount
}

func (a *api) StateMinerDeadlines(ctx context.Context, addr address.Address, key TipSetKey) ([]Deadline, error) {
	v, err := a.miner(ctx, addr, key, nestedWords)
	if err != nil {
		return nil, err
	}
	list, err := v.Deadlines()
	if err != nil {
		return nil, err
	}
	var out []Deadline
	for _, d := range list {
		out = append(out, Deadline(d))
	}
	return out, nil
}

// Partition is one of the answer of StateMinerPartitions.
type Partition struct {
	AllSectors        bitfield.BitField
	FaultySectors     bitfield.BitField
	RecoveringSectors bitfield.BitField
	LiveSectors       bitfield.BitField
	ActiveSectors     bitfield.BitField
}

func (a *api) StateMinerPartitions(ctx context.Context, addr address.Address, index uint64, key TipSetKey) ([]Partition, error) {
	v, err := a.miner(ctx, addr, key, nestedWords)
	if err != nil {
		return nil, err
	}
	if index >= miner.WPoStPeriodDeadlines {
		return nil, fmt.Errorf("failed to load the deadline: invalid deadline %d", index)
	}
	list, err := v.View.Partitions(index)
	if err != nil {
		return nil, err
	}
	var out []Partition
	for _, p := range list {
		out = append(out, Partition{p.All, p.Faulty, p.Recovering, p.Live, p.Active})
	}
	return out, nil
}

func (a *api) StateMinerFaults(ctx context.Context, addr address.Address, key TipSetKey) (bitfield.BitField, error) {
	return a.field(ctx, addr, key, func(p *actor.Partition) bitfield.BitField { return p.Faulty })
}

func (a *api) StateMinerRecoveries(ctx context.Context, addr address.Address, key TipSetKey) (bitfield.BitField, error) {
	return a.field(ctx, addr, key, func(p *actor.Partition) bitfield.BitField { return p.Recovering })
}

func (a *api) field(ctx context.Context, addr address.Address, key TipSetKey, of func(*actor.Partition) bitfield.BitField) (bitfield.BitField, error) {
	v, err := a.miner(ctx, addr, key, nestedWords)
	if err != nil {
		return bitfield.New(), err
	}
	return v.union(of)
}

// SectorCount is the answer of StateMinerSectorCount.
type SectorCount struct {
	Live   uint64
	Active uint64
	Faulty uint64
}

func (a *api) StateMinerSectorCount(ctx context.Context, addr address.Address, key TipSetKey) (SectorCount, error) {
	v, err := a.miner(ctx, addr, key, plainWords)
	if err != nil {
		return SectorCount{}, err
	}
	return v.count()
}

func (v *minerView) count() (SectorCount, error) {
	var out SectorCount
	err := v.all(func(p *actor.Partition) error {
		return addCounts(map[*uint64]bitfield.BitField{&out.Live: p.Live, &out.Active: p.Active, &out.Faulty: p.Faulty})
	})
	return out, err
}

// Claim is power, raw and with deals counted for more. Here there are no deals.
type Claim struct {
	RawBytePower    abi.StoragePower
	QualityAdjPower abi.StoragePower
}

// MinerPower is the answer of StateMinerPower.
type MinerPower struct {
	MinerPower  Claim
	TotalPower  Claim
	HasMinPower bool
}

// StateMinerPower gives the power of a miner and of all. Who is no miner has none.
func (a *api) StateMinerPower(ctx context.Context, addr address.Address, key TipSetKey) (*MinerPower, error) {
	ts, err := a.loaded(key)
	if err != nil {
		return nil, err
	}
	own, _, _ := ts.before.lookup(addr)
	total := big.Zero()
	out := MinerPower{MinerPower: Claim{total, total}}
	for _, id := range ts.before.miners() {
		v, err := a.n.view(ctx, ts.before, ts.height(), idAddress(id))
		if err != nil {
			return nil, err
		}
		c, err := v.count()
		if err != nil {
			return nil, err
		}
		power := big.Mul(big.NewIntUnsigned(c.Active), big.NewIntUnsigned(uint64(v.Info.SectorSize)))
		total = big.Add(total, power)
		if id == own {
			out.MinerPower = Claim{power, power}
		}
	}
	out.TotalPower = Claim{total, total}
	out.HasMinPower = !out.MinerPower.RawBytePower.IsZero()
	return &out, nil
}

func (a *api) StateMinerAvailableBalance(ctx context.Context, addr address.Address, key TipSetKey) (abi.TokenAmount, error) {
	v, err := a.miner(ctx, addr, key, usualWords)
	if err != nil {
		return big.Zero(), err
	}
	return v.State.GetAvailableBalance(v.entry.balance)
}
