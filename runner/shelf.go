package runner

import (
	"crypto/sha256"
	"encoding/binary"
	"log/slog"
	"sync"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// shelf keeps the vanilla proofs of a duty while it is not proved, so that a
// second try reads only what the first could not, also when a restart lies
// between them. Its mutex guards its maps; keeper has a lock of its own.
type shelf struct {
	duty   vigil.DutyID
	keeper *keeper  // of what survives a restart; nil if nothing does
	from   []*shelf // of duties whose partitions went on in this one
	log    *slog.Logger

	mu       sync.Mutex
	loaded   bool
	proofs   map[vigil.VanillaKey]vigil.VanillaProof
	restored map[vigil.VanillaKey]vigil.VanillaProof // from before the restart, to be checked at their first use
	culprits map[vigil.VanillaKey]string             // sectors that spoil a proof although they read well
}

func (m *miner) shelf(id vigil.DutyID, deadline vigil.Deadline) *shelf {
	if m.vanilla[id] == nil {
		m.vanilla[id] = &shelf{
			duty: id, keeper: m.keeper, from: m.retired[deadline], log: m.log,
			proofs: map[vigil.VanillaKey]vigil.VanillaProof{}, culprits: map[vigil.VanillaKey]string{},
		}
	}
	return m.vanilla[id]
}

// keyOf names all that a vanilla proof depends on.
func keyOf(r vigil.ReadRequest) vigil.VanillaKey {
	h := sha256.New()
	h.Write(r.Randomness[:])
	position := 0 // where the challenge rule does not depend on it
	if vigil.Positional(r.ProofType) {
		position = r.Position
	}
	for _, n := range []uint64{uint64(r.Miner), uint64(r.ProofType), uint64(r.Sector.Number), uint64(position)} {
		h.Write(binary.LittleEndian.AppendUint64(nil, n))
	}
	h.Write(r.Sector.SealedCID.Bytes())
	return vigil.VanillaKey(h.Sum(nil))
}

// load takes over what was kept before a restart.
func (s *shelf) load() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loaded || s.keeper == nil {
		return
	}
	s.loaded = true
	kept, err := s.keeper.shelf.Kept(s.duty)
	if err != nil {
		s.log.Warn("vanilla proofs kept before the restart cannot be read; the sectors are read again", "duty", s.duty.String(), "error", err)
	}
	s.restored = kept
}

// take gives what is known of a sector: its proof, or that it spoils every proof it is in.
func (s *shelf) take(by vigil.SectorReader, r vigil.ReadRequest) (vigil.VanillaProof, error) {
	key := keyOf(r)
	s.mu.Lock()
	proof, cause := s.proofs[key], s.culprits[key]
	restored := s.restored[key]
	delete(s.restored, key)
	s.mu.Unlock()
	switch {
	case cause != "":
		return nil, &vigil.SectorError{Sector: r.Sector.Number, Cause: cause}
	case proof != nil:
		return proof, nil
	case restored != nil && by.Recheck(r, restored) == nil:
		s.set(key, restored)
		return restored, nil
	}
	for _, of := range s.from {
		if proof, err := of.take(by, r); proof != nil || err != nil {
			if err == nil {
				s.put(r, proof)
			}
			return proof, err
		}
	}
	return nil, nil
}

func (s *shelf) set(key vigil.VanillaKey, proof vigil.VanillaProof) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proofs[key] = proof
}

func (s *shelf) put(r vigil.ReadRequest, proof vigil.VanillaProof) {
	key := keyOf(r)
	s.set(key, proof)
	if s.keeper != nil {
		s.keeper.keep(s.duty, key, proof)
	}
}

// takeBack forgets a proof that turned out to be spoilt.
func (s *shelf) takeBack(r vigil.ReadRequest) {
	for _, of := range s.from {
		of.takeBack(r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.proofs, keyOf(r))
}

// accuse notes a sector with which no proof verifies.
func (s *shelf) accuse(r vigil.ReadRequest, cause string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.culprits[keyOf(r)] = cause
}

// clear gives up what is kept for a duty that needs it no more.
func (s *shelf) clear(id vigil.DutyID) {
	if s != nil && s.keeper != nil {
		s.keeper.drop(id)
	}
}

// old gives up what is kept of deadlines long past: nothing plans their duties any more.
func (s *shelf) old(before abi.ChainEpoch) {
	if s != nil && s.keeper != nil {
		s.keeper.dropBefore(before)
	}
}
