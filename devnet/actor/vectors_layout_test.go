package actor

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	miner10 "github.com/filecoin-project/go-state-types/builtin/v10/miner"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/cbor"
	"github.com/ipfs/go-cid"
	cbg "github.com/whyrusleeping/cbor-gen"
)

// The vectors' states are of actors v9 and v10, which have one layout. A state is
// put in today's before the message and back in theirs after it: deadlines get
// and lose the power and fees they did not keep then, entries of expiration
// queues their fee, sectors their new fields. What the message did not touch is
// not in the vector and stays a CID.

// modern puts a state in today's layout.
func (w *world) modern(t *testing.T, old *miner10.State) cid.Cid {
	t.Helper()
	var info miner10.MinerInfo
	check(t, w.store.Get(t.Context(), old.Info, &info))
	st := &miner.State{
		PreCommitDeposits: old.PreCommitDeposits, LockedFunds: old.LockedFunds, VestingFunds: w.modernVesting(t, old.VestingFunds),
		FeeDebt: old.FeeDebt, InitialPledge: old.InitialPledge,
		PreCommittedSectors: old.PreCommittedSectors, PreCommittedSectorsCleanUp: old.PreCommittedSectorsCleanUp,
		AllocatedSectors: old.AllocatedSectors, Sectors: w.modernSectors(t, old.Sectors),
		ProvingPeriodStart: old.ProvingPeriodStart, CurrentDeadline: old.CurrentDeadline,
		EarlyTerminations: old.EarlyTerminations, DeadlineCronActive: old.DeadlineCronActive,
		Deadlines: w.modernDeadlines(t, old.Deadlines),
	}
	st.Info = w.put(t, modernInfo(info))
	if back := w.deadlinesAsThen(t, st.Deadlines); back != old.Deadlines {
		t.Fatalf("deadlines %s come back from today's layout as %s", old.Deadlines, back)
	}
	return w.put(t, st)
}

func modernInfo(i miner10.MinerInfo) *miner.MinerInfo {
	out := &miner.MinerInfo{
		Owner: i.Owner, Worker: i.Worker, ControlAddresses: i.ControlAddresses,
		PendingWorkerKey: (*miner.WorkerKeyChange)(i.PendingWorkerKey), PeerId: i.PeerId, Multiaddrs: i.Multiaddrs,
		WindowPoStProofType: i.WindowPoStProofType, SectorSize: i.SectorSize,
		WindowPoStPartitionSectors: i.WindowPoStPartitionSectors,
		ConsensusFaultElapsed:      i.ConsensusFaultElapsed, PendingOwnerAddress: i.PendingOwnerAddress,
		Beneficiary: i.Beneficiary, BeneficiaryTerm: miner.BeneficiaryTerm(i.BeneficiaryTerm),
		PendingBeneficiaryTerm: (*miner.PendingBeneficiaryChange)(i.PendingBeneficiaryTerm),
	}
	return out
}

// modernVesting splits the table of vesting funds, if it is there: its first
// entry lies in the state itself today.
func (w *world) modernVesting(t *testing.T, c cid.Cid) *miner.VestingFunds {
	t.Helper()
	var old miner10.VestingFunds
	if w.blocks.has(c) {
		check(t, w.store.Get(t.Context(), c, &old))
	}
	if len(old.Funds) == 0 {
		return nil
	}
	tail := &miner.VestingFundsTail{}
	for _, f := range old.Funds[1:] {
		tail.Funds = append(tail.Funds, miner.VestingFund(f))
	}
	return &miner.VestingFunds{Head: miner.VestingFund(old.Funds[0]), Tail: w.put(t, tail)}
}

func (w *world) put(t *testing.T, v cbor.Marshaler) cid.Cid {
	t.Helper()
	c, err := w.store.Put(t.Context(), v)
	check(t, err)
	return c
}

// deadlines rewrites those of the 48 that are there.
func (w *world) deadlines(t *testing.T, c cid.Cid, rewrite func([]byte) cbor.Marshaler) cid.Cid {
	t.Helper()
	if !w.blocks.has(c) {
		return c // the message did not get as far as that
	}
	var ds miner.Deadlines
	check(t, w.store.Get(t.Context(), c, &ds))
	for i, due := range ds.Due {
		if raw, ok := w.blocks.find(due); ok {
			ds.Due[i] = w.put(t, rewrite(raw))
		}
	}
	return w.put(t, &ds)
}

func (w *world) modernDeadlines(t *testing.T, c cid.Cid) cid.Cid {
	t.Helper()
	return w.deadlines(t, c, func(raw []byte) cbor.Marshaler {
		var old miner10.Deadline
		check(t, old.UnmarshalCBOR(bytes.NewReader(raw)))
		return &miner.Deadline{
			Partitions: old.Partitions, ExpirationsEpochs: old.ExpirationsEpochs,
			PartitionsPoSted: old.PartitionsPoSted, EarlyTerminations: old.EarlyTerminations,
			LiveSectors: old.LiveSectors, TotalSectors: old.TotalSectors,
			FaultyPower:               miner.PowerPair(old.FaultyPower),
			OptimisticPoStSubmissions: old.OptimisticPoStSubmissions,
			SectorsSnapshot:           w.modernSectors(t, old.SectorsSnapshot),
			PartitionsSnapshot:        old.PartitionsSnapshot, OptimisticPoStSubmissionsSnapshot: old.OptimisticPoStSubmissionsSnapshot,
			LivePower: miner.NewPowerPairZero(), DailyFee: big.Zero(),
		}
	})
}

