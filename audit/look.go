package audit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// look compares what a miner has on chain with its verdicts, and judges what has none.
func (w *Watch) look(ctx context.Context, m *miner, head vigil.Head) error {
	if err := w.load(ctx, m, head); err != nil {
		return err
	}
	err := safely(func() error { return w.read(vigil.OneDecision(ctx), m, head) })
	if err != nil {
		return err
	}
	if err := w.tidy(ctx, m, head); err != nil {
		return err
	}
	return errors.Join(w.judge(ctx, m, head), w.act(ctx, m))
}

// safely makes a panic an error: a stranger's post must not end the daemon.
func safely(f func() error) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = &lastingError{fmt.Errorf("a bug stopped the audit; please report it: panic: %v\n%s", panicked, debug.Stack())}
		}
	}()
	return f()
}

// load reads what was judged before the start.
func (w *Watch) load(ctx context.Context, m *miner, head vigil.Head) (err error) {
	if m.loaded {
		return nil
	}
	m.file.verdicts, err = w.c.Store.Audits(ctx, m.id, head.Epoch-vigil.DisputeWindow)
	m.loaded = err == nil
	return err
}

// read reads the records that have changed since the last look.
func (w *Watch) read(ctx context.Context, m *miner, head vigil.Head) error {
	closed, err := w.c.Records.Closed(ctx, m.id, head)
	if err != nil {
		return err
	}
	if len(closed) > 0 {
		m.next = min(m.next, closed[0].Deadline.Plus(1).Close+w.c.Confidence)
	}
	young := func(d vigil.ClosedDeadline) bool { return head.Epoch < d.Deadline.Close+w.c.Confidence }
	if len(closed) > 0 && young(closed[0]) {
		m.next = closed[0].Deadline.Close + w.c.Confidence
	}
	m.next = max(m.next, head.Epoch+1)
	closed = slices.DeleteFunc(closed, young)
	m.file.keep(closed)
	for _, d := range m.file.unread(closed) {
		record, err := w.c.Records.Record(ctx, d)
		if err != nil {
			return err
		}
		m.file.take(d, record)
	}
	maps.DeleteFunc(m.again, func(evidence string, _ abi.ChainEpoch) bool { return !m.file.awaits(evidence) })
	maps.DeleteFunc(m.problems, func(evidence, _ string) bool { return !m.file.awaits(evidence) })
	return nil
}

// tidy gives up the verdicts that a reorg took the ground from, and those that are over.
func (w *Watch) tidy(ctx context.Context, m *miner, head vigil.Head) error {
	for _, a := range m.file.stale(head.Epoch) {
		if err := w.c.Store.DropAudit(ctx, a); err != nil {
			return err
		}
		w.c.Log.Info("a reorg has changed a post that was audited", "miner", vigil.MinerAddress(m.id).String(), "deadline", a.Deadline.Index, "epoch", head.Epoch)
		m.file.verdicts = slices.DeleteFunc(m.file.verdicts, func(b vigil.Audit) bool { return b.Evidence == a.Evidence })
	}
	over := func(a vigil.Audit) bool { return a.Until() <= head.Epoch }
	if !slices.ContainsFunc(m.file.verdicts, over) {
		return nil
	}
	if err := w.c.Store.DropAudits(ctx, m.id, head.Epoch-vigil.DisputeWindow); err != nil {
		return err
	}
	m.file.verdicts = slices.DeleteFunc(m.file.verdicts, over)
	return nil
}

// judge judges one post after the other. One that cannot be judged does not hold up the others.
func (w *Watch) judge(ctx context.Context, m *miner, head vigil.Head) error {
	var errs []error
	for _, p := range m.file.due() {
		if why := w.postponed(m, p, head); why != "" {
			m.problems[p.Evidence] = why
			continue
		}
		a, err := w.verdict(ctx, p, head)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		delete(m.problems, p.Evidence)
		delete(m.again, p.Evidence)
		if err == nil {
			m.file.judged(a)
			if w.c.Judged != nil {
				w.c.Judged(ctx, a)
			}
			continue
		}
		m.problems[p.Evidence] = err.Error()
		var unable *lastingError
		if errors.As(err, &unable) {
			m.again[p.Evidence] = head.Epoch + pause
			w.cannot(m, p, unable)
			continue
		}
		errs = append(errs, fmt.Errorf("post %d of deadline %d: %w", p.Index, p.Deadline.Index, err))
	}
	return errors.Join(errs...)
}

// cannot says what keeps proofs from being verified: once, not for each of them.
func (w *Watch) cannot(m *miner, p vigil.ChainPost, err error) {
	if !w.unable[err.Error()] {
		w.unable[err.Error()] = true
		w.c.Log.Warn("a post on chain cannot be audited", "miner", vigil.MinerAddress(m.id).String(), "deadline", p.Deadline.Index, "error", err)
	}
}

// postponed says why a post is not judged now, or nothing.
func (w *Watch) postponed(m *miner, p vigil.ChainPost, head vigil.Head) string {
	again := m.again[p.Evidence]
	switch {
	case head.Epoch < again:
		m.next = min(m.next, again)
		return m.problems[p.Evidence]
	case w.c.Busy != nil && head.Epoch < p.Deadline.Close+patience && w.c.Busy():
		m.next = head.Epoch // at the next tick, if no head comes
		return "it waits until no proof is being made"
	}
	return ""
}

// verdict judges a post and writes the verdict down.
func (w *Watch) verdict(ctx context.Context, p vigil.ChainPost, head vigil.Head) (a vigil.Audit, err error) {
	err = safely(func() error {
		a, err = w.c.Verdict(vigil.OneDecision(ctx), p, head)
		return err
	})
	if err != nil {
		return a, err
	}
	return a, w.c.Store.SaveAudit(ctx, a)
}

// act has something done about disputable posts that stand.
func (w *Watch) act(ctx context.Context, m *miner) error {
	if w.c.Disputable == nil {
		return nil
	}
	var errs []error
	for _, a := range m.file.verdicts {
		if a.Verdict != vigil.AuditDisputable {
			continue
		}
		if err := w.c.Disputable(ctx, a, m.file.standing(a)); err != nil {
			errs = append(errs, fmt.Errorf("dispute post %d of deadline %d: %w", a.Index, a.Deadline.Index, err))
		}
	}
	return errors.Join(errs...)
}
