package actor

import (
	"fmt"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/adt"
	"github.com/ipfs/go-cid"
)

// Config is a new miner.
type Config struct {
	Owner, Worker abi.ActorID
	Control       []abi.ActorID
	// ProofType is the type of its Window PoSts; the size of its sectors and of
	// its partitions follow from it.
	ProofType abi.RegisteredPoStProof
	// PeriodStart is an epoch at which a proving period starts, of any period;
	// nil takes the network's rule, a hash of the miner's ID and the epoch.
	PeriodStart *abi.ChainEpoch
}

// Construct makes the state of a miner without sectors. Nothing is charged.
func Construct(rt *Runtime, c Config) (cid.Cid, error) {
	info, err := rt.newInfo(c)
	if err != nil {
		return cid.Undef, err
	}
	offset := drawOffset(rt.Miner, rt.Epoch)
	if c.PeriodStart != nil {
		offset = *c.PeriodStart
	}
	d := current(offset, rt.Epoch)
	st := &miner.State{
		PreCommitDeposits: big.Zero(), LockedFunds: big.Zero(), FeeDebt: big.Zero(), InitialPledge: big.Zero(),
		ProvingPeriodStart: d.PeriodStart, CurrentDeadline: d.Index,
		EarlyTerminations: bitfield.New(), DeadlineCronActive: false, // its deadlines rest until it gets sectors
	}
	if st.Info, err = rt.Store.Put(rt.Store.Context(), info); err != nil {
		return cid.Undef, err
	}
	if err := fillEmpty(rt.Store, st); err != nil {
		return cid.Undef, fmt.Errorf("empty miner: %w", err)
	}
	return rt.Store.Put(rt.Store.Context(), st)
}

func (rt *Runtime) newInfo(c Config) (*miner.MinerInfo, error) {
	if !rt.allows(c.ProofType) {
		return nil, illegal("proof type %s not allowed", proofName(c.ProofType))
	}
	size, err := c.ProofType.SectorSize()
	if err != nil {
		return nil, err
	}
	partition, err := builtin.PoStProofWindowPoStPartitionSectors(c.ProofType)
	if err != nil {
		return nil, err
	}
	owner := idAddress(c.Owner)
	var control []address.Address
	for _, id := range c.Control {
		control = append(control, idAddress(id))
	}
	return &miner.MinerInfo{
		Owner: owner, Worker: idAddress(c.Worker), ControlAddresses: control,
		WindowPoStProofType: c.ProofType, SectorSize: size, WindowPoStPartitionSectors: partition,
		ConsensusFaultElapsed: -1,
		Beneficiary:           owner,
		BeneficiaryTerm:       miner.BeneficiaryTerm{Quota: big.Zero(), UsedQuota: big.Zero()},
	}, nil
}

// fillEmpty stores the collections of a miner that has nothing.
func fillEmpty(store adt.Store, st *miner.State) error {
	ctx := store.Context()
	d, err := newDeadline(store)
	if err != nil {
		return err
	}
	due, err := store.Put(ctx, &d.Deadline)
	if err != nil {
		return err
	}
	if st.Deadlines, err = store.Put(ctx, miner.ConstructDeadlines(due)); err != nil {
		return err
	}
	if st.Sectors, err = adt.StoreEmptyArray(store, miner.SectorsAmtBitwidth); err != nil {
		return err
	}
	if st.PreCommittedSectorsCleanUp, err = adt.StoreEmptyArray(store, miner.PrecommitCleanUpAmtBitwidth); err != nil {
		return err
	}
	if st.PreCommittedSectors, err = adt.StoreEmptyMap(store, builtin.DefaultHamtBitwidth); err != nil {
		return err
	}
	st.AllocatedSectors, err = store.Put(ctx, bitfield.New())
	return err
}
