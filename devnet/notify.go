package devnet

import (
	"context"
	"sync"
)

// notifyBuffer is how many changes a subscriber may be behind before it is
// cut off: the chain waits for nobody.
const notifyBuffer = 128

// HeadChange is one step of the canonical chain.
type HeadChange struct {
	Type string // current, apply or revert
	Val  *TipSet
}

// notifier hands head changes to subscribers.
type notifier struct {
	mu   sync.Mutex // guards subs
	subs map[chan []HeadChange]bool
}

// subscribe starts with the head as current. The channel is closed when ctx
// ends or when its reader is too slow.
func (n *notifier) subscribe(ctx context.Context, head func() *tipset) <-chan []HeadChange {
	ch := make(chan []HeadChange, notifyBuffer)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.subs == nil {
		n.subs = map[chan []HeadChange]bool{}
	}
	n.subs[ch] = true
	ch <- []HeadChange{{Type: "current", Val: head().wire()}}
	context.AfterFunc(ctx, func() { n.drop(ch) })
	return ch
}

func (n *notifier) drop(ch chan []HeadChange) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closeLocked(ch)
}

func (n *notifier) closeLocked(ch chan []HeadChange) {
	if n.subs[ch] {
		delete(n.subs, ch)
		close(ch)
	}
}

// publish changes the head and tells everybody, so that a subscriber who comes
// meanwhile misses nothing and hears nothing twice.
func (n *notifier) publish(change func(), events []HeadChange) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change()
	for ch := range n.subs {
		select {
		case ch <- events:
		default:
			n.closeLocked(ch)
		}
	}
}
