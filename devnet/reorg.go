package devnet

import (
	"context"
	"fmt"
	"slices"

	"github.com/filecoin-project/go-state-types/abi"
)

// Reorganisation is a change of the canonical chain.
type Reorganisation struct {
	// Depth is how many tipsets come off.
	Depth int
	// Length is how many epochs are built in their place. At least one more
	// than came off is what a heavier chain has; 0 is that, and a negative
	// number builds nothing: the head is set back.
	Length int
	// Lose forgets the messages that came off, as if no node that is left had
	// heard of them. Else they wait for a block again.
	Lose bool
}

// Reorg replaces the last depth tipsets by as many epochs of others, and one
// more, as a heavier chain would.
func (n *Network) Reorg(ctx context.Context, depth int) error {
	return n.Reorganise(ctx, Reorganisation{Depth: depth})
}

// Reorganise changes the canonical chain. The beacon stays as it was, tickets do
// not. Clients hear of it at once: the reverts and all that is built come as one
// batch, and no tipset of the new branch is the head before its last one.
func (n *Network) Reorganise(ctx context.Context, r Reorganisation) error {
	if r.Depth < 1 || r.Depth > finality {
		return fmt.Errorf("reorg of %d tipsets; at least 1, at most %d", r.Depth, finality)
	}
	n.making.Lock()
	defer n.making.Unlock()
	off, base, err := n.chain.last(r.Depth)
	if err != nil {
		return err
	}
	if base.height() < n.chain.oldest {
		return fmt.Errorf("reorg to epoch %d: the chain is kept from %d", base.height(), n.chain.oldest)
	}
	length := abi.ChainEpoch(r.Length)
	if length == 0 {
		length = n.Epoch() + 1 - base.height()
	}
	if length > 2*finality {
		return fmt.Errorf("reorg to a branch of %d epochs; at most %d", length, 2*finality)
	}
	var again []*SignedMessage
	if !r.Lose {
		again = n.reclaim(off)
	}
	n.log.Info("the chain reorganises", "depth", r.Depth, "from", n.Epoch(), "to", base.height()+max(length, 0), "ancestor", base.height())
	if err := n.change(ctx, branch{off: off, on: base, length: length}); err != nil {
		n.pool.remove(func(m *SignedMessage) bool { return slices.Contains(again, m) }) // they are on chain still
		return err
	}
	return nil
}

// reclaim puts the messages of tipsets back into the pool, and says which were not there.
func (n *Network) reclaim(off []*tipset) (again []*SignedMessage) {
	for _, t := range off {
		for _, m := range t.messages {
			if n.pool.restore(m) {
				again = append(again, m)
			}
		}
	}
	return again
}
