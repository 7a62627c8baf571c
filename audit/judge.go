// Package audit judges posts that are on chain as a disputer would: from the
// record that the chain keeps of a closed deadline and from nothing else. What
// the daemon believes to have sent plays no part.
//
// [Watch] is level-triggered like everything here. It compares the posts that
// can be disputed at a head with the verdicts that are stored, judges what has
// none, one at a time, and gives up verdicts on what is not on chain any more. A
// verdict is on evidence, which names all that it rests on; so it outlives a
// restart, and a reorg that changes the post, its partitions or its sectors makes
// another post of it. What decides is in
// plan.go, what acts in watch.go and look.go.
package audit

import (
	"context"
	"errors"
	"fmt"

	"github.com/filecoin-project/go-bitfield"

	"github.com/vigil-post/vigil"
)

// Judge says whether a post could be disputed, as the miner actor finds out
// (builtin-actors, actors/miner/src/lib.rs dispute_windowed_post).
type Judge struct {
	Records    vigil.PostRecords
	Randomness vigil.Randomness
	Verifier   vigil.Verifier
}

// Verdict judges a post at a head. An error means that it could not be judged.
func (j Judge) Verdict(ctx context.Context, p vigil.ChainPost, head vigil.Head) (vigil.Audit, error) {
	a := verdictless(p)
	a.Epoch = head.Epoch
	s, err := j.statement(ctx, p, head)
	if err != nil {
		return a, err
	}
	a.Seed = s.Randomness
	valid, err := j.Verifier.Verify(ctx, s, p.Proof)
	switch {
	case errors.Is(err, vigil.ErrMalformed):
		a.Verdict, a.Problem = vigil.AuditDisputable, err.Error()
	case err != nil:
		return a, &lastingError{fmt.Errorf("the proof cannot be verified: %w", err)}
	case valid:
		a.Verdict = vigil.AuditValid
	default:
		a.Verdict, a.Problem = vigil.AuditDisputable, fmt.Sprintf("the proof does not prove the %d sectors that it has to", len(s.Sectors))
	}
	return a, nil
}

// lastingError is one that a second try will not mend: most often there is no
// key to verify a proof with.
type lastingError struct{ error }

func (e *lastingError) Unwrap() error { return e.error }

// verdictless is a post before it is judged.
func verdictless(p vigil.ChainPost) vigil.Audit {
	a := vigil.Audit{
		Miner: p.Miner, Deadline: p.Deadline, Index: p.Index, Snapshot: p.Snapshot, Evidence: p.Evidence, Verdict: vigil.AuditUnknown,
	}
	for _, part := range p.Partitions {
		a.Partitions = append(a.Partitions, part.Index)
	}
	return a
}

// statement is what the post has to prove: the sectors of its partitions that
// were active when the deadline closed. The faulty, terminated and unproven ones
// are those that it was excused from or skipped: the actor puts the first good
// sector in their place, which as a second mention of it changes nothing.
func (j Judge) statement(ctx context.Context, p vigil.ChainPost, head vigil.Head) (vigil.Statement, error) {
	s := vigil.Statement{Miner: p.Miner, ProofType: p.ProofType}
	sets := make([]bitfield.BitField, len(p.Partitions))
	for i, part := range p.Partitions {
		sets[i] = part.Active
	}
	active, err := bitfield.MultiMerge(sets...)
	if err != nil {
		return s, fmt.Errorf("merge the partitions of post %d: %w", p.Index, err)
	}
	if s.Sectors, err = j.Records.PostSectors(ctx, p, active); err != nil {
		return s, err
	}
	if len(s.Sectors) == 0 {
		return s, fmt.Errorf("post %d is over no sector, which the actor does not take", p.Index)
	}
	if s.Randomness, err = j.Randomness.Challenge(ctx, p.Miner, p.Deadline.Challenge, head.Key); err != nil {
		return s, fmt.Errorf("draw the challenge seed of epoch %d: %w", p.Deadline.Challenge, err)
	}
	return s, nil
}
