// Package shadow compares what would have been done for a miner with what
// somebody else did: it writes a record of each deadline that has closed, and
// says from the records who did better and why. It never signs or sends.
package shadow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// Config is what a Watch works with. All of it is required but Miners.
type Config struct {
	Heads  vigil.Heads
	State  vigil.MinerState // as the chain has it, with what others posted
	Posts  vigil.MinerPosts
	Duties vigil.DutyStore
	Audits vigil.AuditStore
	Store  vigil.ShadowStore
	Miners []abi.ActorID // those in shadow
	// Confidence is how many epochs after its close a deadline is looked at.
	Confidence func() abi.ChainEpoch
	Log        *slog.Logger
}

// Watch writes the records of miners in shadow. It looks at what has closed and
// has no record, so that a restart or a node that does not answer costs nothing.
type Watch struct {
	c      Config
	miners []*miner // of the loop
}

// miner is one that is watched.
type miner struct {
	id       abi.ActorID
	next     abi.ChainEpoch       // nothing new has closed before
	loaded   bool                 // unjudged is complete
	unjudged []vigil.ShadowRecord // records with posts that have no verdict yet
	said     string               // the last problem that was logged
}

// New makes a Watch, which does nothing before Run.
func New(c Config) (*Watch, error) {
	if c.Heads == nil || c.State == nil || c.Posts == nil || c.Duties == nil || c.Audits == nil || c.Store == nil || c.Log == nil {
		return nil, errors.New("shadow: every seam must be given")
	}
	w := &Watch{c: c}
	for _, id := range c.Miners {
		w.miners = append(w.miners, &miner{id: id})
	}
	return w, nil
}

// Run writes records until ctx ends, which is no error. Heads are a hint: the
// clock goes on without them.
func (w *Watch) Run(ctx context.Context) error {
	if len(w.miners) == 0 {
		return nil
	}
	heads := w.c.Heads.Watch(ctx)
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	for {
		var head vigil.Head
		select {
		case <-ctx.Done():
			return nil
		case h, ok := <-heads:
			if !ok {
				heads = nil
				continue
			}
			head = h
		case <-ticker.C:
			var err error
			if head, err = w.c.Heads.Head(ctx); err != nil {
				continue // others say that no node answers
			}
		}
		for _, m := range w.miners {
			w.visit(ctx, m, head)
		}
	}
}

// visit looks at a miner, and says what stopped the look, once until it is
// something else.
func (w *Watch) visit(ctx context.Context, m *miner, head vigil.Head) {
	err := w.look(vigil.OneDecision(ctx), m, head)
	switch {
	case ctx.Err() != nil:
	case err == nil:
		m.said = ""
	case m.said != err.Error():
		m.said = err.Error()
		w.c.Log.Warn("what others posted cannot be compared; it is tried again at the next head", "miner", vigil.MinerAddress(m.id).String(), "epoch", head.Epoch, "error", err)
	}
}

// errNotYet says that a deadline has closed too recently to be judged.
var errNotYet = errors.New("it has just closed")

// look writes the records that are missing, and the verdicts that have come since.
func (w *Watch) look(ctx context.Context, m *miner, head vigil.Head) error {
	if err := w.judged(ctx, m, head); err != nil {
		return err
	}
	if head.Epoch < m.next {
		return nil
	}
	current, err := w.c.State.Deadline(ctx, m.id, head.Key)
	if err != nil {
		return fmt.Errorf("read the current deadline: %w", err)
	}
	missing, err := w.missing(ctx, m.id, current)
	if err != nil {
		return err
	}
	var errs []error
	all := true
	for _, d := range missing {
		record, err := w.record(ctx, m.id, d, head)
		if err == nil && len(record.Partitions) > 0 {
			err = w.keep(ctx, m, record)
		}
		all = all && err == nil
		if err != nil && !errors.Is(err, errNotYet) {
			errs = append(errs, fmt.Errorf("deadline %d (opened at %d): %w", d.Index, d.Open, err))
		}
	}
	if all {
		m.next = current.Close + w.c.Confidence() + 1
	}
	return errors.Join(errs...)
}

