package groth16

import (
	"errors"
	"runtime"
	"sync"

	"github.com/vigil-post/vigil/proofs/offheap"
)

// inParallel cuts 0..n into one range per worker, runs them and waits for all. A
// panic in one is its error.
func inParallel(n, workers int, work func(start, end int) error) error {
	workers = max(1, min(workersOr(workers), n))
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			errs[w] = offheap.Caught(func() error { return work(n*w/workers, n*(w+1)/workers) })
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func workersOr(n int) int {
	if n > 0 {
		return n
	}
	return runtime.GOMAXPROCS(0)
}
