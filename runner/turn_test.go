package runner_test

import (
	"context"
	"log/slog"
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
