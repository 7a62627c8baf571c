package native

import (
	"container/heap"
	"context"
	"sync"

	"github.com/filecoin-project/go-state-types/abi"
)

// line lets a number of proofs be made at once; of those that wait, the one
// whose deadline closes first comes next.
type line struct {
	mu      sync.Mutex // guards what follows
	all     int        // slots
	free    int
	surplus int // slots that are taken and do not become free again
	waiting queue
}

// ticket is a place in the line. Its turn is closed when it comes.
type ticket struct {
	close abi.ChainEpoch
	turn  chan struct{}
	index int // in the queue; -1 when it is not there any more
}

func newLine(slots int) *line { return &line{all: slots, free: slots} }

// narrow takes the slot that the caller has out of the line, if others have some too: it
// does not become free when it is left. It is false for the last one in use.
func (l *line) narrow() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all-l.free <= 1 {
		return false
	}
	l.all--
	l.surplus++
	return true
}

// slots is how many there are.
func (l *line) slots() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all
}

// enter waits for a slot, which leave gives back.
func (l *line) enter(ctx context.Context, close abi.ChainEpoch) error {
	l.mu.Lock()
	if l.free > 0 {
		l.free--
		l.mu.Unlock()
		return nil
	}
	t := &ticket{close: close, turn: make(chan struct{})}
	heap.Push(&l.waiting, t)
	l.mu.Unlock()
	select {
	case <-t.turn:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.index < 0 { // its turn came in the same moment: pass it on
		l.next()
		return ctx.Err()
	}
	heap.Remove(&l.waiting, t.index)
	return ctx.Err()
}

func (l *line) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next()
}

// next gives a slot that has become free to the most urgent; mu is held.
func (l *line) next() {
	if l.surplus > 0 {
		l.surplus--
		return
	}
	if len(l.waiting) == 0 {
		l.free++
		return
	}
	t := heap.Pop(&l.waiting).(*ticket)
	close(t.turn)
}

// queue is a heap of tickets by the epoch at which they are worthless.
type queue []*ticket

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].close < q[j].close }

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push implements heap.Interface.
func (q *queue) Push(x any) {
	t := x.(*ticket)
	t.index = len(*q)
	*q = append(*q, t)
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := len(*q) - 1
	t := (*q)[last]
	t.index = -1
	*q = (*q)[:last]
	return t
}
