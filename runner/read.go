package runner

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// reading is what became of a statement's sectors.
type reading struct {
	proofs    []vigil.VanillaProof // one a sector, nil where there is none
	bad       []vigil.BadSector    // evidence that it cannot be proved, seen twice
	unchecked []vigil.BadSector    // nothing is known of it
	late      []vigil.BadSector    // nothing either: the time was over before its turn had come and gone
}

// waitedFor says what a reading that was stopped had no answer of.
func (r reading) waitedFor(sectors int) string {
	if len(r.late) == 0 {
		return "its sectors were being read"
	}
	return fmt.Sprintf("%d of its %d sectors were being read, sector %d is the first of them", len(r.late), sectors, r.late[0].Number)
}

// retryEvery is how long a sector that could not be checked rests before it is
// tried again, for as long as others are read.
const retryEvery = 15 * time.Second

// read reads every sector of a post's statement, all at once: how many a storage bears
// at a time is the reader's to know, and a sector that waits for one delays none
// on another. It ends when nothing more can be told, or after the time given. It
// fails only when ctx ends.
func (a *action) read(ctx context.Context, s vigil.Statement, enough time.Duration) (reading, error) {
	defer a.work.begin()()
	return a.pass(ctx, s, enough, nil)
}

// pass reads every sector of a statement. With turns, a sector waits for its own,
// and what is read is looked at and, unless the action keeps it, its proof is empty.
func (a *action) pass(ctx context.Context, s vigil.Statement, enough time.Duration, turn func(context.Context) (func(), error)) (reading, error) {
	timed, cancel := context.WithTimeout(ctx, enough)
	defer cancel()
	p := pass{action: a, statement: s, turn: turn, drops: turn != nil && !a.keeps, left: len(s.Sectors), settled: make(chan struct{})}
	r := reading{proofs: make([]vigil.VanillaProof, len(s.Sectors))}
	errs := make([]error, len(s.Sectors))
	var all sync.WaitGroup
	for i := range s.Sectors {
		all.Go(func() { r.proofs[i], errs[i] = p.sector(timed, i) })
	}
	all.Wait()
	stopped := ctx.Err()
	for i, err := range errs {
		number := s.Sectors[i].Number
		var evidence *vigil.SectorError
		switch {
		case errors.As(err, &evidence):
			r.bad = append(r.bad, vigil.BadSector{Number: number, Cause: evidence.Cause})
		case stopped != nil && errors.Is(err, stopped):
			r.late = append(r.late, vigil.BadSector{Number: number, Cause: "still being read when the reading was stopped"})
		case turn != nil && errors.Is(err, context.DeadlineExceeded):
			r.late = append(r.late, vigil.BadSector{Number: number, Cause: "not read in time"})
		case err == context.DeadlineExceeded: //nolint:errorlint // where it is wrapped, it says more
			r.unchecked = append(r.unchecked, vigil.BadSector{Number: number, Cause: "not checked: no answer came in the time that there was"})
		case err != nil:
			r.unchecked = append(r.unchecked, vigil.BadSector{Number: number, Cause: "not checked: " + err.Error()})
		}
	}
	if stopped != nil {
		return r, fmt.Errorf("read sectors: %w", stopped)
	}
	return r, nil
}

// pass is one reading of a statement's sectors.
type pass struct {
	action    *action
	statement vigil.Statement
	turn      func(context.Context) (func(), error) // waits for a sector's turn; nil: it has it at once
	drops     bool                                  // what is read is looked at and not kept

	bug     sync.Once     // it was said
	mu      sync.Mutex    // guards left
	left    int           // sectors of which a first answer is awaited
	settled chan struct{} // closed when none is
}

// answered notes a sector's first answer.
func (p *pass) answered() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left--; p.left == 0 {
		close(p.settled)
	}
}

// sector reads one sector. One that could not be checked is tried again for as
// long as others are read. One that looks bad is read a second time when all
// others were: what is bad for a moment only is not skipped for it.
func (p *pass) sector(ctx context.Context, i int) (vigil.VanillaProof, error) {
	proof, err := p.one(ctx, i)
	p.answered()
	for err != nil && !isEvidence(err) && p.rest(ctx) {
		proof, err = p.one(ctx, i)
	}
	if !isEvidence(err) {
		return proof, err
	}
	select {
	case <-p.settled:
		return p.one(ctx, i)
	case <-ctx.Done():
		return nil, err
	}
}

// one makes one try. A bug that stops it is an error, and no evidence: it must not
// end what proves all other sectors.
func (p *pass) one(ctx context.Context, i int) (proof vigil.VanillaProof, err error) {
	defer func() {
		if v := recover(); v != nil {
			proof, err = nil, fmt.Errorf("a bug stopped the read, please report it: %v", v)
			p.bug.Do(func() {
				p.action.log.Error("a bug stopped the reading of a sector; please report it", "sector", p.statement.Sectors[i].Number, "panic", v, "stack", string(debug.Stack()))
			})
		}
	}()
	if p.turn != nil {
		done, err := p.turn(ctx)
		if err != nil {
			return nil, err
		}
		defer done()
	}
	proof, err = p.action.readOne(ctx, p.statement, i)
	if err == nil && p.drops {
		proof = vigil.VanillaProof{}
	}
	return proof, err
}

// rest waits until a sector may be tried again; it is false when no other is read any more.
func (p *pass) rest(ctx context.Context) bool {
	select {
	case <-time.After(retryEvery):
		return ctx.Err() == nil
	case <-p.settled:
	case <-ctx.Done():
	}
	return false
}

func isEvidence(err error) bool {
	var evidence *vigil.SectorError
	return errors.As(err, &evidence)
}

func (a *action) readOne(ctx context.Context, s vigil.Statement, i int) (vigil.VanillaProof, error) {
	request := requestOf(s, i)
	if a.shelf != nil {
		if proof, err := a.shelf.take(a.cfg.Sectors, request); proof != nil || err != nil {
			return proof, err
		}
	}
	proof, err := a.cfg.Sectors.Read(ctx, request)
	if err == nil && a.shelf != nil {
		a.shelf.put(request, proof)
	}
	return proof, err
}

// requestOf asks for the sector at a place of the statement.
func requestOf(s vigil.Statement, i int) vigil.ReadRequest {
	return vigil.ReadRequest{
		Miner: s.Miner, ProofType: s.ProofType, Randomness: s.Randomness, Sector: s.Sectors[i], Position: i,
	}
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
