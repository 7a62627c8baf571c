package ffi

import (
	"context"
	"fmt"
	"slices"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil/proofs/post"
)

// GeneratePoStFallbackSectorChallenges are the challenged leaves of sectors, 10 each
// for a window type and 66 for a winning type (filecoin-proofs, post_util.rs). Under
// the V1 rule a sector's depend on its place in the list, which is taken as it is:
// give it ascending, as proofs have it. The miner has no influence.
func GeneratePoStFallbackSectorChallenges(t abi.RegisteredPoStProof, _ abi.ActorID, randomness abi.PoStRandomness, sectors []abi.SectorNumber) (*FallbackChallenges, error) {
	c, err := configOf(t)
	if err != nil {
		return nil, err
	}
	r, err := randomness32(randomness)
	if err != nil {
		return nil, err
	}
	if len(sectors) == 0 {
		return nil, fmt.Errorf("no sectors to challenge")
	}
	out := &FallbackChallenges{Challenges: make(map[abi.SectorNumber][]uint64, len(sectors))}
	for i, n := range sectors {
		if c.Kind == post.Winning && i == c.Sectors {
			break // filecoin-proofs looks at one partition
		}
		if out.Challenges[n], err = c.Leaves(r, uint64(n), i); err != nil {
			return nil, err
		}
		out.Sectors = append(out.Sectors, n)
	}
	slices.Sort(out.Sectors)
	out.Sectors = slices.Compact(out.Sectors)
	return out, nil
}

// GenerateSingleVanillaProof reads a sector's files and answers for the given
// leaves. Its bytes are those of filecoin-ffi: the bincode of filecoin-proofs'
// FallbackPoStSectorProof, about 25 kB for 10 leaves of 32 GiB. Every hash on the way is
// checked: a proof that is returned verifies. A *merkle.DefectError says what is wrong
// with the sector; any other error, that it could not be read.
func GenerateSingleVanillaProof(replica PrivateSectorInfo, leaves []uint64) ([]byte, error) {
	c, err := configOf(replica.PoStProofType)
	if err != nil {
		return nil, err
	}
	s, err := sectorOf(replica.SectorNumber, replica.SealedCID.Bytes())
	if err != nil {
		return nil, err
	}
	files, closer, err := post.OpenFiles(c.Shape, replica.SealedSectorPath, replica.CacheDirPath)
	if err != nil {
		return nil, fmt.Errorf("sector %d: %w", replica.SectorNumber, err)
	}
	defer closer.Close()
	v, err := c.Vanilla(context.Background(), s, files, leaves)
	if err != nil {
		return nil, fmt.Errorf("sector %d: %w", replica.SectorNumber, err)
	}
	return c.EncodeVanilla(v)
}
