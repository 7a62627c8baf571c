package ffi

import (
	"context"
	"fmt"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/proof"

	"github.com/vigil-post/vigil/proofs/post"
)

// GenerateWinningPoStSectorChallenge says which of a miner's eligible sectors, in
// ascending order, must be proved to win a block: one index below the count
// (filecoin-proofs, fallback/vanilla.rs, generate_sector_challenges).
func GenerateWinningPoStSectorChallenge(t abi.RegisteredPoStProof, miner abi.ActorID, randomness abi.PoStRandomness, eligible uint64) ([]uint64, error) {
	if _, err := configFor(t, post.Winning); err != nil {
		return nil, err
	}
	r, err := randomness32(randomness)
	if err != nil {
		return nil, err
	}
	index, err := post.WinningSector(post.ProverID(uint64(miner)), r, eligible)
	if err != nil {
		return nil, err
	}
	return []uint64{index}, nil
}

// GenerateWinningPoSt reads the one chosen sector and proves it, in 192 bytes.
func (p *Proofs) GenerateWinningPoSt(ctx context.Context, miner abi.ActorID, sectors SortedPrivateSectorInfo, randomness abi.PoStRandomness) ([]proof.PoStProof, error) {
	proofs, _, err := p.generate(ctx, post.Winning, miner, sectors, randomness)
	return proofs, err
}

// GenerateWinningPoSt is [Proofs.GenerateWinningPoSt] of [Default].
func GenerateWinningPoSt(miner abi.ActorID, sectors SortedPrivateSectorInfo, randomness abi.PoStRandomness) ([]proof.PoStProof, error) {
	return Default.GenerateWinningPoSt(context.Background(), miner, sectors, randomness)
}

// VerifyWinningPoSt says whether the proof is one of the challenged sector for the
// miner. Its form follows from how the sector was sealed; the proofs' own types are
// not looked at, and their bytes count together, as in filecoin-ffi. What an error
// means is said at [Proofs.VerifyWindowPoSt].
func (p *Proofs) VerifyWinningPoSt(info proof.WinningPoStVerifyInfo) (bool, error) {
	if len(info.ChallengedSectors) == 0 {
		return false, fmt.Errorf("no sector was challenged")
	}
	var form post.Config
	for i, s := range info.ChallengedSectors {
		t, err := s.SealProof.RegisteredWinningPoStProof()
		if err != nil {
			return false, fmt.Errorf("sector %d: %w", s.SectorNumber, err)
		}
		c, err := configFor(t, post.Winning)
		if err != nil {
			return false, err
		}
		if i > 0 && c != form {
			return false, fmt.Errorf("sectors %d and %d are not of one size", info.ChallengedSectors[0].SectorNumber, s.SectorNumber)
		}
		form = c
	}
	var all []byte
	for _, one := range info.Proofs {
		all = append(all, one.ProofBytes...)
	}
	return p.verify(form, info.Prover, info.Randomness, info.ChallengedSectors, all)
}

// VerifyWinningPoSt is [Proofs.VerifyWinningPoSt] of [Default].
func VerifyWinningPoSt(info proof.WinningPoStVerifyInfo) (bool, error) {
	return Default.VerifyWinningPoSt(info)
}

// GenerateWinningPoStWithVanilla proves the one chosen sector from its vanilla proof.
func (p *Proofs) GenerateWinningPoStWithVanilla(ctx context.Context, t abi.RegisteredPoStProof, miner abi.ActorID, randomness abi.PoStRandomness, vanilla [][]byte) ([]proof.PoStProof, error) {
	return p.withVanilla(ctx, t, post.Winning, miner, randomness, vanilla)
}

// GenerateWinningPoStWithVanilla is [Proofs.GenerateWinningPoStWithVanilla] of [Default].
func GenerateWinningPoStWithVanilla(t abi.RegisteredPoStProof, miner abi.ActorID, randomness abi.PoStRandomness, vanilla [][]byte) ([]proof.PoStProof, error) {
	return Default.GenerateWinningPoStWithVanilla(context.Background(), t, miner, randomness, vanilla)
}
