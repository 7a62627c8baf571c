// Package alive keeps what must never stop from stopping, and shows it when it
// does: a [Pulse] says what hangs, and a bug that [Caught] meets costs the task
// that it is in and not the process with everybody's duties.
package alive

import (
	"sync"
	"time"
)

// Pulse shows from outside that a loop comes round, or that calls return: what was begun and
// neither ended nor went on for long hangs. The zero Pulse is ready; it may be used concurrently.
type Pulse struct {
	mu    sync.Mutex // guards what follows
	turns map[*Turn]time.Time
}

// Turn is one round of a loop, or one call.
type Turn struct{ of *Pulse }

// Begin begins a turn, which must End.
func (p *Pulse) Begin() *Turn {
	t := &Turn{p}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.turns == nil {
		p.turns = map[*Turn]time.Time{}
	}
	p.turns[t] = time.Now()
	return t
}

// Goes shows that a turn of many steps has made one. A nil Turn, which nobody watches, may too.
func (t *Turn) Goes() {
	if t == nil {
		return
	}
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	if _, goes := t.of.turns[t]; goes {
		t.of.turns[t] = time.Now()
	}
}

// End ends a turn; the second time it does nothing.
func (t *Turn) End() {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	delete(t.of.turns, t)
}

// BusySince is when the turn that has made no step for longest made its last, or began; the
// zero time when none is going on.
func (p *Pulse) BusySince() (since time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, at := range p.turns {
		if since.IsZero() || at.Before(since) {
			since = at
		}
	}
	return since
}
