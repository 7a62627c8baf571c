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

const (
	// maxWalk is how many tipsets are walked back at most to find the last
	// scan again. What was included before, in a longer gap, is noticed by its
	// nonce and found by a search.
	maxWalk = 64
	// maxKept is how many tipsets of the scan are kept: more than can be reorganised.
	maxKept = int(finality) + maxWalk
)

// sight is what one look finds on the chain that ends in the head.
type sight struct {
	known    []vigil.Head // of the last scan
	kept     int          // so many of the known are ancestors of the head
	scanned  []vigil.Head // what was read until now, oldest first, without a gap
	executed map[cid.Cid]vigil.Executed
}

// forked says that what was scanned before is not all on the head's chain, or
// cannot be said to be.
func (s sight) forked() bool { return s.kept < len(s.known) }

// read reads what the tipsets between the head and the last scan executed,
// whichever fork that was on. On an error it has what was read: tipsets each
// with all that are before it, or none.
func (l *loop) read(ctx context.Context, s *sight, fresh []vigil.Head, wanted bool) error {
	s.scanned = slices.Clone(s.known[:s.kept])
	for _, ts := range fresh {
		if wanted {
			list, err := l.executed(ctx, ts.Key)
			if err != nil {
				return fmt.Errorf("read the messages executed by epoch %d: %w", ts.Epoch, err)
			}
			for _, e := range list {
				s.executed[e.CID] = e
			}
		}
		s.scanned = append(s.scanned, ts)
	}
	s.scanned = s.scanned[max(0, len(s.scanned)-maxKept):]
	return nil
}

// walk finds the tipsets from the head back to one that is known: how many of
// the known are its ancestors, and what follows them, oldest first.
func (l *loop) walk(ctx context.Context, known []vigil.Head) (kept int, fresh []vigil.Head, err error) {
	places := make(map[vigil.TipSetKey]int, len(known))
	for i, h := range known {
		places[h.Key] = i + 1
	}
	if kept = places[l.head.Key]; kept > 0 {
		return kept, nil, nil
	}
	for ts := l.head; ; {
		fresh = append(fresh, ts)
		kept = places[ts.Parent]
		if kept > 0 || len(known) == 0 || ts.Epoch <= known[0].Epoch || len(fresh) == maxWalk {
			slices.Reverse(fresh)
			return kept, fresh, nil
		}
		if ts, err = l.at(ctx, ts.Epoch-1, ts.Key); err != nil {
			return 0, nil, fmt.Errorf("walk back from the head: %w", err)
		}
	}
}

// gather asks the chain what is needed to settle the messages.
func (l *loop) gather(ctx context.Context, watched []vigil.Message, s sight) (facts, error) {
	f := facts{
		head: l.head, executed: s.executed, onChain: map[vigil.TipSetKey]bool{},
		baseFees: map[vigil.TipSetKey]abi.TokenAmount{}, nonces: map[string]nonceFact{},
	}
	for _, ts := range s.scanned {
		f.onChain[ts.Key], f.baseFees[ts.Key] = true, ts.BaseFee
	}
	var errs []error
	for _, m := range watched {
		errs = append(errs, l.askOf(ctx, m, f))
	}
	return f, errors.Join(errs...)
}

// askOf asks what is needed to settle one message.
func (l *loop) askOf(ctx context.Context, m vigil.Message, f facts) error {
	if m.Receipt != nil {
		on, err := l.isOnChain(ctx, *m.Receipt, f)
		if err != nil || on {
			return err
		}
		m = takeBack(m)
	}
	if found := include(m, f); found.Receipt != nil {
		return l.priceOf(ctx, found, f)
	}
	if m.Settled || m.State == vigil.MessageQueued {
		return nil
	}
	fact, err := l.nonceFact(ctx, m, f)
	if err != nil {
		return err
	}
	f.nonces[m.ID] = fact
	return nil
}

// priceOf reads the base fee that an execution was paid at, where the scan does
// not have it. Without it the execution is left to be found by a search.
func (l *loop) priceOf(ctx context.Context, m vigil.Message, f facts) error {
	if fee, known := f.baseFees[m.Receipt.TipSet]; known && !fee.Nil() {
		return nil
	}
	ts, err := l.at(ctx, m.Receipt.Epoch, l.head.Key)
	if err != nil {
		a, _ := m.Executed()
		delete(f.executed, a.CID)
		return fmt.Errorf("read the tipset at epoch %d: %w", m.Receipt.Epoch, err)
	}
	f.onChain[ts.Key], f.baseFees[ts.Key] = true, ts.BaseFee
	return nil
}

// isOnChain says whether the tipset that included a message is an ancestor of the head.
func (l *loop) isOnChain(ctx context.Context, r vigil.Receipt, f facts) (bool, error) {
	if on, known := f.onChain[r.TipSet]; known {
		return on, nil // the scan is on the head's chain
	}
	ts, err := l.at(ctx, r.Epoch, l.head.Key)
	if err != nil {
		return false, fmt.Errorf("read the tipset at epoch %d: %w", r.Epoch, err)
	}
	f.onChain[r.TipSet] = ts.Key == r.TipSet
	return ts.Key == r.TipSet, nil
}

// nonceFact finds what became of the nonce of a message that the scan did not
// see. It is the second way to an execution: where the chain has used the nonce,
// each attempt is searched, and one that is found is added to the executed.
func (l *loop) nonceFact(ctx context.Context, m vigil.Message, f facts) (nonceFact, error) {
	next, err := l.nonceAt(ctx, m.Call.From, l.head.Key)
	if err != nil || next <= m.Nonce {
		return nonceFree, err
	}
	if next, err = l.nonceAt(ctx, m.Call.From, l.head.Parent); err != nil || next <= m.Nonce {
		return nonceTaken, err
	}
	if found, err := l.searchAttempts(ctx, m, f); found || err != nil {
		return nonceUsed, err
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

// searchAttempts searches for all of them before it gives up for one that cannot be
// searched for: at most one was executed, and where that is found nothing else matters.
func (l *loop) searchAttempts(ctx context.Context, m vigil.Message, f facts) (bool, error) {
	var unknown error
	for _, a := range m.Attempts {
		found, err := l.search(ctx, a.CID)
		if errors.Is(err, vigil.ErrNotFound) {
			continue
		}
		if err != nil {
			unknown = errors.Join(unknown, fmt.Errorf("search message %s: %w", a.CID, err))
			continue
		}
		ts, err := l.at(ctx, found.Receipt.Epoch, l.head.Key)
		if err != nil {
			return false, fmt.Errorf("read the tipset at epoch %d: %w", found.Receipt.Epoch, err)
		}
		f.executed[a.CID], f.onChain[ts.Key], f.baseFees[ts.Key] = found, true, ts.BaseFee
		return true, nil
	}
	return false, unknown
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
