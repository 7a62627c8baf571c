// Package runner is the only package that acts. For each miner it looks at
// how things are, lets schedule.Plan say what should be in progress, and makes
// it so: what is planned and not running is started, what is running and no
// longer planned is cancelled. Every action ends in one transaction of the
// store, and its completion is no more than a reason to plan again.
//
// Each miner has a loop of its own, so that nothing that happens to one
// delays another. A loop's state belongs to its goroutine.
package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/alive"
	"github.com/vigil-post/vigil/schedule"
)

// Config is what a Runner works with. The fields before Log, and it, are required.
type Config struct {
	Heads      vigil.Heads
	State      vigil.MinerState
	Randomness vigil.Randomness
	Sectors    vigil.SectorReader
	Prover     vigil.Prover
	Verifier   vigil.Verifier
	Messager   vigil.Messager
	Store      vigil.DutyStore
	Miners     []abi.ActorID
	Shadow     []abi.ActorID // of them, those that somebody else posts for; may be nil
	Policy     schedule.Policy
	Log        *slog.Logger

	// Vanilla keeps vanilla proofs over a restart; nil: they are read again.
	Vanilla vigil.VanillaShelf
	// Standing tells beforehand why the chain would take no recovery, and Gas how
	// much a declaration needs; without, the chain's answer tells.
	Standing vigil.MinerStanding
	Gas      vigil.GasEstimator
	// Rehearsals remembers them over a restart; nil: they begin anew.
	Rehearsals vigil.RehearsalStore
	// NoRehearsals leaves out the reading of sectors ahead of their deadlines.
	NoRehearsals bool
	// AtOnce is how many proofs the Prover makes at a time now, for forecasts; nil: one.
	AtOnce func() int
	// Before is the newest epoch that an earlier process saw, 0 if there was none: what was
	// challenged since is this daemon's, though it was off.
	Before abi.ChainEpoch
	// Version is shown to people.
	Version string
	// Journal is told what happens; nil: nothing is.
	Journal vigil.Journal
	// Span, where set, is told that something begins to be done about a duty,
	// and with the function that it gives of the end. What it puts into the
	// context is passed on.
	Span func(ctx context.Context, id vigil.DutyID, what string) (context.Context, func(error))
}

// span is Span where it is set.
func (c Config) span(ctx context.Context, id vigil.DutyID, what string) (context.Context, func(error)) {
	if c.Span == nil {
		return ctx, func(error) {}
	}
	return c.Span(ctx, id, what)
}

// Runner keeps miners proven. It is a vigil.StatusSource.
type Runner struct {
	cfg    Config
	miners []*miner
	board  board
	keeper *keeper     // nil if nothing is kept
	heads  alive.Pulse // of what passes heads on, and asks for them
}

// New checks the configuration and makes a Runner, which does nothing before Run.
func New(cfg Config) (*Runner, error) {
	if cfg.Heads == nil || cfg.State == nil || cfg.Randomness == nil || cfg.Sectors == nil || cfg.Prover == nil ||
		cfg.Verifier == nil || cfg.Messager == nil || cfg.Store == nil || cfg.Log == nil {
		return nil, errors.New("runner: every seam must be given")
	}
	if cfg.Journal == nil {
		cfg.Journal = forgetful{}
	}
	r := &Runner{cfg: cfg, keeper: newKeeper(cfg.Vanilla, cfg.Log)}
	r.board.changed = make(chan struct{})
	r.board.status.Version = cfg.Version
	work := new(work)
	for _, id := range cfg.Miners {
		m := newMiner(id, cfg, &r.board, work)
		m.keeper = r.keeper
		r.miners = append(r.miners, m)
	}
	return r, nil
}

// Adjust changes how it is decided what to do; every miner plans by it from its
// next turn on, and tasks that are going on end by what they began with.
func (r *Runner) Adjust(a Adjustable) {
	for _, m := range r.miners {
		m.adjusted.Store(&a)
	}
	r.Nudge()
}

// Policy is what every miner plans by, or will at its next turn.
func (r *Runner) Policy() schedule.Policy {
	for _, m := range r.miners {
		if a := m.adjusted.Load(); a != nil {
			return a.Policy
		}
	}
	return r.cfg.Policy
}

// Adjustable is what may change while a Runner runs.
type Adjustable struct {
	Policy       schedule.Policy
	NoRehearsals bool
}

// BusySince is when the longest turn of a miner's loop that is still going on
// began; the zero time when all loops wait for something to do. A turn reads the
// chain for an epoch at most and starts what is to be done, which does not take long.
func (r *Runner) BusySince() time.Time {
	var since time.Time
	for _, m := range r.miners {
		if began := m.turn.Load(); began != nil && (since.IsZero() || began.Before(since)) {
			since = *began
		}
	}
	return since
}

// HeadsBusySince is since when the node has been asked for a head, or one has been passed on
// to the miners; the zero time while neither is so. It takes an epoch at most.
func (r *Runner) HeadsBusySince() time.Time { return r.heads.BusySince() }

