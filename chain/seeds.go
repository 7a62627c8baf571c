package chain

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// A wrong seed costs more than anything else a node can say: a proof for it is
// taken by the chain and fined later. So a seed is compared with what another
// node says before it is used, once for each seed.

// seedName is what a seed depends on besides the chain.
type seedName struct {
	what  string
	miner abi.ActorID
	epoch abi.ChainEpoch
}

// askSeed draws a seed of a node.
type askSeed func(context.Context, *Client) ([32]byte, error)

// Challenge is the beacon's seed of a miner's deadline.
func (n *Nodes) Challenge(ctx context.Context, miner abi.ActorID, epoch abi.ChainEpoch, key vigil.TipSetKey) ([32]byte, error) {
	return n.draw(ctx, seedName{"the challenge seed", miner, epoch}, key, func(ctx context.Context, c *Client) ([32]byte, error) {
		return c.Challenge(ctx, miner, epoch, key)
	})
}

// Commit is the ticket randomness that ties a post to a fork.
func (n *Nodes) Commit(ctx context.Context, epoch abi.ChainEpoch, key vigil.TipSetKey) ([32]byte, error) {
	return n.draw(ctx, seedName{"the commit randomness", 0, epoch}, key, func(ctx context.Context, c *Client) ([32]byte, error) {
		return c.Commit(ctx, epoch, key)
	})
}

// draw draws a seed of the node that is read and compares it with another's.
// One that two nodes do not agree on is held back; a third decides, and the
// one that is alone with its seed is set aside.
func (n *Nodes) draw(ctx context.Context, name seedName, key vigil.TipSetKey, ask askSeed) ([32]byte, error) {
	seed, err := read(ctx, n, name.what, key, ask)
	if err != nil || n.alone() || n.seeds.agreed(name, seed) {
		return seed, err
	}
	l, err := n.reader(ctx)
	if err != nil {
		return seed, fmt.Errorf("%s: %w", name.what, err)
	}
	var against []*member
	compared := false
	for _, m := range n.witnesses(l.member) {
		other, err := n.testify(ctx, m, ask)
		switch {
		case err != nil:
			continue // it may not have the tipset yet
		case other == seed:
			n.seeds.agree(name, seed)
			n.outvote(against, name, l.member, m)
			return seed, nil
		}
		against = append(against, m)
		compared = true
		if first := against[0]; len(against) > 1 && n.sameSeed(ctx, first, other, ask) {
			n.outvote([]*member{l.member}, name, first, m)
			return seed, fmt.Errorf("%s of epoch %d differs between the nodes: %s says another than %s and %s; it is drawn anew", name.what, name.epoch, l.name, first.name, m.name)
		}
	}
	if !compared {
		return seed, nil // nobody else can tell
	}
	return seed, n.hold(ctx, name, l.member, against[0], seed, ask)
}

// hold says that a seed is held back, after a node that contradicts itself was found out.
func (n *Nodes) hold(ctx context.Context, name seedName, a, b *member, seed [32]byte, ask askSeed) error {
	if !n.sameSeed(ctx, a, seed, ask) {
		n.outvote([]*member{a}, name, b, b)
		return fmt.Errorf("%s of epoch %d: node %s gave two different ones; it is drawn anew", name.what, name.epoch, a.name)
	}
	if n.seeds.held(name) {
		n.log.Error("two nodes contradict each other, and no third one can tell who is right: the seed is held back; add a node, or remove the one that is wrong",
			"what", name.what, "of", name.epoch, "node", a.name, "other", b.name)
	}
	return fmt.Errorf("%s of epoch %d is held back: nodes %s and %s contradict each other, and no third node can tell who is right", name.what, name.epoch, a.name, b.name)
}

// witnesses are the nodes that are good but not read.
func (n *Nodes) witnesses(reading *member) (list []*member) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range n.members {
		if m != reading && m.state == vigil.NodeReady {
			list = append(list, m)
		}
	}
	return list
}

// testify asks another node, for no longer than it may take without being slow.
func (n *Nodes) testify(ctx context.Context, m *member, ask askSeed) ([32]byte, error) {
	n.mu.Lock()
	m.calls++
	patience := n.pace().slow
	n.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return ask(ctx, m.client)
}

func (n *Nodes) sameSeed(ctx context.Context, m *member, seed [32]byte, ask askSeed) bool {
	again, err := n.testify(ctx, m, ask)
	return err == nil && again == seed
}

// outvote sets nodes aside whose seed is not that of two others.
func (n *Nodes) outvote(wrong []*member, name seedName, a, b *member) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range wrong {
		n.blame(m, fmt.Sprintf("%s that it gives for epoch %d is not that of %s and %s", name.what, name.epoch, a.name, b.name))
	}
}

// seedCache remembers the seeds that two nodes agreed on.
type seedCache struct {
	mu    sync.Mutex // guards what follows
	known map[seedName][32]byte
	said  map[seedName]time.Time
}

const cachedSeeds = 1024

func (c *seedCache) agreed(name seedName, seed [32]byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.known[name]
	return ok && known == seed
}

func (c *seedCache) agree(name seedName, seed [32]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= cachedSeeds {
		c.known = map[seedName][32]byte{}
	}
	c.known[name] = seed
}

// held says whether it is to be said that a seed is held back: once.
func (c *seedCache) held(name seedName) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.said == nil || len(c.said) >= cachedSeeds {
		c.said = map[seedName]time.Time{}
	}
	_, said := c.said[name]
	c.said[name] = time.Now()
	return !said
}
