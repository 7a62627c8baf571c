package runner_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/runner"
)

// stuck is a store that answers when it is let to, and does not look at contexts.
type stuck struct {
	*world
	gate chan struct{}
}

func (s stuck) Duties(ctx context.Context, miner abi.ActorID, since abi.ChainEpoch) ([]vigil.Duty, error) {
	<-s.gate
	return s.world.Duties(ctx, miner, since)
}

func TestALoopThatDoesNotComeRoundIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(0, 1)
		w.miners = []abi.ActorID{minerID}
		cfg, gate := w.config(slog.New(slog.DiscardHandler)), make(chan struct{})
		cfg.Store = stuck{w, gate}
		r, err := runner.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if !r.BusySince().IsZero() {
			t.Error("busy before it runs")
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { _ = r.Run(ctx); close(ended) }()
		synctest.Wait()
		w.tick()
		synctest.Wait()
		began := time.Now()
		time.Sleep(10 * time.Minute)
		if since := r.BusySince(); !since.Equal(began) {
			t.Errorf("busy since %v, not %v", since, began)
		}
		close(gate)
		synctest.Wait()
		if since := r.BusySince(); !since.IsZero() {
			t.Errorf("busy since %v when nothing is left to do", since)
		}
		cancel()
		<-ended
	})
}

// deaf answers about the head, and proves, when it is let to, and does not look at contexts.
type deaf struct {
	*world
	gate chan struct{}
}

func (d deaf) Head(ctx context.Context) (vigil.Head, error) {
	<-d.gate
	return d.world.Head(ctx)
}

func (d deaf) Prove(ctx context.Context, r vigil.ProveRequest) ([]byte, error) {
	<-d.gate
	return d.world.Prove(ctx, r)
}

// A node that never answers about the head hangs what asks for it; a prover that does not end
// when it is told to, the task that waits for it.
func TestWhatDoesNotAnswerIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(17, 1)
		w.miners = []abi.ActorID{minerID}
		cfg, gate := w.config(slog.New(slog.DiscardHandler)), make(chan struct{})
		cfg.Heads, cfg.Prover = deaf{w, gate}, deaf{w, gate}
		r, err := runner.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { _ = r.Run(ctx); close(ended) }()
		for w.now() < 1081 { // until the deadline closed a little while ago
			if !r.LingersSince().IsZero() && w.now() < 1079 {
				t.Fatalf("at epoch %d the proof is not to end yet", w.now())
			}
			w.tick()
			synctest.Wait()
			time.Sleep(epoch)
		}
		if r.LingersSince().IsZero() || !r.HeadsBusySince().IsZero() {
			t.Errorf("the proof that ought to end: since %v; heads: %v", r.LingersSince(), r.HeadsBusySince())
		}
		w.mu.Lock()
		w.silent = true
		w.mu.Unlock()
		time.Sleep(10 * epoch)
		if since := r.HeadsBusySince(); since.IsZero() || time.Since(since) < 7*epoch {
			t.Errorf("the question about the head hangs since %v", since)
		}
		close(gate)
		synctest.Wait()
		if !r.LingersSince().IsZero() || !r.HeadsBusySince().IsZero() {
			t.Errorf("it was answered: %v, %v", r.LingersSince(), r.HeadsBusySince())
		}
		cancel()
		<-ended
	})
}

// bug panics in what a plan is made from, as often as it is told.
type bug struct {
	*world
	left *int
}

func (b bug) Duties(ctx context.Context, miner abi.ActorID, since abi.ChainEpoch) ([]vigil.Duty, error) {
	b.mu.Lock()
	*b.left--
	panics := *b.left >= 0
	b.mu.Unlock()
	if panics {
		panic("a bug")
	}
	return b.world.Duties(ctx, miner, since)
}

func TestABugInAPlanCostsAHeadAndNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.many(4)
		left := 7
		w.change = func(c *runner.Config) { c.Store = bug{w, &left} }
		w.run(t, after)
		w.expect(t, post(0), vigil.StateConfirmed)
		if left >= 0 || !strings.Contains(w.log.String(), "a bug stopped the planning, which is tried again at the next head; please report it") {
			t.Error("no bug was met, or it was not said")
		}
	})
}
