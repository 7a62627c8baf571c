package native

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/filecoin-project/go-state-types/abi"
)

func TestTheMostUrgentComesNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(1)
		if err := l.enter(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		var order []abi.ChainEpoch // written by whoever has the slot
		var wait sync.WaitGroup
		for _, close := range []abi.ChainEpoch{300, 100, 200, 400} {
			wait.Go(func() {
				if err := l.enter(t.Context(), close); err != nil {
					t.Error(err)
				}
				order = append(order, close)
				l.leave()
			})
			synctest.Wait() // it stands in the line
		}
		l.leave()
		wait.Wait()
		if want := []abi.ChainEpoch{100, 200, 300, 400}; !slices.Equal(order, want) {
			t.Errorf("served %v, want %v", order, want)
		}
	})
}

func TestNoMoreThanTheSlotsAreServedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slots = 3
		l := newLine(slots)
		served := make(chan struct{}, 10)
		ctx, cancel := context.WithCancel(t.Context())
		for range 10 {
			go func() {
				if l.enter(ctx, 1) == nil {
					served <- struct{}{}
				}
			}()
		}
		synctest.Wait()
		if len(served) != slots {
			t.Errorf("%d at once, want %d", len(served), slots)
		}
		l.leave()
		synctest.Wait()
		if len(served) != slots+1 {
			t.Errorf("%d after one left, want %d", len(served), slots+1)
		}
		cancel()
	})
}

func TestOneThatGivesUpPassesItsTurnOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(1)
		if err := l.enter(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wait sync.WaitGroup
		wait.Go(func() {
			if err := l.enter(ctx, 1); !errors.Is(err, context.Canceled) {
				t.Errorf("the one that gave up: %v", err)
			}
		})
		synctest.Wait()
		cancel()
		wait.Wait()
		wait.Go(func() {
			if err := l.enter(t.Context(), 2); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		l.leave()
		wait.Wait()
		l.leave()
		if l.free != 1 || len(l.waiting) != 0 {
			t.Errorf("%d slots are free, %d wait", l.free, len(l.waiting))
		}
	})
}

// A law: whoever gives up, and when, no slot is ever lost or doubled.
func TestNoTurnIsLostWhenTurnsAndEndsMeet(t *testing.T) {
	const slots = 2
	l := newLine(slots)
	var wait sync.WaitGroup
	for i := range 400 {
		ctx, cancel := context.WithCancel(t.Context())
		wait.Go(func() {
			if l.enter(ctx, abi.ChainEpoch(i%7)) == nil {
				l.leave()
			}
		})
		go cancel()
	}
	wait.Wait()
	if l.free != slots || len(l.waiting) != 0 {
		t.Errorf("%d slots are free of %d, %d wait", l.free, slots, len(l.waiting))
	}
}
