package sector

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// When visits that were lost return, those who wait go in side by side again.
func TestAGateThatWasNarrowOpensAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		release := make(chan struct{})
		var all sync.WaitGroup
		visit := func(do func()) {
			all.Go(func() {
				_, err := pass(t.Context(), g, 128, time.Minute, func(v *visit) (int, error) { do(); v.moved(); return 0, nil })
				_ = err // those that hang are given up
			})
		}
		// So many hang at once that the others go one by one. None counts as silent: each
		// that hangs has one beside it that returns after it was given up.
		g.pace.now = mostPlaces
		for range lostMany {
			visit(func() { <-release })
		}
		all.Wait() // all are given up
		g.mu.Lock()
		g.unanswered = 0
		g.mu.Unlock()
		for range 300 {
			visit(func() { <-time.After(time.Second) })
		}
		<-time.After(10500 * time.Millisecond)
		g.mu.Lock()
		done := g.visits
		g.mu.Unlock()
		if done != 10 {
			t.Errorf("%d visits in ten seconds beside %d that hang, want one a second", done, lostMany)
		}
		began := time.Now()
		close(release)
		all.Wait()
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("the others took %v when nothing hung any more", took)
		}
	})
}

// A mount that hung for a night and was made anew: its old reads never return.
func TestAGateWithTooManyLostVisitsIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		release := make(chan struct{})
		defer close(release)
		visit := func(do func()) error {
			_, err := pass(t.Context(), g, 128, 30*time.Second, func(v *visit) (int, error) { do(); return 0, nil })
			return err
		}
		for began := time.Now(); time.Since(began) < 12*time.Hour; <-time.After(time.Second) {
			if visit(func() { <-release }) == nil {
				t.Fatal("it does not hang")
			}
		}
		g.mu.Lock()
		if lost := g.lost; lost > lostMost+12*6 {
			t.Errorf("%d visits are lost", lost)
		}
		g.mu.Unlock()
		began := time.Now()
		for visit(func() {}) != nil {
			if time.Since(began) > 20*time.Minute {
				t.Fatal("it is not read again when it answers")
			}
			<-time.After(30 * time.Second) // as heads come
		}
		var all sync.WaitGroup
		began = time.Now()
		for range 1000 {
			all.Go(func() {
				if err := visit(func() { <-time.After(time.Second) }); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if took := time.Since(began); took > 5*time.Minute {
			t.Errorf("a thousand visits of a second took %v", took)
		}
	})
}
