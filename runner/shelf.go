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
// between them. Its mutex guards its maps; after has a lock of its own.
type shelf struct {
	duty  vigil.DutyID
	after vigil.VanillaShelf // what survives a restart; nil if nothing does
	log   *slog.Logger

	mu       sync.Mutex
	loaded   bool
	full     bool // it was said that nothing can be kept
	proofs   map[vigil.VanillaKey]vigil.VanillaProof
	restored map[vigil.VanillaKey]vigil.VanillaProof // from before the restart, to be checked at their first use
	culprits map[vigil.VanillaKey]string             // sectors that spoil a proof although they read well
}

func (m *miner) shelf(id vigil.DutyID) *shelf {
	if m.vanilla[id] == nil {
		m.vanilla[id] = &shelf{
			duty: id, after: m.cfg.Vanilla, log: m.log,
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
	if s.loaded || s.after == nil {
		return
	}
	s.loaded = true
	kept, err := s.after.Kept(s.duty)
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
	case proof != nil || restored == nil || by.Recheck(r, restored) != nil:
		return proof, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proofs[key] = restored
	return restored, nil
}

func (s *shelf) put(r vigil.ReadRequest, proof vigil.VanillaProof) {
	key := keyOf(r)
	s.mu.Lock()
	s.proofs[key] = proof
	s.mu.Unlock()
	if s.after == nil {
		return
	}
	if err := s.after.Keep(s.duty, key, proof); err != nil && s.complains() {
		s.log.Warn("a vanilla proof cannot be kept for a restart; check the data folder's disk", "duty", s.duty.String(), "error", err)
	}
}

// complains says whether it was not said yet that proofs cannot be kept.
func (s *shelf) complains() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := !s.full
	s.full = true
	return first
}

// takeBack forgets a proof that turned out to be spoilt.
func (s *shelf) takeBack(r vigil.ReadRequest) {
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
	if s == nil || s.after == nil {
		return
	}
	if err := s.after.Drop(id); err != nil {
		s.log.Warn("vanilla proofs that are no longer needed cannot be deleted", "duty", id.String(), "error", err)
	}
}

// old gives up what is kept of deadlines long past: nothing plans their duties any more.
func (s *shelf) old(before abi.ChainEpoch) {
	if s == nil || s.after == nil {
		return
	}
	if err := s.after.DropBefore(s.duty.Miner, before); err != nil {
		s.log.Warn("vanilla proofs of past deadlines cannot be deleted", "error", err)
	}
}
