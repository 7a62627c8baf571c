package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// Config is what a Watch works with. All but the functions at its end is required.
type Config struct {
	Judge
	Heads  vigil.Heads
	Store  vigil.AuditStore
	Miners func(ctx context.Context, key vigil.TipSetKey) ([]abi.ActorID, error) // whose posts are audited
	// Confidence is how many epochs after its close a deadline is looked at.
	Confidence abi.ChainEpoch
	// Every is the most epochs between two looks at a miner; one whose deadline
	// has closed is looked at then.
	Every abi.ChainEpoch
	Log   *slog.Logger

	// Busy says that there is better use for the machine: no post is judged while
	// it is so, unless it has waited for long.
	Busy func() bool
	// Name says as what we know a post: by the duty and the message that made
	// it, if they are ours. A post without a message is asked for again.
	Name func(ctx context.Context, a vigil.Audit) (duty, message string)
	// Judged is told of each new verdict, when it is stored.
	Judged func(a vigil.Audit)
	// Disputable is asked at each look to do something about each disputable post,
	// which still stands or was disputed. What it does must be the same when it is
	// done twice.
	Disputable func(ctx context.Context, a vigil.Audit, stands bool) error
}

const (
	// patience is how many epochs after its close a post may wait for a machine that is busy.
	patience abi.ChainEpoch = 240
	// pause is after how many epochs a proof is tried again that could not be
	// verified: somebody has to do something about that.
	pause abi.ChainEpoch = 60
	// enough is how many miners one after the other cannot be read before the
	// rest is left for the next head: it is the node, then.
	enough = 3
)

// Watch audits the posts of miners for as long as they can be disputed.
type Watch struct {
	c      Config
	miners map[abi.ActorID]*miner // of the loop, as the next is
	unable map[string]bool        // what was said to keep proofs from being verified

	mu    sync.Mutex // guards shown
	shown map[abi.ActorID][]Shown
}

// miner is one that is watched.
type miner struct {
	id       abi.ActorID
	file     file
	loaded   bool                      // its verdicts were read from the store
	next     abi.ChainEpoch            // it is looked at from here on
	problems map[string]string         // why a post has no verdict, by its evidence
	again    map[string]abi.ChainEpoch // when a post is verified that could not be, by the same
	names    map[string]name           // by the same
	said     string                    // the last problem that was logged
}

// name is what we know a post by.
type name struct{ duty, message string }

// Shown is a post as it stands: judged, or not yet.
type Shown struct {
	vigil.Audit
	// Gone says that a disputable post is not on chain any more: it was disputed.
	Gone          bool
	Duty, Message string // as Config.Name gave them
}

// New makes a Watch, which does nothing before Run or Once.
func New(c Config) (*Watch, error) {
	if c.Heads == nil || c.Store == nil || c.Miners == nil || c.Records == nil || c.Randomness == nil || c.Verifier == nil || c.Log == nil || c.Every < 1 {
		return nil, errors.New("audit: every seam must be given, and how often to look")
	}
	return &Watch{c: c, miners: map[abi.ActorID]*miner{}, unable: map[string]bool{}, shown: map[abi.ActorID][]Shown{}}, nil
}

// Posts gives a miner's posts inside the dispute window, the newest first.
func (w *Watch) Posts(id abi.ActorID) []Shown {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.shown[id]
}

// Run audits until ctx ends, which is no error.
func (w *Watch) Run(ctx context.Context) error {
	delay, err := w.delay(ctx)
	if err != nil {
		return nil
	}
	heads := w.c.Heads.Watch(ctx)
	ticker := time.NewTicker(delay)
	defer ticker.Stop()
	for {
		var head vigil.Head
		select {
		case <-ctx.Done():
			return nil
		case h, ok := <-heads:
			if !ok {
				heads = nil // the clock goes on without it
				continue
			}
			head = h
			ticker.Reset(delay)
		case <-ticker.C:
			var err error
			if head, err = w.c.Heads.Head(ctx); err != nil {
				continue // others say that no node answers
			}
		}
		w.Round(ctx, head)
	}
}

// delay asks how long an epoch is until a node answers.
func (w *Watch) delay(ctx context.Context) (time.Duration, error) {
	for {
		network, err := w.c.Heads.Network(ctx)
		if err == nil {
			return max(network.BlockDelay, time.Millisecond), nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// Round looks at the miners whose turn it is at a head. It says how many posts
// are to be judged still, and how many miners' last look was stopped by something.
func (w *Watch) Round(ctx context.Context, head vigil.Head) (left, unseen int) {
	ids, err := w.c.Miners(ctx, head.Key)
	if err != nil {
		w.c.Log.Warn("the miners to audit cannot be listed; asking again at the next head", "error", err)
		return 0, 1
	}
	failed := 0 // one after the other
	for _, id := range ids {
		m := w.miner(id)
		switch {
		case ctx.Err() != nil:
			return left, unseen + 1
		case head.Epoch >= m.next && failed < enough:
			if failed++; w.visit(ctx, m, head) {
				failed = 0
			}
		case head.Epoch >= m.next && m.said == "":
			m.said = "it was not its turn" // for want of a node
		}
		if left += len(m.file.due()) - len(m.again); m.said != "" {
			unseen++
		}
	}
	return left, unseen
}

func (w *Watch) miner(id abi.ActorID) *miner {
	m, ok := w.miners[id]
	if !ok {
		m = &miner{id: id, file: file{records: map[abi.ChainEpoch]*closedAt{}}, problems: map[string]string{}, again: map[string]abi.ChainEpoch{}, names: map[string]name{}}
		w.miners[id] = m
	}
	return m
}

// visit looks at a miner, and says what stopped the look, once until it is
// something else. What was stopped is tried again at the next head or tick.
func (w *Watch) visit(ctx context.Context, m *miner, head vigil.Head) bool {
	m.next = head.Epoch + w.c.Every
	err := w.look(ctx, m, head)
	w.show(ctx, m, head)
	switch {
	case ctx.Err() != nil:
	case err == nil:
		m.said = ""
	default:
		m.next = head.Epoch
		if m.said != err.Error() {
			w.c.Log.Warn("posts on chain cannot be audited; it is tried again", "miner", vigil.MinerAddress(m.id).String(), "epoch", head.Epoch, "error", err)
		}
		m.said = err.Error()
	}
	return err == nil
}

// show lets people see how things are.
func (w *Watch) show(ctx context.Context, m *miner, head vigil.Head) {
	var shown []Shown
	for _, p := range m.file.due() {
		a := verdictless(p)
		a.Problem = m.problems[p.Evidence]
		shown = append(shown, Shown{Audit: a})
	}
	for _, a := range m.file.verdicts {
		if a.Until() > head.Epoch {
			shown = append(shown, Shown{Audit: a, Gone: a.Verdict == vigil.AuditDisputable && !m.file.standing(a)})
		}
	}
	slices.SortStableFunc(shown, func(a, b Shown) int { return int(b.Deadline.Open - a.Deadline.Open) })
	w.name(ctx, m, shown)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shown[m.id] = shown
}

// name puts down what we know the posts by.
func (w *Watch) name(ctx context.Context, m *miner, shown []Shown) {
	if w.c.Name == nil {
		return
	}
	names := map[string]name{}
	for i, s := range shown {
		n := m.names[s.Evidence]
		if n.message == "" {
			n.duty, n.message = w.c.Name(ctx, s.Audit)
		}
		names[s.Evidence] = n
		shown[i].Duty, shown[i].Message = n.duty, n.message
	}
	m.names = names
}

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
				w.c.Judged(a)
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
