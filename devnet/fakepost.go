package devnet

import (
	"context"
	"fmt"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/filecoin-project/go-state-types/proof"
	cbg "github.com/whyrusleeping/cbor-gen"
)

// FakePost makes the parameters of a SubmitWindowedPoSt for whole partitions of
// the deadline that is open for the next tipset, with the proof that the fake
// proof system takes. It is for miners whose sectors have no files: nobody could
// prove them.
func (n *Network) FakePost(ctx context.Context, addr address.Address, partitions []uint64) ([]byte, error) {
	head := n.chain.current()
	v, err := n.view(ctx, head.after, head.height()+1, addr)
	if err != nil {
		return nil, err
	}
	if !IsFake(v.Info.SectorSize) {
		return nil, fmt.Errorf("miner %s has sectors of %s, which are really proved", addr, v.Info.SectorSize.ShortString())
	}
	now := v.ProvingDeadline(v.epoch)
	p := miner.SubmitWindowedPoStParams{Deadline: now.Index, ChainCommitEpoch: now.Challenge}
	for _, i := range partitions {
		p.Partitions = append(p.Partitions, miner.PoStPartition{Index: i})
	}
	x := n.newMachine(ctx, head.after, drawn{n.chain, head, head})
	x.epoch = head.height()
	if p.ChainCommitRand, err = x.tickets(crypto.DomainSeparationTag_PoStChainCommit, now.Challenge, nil); err != nil {
		return nil, err
	}
	list, err := v.SectorsForProof(now.Index, p.Partitions)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("partitions %v of deadline %d of %s have nothing to prove", partitions, now.Index, addr)
	}
	var infos []proof.SectorInfo
	for _, s := range list {
		infos = append(infos, proof.SectorInfo{SealProof: s.SealProof, SectorNumber: s.SectorNumber, SealedCID: s.SealedCID})
	}
	seed, err := x.beacon(crypto.DomainSeparationTag_WindowedPoStChallengeSeed, now.Challenge, entropyOf(idAddress(v.id)))
	if err != nil {
		return nil, err
	}
	bytes, err := FakeProof(seed, infos)
	if err != nil {
		return nil, err
	}
	p.Proofs = []proof.PoStProof{{PoStProof: v.Info.WindowPoStProofType, ProofBytes: bytes}}
	return cborBytes(&p)
}

// entropyOf is an address as randomness is bound to it.
func entropyOf(a address.Address) []byte {
	b, err := cborBytes(&a)
	if err != nil {
		panic("unreachable: " + err.Error())
	}
	return b
}

func cborBytes(v cbg.CBORMarshaler) ([]byte, error) {
	var e encoder
	e.value(v)
	return e.buf.Bytes(), e.err
}
