package ffi

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/proof"

	"github.com/vigil-post/vigil/proofs/post"
)

// generate reads sectors of one type and proves them.
func (p *Proofs) generate(ctx context.Context, kind post.Kind, miner abi.ActorID, sorted SortedPrivateSectorInfo, randomness abi.PoStRandomness) ([]proof.PoStProof, []abi.SectorNumber, error) {
	infos := sorted.Values()
	if len(infos) == 0 {
		return nil, nil, errors.New("no sectors")
	}
	t := infos[0].PoStProofType
	c, err := configFor(t, kind)
	if err != nil {
		return nil, nil, err
	}
	at := make(map[uint64]PrivateSectorInfo, len(infos))
	var sectors []post.Sector
	for _, info := range infos {
		if info.PoStProofType != t {
			return nil, nil, fmt.Errorf("sector %d is to be proved by type %d, sector %d by %d", infos[0].SectorNumber, t, info.SectorNumber, info.PoStProofType)
		}
		s, err := sectorOf(info.SectorNumber, info.SealedCID.Bytes())
		if err != nil {
			return nil, nil, err
		}
		at[s.Number] = info
		sectors = append(sectors, s)
	}
	s, err := statementOf(miner, randomness, sectors)
	if err != nil {
		return nil, nil, err
	}
	prover, err := p.prover(c)
	if err != nil {
		return nil, nil, err
	}
	vanilla, faulty, err := p.read(ctx, c, s, at)
	if err != nil {
		return nil, faulty, err
	}
	b, err := prover.Prove(ctx, s, vanilla)
	if err != nil {
		return nil, nil, err
	}
	return []proof.PoStProof{{PoStProof: t, ProofBytes: b}}, nil, nil
}

// read makes the vanilla proofs of a statement's sectors.
func (p *Proofs) read(ctx context.Context, c post.Config, s post.Statement, at map[uint64]PrivateSectorInfo) (vanilla [][]byte, faulty []abi.SectorNumber, err error) {
	open := func(_ context.Context, sector post.Sector) (post.Files, io.Closer, error) {
		info := at[sector.Number]
		return post.OpenFiles(c.Shape, info.SealedSectorPath, info.CacheDirPath)
	}
	proofs, errs := c.VanillaAll(ctx, s.Randomness, s.Sectors, open, p.readers())
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	for i, v := range proofs {
		if errs[i] != nil {
			faulty = append(faulty, abi.SectorNumber(s.Sectors[i].Number))
			continue
		}
		b, err := c.EncodeVanilla(v)
		if err != nil {
			return nil, nil, err
		}
		vanilla = append(vanilla, b)
	}
	return vanilla, faulty, errors.Join(errs...)
}

// withVanilla proves sectors that were read before.
func (p *Proofs) withVanilla(ctx context.Context, t abi.RegisteredPoStProof, kind post.Kind, miner abi.ActorID, randomness abi.PoStRandomness, vanilla [][]byte) ([]proof.PoStProof, error) {
	prover, s, err := p.given(t, kind, miner, randomness, vanilla)
	if err != nil {
		return nil, err
	}
	b, err := prover.Prove(ctx, s, vanilla)
	if err != nil {
		return nil, err
	}
	return []proof.PoStProof{{PoStProof: t, ProofBytes: b}}, nil
}

// given is the statement about the sectors of vanilla proofs, and what proves it.
func (p *Proofs) given(t abi.RegisteredPoStProof, kind post.Kind, miner abi.ActorID, randomness abi.PoStRandomness, vanilla [][]byte) (*post.Prover, post.Statement, error) {
	c, err := configFor(t, kind)
	if err != nil {
		return nil, post.Statement{}, err
	}
	sectors, err := sectorsIn(c, vanilla)
	if err != nil {
		return nil, post.Statement{}, err
	}
	s, err := statementOf(miner, randomness, sectors)
	if err != nil {
		return nil, s, err
	}
	prover, err := p.prover(c)
	return prover, s, err
}

// sectorsIn are the sectors that vanilla proofs say they are of.
func sectorsIn(c post.Config, vanilla [][]byte) ([]post.Sector, error) {
	sectors := make([]post.Sector, len(vanilla))
	for i, b := range vanilla {
		s, err := c.VanillaSector(b)
		if err != nil {
			return nil, fmt.Errorf("vanilla proof %d: %w", i, err)
		}
		sectors[i] = s
	}
	return sectors, nil
}

// verify judges a proof of a list of sectors.
func (p *Proofs) verify(c post.Config, miner abi.ActorID, randomness abi.PoStRandomness, infos []proof.SectorInfo, b []byte) (bool, error) {
	var sectors []post.Sector
	for _, info := range infos {
		s, err := sectorOf(info.SectorNumber, info.SealedCID.Bytes())
		if err != nil {
			return false, err
		}
		sectors = append(sectors, s)
	}
	// filecoin-ffi makes a map of the list before filecoin-proofs sees it.
	s, err := statementOf(miner, randomness, post.Normalise(sectors))
	if err != nil {
		return false, err
	}
	verifier, err := p.verifier(c)
	if err != nil {
		return false, err
	}
	return verifier.Verify(s, b)
}
