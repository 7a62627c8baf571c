package actor

import (
	"bytes"
	"context"
	"fmt"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/filecoin-project/go-state-types/proof"
	"github.com/ipfs/go-cid"
)

// A miner gets two sectors, proves them in their first window, and the window
// closes.
func Example() {
	start := abi.ChainEpoch(0)
	rt := &Runtime{
		Store: newMemory().store(context.Background()), Miner: 1000, Caller: 101, Balance: fil(100),
		Tickets: drawAny, Beacon: drawAny,
		Verify: func(proof.WindowPoStVerifyInfo) error { return nil },
	}
	head := must(Construct(rt, Config{Owner: 101, Worker: 101, ProofType: abi.RegisteredPoStProof_StackedDrgWindow2KiBV1_1, PeriodStart: &start}))
	out := must(AddSectors(rt, head, []*miner.SectorOnChainInfo{exampleSector(0), exampleSector(1)}))

	rt.Epoch = 125 // the window of deadline 2 has been open for five epochs
	window := must(Open(rt.Store, out.Head)).ProvingDeadline(rt.Epoch)
	post := &miner.SubmitWindowedPoStParams{
		Deadline: window.Index, Partitions: []miner.PoStPartition{{Index: 0, Skipped: bitfield.New()}},
		Proofs:           []proof.PoStProof{{PoStProof: abi.RegisteredPoStProof_StackedDrgWindow2KiBV1_1, ProofBytes: make([]byte, 192)}},
		ChainCommitEpoch: window.Challenge, ChainCommitRand: must(drawAny(crypto.DomainSeparationTag_PoStChainCommit, window.Challenge, nil)),
	}
	var params bytes.Buffer
	must(0, post.MarshalCBOR(&params))
	out = must(Invoke(rt, out.Head, 5, params.Bytes()))
	fmt.Printf("deadline %d: the claim grows by %s bytes\n", window.Index, out.Power.Raw)

	_, err := Invoke(rt, out.Head, 5, params.Bytes())
	fmt.Println("again:", err)

	rt.Epoch = window.Last()
	out = must(EndEpoch(rt, out.Head))
	fmt.Printf("closed: %d posted, %d missed\n", out.Closed.Posted, out.Closed.Missed)
	// Output:
	// deadline 2: the claim grows by 4096 bytes
	// again: failed to process post submission for deadline 2: partition already proven: BitField { ranges: [0..1], set: {}, unset: {} }
	// closed: 1 posted, 0 missed
}

func exampleSector(n abi.SectorNumber) *miner.SectorOnChainInfo {
	return &miner.SectorOnChainInfo{
		SectorNumber: n, SealProof: abi.RegisteredSealProof_StackedDrg2KiBV1_1,
		SealedCID:  must(cid.Decode("bagboea4b5abcaqolcsygu6ef5mgkuvsyqbnzqowi4oz4nkv4sktkbqtb75kosvhu")),
		Expiration: 300 * 2880, DealWeight: big.Zero(), VerifiedDealWeight: big.Zero(),
		InitialPledge: big.NewInt(1000), DailyFee: big.Zero(),
	}
}
