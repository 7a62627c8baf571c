package runner

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/partition"
)

// Trial is what a proof is rehearsed with that somebody asks for now: the same
// reading as of the daemon's own rehearsals and, with a Prover, a proof that is
// made and judged like one that counts.
type Trial struct {
	State    vigil.MinerState
	Sectors  vigil.SectorReader
	Prover   vigil.Prover // nil: sectors are read and no more
	Verifier vigil.Verifier
	Log      *slog.Logger
	AtOnce   int // sectors that are read at a time
	Head     vigil.Head
}

// Tried is what came of a trial.
type Tried struct {
	Miner      string            `json:"miner"`
	Deadline   uint64            `json:"deadline"`
	Partitions []uint64          `json:"partitions"`
	Sectors    int               `json:"sectors"`
	Bad        []vigil.BadSector `json:"bad"`       // each with its cause, seen twice
	Unchecked  []vigil.BadSector `json:"unchecked"` // nothing is known of them
	Read       time.Duration     `json:"read"`
	Proved     int               `json:"proved"`          // sectors in a proof that verifies; 0 if none was made
	Prove      time.Duration     `json:"prove,omitempty"` // with its verification
	Problem    string            `json:"problem,omitempty"`
}

// Good says that a proof of it would leave nothing out.
func (t Tried) Good() bool { return len(t.Bad)+len(t.Unchecked) == 0 && t.Problem == "" }

// trialTime is how long sectors are read at most: a disk that takes so long for a
// batch misses its deadline anyway.
const trialTime = 6 * time.Hour

// Try rehearses one batch: partitions of one deadline that are proved together.
func (t Trial) Try(ctx context.Context, miner abi.ActorID, deadline uint64, batch []vigil.Partition) (Tried, error) {
	a := action{
		id: miner, head: t.Head, began: time.Now(), epoch: 30 * time.Second, work: new(work), log: t.Log, keeps: t.Prover != nil,
		cfg:  Config{State: t.State, Sectors: t.Sectors, Prover: t.Prover, Verifier: t.Verifier, Log: t.Log},
		duty: vigil.Duty{Deadline: vigil.Deadline{Index: deadline, Close: 1 << 40}}, // nothing is less urgent
	}
	out := Tried{Miner: vigil.MinerAddress(miner).String(), Deadline: deadline, Bad: []vigil.BadSector{}, Unchecked: []vigil.BadSector{}}
	for _, p := range batch {
		out.Partitions = append(out.Partitions, p.Index)
	}
	began := time.Now()
	s, r, err := t.read(ctx, &a, batch, nil)
	if err != nil {
		return out, err
	}
	out.Sectors = len(s.Sectors)
	out.Bad, out.Unchecked = append(out.Bad, r.bad...), append(out.Unchecked, slices.Concat(r.unchecked, r.late)...)
	out.Read = time.Since(began)
	if t.Prover == nil || len(s.Sectors) == len(out.Bad)+len(out.Unchecked) {
		return out, nil
	}
	if without := slices.Concat(out.Bad, out.Unchecked); len(without) > 0 {
		if s, r, err = t.read(ctx, &a, batch, without); err != nil {
			return out, err
		}
	}
	return out, t.prove(ctx, &a, s, r, &out)
}

// read reads a batch but for some sectors.
func (t Trial) read(ctx context.Context, a *action, batch []vigil.Partition, without []vigil.BadSector) (vigil.Statement, reading, error) {
	s, err := a.trial(ctx, batch, numbers(without))
	if err != nil {
		return s, reading{}, err
	}
	r, err := a.pass(ctx, s, trialTime, a.behind(max(1, t.AtOnce), 0))
	return s, r, err
}

// prove makes and judges the proof of what was read.
func (t Trial) prove(ctx context.Context, a *action, s vigil.Statement, r reading, out *Tried) error {
	began := time.Now()
	if i := slices.IndexFunc(r.proofs, func(p vigil.VanillaProof) bool { return p == nil }); i >= 0 {
		out.Problem = fmt.Sprintf("no proof was made: sector %d could be read at first and then not any more", s.Sectors[i].Number)
		return nil
	}
	_, err := a.proveAndVerify(ctx, s, r.proofs)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errInvalid):
		out.Problem = "the proof does not verify although every sector reads well: run vigil selftest"
	case err != nil:
		out.Problem = "no proof was made: " + err.Error()
	default:
		out.Proved, out.Prove = len(s.Sectors), time.Since(began)
	}
	return nil
}

// trial is what the next proof of some partitions states, but for a random challenge.
func (a *action) trial(ctx context.Context, partitions []vigil.Partition, skipped []abi.SectorNumber) (vigil.Statement, error) {
	set, err := partition.Proven(partitions, partition.Set(skipped))
	if err != nil {
		return vigil.Statement{}, err
	}
	info, err := a.cfg.State.Miner(ctx, a.id, a.head.Key)
	if err != nil {
		return vigil.Statement{}, fmt.Errorf("read the miner: %w", err)
	}
	s := vigil.Statement{Miner: a.id, ProofType: info.ProofType}
	if s.Sectors, err = a.cfg.State.Sectors(ctx, a.id, set, a.head.Key); err != nil {
		return s, fmt.Errorf("read the sectors of deadline %d: %w", a.duty.Deadline.Index, err)
	}
	rand.Read(s.Randomness[:])
	s.Randomness[31] &= 0x3f // a field element, as the chain's seed becomes one
	return s, nil
}
