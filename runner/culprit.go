package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vigil-post/vigil"
)

// errInvalid says that a proof was made and does not verify, or that none can be made of
// what was read.
var errInvalid = errors.New("the proof does not verify against the chain's sectors")

// proveAndVerify makes a proof that verifies.
func (a *action) proveAndVerify(ctx context.Context, s vigil.Statement, vanilla []vigil.VanillaProof) ([]byte, error) {
	began := time.Now()
	begun := began
	defer func() { a.took, a.alone = time.Since(began), time.Since(begun) }()
	proof, err := a.cfg.Prover.Prove(ctx, vigil.ProveRequest{
		Duty: a.duty.ID, Close: a.duty.Deadline.Close, Statement: s, Vanilla: vanilla,
		Begun: func() { begun = time.Now() }, By: a.lastMoment(),
	})
	if errors.Is(err, vigil.ErrUnproven) {
		return nil, fmt.Errorf("%w: %w", errInvalid, err)
	}
	if err != nil {
		return nil, err
	}
	return proof, a.verify(ctx, s, proof)
}

// insist makes a proof that verifies, and finds out why where one does not. Every
// vanilla proof verified when it was read, so that what is wrong may be
//
//   - a vanilla proof, spoilt in memory since, which a prover may also refuse: each is
//     checked again, and one that is spoilt is read again;
//   - the prover, for once: it is asked again;
//   - the prover, with one sector: the sectors are proved in halves until it is
//     found, if there is time, and it is left out unless all together verify then;
//   - the keys or the prover, always: then no half verifies, and it is said.
//
// again says that the sectors are to be read anew.
func (a *action) insist(ctx context.Context, s vigil.Statement, vanilla []vigil.VanillaProof, left budget) (proof []byte, again bool, err error) {
	proof, err = a.proveAndVerify(ctx, s, vanilla)
	if err == nil || ctx.Err() != nil {
		return proof, false, err
	}
	took := a.took
	if spoilt := a.recheck(s, vanilla); spoilt > 0 {
		a.log.Warn("vanilla proofs were spoilt after they were read; they are read again", "sectors", spoilt, "cause", err, "epoch", a.head.Epoch)
		return nil, true, nil
	}
	if !errors.Is(err, errInvalid) {
		return nil, false, err
	}
	a.log.Warn("a proof does not verify, though all its vanilla proofs do; it is made again", "epoch", a.head.Epoch)
	if proof, err = a.proveAndVerify(ctx, s, vanilla); !errors.Is(err, errInvalid) {
		return proof, false, err
	}
	if vigil.Positional(s.ProofType) {
		return nil, false, err // a sector's challenges change with its place: no half can be proved
	}
	h := halving{action: a, statement: s, vanilla: vanilla, ends: time.Now().Add(left.until(a.now(), a.duty.Deadline)), each: took}
	culprits, found := h.search(ctx, 0, len(s.Sectors))
	if found != nil || len(culprits) == 0 {
		return nil, false, errors.Join(err, found)
	}
	if h.time(2) { // this proof, and one without the culprits
		if proof, err = a.proveAndVerify(ctx, s, vanilla); !errors.Is(err, errInvalid) {
			return proof, false, err
		}
	}
	for _, i := range culprits {
		a.log.Error("a sector is left out because no proof with it verifies; please report it", "sector", s.Sectors[i].Number, "epoch", a.head.Epoch)
		a.shelf.accuse(requestOf(s, i), "no proof that contains it verifies, though its files are good")
	}
	return nil, true, nil
}

// recheck takes spoilt vanilla proofs off the shelf, and counts them.
func (a *action) recheck(s vigil.Statement, vanilla []vigil.VanillaProof) (spoilt int) {
	for i := range vanilla {
		if r := requestOf(s, i); a.cfg.Sectors.Recheck(r, vanilla[i]) != nil {
			a.shelf.takeBack(r)
			spoilt++
		}
	}
	return spoilt
}

// halving finds the sectors with which no proof verifies.
type halving struct {
	action    *action
	statement vigil.Statement
	vanilla   []vigil.VanillaProof
	ends      time.Time
	each      time.Duration // what a proof takes; one of few sectors takes no less
}

// time says that so many proofs can still be made.
func (h *halving) time(proofs time.Duration) bool {
	return !time.Now().Add(proofs * h.each).After(h.ends)
}

// search gives the culprits among the sectors from one place to another, of which
// a proof is known not to verify. None are found where both halves verify.
func (h *halving) search(ctx context.Context, from, to int) ([]int, error) {
	if to-from == 1 {
		return []int{from}, nil
	}
	middle := (from + to) / 2
	var culprits []int
	for _, half := range [][2]int{{from, middle}, {middle, to}} {
		if !h.time(1) {
			return nil, fmt.Errorf("which of %d sectors is to blame could not be found in time", to-from)
		}
		s := h.statement
		s.Sectors = s.Sectors[half[0]:half[1]]
		_, err := h.action.proveAndVerify(ctx, s, h.vanilla[half[0]:half[1]])
		switch {
		case err == nil:
			continue
		case !errors.Is(err, errInvalid):
			return nil, err
		}
		found, err := h.search(ctx, half[0], half[1])
		if err != nil {
			return nil, err
		}
		culprits = append(culprits, found...)
	}
	if len(culprits) == to-from && to-from == len(h.statement.Sectors) {
		return nil, errors.New("not one sector's proof verifies alone: the proof parameters or the prover are to blame; run vigil selftest")
	}
	return culprits, nil
}
