package devnet

import (
	"context"
	"fmt"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-jsonrpc/auth"
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
	var out []cid.Cid
	for _, m := range list {
		c, err := a.push(ctx, method, m, maxPending)
		if err != nil {
			return out, err
		}
		out = append(out, c)
	}
	return out, nil
}

func (a *api) push(ctx context.Context, method string, m *SignedMessage, maxPending int) (cid.Cid, error) {
	if err := need(ctx, auth.Permission("write"), method); err != nil {
		return cid.Undef, err
	}
	if m == nil {
		m = &SignedMessage{}
	}
	return a.n.push(ctx, m, maxPending)
}

func (a *api) MpoolPending(_ context.Context, key TipSetKey) ([]*SignedMessage, error) {
	if _, err := a.at(key); err != nil {
		return nil, err
	}
	return a.n.pool.pending(), nil
}

func (a *api) MpoolGetNonce(_ context.Context, addr address.Address) (uint64, error) {
	_, e, err := resolve(a.n.chain.current().after, addr)
	if err != nil {
		return 0, fmt.Errorf("resolution lookup failed (%s): %w", addr, err)
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

// WalletHas says no: the keys belong to whoever talks to this node.
func (a *api) WalletHas(ctx context.Context, _ address.Address) (bool, error) {
	return false, need(ctx, auth.Permission("write"), "WalletHas")
}

// WalletList is empty, for the same reason.
func (a *api) WalletList(ctx context.Context) ([]address.Address, error) {
	return []address.Address{}, need(ctx, auth.Permission("write"), "WalletList")
}
