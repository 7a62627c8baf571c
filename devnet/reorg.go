package devnet

import (
	"context"
	"fmt"

	"github.com/filecoin-project/go-state-types/abi"
)

// Reorg replaces the last depth tipsets by as many epochs of others, and one
// more, as a heavier chain would. The beacon stays as it was, tickets do not;
// the messages go back to the pool, so that most of them land again. Clients
// hear of it at once: the reverts come with the first tipset of the new chain.
func (n *Network) Reorg(ctx context.Context, depth int) error {
	if depth < 1 || depth > finality {
		return fmt.Errorf("reorg of %d tipsets; at least 1, at most %d", depth, finality)
	}
	n.making.Lock()
	defer n.making.Unlock()
	target := n.Epoch() + 1
	back, err := n.retreat(ctx, depth)
	if err != nil {
		return err
	}
	for n.Epoch() < target {
		if err := n.produce(ctx, back); err != nil {
			return fmt.Errorf("rebuild epoch %d: %w", n.Epoch()+1, err)
		}
		back = nil
	}
	return nil
}

// retreat takes tipsets off the chain and their messages back into the pool.
// Nobody hears of it yet.
func (n *Network) retreat(ctx context.Context, depth int) ([]HeadChange, error) {
	if base := n.Epoch() - abi.ChainEpoch(depth); base < n.chain.oldest {
		return nil, fmt.Errorf("reorg to epoch %d: the chain is kept from %d", base, n.chain.oldest)
	}
	var back []HeadChange
	for range depth {
		old, err := n.chain.retreat()
		if err != nil {
			return nil, err
		}
		if err := n.db.write(ctx, func(b *batch) { b.retreat(old) }); err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		for _, m := range old.messages {
			n.pool.restore(m)
		}
		back = append(back, HeadChange{"revert", old.wire()})
	}
	n.unmark()
	return back, nil
}
