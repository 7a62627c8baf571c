package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/filecoin-project/go-state-types/abi"
	"golang.org/x/sync/errgroup"

	"github.com/vigil-post/vigil"
)

// shelf keeps the vanilla proofs of a duty while it is not proved, so that a
// second try reads only what the first could not. Its mutex guards its map.
type shelf struct {
	mu     sync.Mutex
	proofs map[place]vigil.VanillaProof
}

// place is what a vanilla proof depends on besides its duty.
type place struct {
	seed     [32]byte
	sector   vigil.Sector
	position int // 0 where the challenge rule does not depend on it
}

func (m *miner) shelf(id vigil.DutyID) *shelf {
	if m.vanilla[id] == nil {
		m.vanilla[id] = &shelf{proofs: map[place]vigil.VanillaProof{}}
	}
	return m.vanilla[id]
}

func (s *shelf) get(p place) (vigil.VanillaProof, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	proof, ok := s.proofs[p]
	return proof, ok
}

func (s *shelf) put(p place, proof vigil.VanillaProof) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proofs[p] = proof
}

// reading is what became of a statement's sectors.
type reading struct {
	proofs    []vigil.VanillaProof // one a sector, nil where there is none
	bad       []vigil.BadSector    // evidence that it cannot be proved
	unchecked []vigil.BadSector    // nothing is known of it
}

// read reads every sector of a statement, several at once. It fails only when ctx ends.
func (a *action) read(ctx context.Context, s vigil.Statement) (reading, error) {
	r := reading{proofs: make([]vigil.VanillaProof, len(s.Sectors))}
	errs := make([]error, len(s.Sectors))
	var group errgroup.Group
	group.SetLimit(a.cfg.Readers)
	for i := range s.Sectors {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			r.proofs[i], errs[i] = a.readOne(ctx, s, i)
			return nil
		})
	}
	_ = group.Wait() // its functions return no errors
	if err := ctx.Err(); err != nil {
		return r, fmt.Errorf("read sectors: %w", err)
	}
	for i, err := range errs {
		number := s.Sectors[i].Number
		var evidence *vigil.SectorError
		switch {
		case errors.As(err, &evidence):
			r.bad = append(r.bad, vigil.BadSector{Number: number, Cause: evidence.Cause})
		case err != nil:
			r.unchecked = append(r.unchecked, vigil.BadSector{Number: number, Cause: "not checked: " + err.Error()})
		}
	}
	return r, nil
}

func (a *action) readOne(ctx context.Context, s vigil.Statement, i int) (vigil.VanillaProof, error) {
	where := place{seed: s.Randomness, sector: s.Sectors[i]}
	if vigil.Positional(s.ProofType) {
		where.position = i
	}
	if a.shelf != nil {
		if proof, ok := a.shelf.get(where); ok {
			return proof, nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.ReadTimeout)
	defer cancel()
	proof, err := a.cfg.Sectors.Read(ctx, vigil.ReadRequest{
		Miner: s.Miner, ProofType: s.ProofType, Randomness: s.Randomness, Sector: s.Sectors[i], Position: i,
	})
	if err == nil && a.shelf != nil {
		a.shelf.put(where, proof)
	}
	return proof, err
}

// numbers lists the sectors of a list of bad ones.
func numbers(bad []vigil.BadSector) []abi.SectorNumber {
	list := make([]abi.SectorNumber, len(bad))
	for i, b := range bad {
		list[i] = b.Number
	}
	slices.Sort(list)
	return list
}