// LingersSince is since when the task that was told to end first has not ended; the zero time
// when there is none. Tasks end within seconds.
func (r *Runner) LingersSince() (since time.Time) {
	for _, m := range r.miners {
		if at := m.lingering.BusySince(); !at.IsZero() && (since.IsZero() || at.Before(since)) {
			since = at
		}
	}
	return since
}

// Nudge makes every miner plan again soon; it never blocks. What failed waits
// for the next head or tick all the same.
func (r *Runner) Nudge() {
	for _, m := range r.miners {
		offer(m.nudge, struct{}{})
	}
}

// Hurry reads the faulty sectors of a miner again soon, instead of some epochs
// after the last time: somebody has mended something. It never blocks, and is
// false for a miner that is not this runner's.
func (r *Runner) Hurry(id abi.ActorID) bool {
	for _, m := range r.miners {
		if m.id == id {
			offer(m.hurry, struct{}{})
			return true
		}
	}
	return false
}

// Run works until ctx ends, and returns when everything it started has ended.
func (r *Runner) Run(ctx context.Context) error {
	network, err := r.network(ctx)
	if err != nil {
		return err
	}
	r.board.update(func(s *vigil.Status) { s.Network, s.Delay = network.Name, network.BlockDelay })
	r.cfg.Log.Info("watching the chain", "network", network.Name, "version", uint(network.Version), "epoch_length", network.BlockDelay)

	var loops sync.WaitGroup
	for _, m := range r.miners {
		loops.Go(func() { m.run(ctx, network.BlockDelay) })
	}
	stopKeeping := r.keep(ctx)
	r.watch(ctx, network.BlockDelay)
	loops.Wait()
	stopKeeping()
	return nil
}

// keep lets the keeper work until the function that it gives is called, which
// returns when all is written.
func (r *Runner) keep(ctx context.Context) (stop func()) {
	if r.keeper == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // it ends after those who read
	var working sync.WaitGroup
	working.Go(func() { r.keeper.run(ctx) })
	return func() {
		cancel()
		working.Wait()
	}
}

// network asks until a node answers: a daemon that was started before its
// node must not give up.
func (r *Runner) network(ctx context.Context) (vigil.Network, error) {
	for {
		network, err := r.cfg.Heads.Network(ctx)
		if err == nil || ctx.Err() != nil {
			return network, err
		}
		r.cfg.Log.Warn("the node does not answer; asking again", "error", err)
		r.board.update(func(s *vigil.Status) { s.Problem = err.Error() })
		select {
		case <-ctx.Done():
			return network, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// watch passes heads on to the miners until ctx ends. Heads are a hint: when
// an epoch has passed without one, the node is asked, and the miners plan
// again whatever it answers.
func (r *Runner) watch(ctx context.Context, epoch time.Duration) {
	heads := r.cfg.Heads.Watch(ctx)
	answers := make(chan vigil.Head, 1)
	ticker := time.NewTicker(epoch)
	defer ticker.Stop()
	var latest vigil.Head
	var asking sync.WaitGroup
	defer asking.Wait()
	silent := true
	for {
		select {
		case <-ctx.Done():
			return
		case head, ok := <-heads:
			if !ok {
				heads = nil // the clock goes on without it
				continue
			}
			silent, latest = false, head
		case head := <-answers:
			if head.Key == latest.Key {
				continue
			}
			latest = head
		case <-ticker.C:
			if !silent {
				silent = true
				continue
			}
			asking.Go(func() { r.guarded(func() { r.ask(ctx, epoch, answers) }) })
		}
		if latest.Key != "" {
			r.guarded(func() { r.pass(latest) })
		}
	}
}

// ask asks the node for its head, and gives up when the next tick asks anew.
func (r *Runner) ask(ctx context.Context, epoch time.Duration, answers chan vigil.Head) {
	defer r.heads.Begin().End()
	ctx, cancel := context.WithTimeout(ctx, max(epoch, time.Second))
	defer cancel()
	head, err := r.cfg.Heads.Head(ctx)
	if err != nil {
		if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
			r.board.update(func(s *vigil.Status) { s.Problem = fmt.Sprintf("no head from the node: %v", err) })
		}
		return
	}
	offer(answers, head)
}

// guarded does what is done again at the next head or tick should a bug stop it.
func (r *Runner) guarded(work func()) {
	err := alive.Caught(func() error { work(); return nil })
	alive.LogPanic(r.cfg.Log, "a bug stopped the passing on of a head, which is tried again; please report it", err)
}

func (r *Runner) pass(head vigil.Head) {
	defer r.heads.Begin().End()
	r.board.update(func(s *vigil.Status) {
		if s.HeadSeen.IsZero() || head.Epoch != s.Head {
			s.HeadSeen, s.Problem = time.Now(), ""
		}
		s.Head, s.HeadTime, s.BaseFee = head.Epoch, head.Time, &head.BaseFee
	})
	for _, m := range r.miners {
		offer(m.heads, head)
	}
}

// offer puts a value into a channel of capacity one in place of an older one.
func offer[T any](c chan T, value T) {
	for {
		select {
		case c <- value:
			return
		default:
		}
		select {
		case <-c:
		default:
		}
	}
}
