package ifma

import (
	"context"
	"sync"
	"sync/atomic"
)

// stage is work in units that may be done at the same time.
type stage struct {
	after []*stage   // complete before it begins
	count func() int // of units; asked once, when those are complete
	work  func(worker, unit int) error

	begin      sync.Once
	units      int
	next, left atomic.Int64
	done       chan struct{}
}

func newStage(count func() int, work func(worker, unit int) error, after ...*stage) *stage {
	return &stage{after: after, count: count, work: work, done: make(chan struct{})}
}

func exactly(n int) func() int { return func() int { return n } }

// each does the units 0..n-1, each with one of the workers, until one fails or ctx
// ends, and waits for all workers.
func each(ctx context.Context, workers, n int, work func(worker, unit int) error) error {
	return inOrder(ctx, min(workers, n), newStage(exactly(n), work))
}

// inOrder does stages, until a unit fails or ctx ends, and waits for all workers. A stage comes
// after those that it needs.
//
// A worker that finds no more unit in a stage goes on to the next one, and waits
// where that needs one whose last units others still do. Nobody waits for all of a stage that
// nothing needs yet: with a few stages between two that depend on each other, all workers
// are busy until the last.
func inOrder(ctx context.Context, workers int, stages ...*stage) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			defer contain(fail)
			for _, s := range stages {
				if err := s.share(ctx, w); err != nil {
					fail(err)
					return
				}
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// share does units of a stage while there are any.
func (s *stage) share(ctx context.Context, worker int) error {
	for _, before := range s.after {
		select {
		case <-before.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.begin.Do(func() {
		s.units = s.count()
		s.left.Store(int64(s.units))
		if s.units == 0 {
			close(s.done)
		}
	})
	for i := int(s.next.Add(1)) - 1; i < s.units; i = int(s.next.Add(1)) - 1 {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := s.work(worker, i); err != nil {
			return err
		}
		if s.left.Add(-1) == 0 {
			close(s.done)
		}
	}
	return nil
}
