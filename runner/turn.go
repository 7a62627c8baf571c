package runner

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
)

// recoverDeadlines is how many deadlines' faulty sectors are read at a time.
// After an outage all wait to be read, and those whose cutoff comes first must
// not wait for all others; one whose storage hangs must not keep the rest waiting.
const recoverDeadlines = 4

// turns lets the most urgent go first, a few at a time. The zero value is ready.
type turns struct {
	mu      sync.Mutex // guards what follows
	taken   int
	waiting []waiter
}

type waiter struct {
	by   abi.ChainEpoch // the earlier the more urgent
	turn chan struct{}  // closed when it has its turn
}

// turn waits for a turn, and gives what ends it. Who has waited as long as patience goes on
// without one: his time is nearly over, and those before him may be hanging.
func (t *turns) turn(ctx context.Context, by abi.ChainEpoch, patience time.Duration) (done func(), err error) {
	w := waiter{by, make(chan struct{})}
	t.mu.Lock()
	t.waiting = append(t.waiting, w)
	t.admit()
	t.mu.Unlock()
	select {
	case <-w.turn:
	case <-time.After(patience):
		t.leave(w)
		return func() {}, nil
	case <-ctx.Done():
		t.leave(w)
		return nil, ctx.Err()
	}
	return sync.OnceFunc(func() { t.leave(w) }), nil
}

// admit gives turns away while there are any. The mutex is held.
func (t *turns) admit() {
	for t.taken < recoverDeadlines && len(t.waiting) > 0 {
		first := slices.MinFunc(t.waiting, func(a, b waiter) int { return int(a.by - b.by) })
		t.waiting = slices.DeleteFunc(t.waiting, func(w waiter) bool { return w == first })
		t.taken++
		close(first.turn)
	}
}

// leave ends a turn, or the waiting for one.
func (t *turns) leave(w waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := len(t.waiting)
	t.waiting = slices.DeleteFunc(t.waiting, func(other waiter) bool { return other == w })
	if len(t.waiting) == before {
		t.taken--
	}
	t.admit()
}
