package devnet

import (
	"context"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/ipfs/go-cid"
)

func (a *api) MpoolPush(ctx context.Context, m *SignedMessage) (cid.Cid, error) {
	return a.push(ctx, "MpoolPush", m, maxPendingTrusted)
}

func (a *api) MpoolPushUntrusted(ctx context.Context, m *SignedMessage) (cid.Cid, error) {
	return a.push(ctx, "MpoolPushUntrusted", m, maxPendingUntrusted)
}

func (a *api) MpoolBatchPush(ctx context.Context, list []*SignedMessage) ([]cid.Cid, error) {
	return a.pushAll(ctx, "MpoolBatchPush", list, maxPendingTrusted)
}

func (a *api) MpoolBatchPushUntrusted(ctx context.Context, list []*SignedMessage) ([]cid.Cid, error) {
	return a.pushAll(ctx, "MpoolBatchPushUntrusted", list, maxPendingUntrusted)
}

// pushAll stops at the first message that is refused.
func (a *api) pushAll(ctx context.Context, method string, list []*SignedMessage, maxPending int) ([]cid.Cid, error) {
	if err := need(ctx, "write", method); err != nil {
		return nil, err
	}
	var out []cid.Cid
	for _, m := range list {
		c, err := a.push(ctx, method, m, maxPending)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func (a *api) push(ctx context.Context, method string, m *SignedMessage, maxPending int) (cid.Cid, error) {
	if err := need(ctx, "write", method); err != nil {
		return cid.Undef, err
	}
	if m == nil {
		m = &SignedMessage{}
	}
	return a.pushed(ctx, m, maxPending)
}

func (a *api) pushed(ctx context.Context, m *SignedMessage, maxPending int) (cid.Cid, error) {
	c, err := a.n.push(ctx, m, maxPending)
	if err == nil {
		a.pool.ring()
	}
	return c, err
}

func (a *api) MpoolPending(_ context.Context, key TipSetKey) ([]*SignedMessage, error) {
	if _, err := a.loaded(key); err != nil {
		return nil, err
	}
	return a.n.pool.pending(), nil
}

// MpoolSelect gives the messages that a block on the tipset would have. The
// quality of the ticket says how likely others pick the same; there are no others.
func (a *api) MpoolSelect(_ context.Context, key TipSetKey, _ float64) ([]*SignedMessage, error) {
	ts, err := a.loaded(key)
	if err != nil {
		return nil, err
	}
	height := ts.height() + 1
	keep := func(m *waiting) bool { return a.n.weather.keeps(m, height) }
	return a.n.pool.pick(ts.after, a.n.baseFee(ts, height), keep), nil
}

// MpoolClear drops what waits, all of it if the node's own messages go too:
// what was pushed here is its own.
func (a *api) MpoolClear(ctx context.Context, local bool) error {
	if err := need(ctx, "write", "MpoolClear"); err != nil || !local {
		return err
	}
	a.n.pool.clear()
	a.pool.ring()
	return a.n.db.write(ctx, func(b *batch) { b.exec("DELETE FROM pending") })
}

func (p *pool) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.senders)
}

func (a *api) MpoolGetNonce(_ context.Context, addr address.Address) (uint64, error) {
	_, e, err := resolve(a.n.chain.current().after, addr)
	if err != nil {
		return 0, err
	}
	from := addr
	if e.key != address.Undef {
		from = e.key
	}
	return a.n.pool.nextNonce(from, e.nonce), nil
}

// MpoolConfig is the answer of MpoolGetConfig.
type MpoolConfig struct {
	PriorityAddrs          []address.Address
	SizeLimitHigh          int
	SizeLimitLow           int
	ReplaceByFeeRatio      float64
	PruneCooldown          time.Duration
	GasLimitOverestimation float64
}

func (a *api) MpoolGetConfig(context.Context) (*MpoolConfig, error) {
	return &MpoolConfig{
		SizeLimitHigh: poolSizeHigh, SizeLimitLow: poolSizeLow, ReplaceByFeeRatio: 1.25,
		PruneCooldown: time.Minute, GasLimitOverestimation: overEstimate,
	}, nil
}
