package runner

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/partition"
)

// prove reads, proves and verifies a duty, and stores the proof. The row is
// stored first, so that a duty that comes to nothing is known of.
func (a *action) prove(ctx context.Context) error {
	a.duty.State = vigil.StateScheduled
	if a.duty.Problem == "" || a.duty.Reason == "" { // else it is why the last try failed, and stays so while this one goes on
		a.duty.Reason = vigil.ReasonNoSectors // what is waited for until they are read
	}
	if err := a.cfg.Store.SaveDuty(ctx, a.duty); err != nil {
		return err
	}
	a.doing = "the nodes were asked what is to be proved"
	partitions, statement, err := a.statement(ctx, nil)
	if err != nil {
		return err
	}
	if kept, err := a.keep(ctx); kept || err != nil {
		return err
	}
	a.shelf.load()
	a.shelf.old(a.duty.Deadline.Plus(-2).Open)
	estimate, measured := a.proveTime(ctx, statement.ProofType)
	left := newBudget(a.duty.Deadline, a.epoch, estimate, measured, a.cfg.Policy)
	for {
		proof, again, err := a.attempt(ctx, partitions, statement, left)
		if err != nil {
			return err
		}
		if !again {
			a.ready(proof)
			a.doing = "its proof was being written into the database"
			return a.store(ctx, proof)
		}
		if partitions, statement, err = a.statement(ctx, nil); err != nil {
			return err
		}
	}
}

// attempt reads the statement's sectors and proves those that can be; again says
// that it came to light on the way that the sectors must be read once more.
func (a *action) attempt(ctx context.Context, partitions []vigil.Partition, statement vigil.Statement, left budget) (p vigil.Proof, again bool, err error) {
	began := time.Now()
	reads, end := a.cfg.span(ctx, a.duty.ID, "read")
	partitions, statement, vanilla, err := a.vanillaProofs(reads, partitions, statement, left)
	end(err)
	if err != nil {
		return p, false, err
	}
	read := time.Since(began)
	if err := a.overcome(ctx); err != nil {
		return p, false, err
	}
	a.doing = fmt.Sprintf("its proof of %d sectors was being made", len(statement.Sectors))
	proof, again, err := a.insist(ctx, statement, vanilla, left)
	return vigil.Proof{
		Duty: a.duty.ID, Statement: statement, Bytes: proof, ReadTime: read, ProveTime: a.took,
		Partitions: proved(partitions, numbers(a.duty.Skipped)),
	}, again, because(vigil.ReasonNotProved, err)
}

