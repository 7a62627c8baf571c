package chain

import (
	"context"
	"fmt"
	"sync"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/network"

	"github.com/vigil-post/vigil"
)

// Network says which network the node follows.
func (c *Client) Network(ctx context.Context) (vigil.Network, error) {
	s, err := c.node.session(ctx)
	if err != nil {
		return vigil.Network{}, fmt.Errorf("network: %w", err)
	}
	n := s.network
	n.Version, err = ask[network.Version](ctx, c, "StateNetworkVersion", noKey) // the one thing that changes
	return n, err
}

// Head asks for the head now.
func (c *Client) Head(ctx context.Context) (vigil.Head, error) {
	h, err := headNow(ctx, c)
	if err != nil {
		return vigil.Head{}, err
	}
	c.tipsets.add(h)
	return h, nil
}

// Watch gives the latest head, from the one known now on; the channel is
// closed when ctx ends.
func (c *Client) Watch(ctx context.Context) <-chan vigil.Head { return c.heads.watch(ctx) }

// At gives the tipset at the epoch in the chain that ends in key, or the
// latest before it.
func (c *Client) At(ctx context.Context, epoch abi.ChainEpoch, key vigil.TipSetKey) (vigil.Head, error) {
	if epoch < 0 {
		return vigil.Head{}, fmt.Errorf("tipset at epoch %d: %w", epoch, vigil.ErrNotFound)
	}
	k, err := keyParam(key)
	if err != nil {
		return vigil.Head{}, err
	}
	const method = "ChainGetTipSetByHeight"
	t, err := ask[tipSet](ctx, c, method, epoch, k)
	if err != nil {
		return vigil.Head{}, err
	}
	h := t.head()
	if h.Epoch > epoch {
		return vigil.Head{}, unusable(method, "the tipset of epoch %d where %d or one before it was asked for", h.Epoch, epoch)
	}
	c.tipsets.add(h)
	return h, nil
}

// tipSet gives the tipset of a key.
func (c *Client) tipSet(ctx context.Context, key vigil.TipSetKey) (vigil.Head, error) {
	if key == "" {
		return c.Head(ctx)
	}
	if h, ok := c.tipsets.get(key); ok {
		return h, nil
	}
	k, err := keyParam(key)
	if err != nil {
		return vigil.Head{}, err
	}
	const method = "ChainGetTipSet"
	t, err := ask[tipSet](ctx, c, method, k)
	if err != nil {
		return vigil.Head{}, err
	}
	h := t.head()
	if h.Key != key {
		return vigil.Head{}, unusable(method, "the tipset %s where %s was asked for", h.Key, key)
	}
	c.tipsets.add(h)
	return h, nil
}

// tipsetCache remembers the tipsets asked for last: what a key names never changes.
type tipsetCache struct {
	mu    sync.Mutex // guards what follows
	known map[vigil.TipSetKey]vigil.Head
	order []vigil.TipSetKey // oldest first
}

const cachedTipSets = 64

func (c *tipsetCache) get(key vigil.TipSetKey) (vigil.Head, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h, ok := c.known[key]
	return h, ok
}

func (c *tipsetCache) add(h vigil.Head) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = map[vigil.TipSetKey]vigil.Head{}
	}
	if _, ok := c.known[h.Key]; ok {
		return
	}
	if len(c.order) == cachedTipSets {
		delete(c.known, c.order[0])
		c.order = c.order[1:]
	}
	c.known[h.Key] = h
	c.order = append(c.order, h.Key)
}

// headlines hands the latest head to all who watch. Nobody's slowness is anyone else's.
type headlines struct {
	mu       sync.Mutex // guards what follows, and sending to watchers
	latest   *vigil.Head
	watchers map[chan vigil.Head]struct{}
}

func (h *headlines) publish(head vigil.Head) { h.tell(head, false) }

// again publishes a head even if it is known: what was read at it is to be
// read once more, of another node.
func (h *headlines) again(head vigil.Head) { h.tell(head, true) }

func (h *headlines) tell(head vigil.Head, anew bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.latest != nil && h.latest.Key == head.Key && !anew {
		return
	}
	h.latest = &head
	for out := range h.watchers {
		select {
		case <-out: // it was not taken: an older one is of no use
		default:
		}
		out <- head
	}
}

func (h *headlines) watch(ctx context.Context) <-chan vigil.Head {
	out := make(chan vigil.Head, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.latest != nil {
		out <- *h.latest
	}
	if h.watchers == nil {
		h.watchers = map[chan vigil.Head]struct{}{}
	}
	h.watchers[out] = struct{}{}
	context.AfterFunc(ctx, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.watchers, out)
		close(out)
	})
	return out
}
