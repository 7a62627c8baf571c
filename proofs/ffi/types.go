package ffi

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/proof"
)

// PrivateSectorInfo is a sector with where its files lie.
type PrivateSectorInfo struct {
	proof.SectorInfo
	CacheDirPath     string                  // folder of p_aux and the tree files
	PoStProofType    abi.RegisteredPoStProof // of the proof it is for
	SealedSectorPath string                  // the replica: of an upgraded sector, the update file
}

// SortedPrivateSectorInfo is a list of sectors, ascending by number, each once.
// Its JSON form is the list.
type SortedPrivateSectorInfo struct {
	sectors []PrivateSectorInfo
}

// NewSortedPrivateSectorInfo sorts sectors by number. Of several with one number
// the first is kept.
func NewSortedPrivateSectorInfo(sectors ...PrivateSectorInfo) SortedPrivateSectorInfo {
	sorted := slices.Clone(sectors)
	slices.SortStableFunc(sorted, func(a, b PrivateSectorInfo) int { return cmp.Compare(a.SectorNumber, b.SectorNumber) })
	return SortedPrivateSectorInfo{slices.CompactFunc(sorted, func(a, b PrivateSectorInfo) bool { return a.SectorNumber == b.SectorNumber })}
}

// Values are the sectors in order.
func (s *SortedPrivateSectorInfo) Values() []PrivateSectorInfo { return s.sectors }

// MarshalJSON writes the list.
func (s SortedPrivateSectorInfo) MarshalJSON() ([]byte, error) { return json.Marshal(s.sectors) }

// UnmarshalJSON reads a list and, other than filecoin-ffi, sorts it.
func (s *SortedPrivateSectorInfo) UnmarshalJSON(b []byte) error {
	var sectors []PrivateSectorInfo
	if err := json.Unmarshal(b, &sectors); err != nil {
		return err
	}
	*s = NewSortedPrivateSectorInfo(sectors...)
	return nil
}

// FallbackChallenges are the challenged leaves of sectors.
type FallbackChallenges struct {
	Sectors    []abi.SectorNumber
	Challenges map[abi.SectorNumber][]uint64 // indices of 32-byte nodes in the replica
}

// PartitionProof is the proof of one partition, 192 bytes.
type PartitionProof proof.PoStProof