// missing gives the closed deadlines of the last proving period without a record.
// What is older than the first duty in shadow is not this daemon's to compare.
func (w *Watch) missing(ctx context.Context, id abi.ActorID, current vigil.Deadline) ([]vigil.Deadline, error) {
	since := current.Plus(1 - int(current.Count)).Open
	duties, err := w.c.Duties.Duties(ctx, id, since)
	if err != nil {
		return nil, err
	}
	known, err := w.c.Store.Shadows(ctx, id, since)
	if err != nil {
		return nil, err
	}
	first := current.Open
	for _, d := range duties {
		if d.Shadow.Begun > 0 {
			first = min(first, d.ID.Open)
		}
	}
	if len(known) > 0 {
		first = min(first, known[0].Deadline.Open)
	}
	var missing []vigil.Deadline
	for d := current.Plus(-1); d.Open >= max(first, since); d = d.Plus(-1) {
		if !slices.ContainsFunc(known, func(r vigil.ShadowRecord) bool { return r.Deadline.Open == d.Open }) {
			missing = append(missing, d)
		}
	}
	return missing, nil
}

// keep writes a record down.
func (w *Watch) keep(ctx context.Context, m *miner, r vigil.ShadowRecord) error {
	if err := w.c.Store.SaveShadow(ctx, r); err != nil {
		return err
	}
	if awaits(r) {
		m.unjudged = append(m.unjudged, r)
	}
	log := w.c.Log.With("miner", vigil.MinerAddress(m.id).String(), "deadline", r.Deadline.Index, "opened", r.Deadline.Open)
	for _, line := range Compare(r, DefaultLate) {
		log.Info("in shadow: compared with what was posted", "partition", line.Partition, "verdict", line.Verdict, "why", line.Why)
	}
	return nil
}

// awaits says that a post of a record has no verdict yet.
func awaits(r vigil.ShadowRecord) bool {
	return slices.ContainsFunc(r.Partitions, func(p vigil.ShadowPartition) bool { return p.Theirs.Posted && p.Theirs.Verdict == "" })
}

// judged takes the audits' verdicts into the records: they are kept there when
// the audits themselves are given up.
func (w *Watch) judged(ctx context.Context, m *miner, head vigil.Head) error {
	if !m.loaded {
		records, err := w.c.Store.Shadows(ctx, m.id, head.Epoch-vigil.DisputeWindow)
		if err != nil {
			return err
		}
		m.loaded, m.unjudged = true, slices.DeleteFunc(records, func(r vigil.ShadowRecord) bool { return !awaits(r) })
	}
	if len(m.unjudged) == 0 {
		return nil
	}
	audits, err := w.c.Audits.Audits(ctx, m.id, m.unjudged[0].Deadline.Open)
	if err != nil {
		return err
	}
	var left []vigil.ShadowRecord
	for _, r := range m.unjudged {
		if take(&r, audits) {
			if err := w.c.Store.SaveShadow(ctx, r); err != nil {
				return err
			}
		}
		if awaits(r) && head.Epoch < r.Deadline.Close+vigil.DisputeWindow {
			left = append(left, r)
		}
	}
	m.unjudged = left
	return nil
}

// take takes verdicts into a record, and says whether there were any.
func take(r *vigil.ShadowRecord, audits []vigil.Audit) (taken bool) {
	r.Partitions = slices.Clone(r.Partitions)
	for i := range r.Partitions {
		p := &r.Partitions[i]
		for _, a := range audits {
			if p.Theirs.Posted && p.Theirs.Verdict == "" && a.Deadline.Open == r.Deadline.Open && slices.Contains(a.Partitions, p.Index) {
				p.Theirs.Verdict, p.Theirs.Problem, taken = a.Verdict, a.Problem, true
			}
		}
	}
	return taken
}
