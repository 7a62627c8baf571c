package ifma

import (
	"context"
	"sync"
	"sync/atomic"
)

// each does the units 0..n-1, each with one of the workers, until one fails or ctx
// ends, and waits for all workers.
func each(ctx context.Context, workers, n int, work func(worker, unit int) error) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var next atomic.Int64
	var all sync.WaitGroup
	for w := range min(workers, n) {
		all.Go(func() {
			defer contain(fail)
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := work(w, i); err != nil {
					fail(err)
				}
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}
