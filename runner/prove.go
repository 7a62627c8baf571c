package runner

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/partition"
)

// holdEpochs is for how long after Open a proof waits for sectors that could
// not be checked, before it goes on without them: a mount that is gone may be
// back, but not later than the rest of the partition can still be proved.
const holdEpochs abi.ChainEpoch = 10

// prove reads, proves and verifies a duty, and stores the proof. The row is
// stored first, so that a duty that comes to nothing is known of.
func (a *action) prove(ctx context.Context) error {
	a.duty.State, a.duty.Reason = vigil.StateScheduled, vigil.ReasonNotProved
	if err := a.cfg.Store.SaveDuty(ctx, a.duty); err != nil {
		return err
	}
	partitions, statement, err := a.statement(ctx, nil)
	if err != nil {
		return err
	}
	if kept, err := a.keep(ctx); kept || err != nil {
		return err
	}
	began := time.Now()
	partitions, statement, vanilla, err := a.vanillaProofs(ctx, partitions, statement)
	if err != nil {
		return err
	}
	read := time.Since(began)
	began = time.Now()
	proof, err := a.cfg.Prover.Prove(ctx, vigil.ProveRequest{
		Duty: a.duty.ID, Close: a.duty.Deadline.Close, Statement: statement, Vanilla: vanilla,
	})
	if err != nil {
		return because(vigil.ReasonNotProved, err)
	}
	took := time.Since(began)
	if err := a.verify(ctx, statement, proof); err != nil {
		return because(vigil.ReasonNotProved, err)
	}
	return a.store(ctx, vigil.Proof{
		Duty: a.duty.ID, Statement: statement, Bytes: proof, ReadTime: read, ProveTime: took,
		Partitions: proved(partitions, numbers(a.duty.Skipped)),
	})
}

// statement reads what a proof of the duty must state at the head, without
// the skipped sectors, and the partitions it is about.
func (a *action) statement(ctx context.Context, skipped []abi.SectorNumber) ([]vigil.Partition, vigil.Statement, error) {
	var s vigil.Statement
	key, deadline := a.head.Key, a.duty.Deadline
	info, err := a.cfg.State.Miner(ctx, a.id, key)
	if err != nil {
		return nil, s, because(vigil.ReasonNoNode, fmt.Errorf("read the miner: %w", err))
	}
	seed, err := a.cfg.Randomness.Challenge(ctx, a.id, deadline.Challenge, key)
	if err != nil {
		return nil, s, because(vigil.ReasonNoRandomness, fmt.Errorf("draw the challenge of epoch %d: %w", deadline.Challenge, err))
	}
	all, err := a.cfg.State.Partitions(ctx, a.id, deadline.Index, key)
	if err != nil {
		return nil, s, because(vigil.ReasonNoNode, fmt.Errorf("read the partitions of deadline %d: %w", deadline.Index, err))
	}
	partitions, err := partition.Pick(all, a.duty.Partitions)
	if err != nil {
		return nil, s, err
	}
	set, err := partition.Proven(partitions, partition.Set(skipped))
	if err != nil {
		return nil, s, err
	}
	s = vigil.Statement{Miner: a.id, ProofType: info.ProofType, Randomness: seed}
	s.Sectors, err = a.cfg.State.Sectors(ctx, a.id, set, key)
	if err != nil {
		return nil, s, because(vigil.ReasonNoNode, fmt.Errorf("read the sectors of partitions %v: %w", a.duty.Partitions, err))
	}
	return partitions, s, nil
}

