package devnet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/proof"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/vigil-post/vigil/proofs/post"
)

// The codes of a sealed CID: fil-commitment-sealed of a poseidon digest.
const (
	codecSealed  = 0xf102
	hashPoseidon = 0xb401
)

func sealedCID(commR [32]byte) (cid.Cid, error) {
	mh, err := multihash.Encode(commR[:], hashPoseidon)
	if err != nil {
		return cid.Undef, err
	}
	return cid.NewCidV1(codecSealed, mh), nil
}

func commROf(c cid.Cid) ([32]byte, error) {
	d, err := multihash.Decode(c.Hash())
	if err != nil {
		return [32]byte{}, err
	}
	if len(d.Digest) != 32 || c.Type() != codecSealed {
		return [32]byte{}, fmt.Errorf("%s is not a sealed CID", c)
	}
	return [32]byte(d.Digest), nil
}

// verifyWith asks the real verifier. That the bytes are no proof, or that there
// is nothing to prove, is a no like any other.
func verifyWith(v *post.Verifier) VerifyFunc {
	return func(p proof.WindowPoStVerifyInfo) error {
		s, err := statement(p)
		if err != nil {
			return err
		}
		if len(p.Proofs) != 1 {
			return fmt.Errorf("%d proofs", len(p.Proofs))
		}
		ok, err := v.Verify(s, p.Proofs[0].ProofBytes)
		if err != nil {
			return err
		}
		if !ok {
			return errors.New("the proof does not prove these sectors")
		}
		return nil
	}
}

func statement(p proof.WindowPoStVerifyInfo) (post.Statement, error) {
	var s post.Statement
	if len(p.Randomness) != len(s.Randomness) {
		return s, fmt.Errorf("randomness of %d bytes", len(p.Randomness))
	}
	s.Randomness = post.MaskRandomness([32]byte(p.Randomness))
	s.ProverID = post.ProverID(uint64(p.Prover))
	for _, sector := range p.ChallengedSectors {
		commR, err := commROf(sector.SealedCID)
		if err != nil {
			return s, err
		}
		s.Sectors = append(s.Sectors, post.Sector{Number: uint64(sector.SectorNumber), CommR: commR})
	}
	return s, nil
}

// fauxSector writes a sector that can be proved into a storage path. The
// network's seed decides its content, so that after a crash or a reorg the same
// sector is made again.
func fauxSector(seed []byte) SectorFunc {
	return func(_ context.Context, dir string, miner abi.ActorID, number abi.SectorNumber) ([32]byte, error) {
		form, err := post.WindowConfig(uint64(provableSize), post.V1_1)
		if err != nil {
			return [32]byte{}, err
		}
		key := hash256(seed, be64(uint64(miner)), be64(uint64(number)))
		f, err := post.FauxSector(form.Shape, rand.NewChaCha8([32]byte(key)))
		if err != nil {
			return [32]byte{}, err
		}
		name := fmt.Sprintf("s-t0%d-%d", miner, number)
		files := map[string][]byte{filepath.Join("sealed", name): f.Replica}
		for file, content := range f.Cache {
			files[filepath.Join("cache", name, file)] = content
		}
		return f.CommR, writeFiles(dir, files)
	}
}

// writeFiles leaves alone what is there already: a sector's files belong to its
// owner, who may have damaged them on purpose.
func writeFiles(dir string, files map[string][]byte) error {
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if _, err := os.Stat(path); err == nil {
			continue
		}
		if err := os.WriteFile(path+".tmp", content, 0o644); err != nil {
			return err
		}
		if err := os.Rename(path+".tmp", path); err != nil {
			return err
		}
	}
	return nil
}
