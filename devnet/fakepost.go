package devnet

import (
	"context"
	"fmt"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/filecoin-project/go-state-types/proof"
	"github.com/ipfs/go-cid"
	cbg "github.com/whyrusleeping/cbor-gen"

	"github.com/vigil-post/vigil/proofs/post"
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
	x := n.newMachine(ctx, head.after, drawn{n.chain, head, head})
	x.epoch = head.height()
	p, err := x.postOf(v, partitions)
	if err != nil {
		return nil, err
	}
	now := v.ProvingDeadline(v.epoch)
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
	return cborBytes(p)
}

// postOf is a post for the open deadline without a proof.
func (x *machine) postOf(v *minerView, partitions []uint64) (*miner.SubmitWindowedPoStParams, error) {
	now := v.ProvingDeadline(v.epoch)
	p := &miner.SubmitWindowedPoStParams{Deadline: now.Index, ChainCommitEpoch: now.Challenge}
	for _, i := range partitions {
		p.Partitions = append(p.Partitions, miner.PoStPartition{Index: i})
	}
	var err error
	p.ChainCommitRand, err = x.tickets(crypto.DomainSeparationTag_PoStChainCommit, now.Challenge, nil)
	return p, err
}

// WrongPost posts a partition of the open deadline from the miner's worker with
// a proof that proves nothing. The network takes it.
func (n *Network) WrongPost(ctx context.Context, addr address.Address, partition uint64) (cid.Cid, error) {
	head := n.chain.current()
	v, err := n.view(ctx, head.after, head.height()+1, addr)
	if err != nil {
		return cid.Undef, err
	}
	x := n.newMachine(ctx, head.after, drawn{n.chain, head, head})
	x.epoch = head.height()
	p, err := x.postOf(v, []uint64{partition})
	if err != nil {
		return cid.Undef, err
	}
	p.Proofs = []proof.PoStProof{{PoStProof: v.Info.WindowPoStProofType, ProofBytes: make([]byte, post.PartitionProofSize)}}
	params, err := cborBytes(p)
	if err != nil {
		return cid.Undef, err
	}
	return n.sendAs(ctx, "worker", addr, Message{To: addr, Method: methodPost, Params: params, GasLimit: 200_000_000})
}

// sendAs sends a message from an account of a miner, with the next nonce.
func (n *Network) sendAs(ctx context.Context, role string, addr address.Address, m Message) (cid.Cid, error) {
	k, err := ReadKey(n.KeyFile(role, addr))
	if err != nil {
		return cid.Undef, fmt.Errorf("the %s of %s: %w", role, addr, err)
	}
	head := n.chain.current()
	_, account, ok := head.after.lookup(k.Address)
	if !ok {
		return cid.Undef, fmt.Errorf("the %s of %s has no account", role, addr)
	}
	m.From, m.Nonce = k.Address, n.pool.nextNonce(k.Address, account.nonce)
	m.GasPremium = big.NewInt(200_000)
	m.GasFeeCap = big.Add(big.Mul(head.header.ParentBaseFee, big.NewInt(10)), m.GasPremium)
	sm, err := k.SignMessage(m)
	if err != nil {
		return cid.Undef, err
	}
	return n.push(ctx, sm, maxPendingTrusted)
}

// Post sends a FakePost from the miner's worker.
func (n *Network) Post(ctx context.Context, addr address.Address, partitions []uint64) (cid.Cid, error) {
	params, err := n.FakePost(ctx, addr, partitions)
	if err != nil {
		return cid.Undef, err
	}
	return n.sendAs(ctx, "worker", addr, Message{To: addr, Method: methodPost, Params: params, GasLimit: 200_000_000})
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
