package runner

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
)

// After an outage every deadline waits to be read: the one whose cutoff comes
// first is next, and who does not wait any more takes nobody's turn.
func TestTheMostUrgentDeadlineIsReadNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all turns
		var running []func()
		for range recoverDeadlines {
			done, err := all.turn(t.Context(), 1, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			running = append(running, done)
		}
		gone, leave := context.WithCancel(t.Context())
		order := make(chan abi.ChainEpoch, 10)
		for _, by := range []abi.ChainEpoch{30, 10, 5, 20} {
			go func() {
				ctx := t.Context()
				if by == 5 {
					ctx = gone
				}
				done, err := all.turn(ctx, by, time.Hour)
				if err != nil {
					return
				}
				order <- by
				done()
				done() // is harmless
			}()
		}
		synctest.Wait()
		if len(order) != 0 {
			t.Error("more read at a time than may")
		}
		leave()
		synctest.Wait()
		running[0]()
		synctest.Wait()
		close(order)
		var got []abi.ChainEpoch
		for by := range order {
			got = append(got, by)
		}
		if !slices.Equal(got, []abi.ChainEpoch{10, 20, 30}) {
			t.Errorf("they were read in the order %v", got)
		}
		if all.taken != recoverDeadlines-1 || len(all.waiting) != 0 {
			t.Errorf("%d turns are taken and %d wait", all.taken, len(all.waiting))
		}
	})
}

func TestWhoseTimeIsNearlyOverWaitsForNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all turns
		for range recoverDeadlines {
			if _, err := all.turn(t.Context(), 1, time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		done, err := all.turn(t.Context(), 2, 7*time.Minute)
		if err != nil || time.Since(began) != 7*time.Minute {
			t.Errorf("it waited %v: %v", time.Since(began), err)
		}
		if done(); all.taken != recoverDeadlines || len(all.waiting) != 0 {
			t.Errorf("%d turns are taken, %d wait", all.taken, len(all.waiting))
		}
	})
}
