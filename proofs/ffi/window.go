package ffi

import (
	"context"
	"errors"
	"fmt"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/proof"

	"github.com/vigil-post/vigil/proofs/post"
)

// GenerateWindowPoSt reads sectors of one PoSt type and proves them. The result has
// one proof, with 192 bytes for each partition.
//
// Where sectors cannot be read or are not what their CommR says, no proof is made:
// the error says of each what is wrong, and the numbers of all of them are
// returned. filecoin-proofs does the same (window_post.rs, Error::FaultySectors).
func (p *Proofs) GenerateWindowPoSt(ctx context.Context, miner abi.ActorID, sectors SortedPrivateSectorInfo, randomness abi.PoStRandomness) ([]proof.PoStProof, []abi.SectorNumber, error) {
	return p.generate(ctx, post.Window, miner, sectors, randomness)
}

// GenerateWindowPoSt is [Proofs.GenerateWindowPoSt] of [Default].
func GenerateWindowPoSt(miner abi.ActorID, sectors SortedPrivateSectorInfo, randomness abi.PoStRandomness) ([]proof.PoStProof, []abi.SectorNumber, error) {
	return Default.GenerateWindowPoSt(context.Background(), miner, sectors, randomness)
}

// VerifyWindowPoSt says whether the proof is one of the sectors for the miner. The
// first proof's type decides the form; there is exactly one proof. The list is the
// chain's, with stand-ins for faulty and skipped sectors.
//
// False is a proof that does not verify. An error is a question that filecoin-proofs
// does not answer: no sectors, a length that does not fit, a point that is not in
// its group or is infinity, a CommR or randomness that is no field element.
func (p *Proofs) VerifyWindowPoSt(info proof.WindowPoStVerifyInfo) (bool, error) {
	if len(info.Proofs) != 1 {
		return false, fmt.Errorf("%d window proofs, want one", len(info.Proofs))
	}
	c, err := configFor(info.Proofs[0].PoStProof, post.Window)
	if err != nil {
		return false, err
	}
	return p.verify(c, info.Prover, info.Randomness, info.ChallengedSectors, info.Proofs[0].ProofBytes)
}

// VerifyWindowPoSt is [Proofs.VerifyWindowPoSt] of [Default].
func VerifyWindowPoSt(info proof.WindowPoStVerifyInfo) (bool, error) {
	return Default.VerifyWindowPoSt(info)
}

// GenerateWindowPoStWithVanilla proves sectors of which there are vanilla proofs
// ([Proofs.GenerateSingleVanillaProof]), in any order. Number and CommR of each sector
// are the proof's own.
func (p *Proofs) GenerateWindowPoStWithVanilla(ctx context.Context, t abi.RegisteredPoStProof, miner abi.ActorID, randomness abi.PoStRandomness, vanilla [][]byte) ([]proof.PoStProof, error) {
	return p.withVanilla(ctx, t, post.Window, miner, randomness, vanilla)
}

// GenerateWindowPoStWithVanilla is [Proofs.GenerateWindowPoStWithVanilla] of [Default].
func GenerateWindowPoStWithVanilla(t abi.RegisteredPoStProof, miner abi.ActorID, randomness abi.PoStRandomness, vanilla [][]byte) ([]proof.PoStProof, error) {
	return Default.GenerateWindowPoStWithVanilla(context.Background(), t, miner, randomness, vanilla)
}

// GenerateSinglePartitionWindowPoStWithVanilla proves one partition. It is given the
// vanilla proofs of that partition's sectors alone; under the V1 rule they must be
// those of the challenges at the partition's place in the whole list.
func (p *Proofs) GenerateSinglePartitionWindowPoStWithVanilla(ctx context.Context, t abi.RegisteredPoStProof, miner abi.ActorID, randomness abi.PoStRandomness, vanilla [][]byte, partition uint) (*PartitionProof, error) {
	prover, s, err := p.given(t, post.Window, miner, randomness, vanilla)
	if err != nil {
		return nil, err
	}
	b, err := prover.ProveAt(ctx, s, vanilla, int(partition))
	if err != nil {
		return nil, err
	}
	return &PartitionProof{PoStProof: t, ProofBytes: b}, nil
}

// GenerateSinglePartitionWindowPoStWithVanilla is that method of [Default].
func GenerateSinglePartitionWindowPoStWithVanilla(t abi.RegisteredPoStProof, miner abi.ActorID, randomness abi.PoStRandomness, vanilla [][]byte, partition uint) (*PartitionProof, error) {
	return Default.GenerateSinglePartitionWindowPoStWithVanilla(context.Background(), t, miner, randomness, vanilla, partition)
}

// MergeWindowPoStPartitionProofs puts the proofs of a statement's partitions, in
// order, together to its proof: their bytes one after another.
func MergeWindowPoStPartitionProofs(t abi.RegisteredPoStProof, partitions []PartitionProof) (*proof.PoStProof, error) {
	if _, err := configFor(t, post.Window); err != nil {
		return nil, err
	}
	if len(partitions) == 0 {
		return nil, errors.New("no partition proofs to merge")
	}
	merged := &proof.PoStProof{PoStProof: t}
	for i, part := range partitions {
		if part.PoStProof != t {
			return nil, fmt.Errorf("partition proof %d is of type %d, want %d", i, part.PoStProof, t)
		}
		if len(part.ProofBytes) != post.PartitionProofSize {
			return nil, fmt.Errorf("partition proof %d has %d bytes, want %d", i, len(part.ProofBytes), post.PartitionProofSize)
		}
		merged.ProofBytes = append(merged.ProofBytes, part.ProofBytes...)
	}
	return merged, nil
}
