package dashboard

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/vigil-post/vigil/alive"
)

const (
	// So long a page waits for a node or the store.
	patience = 10 * time.Second
	// So much is kept for readers who look at the same.
	mostKept = 64
)

// perHead keeps what was read until there is another head, so that who looks,
// however many they are, does not take the node and the store from the daemon.
// What could not be read is kept as long.
type perHead[V any] struct {
	atOnce chan struct{} // a place for each reading
	flight singleflight.Group
	mu     sync.Mutex
	kept   map[string]keptAt[V] // guarded by mu
}

type keptAt[V any] struct {
	head  time.Time // when it was seen
	value V
	err   error
}

func newPerHead[V any](atOnce int) *perHead[V] {
	return &perHead[V]{atOnce: make(chan struct{}, atOnce), kept: map[string]keptAt[V]{}}
}

// get gives what was read at the status's head, and reads it if nobody has.
func (c *perHead[V]) get(ctx context.Context, at moment, key string, read func(context.Context) (V, error)) (V, error) {
	c.mu.Lock()
	kept, ok := c.kept[key]
	c.mu.Unlock()
	if ok && kept.head.Equal(at.HeadSeen) {
		return kept.value, kept.err
	}
	done := c.flight.DoChan(key, func() (any, error) {
		// For all who wait: it does not end with the one who asked first.
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		found := keptAt[V]{head: at.HeadSeen}
		// singleflight lets a panic end the process, where net/http would not.
		found.err = alive.Caught(func() (err error) {
			found.value, err = c.inTurn(limited, read)
			return err
		})
		c.keep(key, found)
		return found, nil
	})
	select {
	case <-ctx.Done():
		var none V
		return none, ctx.Err()
	case result := <-done:
		found := result.Val.(keptAt[V])
		return found.value, found.err
	}
}

func (c *perHead[V]) inTurn(ctx context.Context, read func(context.Context) (V, error)) (V, error) {
	select {
	case c.atOnce <- struct{}{}:
		defer func() { <-c.atOnce }()
		return read(ctx)
	case <-ctx.Done():
		var none V
		return none, ctx.Err()
	}
}

// keep keeps what was read, in place of the oldest when there is much.
func (c *perHead[V]) keep(key string, found keptAt[V]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.kept[key]; !known && len(c.kept) >= mostKept {
		oldest := ""
		for other, kept := range c.kept {
			if oldest == "" || kept.head.Before(c.kept[oldest].head) {
				oldest = other
			}
		}
		delete(c.kept, oldest)
	}
	c.kept[key] = found
}