// keep goes on from a stored proof that still fits: no proof is made twice.
func (a *action) keep(ctx context.Context) (bool, error) {
	proof, err := a.cfg.Store.Proof(ctx, a.duty.ID)
	if errors.Is(err, vigil.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if fits, err := a.fits(ctx, proof); err != nil || !fits {
		return false, err
	}
	d := a.duty
	d.State, d.Reason, d.Problem = vigil.StateProved, "", ""
	return true, a.save(d, func(d vigil.Duty) error { return a.cfg.Store.SaveDuty(ctx, d) })
}

// fits says whether a stored proof is still what the chain would ask for.
func (a *action) fits(ctx context.Context, proof vigil.Proof) (bool, error) {
	var skipped []abi.SectorNumber
	var indices []uint64
	for _, p := range proof.Partitions {
		skipped = append(skipped, p.Skipped...)
		indices = append(indices, p.Index)
	}
	if !slices.Equal(indices, a.duty.Partitions) {
		return false, nil
	}
	_, now, err := a.statement(ctx, skipped)
	if err != nil {
		return false, err
	}
	return reflect.DeepEqual(now, proof.Statement), nil
}

// vanillaProofs reads the statement's sectors. While some are bad the
// statement is made anew without them, and read again; what was read is kept.
func (a *action) vanillaProofs(ctx context.Context, partitions []vigil.Partition, s vigil.Statement) ([]vigil.Partition, vigil.Statement, []vigil.VanillaProof, error) {
	known := a.duty.Skipped // by the last try, which has named them
	a.duty.Skipped = nil
	for {
		r, err := a.read(ctx, s)
		if err != nil {
			return nil, s, nil, err
		}
		if len(r.unchecked) > 0 && a.head.Epoch < a.duty.Deadline.Open+holdEpochs {
			return nil, s, nil, because(vigil.ReasonNoSectors, fmt.Errorf("%d sectors could not be checked, the first is %d: %s",
				len(r.unchecked), r.unchecked[0].Number, r.unchecked[0].Cause))
		}
		without := slices.Concat(r.bad, r.unchecked)
		if len(without) == 0 {
			return partitions, s, r.proofs, nil
		}
		a.skip(without, known)
		if err := a.narrow(partitions); err != nil {
			return nil, s, nil, err
		}
		if partitions, s, err = a.statement(ctx, numbers(a.duty.Skipped)); err != nil {
			return nil, s, nil, err
		}
	}
}

// skip leaves sectors out of the proof, and names those that are not known yet.
func (a *action) skip(bad, known []vigil.BadSector) {
	for _, b := range bad {
		if slices.Contains(known, b) {
			continue
		}
		a.log.Warn("sector is skipped", "sector", b.Number, "cause", b.Cause, "epoch", a.head.Epoch)
	}
	a.duty.Skipped = append(a.duty.Skipped, bad...)
}

// narrow leaves out the partitions of which no sector can be proved: they
// would gain nothing from the message, and are tried in a duty of their own.
func (a *action) narrow(partitions []vigil.Partition) error {
	skipped := partition.Set(numbers(a.duty.Skipped))
	var left []uint64
	var gone []vigil.Partition
	for _, p := range partitions {
		provable, err := partition.Proven([]vigil.Partition{p}, skipped)
		if err != nil {
			return err
		}
		empty, err := provable.IsEmpty()
		if err != nil {
			return fmt.Errorf("partition %d: %w", p.Index, err)
		}
		if empty {
			gone = append(gone, p)
		} else {
			left = append(left, p.Index)
		}
	}
	if len(left) == 0 {
		return because(vigil.ReasonNoSectors, fmt.Errorf("no sector of partitions %v can be proved, the first is %d: %s",
			a.duty.Partitions, a.duty.Skipped[0].Number, a.duty.Skipped[0].Cause))
	}
	a.duty.Partitions = left
	return a.forget(gone)
}

// forget takes the sectors of partitions that are left out off the skipped
// list: the proof says nothing of them.
func (a *action) forget(gone []vigil.Partition) error {
	for _, p := range gone {
		due, err := partition.Due(p)
		if err != nil {
			return err
		}
		theirs, err := partition.Within(due, numbers(a.duty.Skipped))
		if err != nil {
			return err
		}
		a.duty.Skipped = slices.DeleteFunc(a.duty.Skipped, func(b vigil.BadSector) bool { return slices.Contains(theirs, b.Number) })
	}
	return nil
}

func (a *action) verify(ctx context.Context, s vigil.Statement, proof []byte) error {
	valid, err := a.cfg.Verifier.Verify(ctx, s, proof)
	if err != nil {
		return fmt.Errorf("verify the proof: %w", err)
	}
	if !valid {
		return errors.New("the proof does not verify against the chain's sectors")
	}
	return nil
}

// store writes the proof and the row down together.
func (a *action) store(ctx context.Context, proof vigil.Proof) error {
	d := a.duty
	d.State, d.Reason, d.Problem = vigil.StateProved, "", ""
	if err := a.save(d, func(d vigil.Duty) error { return a.cfg.Store.SaveProof(ctx, proof, d) }); err != nil {
		return err
	}
	a.log.Info("proved", "deadline", a.duty.Deadline.Index, "partitions", a.duty.Partitions, "sectors", len(proof.Statement.Sectors),
		"skipped", len(a.duty.Skipped), "read", proof.ReadTime.Round(time.Millisecond), "proof", proof.ProveTime.Round(time.Millisecond), "epoch", a.head.Epoch)
	return nil
}

// proved lists the partitions of a proof with what each skips.
func proved(partitions []vigil.Partition, skipped []abi.SectorNumber) []vigil.ProvedPartition {
	var list []vigil.ProvedPartition
	for _, p := range partitions {
		theirs, err := partition.Within(p.All, skipped)
		if err != nil {
			panic("unreachable: the partition's sets were read before: " + err.Error())
		}
		list = append(list, vigil.ProvedPartition{Index: p.Index, Skipped: theirs})
	}
	return list
}
