package messager

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
)

// candidate is a sender whose key is held.
type candidate struct {
	key       address.Address
	nonce     uint64          // the chain's
	available abi.TokenAmount // of its balance, beside what is in flight
}

// candidates are the message's senders that could sign, preferred ones first.
// It is an error, with each one's reason, when there is none.
func (l *loop) candidates(ctx context.Context, m vigil.Message, b books) ([]candidate, error) {
	var found []candidate
	var errs []error
	for _, sender := range l.sendersNow(ctx, m) {
		c, err := l.candidate(ctx, sender, b)
		switch {
		case err != nil:
			errs = append(errs, err)
		case !slices.ContainsFunc(found, func(f candidate) bool { return f.key == c.key }):
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no sender can be used: %w", errors.Join(errs...))
	}
	l.prefer(ctx, found)
	if m.Duty.Kind != vigil.KindPost && len(found) > 1 {
		found = append(found[1:], found[0]) // posts have a sender alone where there is another
	}
	return found, nil
}

// sendersNow are those that the chain lets send a message now: what its caller
// was told may be old by the time that one of them can. Nodes that do not say it are
// asked once a round.
func (l *loop) sendersNow(ctx context.Context, m vigil.Message) []address.Address {
	kind, miner := m.Duty.Kind, m.Duty.Miner
	if l.c.Miner == nil || kind != vigil.KindPost && kind != vigil.KindRecover {
		return m.Senders
	}
	if _, asked := l.miners[miner]; !asked && !l.unasked {
		limited, cancel := context.WithTimeout(ctx, l.c.patience())
		defer cancel()
		info, err := l.c.Miner(limited, miner, l.head.Key)
		if err != nil {
			l.warn(ctx, "who may send for the miner now cannot be read", err)
			l.unasked = true
			return m.Senders
		}
		l.miners[miner] = info.Senders()
	}
	if now := l.miners[miner]; len(now) > 0 {
		return now
	}
	return m.Senders
}

// prefer puts the preferred senders first, and leaves the rest in its order.
func (l *loop) prefer(ctx context.Context, found []candidate) {
	preferred := map[address.Address]bool{}
	for _, sender := range l.c.Preferred {
		if key, err := l.keyOf(ctx, sender); err == nil {
			preferred[key] = true
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int {
		switch {
		case preferred[a.key] && !preferred[b.key]:
			return -1
		case preferred[b.key] && !preferred[a.key]:
			return 1
		}
		return 0
	})
}

func (l *loop) candidate(ctx context.Context, sender address.Address, b books) (candidate, error) {
	key, err := l.keyOf(ctx, sender)
	if err != nil {
		return candidate{}, err
	}
	held, err := l.holdsKey(ctx, key)
	if err != nil {
		return candidate{}, fmt.Errorf("look for the key of %s: %w", sender, err)
	}
	if !held {
		return candidate{}, fmt.Errorf("the key of %s (%s) is not in the wallet", sender, key)
	}
	if err := l.lease(ctx, key); err != nil {
		return candidate{}, err
	}
	a, err := l.account(ctx, key, l.head.Key)
	if err != nil {
		return candidate{}, err
	}
	return candidate{key, a.nonce, big.Sub(a.balance, amount(b.reserved[key]))}, nil
}

// holdsKey asks once a turn: a wallet that hangs holds up the messages once,
// and not once for each of them.
func (l *loop) holdsKey(ctx context.Context, key address.Address) (bool, error) {
	h, asked := l.holds[key]
	if !asked {
		h.held, h.err = l.c.Signer.Has(ctx, key)
		l.holds[key] = h
	}
	return h.held, h.err
}

// nextNonce is the nonce that a sender's next message gets: after all that the
// chain has used, that were ever given, and that wait in the node's pool. Where
// messages that are not ours wait there, it is an error for a while: they may
// be a second daemon's, and what it sends need not be sent again.
func (l *loop) nextNonce(ctx context.Context, m vigil.Message, c candidate) (uint64, error) {
	given, err := l.c.Store.NextNonce(ctx, c.key)
	if err != nil {
		return 0, err
	}
	ours := max(given, c.nonce)
	pool := l.poolNonce(ctx, c.key)
	if pool <= ours {
		delete(l.waiting, c.key)
		return ours, nil
	}
	l.crowded(ctx, c.key, c.nonce) // forgets an earlier crowd
	w, known := l.waiting[c.key]
	if !known {
		w.since = l.head.Epoch
	}
	w.next = pool
	l.waiting[c.key] = w
	until := w.since + l.c.ReplaceAfter
	if l.head.Epoch < until && m.Expires-l.head.Epoch > 4*l.c.ReplaceAfter {
		// It says no nonces: they change from head to head, and what changes is logged again.
		return 0, fmt.Errorf("messages that are not ours wait in the node's pool with nonces of %s: does a second daemon or wallet use the key? This one waits for them until epoch %d", c.key, until)
	}
	return pool, nil
}

// crowded says that others' messages that were seen in the pool are still
// there: the chain has not used their nonces, and ours went behind them or the
// pool still shows them.
func (l *loop) crowded(ctx context.Context, sender address.Address, nonce uint64) bool {
	w, known := l.waiting[sender]
	if !known {
		return false
	}
	gone := nonce >= w.next
	if given, err := l.c.Store.NextNonce(ctx, sender); !gone && err == nil && given < w.next {
		pool := l.poolNonce(ctx, sender)
		gone = pool > 0 && pool <= max(given, nonce)
	}
	if gone {
		delete(l.waiting, sender)
	}
	return !gone
}

// poolNonce is a sender's next nonce in the pool, asked once a round; nothing
// is concluded where it cannot be read.
func (l *loop) poolNonce(ctx context.Context, sender address.Address) uint64 {
	if n, asked := l.pools[sender]; asked {
		return n
	}
	limited, cancel := context.WithTimeout(ctx, l.c.patience())
	defer cancel()
	n, err := l.c.Node.PoolNonce(limited, sender)
	if err != nil {
		l.warn(ctx, "the pool's nonce cannot be read", err)
	}
	l.pools[sender] = n
	return n
}
