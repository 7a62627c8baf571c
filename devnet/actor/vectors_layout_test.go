package actor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	miner10 "github.com/filecoin-project/go-state-types/builtin/v10/miner"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/adt"
	"github.com/ipfs/go-cid"
)

// The vectors' states are of actors v9 and v10, which have one layout. Here it
// becomes today's: deadlines get the power and fees they did not keep then, and
// sectors their new fields. What the message did not touch is not there and is
// left out.

// modern puts a state in today's layout.
func (w *world) modern(t *testing.T, old *miner10.State) cid.Cid {
	t.Helper()
	var info miner10.MinerInfo
	check(t, w.store.Get(t.Context(), old.Info, &info))
	wanted := w.touched(t, old)
	st := &miner.State{
		PreCommitDeposits: old.PreCommitDeposits, LockedFunds: old.LockedFunds,
		FeeDebt: old.FeeDebt, InitialPledge: old.InitialPledge,
		PreCommittedSectors: old.PreCommittedSectors, PreCommittedSectorsCleanUp: old.PreCommittedSectorsCleanUp,
		AllocatedSectors: old.AllocatedSectors, Sectors: w.modernSectors(t, old.Sectors, wanted),
		ProvingPeriodStart: old.ProvingPeriodStart, CurrentDeadline: old.CurrentDeadline,
		EarlyTerminations: old.EarlyTerminations, DeadlineCronActive: old.DeadlineCronActive,
		Deadlines: w.modernDeadlines(t, old.Deadlines, wanted),
	}
	c, err := w.store.Put(t.Context(), &miner.MinerInfo{
		Owner: info.Owner, Worker: info.Worker, ControlAddresses: info.ControlAddresses,
		WindowPoStProofType: info.WindowPoStProofType, SectorSize: info.SectorSize,
		WindowPoStPartitionSectors: info.WindowPoStPartitionSectors,
		ConsensusFaultElapsed:      info.ConsensusFaultElapsed,
		Beneficiary:                info.Beneficiary,
		BeneficiaryTerm:            miner.BeneficiaryTerm{Quota: big.Zero(), UsedQuota: big.Zero()},
	})
	check(t, err)
	st.Info = c
	head, err := w.store.Put(t.Context(), st)
	check(t, err)
	return head
}

func (w *world) oldDeadlines(t *testing.T, c cid.Cid) *miner10.Deadlines {
	t.Helper()
	var ds miner10.Deadlines
	check(t, w.store.Get(t.Context(), c, &ds))
	return &ds
}

func (w *world) oldDeadline(t *testing.T, c cid.Cid) (*miner10.Deadline, bool) {
	t.Helper()
	if _, ok := w.blocks[c]; !ok {
		return nil, false
	}
	var d miner10.Deadline
	check(t, w.store.Get(t.Context(), c, &d))
	return &d, true
}

// touched are the sectors of the partitions that are there.
func (w *world) touched(t *testing.T, old *miner10.State) bitfield.BitField {
	t.Helper()
	all := bitfield.New()
	for _, due := range w.oldDeadlines(t, old.Deadlines).Due {
		d, ok := w.oldDeadline(t, due)
		if !ok {
			continue
		}
		for _, root := range []cid.Cid{d.Partitions, d.PartitionsSnapshot} {
			for _, p := range w.partitions(root) {
				all = union(all, p.Sectors)
			}
		}
	}
	return all
}

// partitions are those of an array that are there, by index.
func (w *world) partitions(root cid.Cid) map[uint64]*miner.Partition {
	out := map[uint64]*miner.Partition{}
	arr, err := adt.AsArray(w.store, root, miner.DeadlinePartitionsAmtBitwidth)
	if err != nil {
		return out
	}
	for i := range arr.Length() {
		p := new(miner.Partition)
		if found, err := arr.Get(i, p); err == nil && found {
			out[i] = p
		}
	}
	return out
}

func (w *world) modernDeadlines(t *testing.T, c cid.Cid, wanted bitfield.BitField) cid.Cid {
	t.Helper()
	var out miner.Deadlines
	for i, due := range w.oldDeadlines(t, c).Due {
		out.Due[i] = due
		old, ok := w.oldDeadline(t, due)
		if !ok {
			continue
		}
		d := &miner.Deadline{
			Partitions: old.Partitions, ExpirationsEpochs: old.ExpirationsEpochs,
			PartitionsPoSted: old.PartitionsPoSted, EarlyTerminations: old.EarlyTerminations,
			LiveSectors: old.LiveSectors, TotalSectors: old.TotalSectors,
			FaultyPower:               miner.PowerPair(old.FaultyPower),
			OptimisticPoStSubmissions: old.OptimisticPoStSubmissions,
			SectorsSnapshot:           w.modernSectors(t, old.SectorsSnapshot, wanted),
			PartitionsSnapshot:        old.PartitionsSnapshot, OptimisticPoStSubmissionsSnapshot: old.OptimisticPoStSubmissionsSnapshot,
			LivePower: miner.NewPowerPairZero(), DailyFee: big.Zero(),
		}
		var err error
		out.Due[i], err = w.store.Put(t.Context(), d)
		check(t, err)
	}
	c, err := w.store.Put(t.Context(), &out)
	check(t, err)
	return c
}