// deadlinesAsThen puts deadlines back in the layout of the vectors.
func (w *world) deadlinesAsThen(t *testing.T, c cid.Cid) cid.Cid {
	t.Helper()
	return w.deadlines(t, c, func(raw []byte) cbor.Marshaler {
		var d miner.Deadline
		check(t, d.UnmarshalCBOR(bytes.NewReader(raw)))
		return &miner10.Deadline{
			Partitions: w.partitionsAsThen(t, d.Partitions), ExpirationsEpochs: d.ExpirationsEpochs,
			PartitionsPoSted: d.PartitionsPoSted, EarlyTerminations: d.EarlyTerminations,
			LiveSectors: d.LiveSectors, TotalSectors: d.TotalSectors,
			FaultyPower:               miner10.PowerPair(d.FaultyPower),
			OptimisticPoStSubmissions: d.OptimisticPoStSubmissions,
			SectorsSnapshot:           w.sectorsThen(d.SectorsSnapshot),
			PartitionsSnapshot:        w.partitionsAsThen(t, d.PartitionsSnapshot), OptimisticPoStSubmissionsSnapshot: d.OptimisticPoStSubmissionsSnapshot,
		}
	})
}

func (w *world) partitionsAsThen(t *testing.T, c cid.Cid) cid.Cid {
	t.Helper()
	return w.remake(t, c, func(raw []byte) []byte {
		var p miner.Partition
		check(t, p.UnmarshalCBOR(bytes.NewReader(raw)))
		p.ExpirationsEpochs = w.remake(t, p.ExpirationsEpochs, func(raw []byte) []byte {
			fields := array(t, raw)
			return cborArray(fields[:5]...) // without the fee
		})
		return encoded(t, &p)
	})
}

// modernSectors rewrites the sectors that are there.
func (w *world) modernSectors(t *testing.T, root cid.Cid) cid.Cid {
	t.Helper()
	c := w.remake(t, root, func(raw []byte) []byte {
		var s miner10.SectorOnChainInfo
		check(t, s.UnmarshalCBOR(bytes.NewReader(raw)))
		return encoded(t, &miner.SectorOnChainInfo{
			SectorNumber: s.SectorNumber, SealProof: s.SealProof, SealedCID: s.SealedCID, DeprecatedDealIDs: s.DealIDs,
			Activation: s.Activation - s.ReplacedSectorAge, Expiration: s.Expiration, PowerBaseEpoch: s.Activation,
			DealWeight: s.DealWeight, VerifiedDealWeight: s.VerifiedDealWeight, InitialPledge: s.InitialPledge,
			SectorKeyCID: s.SectorKeyCID, DailyFee: big.Zero(),
		})
	})
	w.sectors[c] = root
	return c
}

// sectorsThen is the root that a root of today was made of.
func (w *world) sectorsThen(c cid.Cid) cid.Cid {
	if old, ok := w.sectors[c]; ok {
		return old
	}
	return c
}

// remake rewrites the values of an AMT block by block, as far as the blocks are
// there.
func (w *world) remake(t *testing.T, root cid.Cid, value func([]byte) []byte) cid.Cid {
	t.Helper()
	raw, ok := w.blocks.find(root)
	if !ok {
		return root
	}
	f := array(t, raw) // bit width, height, count, node
	return w.keep(cborArray(f[0], f[1], f[2], w.remakeNode(t, f[3], value)))
}

func (w *world) remakeNode(t *testing.T, raw []byte, value func([]byte) []byte) []byte {
	t.Helper()
	f := array(t, raw) // bitmap, links, values
	links, values := array(t, f[1]), array(t, f[2])
	for i, raw := range links {
		c, err := cbg.ReadCid(bytes.NewReader(raw))
		check(t, err)
		if node, ok := w.blocks.find(c); ok {
			links[i] = link(t, w.keep(w.remakeNode(t, node, value)))
		}
	}
	for i, raw := range values {
		values[i] = value(raw)
	}
	return cborArray(f[0], cborArray(links...), cborArray(values...))
}

func (w *world) keep(data []byte) cid.Cid {
	c, err := abi.CidBuilder.Sum(data)
	if err != nil {
		panic(err)
	}
	if err := w.blocks.Put(c, data); err != nil {
		panic(err)
	}
	return c
}

func link(t *testing.T, c cid.Cid) []byte {
	t.Helper()
	var b bytes.Buffer
	check(t, cbg.WriteCid(&b, c))
	return b.Bytes()
}

func encoded(t *testing.T, v cbor.Marshaler) []byte {
	t.Helper()
	var b bytes.Buffer
	check(t, v.MarshalCBOR(&b))
	return b.Bytes()
}

func cborArray(elements ...[]byte) []byte {
	return append(cbg.CborEncodeMajorType(cbg.MajArray, uint64(len(elements))), bytes.Join(elements, nil)...)
}

// same compares fields as JSON.
func same(t testing.TB, name string, fields map[string][2]any) {
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
