package ifma

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/vigil-post/vigil/proofs/offheap"
)

// Stages that need some of those before them, drawn, with none to many units.
func TestAStageBeginsWhenWhatItNeedsIsComplete(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var stages []*stage
		units := make([]int, 1+rng.IntN(30))
		did := make([]atomic.Int64, len(units))
		for i := range units {
			units[i] = rng.IntN(8)
			var after []*stage
			var needs []int
			for before := range i {
				if rng.IntN(4) == 0 {
					after, needs = append(after, stages[before]), append(needs, before)
				}
			}
			complete := func(when string) {
				for _, before := range needs {
					if have := did[before].Load(); have != int64(units[before]) {
						t.Errorf("seed %d, %s of stage %d: stage %d has done %d of %d", seed, when, i, before, have, units[before])
					}
				}
			}
			stages = append(stages, newStage(func() int {
				complete("count")
				return units[i]
			}, func(int, int) error {
				complete("work")
				did[i].Add(1)
				return nil
			}, after...))
		}
		if err := inOrder(t.Context(), 1+rng.IntN(9), stages...); err != nil {
			t.Error(err)
		}
		for i := range units {
			if have := did[i].Load(); have != int64(units[i]) {
				t.Errorf("seed %d: stage %d has done %d of %d", seed, i, have, units[i])
			}
		}
	}
}

// Whatever goes wrong where, workers that wait for what will never be complete go home.
func TestAStageThatFailsEndsAll(t *testing.T) {
	failure := errors.New("a failure")
	var bug *offheap.PanicError
	for name, c := range map[string]struct {
		count func() int
		work  func(ctx context.CancelFunc) error
		right func(error) bool
	}{
		"a unit fails":       {exactly(5), func(context.CancelFunc) error { return failure }, func(err error) bool { return errors.Is(err, failure) }},
		"a unit panics":      {exactly(5), func(context.CancelFunc) error { panic("a bug") }, func(err error) bool { return errors.As(err, &bug) }},
		"the count panics":   {func() int { panic("a bug") }, nil, func(err error) bool { return errors.As(err, &bug) }},
		"somebody cancelled": {exactly(5), func(cancel context.CancelFunc) error { cancel(); return nil }, func(err error) bool { return errors.Is(err, context.Canceled) }},
	} {
		for workers := 1; workers <= 5; workers++ {
			t.Run(fmt.Sprint(name, " with ", workers), func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				nothing := func(int, int) error { return nil }
				first := newStage(exactly(3), nothing)
				fails := newStage(c.count, func(int, int) error { return c.work(cancel) }, first)
				waits := newStage(exactly(3), func(int, int) error {
					t.Error("began all the same")
					return nil
				}, fails)
				if err := inOrder(ctx, workers, first, fails, waits); !c.right(err) {
					t.Error(err)
				}
			})
		}
	}
}
