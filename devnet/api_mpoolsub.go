package devnet

import (
	"context"
	"sync"

	"github.com/ipfs/go-cid"
)

// MpoolUpdate is a message that came into the pool or left it.
type MpoolUpdate struct {
	Type    int // mpoolAdd or mpoolRemove
	Message *SignedMessage
}

const (
	mpoolAdd = iota
	mpoolRemove
)

// bell wakes whoever waits for the next ring.
type bell struct {
	mu   sync.Mutex // guards next
	next chan struct{}
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}

func (b *bell) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

// MpoolSub tells how the pool changes from now on. It compares the pool with
// what it was at every push and every head, so a slow reader hears of what
// came and went in between only if it stayed.
func (a *api) MpoolSub(ctx context.Context) (<-chan MpoolUpdate, error) {
	out := make(chan MpoolUpdate)
	pushed := a.pool.wait()
	known := a.n.waiting()
	go func() {
		defer close(out)
		for heads := a.n.notify.subscribe(ctx, a.n.chain.current); ; {
			select {
			case <-ctx.Done():
				return
			case <-pushed:
			case _, ok := <-heads:
				if !ok {
					heads = a.n.notify.subscribe(ctx, a.n.chain.current)
				}
			}
			pushed = a.pool.wait()
			now := a.n.waiting()
			if !tell(ctx, out, known, now) {
				return
			}
			known = now
		}
	}()
	return out, nil
}

// tell sends the differences between two states of the pool; it is false when ctx ends first.
func tell(ctx context.Context, out chan<- MpoolUpdate, before, now map[cid.Cid]*SignedMessage) bool {
	for _, step := range []struct {
		from, to map[cid.Cid]*SignedMessage
		typ      int
	}{{before, now, mpoolAdd}, {now, before, mpoolRemove}} {
		for c, m := range step.to {
			if step.from[c] != nil {
				continue
			}
			select {
			case out <- MpoolUpdate{step.typ, m}:
			case <-ctx.Done():
				return false
			}
		}
	}
	return true
}

// waiting is what is in the pool and was not executed yet: the pool hears of a
// block a moment after subscribers do.
func (n *Network) waiting() map[cid.Cid]*SignedMessage {
	st := n.chain.current().after
	out := map[cid.Cid]*SignedMessage{}
	for _, m := range n.pool.pending() {
		if _, e, _ := st.lookup(m.Message.From); m.Message.Nonce < e.nonce {
			continue
		}
		if c, err := m.CID(); err == nil {
			out[c] = m
		}
	}
	return out
}
