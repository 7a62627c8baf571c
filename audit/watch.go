package audit

import (
	"context"
	"errors"
	"log/slog"
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
	Judged func(ctx context.Context, a vigil.Audit)
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
	first  int                    // where the next round begins
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
	for i := range ids {
		at := (w.first + i) % len(ids)
		m := w.miner(ids[at])
		switch {
		case ctx.Err() != nil:
			return left, unseen + 1
		case head.Epoch >= m.next && failed < enough:
			if failed++; w.visit(ctx, m, head) {
				failed = 0
			}
			if failed == enough {
				w.first = at + 1 // the next round begins behind them
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