// modernSectors copies those of the wanted sectors that are there. Where none
// can be, the root is kept.
func (w *world) modernSectors(t *testing.T, root cid.Cid, wanted bitfield.BitField) cid.Cid {
	t.Helper()
	from, err := adt.AsArray(w.store, root, miner.SectorsAmtBitwidth)
	if err != nil {
		return root
	}
	to, err := adt.MakeEmptyArray(w.store, miner.SectorsAmtBitwidth)
	check(t, err)
	for _, n := range members(wanted) {
		var s miner10.SectorOnChainInfo
		if found, err := from.Get(n, &s); err != nil || !found {
			continue
		}
		check(t, to.Set(n, &miner.SectorOnChainInfo{
			SectorNumber: s.SectorNumber, SealProof: s.SealProof, SealedCID: s.SealedCID, DeprecatedDealIDs: s.DealIDs,
			Activation: s.Activation, Expiration: s.Expiration, PowerBaseEpoch: s.Activation,
			DealWeight: s.DealWeight, VerifiedDealWeight: s.VerifiedDealWeight, InitialPledge: s.InitialPledge,
			SectorKeyCID: s.SectorKeyCID, DailyFee: big.Zero(),
		}))
	}
	c, err := to.Root()
	check(t, err)
	return c
}

// compareDeadlines holds every deadline that the network or we have changed
// against the network's.
func (w *world) compareDeadlines(t *testing.T, pre, post *miner10.State, ours *miner.State) {
	t.Helper()
	was, is := w.oldDeadlines(t, pre.Deadlines), w.oldDeadlines(t, post.Deadlines)
	here, err := ours.LoadDeadlines(w.store)
	check(t, err)
	var start miner.Deadlines
	check(t, w.store.Get(t.Context(), w.modernDeadlines(t, pre.Deadlines, w.touched(t, pre)), &start))
	for i := range is.Due {
		if (was.Due[i] == is.Due[i]) != (start.Due[i] == here.Due[i]) {
			t.Errorf("deadline %d: changed on the network %v, here %v", i, was.Due[i] != is.Due[i], start.Due[i] != here.Due[i])
		}
		if was.Due[i] == is.Due[i] {
			continue
		}
		old, ok := w.oldDeadline(t, is.Due[i])
		if !ok {
			t.Fatalf("deadline %d after the message is not in the vector", i)
		}
		d, err := here.LoadDeadline(w.store, uint64(i))
		check(t, err)
		w.compareDeadline(t, i, old, d)
	}
}

func (w *world) compareDeadline(t *testing.T, i int, network *miner10.Deadline, here *miner.Deadline) {
	t.Helper()
	same(t, fmt.Sprintf("deadline %d", i), map[string][2]any{
		"PartitionsPoSted":   {network.PartitionsPoSted, here.PartitionsPoSted},
		"EarlyTerminations":  {network.EarlyTerminations, here.EarlyTerminations},
		"LiveSectors":        {network.LiveSectors, here.LiveSectors},
		"TotalSectors":       {network.TotalSectors, here.TotalSectors},
		"FaultyPower":        {network.FaultyPower, here.FaultyPower},
		"ExpirationsEpochs":  {network.ExpirationsEpochs, here.ExpirationsEpochs},
		"Submissions":        {network.OptimisticPoStSubmissions, here.OptimisticPoStSubmissions},
		"PartitionsSnapshot": {network.PartitionsSnapshot, here.PartitionsSnapshot},
		"ProofsSnapshot":     {network.OptimisticPoStSubmissionsSnapshot, here.OptimisticPoStSubmissionsSnapshot},
	})
	if network.Partitions == here.Partitions {
		t.Logf("deadline %d: partitions identical to the bit", i)
		return
	}
	theirs, own := w.partitions(network.Partitions), w.partitions(here.Partitions)
	if len(theirs) == 0 || len(theirs) != len(own) {
		t.Fatalf("deadline %d: %d partitions, on the network %d", i, len(own), len(theirs))
	}
	for n, p := range theirs {
		w.comparePartition(t, fmt.Sprintf("deadline %d partition %d", i, n), p, own[n])
	}
}

// comparePartition compares everything; entries of the expiration queue have
// one field more today, which is zero here.
func (w *world) comparePartition(t *testing.T, name string, network, here *miner.Partition) {
	t.Helper()
	if network.ExpirationsEpochs != here.ExpirationsEpochs {
		a, b := w.queue(t, network.ExpirationsEpochs), w.queue(t, here.ExpirationsEpochs)
		same(t, name, map[string][2]any{"expirations": {a, b}})
		t.Logf("%s: %d rewritten expirations compared", name, len(a))
	}
	n, h := *network, *here
	n.ExpirationsEpochs, h.ExpirationsEpochs = cid.Undef, cid.Undef
	same(t, name, map[string][2]any{"partition": {n, h}})
}

func (w *world) queue(t *testing.T, root cid.Cid) map[string]*miner.ExpirationSet {
	t.Helper()
	arr, err := adt.AsArray(w.store, root, miner.PartitionExpirationAmtBitwidth)
	check(t, err)
	out := map[string]*miner.ExpirationSet{}
	var s miner.ExpirationSet
	check(t, arr.ForEach(&s, func(e int64) error {
		c := s
		out[fmt.Sprint(abi.ChainEpoch(e))] = &c
		return accept(&c)
	}))
	return out
}

// same compares fields as JSON.
func same(t *testing.T, name string, fields map[string][2]any) {
	t.Helper()
	for field, pair := range fields {
		network, err := json.Marshal(pair[0])
		check(t, err)
		here, err := json.Marshal(pair[1])
		check(t, err)
		if !bytes.Equal(network, here) {
			t.Errorf("%s: %s is %s, on the network %s", name, field, here, network)
		}
	}
}