// overcome writes down that the sectors are read, and that what stopped an earlier try
// before its proof does so no more: from here on it is the proof that is waited for.
func (a *action) overcome(ctx context.Context) error {
	if a.duty.Reason == vigil.ReasonNotProved {
		return nil
	}
	a.duty.Reason, a.duty.Problem = vigil.ReasonNotProved, ""
	return a.cfg.Store.SaveDuty(ctx, a.duty)
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
func (a *action) vanillaProofs(ctx context.Context, partitions []vigil.Partition, s vigil.Statement, left budget) ([]vigil.Partition, vigil.Statement, []vigil.VanillaProof, error) {
	known := a.duty.Skipped // by the last try, which has named them
	a.duty.Skipped = nil
	for {
		began := time.Now()
		r, err := a.read(ctx, s, left.until(a.now(), a.duty.Deadline))
		if err != nil {
			if a.duty.Problem == "" || len(r.late) > 0 {
				a.noteRead(r, len(s.Sectors), time.Since(began))
			}
			a.doing = r.waitedFor(len(s.Sectors))
			return nil, s, nil, err
		}
		a.name(r.bad, known)
		err = a.hold(r, len(s.Sectors), left, a.now())
		if !a.readAsBefore(r, known, err) {
			a.noteRead(r, len(s.Sectors), time.Since(began))
		}
		if err != nil {
			return nil, s, nil, err
		}
		without := slices.Concat(r.bad, r.unchecked)
		if len(without) == 0 {
			return partitions, s, r.proofs, nil
		}
		a.name(r.unchecked[:min(len(r.unchecked), namedUnchecked)], known)
		if more := len(r.unchecked) - namedUnchecked; more > 0 {
			a.log.Warn("more sectors that could not be checked are skipped; the duty names them all", "sectors", more, "epoch", a.head.Epoch)
		}
		a.duty.Skipped = append(a.duty.Skipped, without...)
		if err := a.narrow(ctx, partitions); err != nil {
			return nil, s, nil, err
		}
		if partitions, s, err = a.statement(ctx, numbers(a.duty.Skipped)); err != nil {
			return nil, s, nil, err
		}
	}
}

// hold says why a proof waits: for sectors that could not be checked, and for
// bad ones when they are more than a few, because a disk that is gone or a folder
// that was moved looks like that too. At the cutoff the rest is proved.
func (a *action) hold(r reading, due int, left budget, now abi.ChainEpoch) error {
	due += len(a.duty.Skipped)
	r.bad = slices.Concat(a.duty.Skipped, r.bad)
	most := a.cfg.Policy.MaySkip(due)
	switch {
	case len(r.unchecked) == 0 && len(r.bad) <= most:
		return nil
	case !left.over(now):
		a.duty.Skipped = r.bad // shown while it waits; the next try begins anew
		return because(vigil.ReasonNoSectors, a.alarm(r, due, most, left))
	case len(r.bad)+len(r.unchecked) > most:
		a.log.Error("many sectors are left out, because there is no more time to wait for them",
			"bad", len(r.bad), "unchecked", len(r.unchecked), "of", due, "epoch", a.head.Epoch)
	}
	return nil
}

// The words of a duty's problem by which its next try knows that they were said.
const (
	notChecked = "sectors could not be checked"
	tooManyBad = "sectors are bad at once"
)

// alarm says what is waited for, and raises an alarm the first time.
func (a *action) alarm(r reading, due, most int, left budget) error {
	var why error
	say := func(n int, words, first string, number abi.SectorNumber, advice string) {
		why = errors.Join(why, fmt.Errorf("%d of %d %s, the first is %d: %s", n, due, words, number, first))
		if !strings.Contains(a.duty.Problem, words) {
			a.log.Error(words+": "+advice, "sectors", n, "of", due, "first", number, "cause", first, "waits_until", left.cutoff, "epoch", a.head.Epoch)
		}
	}
	if n := len(r.unchecked); n > 0 {
		say(n, notChecked, r.unchecked[0].Cause, r.unchecked[0].Number, "is a storage gone?")
	}
	if n := len(r.bad); n > most {
		say(n, tooManyBad, r.bad[0].Cause, r.bad[0].Number, "is a storage gone, or are its sectors moved?")
	}
	return why
}

// namedUnchecked is how many sectors that could not be checked are named in the
// log: of a storage that is gone one is as good as another.
const namedUnchecked = 10

// name writes the sectors that cannot be proved into the log, but for those that
// the last try has named.
func (a *action) name(bad, known []vigil.BadSector) {
	for _, b := range bad {
		if !slices.Contains(known, b) {
			a.log.Warn("sector is skipped", "sector", b.Number, "cause", b.Cause, "epoch", a.head.Epoch)
		}
	}
}

// narrow leaves out the partitions of which no sector can be proved: they
// would gain nothing from the message, and are tried in a duty of their own, at
// once: that is why the row is written before the others are proved.
func (a *action) narrow(ctx context.Context, partitions []vigil.Partition) error {
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
	if len(gone) == 0 {
		return nil
	}
	a.duty.Partitions = left
	if err := a.forget(gone); err != nil {
		return err
	}
	return a.cfg.Store.SaveDuty(ctx, a.duty)
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
		return errInvalid
	}
	return nil
}

// store writes the proof and the row down together.
func (a *action) store(ctx context.Context, proof vigil.Proof) error {
	d := a.duty
	d.State, d.Reason, d.Problem = vigil.StateProved, "", ""
	d.Took = vigil.Took{
		ProofType: proof.Statement.ProofType, Sectors: len(proof.Statement.Sectors),
		Began: a.head.Epoch, Read: proof.ReadTime, Prove: a.alone,
	}
	if err := a.save(d, func(d vigil.Duty) error { return a.cfg.Store.SaveProof(ctx, proof, d) }); err != nil {
		return err
	}
	a.shelf.clear(d.ID)
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
