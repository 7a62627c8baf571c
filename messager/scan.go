package messager

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
)

// maxWalk is how many tipsets are kept of the scan, and how many are walked
// back at most to find it again. What was included before, in a longer gap, is
// noticed by its nonce and found by a search.
const maxWalk = 64

// scan reads the tipsets between the head and the last scan, whichever fork
// that was on, and what they executed. On an error it gives what it has: the
// tipsets that were read, each with all that are before it, or none.
func (l *loop) scan(ctx context.Context, known []vigil.Head, wanted bool) ([]vigil.Head, map[cid.Cid]vigil.Executed, error) {
	executed := map[cid.Cid]vigil.Executed{}
	kept, fresh, err := l.walk(ctx, known)
	if err != nil {
		return nil, executed, fmt.Errorf("walk back from the head: %w", err)
	}
	scanned := slices.Clone(known[:kept])
	for _, ts := range fresh {
		if wanted {
			list, err := l.executed(ctx, ts.Key)
			if err != nil {
				return scanned, executed, fmt.Errorf("read the messages executed by epoch %d: %w", ts.Epoch, err)
			}
			for _, e := range list {
				executed[e.CID] = e
			}
		}
		scanned = append(scanned, ts)
	}
	return scanned[max(0, len(scanned)-maxWalk):], executed, nil
}

// walk finds the tipsets from the head back to one that is known: how many of
// the known are its ancestors, and what follows them, oldest first.
func (l *loop) walk(ctx context.Context, known []vigil.Head) (kept int, fresh []vigil.Head, err error) {
	place := func(key vigil.TipSetKey) int {
		return 1 + slices.IndexFunc(known, func(h vigil.Head) bool { return h.Key == key })
	}
	if kept = place(l.head.Key); kept > 0 {
		return kept, nil, nil
	}
	for ts := l.head; ; {
		fresh = append(fresh, ts)
		kept = place(ts.Parent)
		if kept > 0 || len(known) == 0 || ts.Epoch <= known[0].Epoch || len(fresh) == maxWalk {
			slices.Reverse(fresh)
			return kept, fresh, nil
		}
		if ts, err = l.at(ctx, ts.Epoch-1, ts.Key); err != nil {
			return 0, nil, err
		}
	}
}

// gather asks the chain what is needed to settle the messages.
func (l *loop) gather(ctx context.Context, open []vigil.Message, scanned []vigil.Head, executed map[cid.Cid]vigil.Executed) (facts, error) {
	f := facts{head: l.head, executed: executed, onChain: map[vigil.TipSetKey]bool{}, nonces: map[string]nonceFact{}}
	var errs []error
	for _, m := range open {
		away := inFlight(m)
		if m.State == vigil.MessageIncluded {
			on, err := l.isOnChain(ctx, *m.Receipt, scanned)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			f.onChain[m.Receipt.TipSet] = on
			away = !on
		}
		if !away || include(m, executed).State == vigil.MessageIncluded && inFlight(m) {
			continue
		}
		fact, err := l.nonceFact(ctx, m, executed)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		f.nonces[m.ID] = fact
	}
	return f, errors.Join(errs...)
}

// isOnChain says whether the tipset that included a message is an ancestor of the head.
func (l *loop) isOnChain(ctx context.Context, r vigil.Receipt, scanned []vigil.Head) (bool, error) {
	for _, ts := range scanned {
		if ts.Key == r.TipSet {
			return true, nil // the scan is on the head's chain
		}
	}
	ts, err := l.at(ctx, r.Epoch, l.head.Key)
	if err != nil {
		return false, fmt.Errorf("read the tipset at epoch %d: %w", r.Epoch, err)
	}
	return ts.Key == r.TipSet, nil
}

// nonceFact finds what became of the nonce of a message that the scan did not
// see. It is the second way to an execution: where the chain has used the nonce,
// each attempt is searched, and one that is found is added to the executed.
func (l *loop) nonceFact(ctx context.Context, m vigil.Message, executed map[cid.Cid]vigil.Executed) (nonceFact, error) {
	next, err := l.nonceAt(ctx, m.Call.From, l.head.Key)
	if err != nil || next <= m.Nonce {
		return nonceFree, err
	}
	for _, a := range m.Attempts {
		found, err := l.search(ctx, a.CID)
		if err == nil {
			executed[a.CID] = found
			return nonceUsed, nil
		}
		if !errors.Is(err, vigil.ErrNotFound) {
			return "", fmt.Errorf("search message %s: %w", a.CID, err)
		}
	}
	sure := l.head.Epoch - l.c.Confidence
	if sure < 0 {
		return nonceUsed, nil
	}
	before, err := l.at(ctx, sure, l.head.Key)
	if err != nil {
		return "", fmt.Errorf("read the tipset at epoch %d: %w", sure, err)
	}
	if next, err = l.nonceAt(ctx, m.Call.From, before.Key); err != nil {
		return "", err
	}
	if next <= m.Nonce {
		return nonceUsed, nil
	}
	return nonceLost, nil
}

// The calls to the node, each with its time limit.

func (l *loop) at(ctx context.Context, epoch abi.ChainEpoch, key vigil.TipSetKey) (vigil.Head, error) {
	ctx, cancel := context.WithTimeout(ctx, l.c.patience())
	defer cancel()
	return l.c.Heads.At(ctx, epoch, key)
}

func (l *loop) executed(ctx context.Context, key vigil.TipSetKey) ([]vigil.Executed, error) {
	ctx, cancel := context.WithTimeout(ctx, l.c.patience())
	defer cancel()
	return l.c.Node.Executed(ctx, key)
}

func (l *loop) search(ctx context.Context, message cid.Cid) (vigil.Executed, error) {
	ctx, cancel := context.WithTimeout(ctx, l.c.patience())
	defer cancel()
	return l.c.Node.Search(ctx, message, l.head.Key)
}

func (l *loop) nonceAt(ctx context.Context, sender address.Address, key vigil.TipSetKey) (uint64, error) {
	account, err := l.account(ctx, sender, key)
	return account.nonce, err
}
