package devnet

import (
	"context"
	"fmt"

	"github.com/ipfs/go-cid"
)

// push takes a message into the pool; it is stored when this returns.
func (n *Network) push(ctx context.Context, m *SignedMessage, maxPending int) (cid.Cid, error) {
	head := n.chain.current()
	if err := n.pool.add(m, head, maxPending); err != nil {
		return cid.Undef, err
	}
	c, err := m.CID()
	if err != nil {
		return cid.Undef, err
	}
	if n.weather.loses(head.height() + 1) {
		n.pool.remove(func(x *SignedMessage) bool { return x == m })
		n.log.Info("a message is lost after it was accepted", "cid", c, "from", m.Message.From, "nonce", m.Message.Nonce)
		return c, nil
	}
	n.chain.remember(c, m)
	if err := n.db.write(ctx, func(b *batch) { b.pending(m) }); err != nil {
		return cid.Undef, fmt.Errorf("store the message: %w", err)
	}
	return c, n.drop(ctx, n.pool.evict(head.header.ParentBaseFee), "the pool is full")
}

// drop forgets messages that were taken out of the pool.
func (n *Network) drop(ctx context.Context, gone []*SignedMessage, why string) error {
	if len(gone) == 0 {
		return nil
	}
	n.log.Info("messages are dropped from the pool", "messages", len(gone), "why", why)
	return n.db.write(ctx, func(b *batch) {
		for _, m := range gone {
			b.exec("DELETE FROM pending WHERE sender = ? AND nonce = ?", m.Message.From.String(), int64(m.Message.Nonce))
		}
	})
}

// Drop forgets the messages that wait in the pool: the one with this CID, or all
// if it is undefined. It says how many. Their senders are not told.
func (n *Network) Drop(ctx context.Context, c cid.Cid) (int, error) {
	gone := n.pool.remove(func(m *SignedMessage) bool {
		id, err := m.CID()
		return !c.Defined() || err == nil && id == c
	})
	return len(gone), n.drop(ctx, gone, "the devnet was told so")
}

// LimitPool cuts the pool to low messages whenever it has more than high.
func (n *Network) LimitPool(low, high int) error {
	if low < 1 || high < low {
		return fmt.Errorf("a pool cut from more than %d messages to %d: the limits must be positive, the first not less than the second", high, low)
	}
	n.pool.mu.Lock()
	defer n.pool.mu.Unlock()
	n.pool.low, n.pool.high = low, high
	return nil
}
