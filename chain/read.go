package chain

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
)

// reader gives the lease of the node that is read, and waits a little for one.
func (n *Nodes) reader(ctx context.Context) (*lease, error) {
	n.mu.Lock()
	wait := paceOf(n.network.BlockDelay, 0).wait
	n.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		n.mu.Lock()
		l, changed := n.lease, n.changed
		n.mu.Unlock()
		if l != nil {
			return l, nil
		}
		if n.alone() { // its own words say best what is wrong, and may be final
			return n.only(ctx)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, n.nobody()
		}
	}
}

// only is the lease of a node that is the only one: it has no end.
func (n *Nodes) only(ctx context.Context) (*lease, error) {
	m := n.members[0]
	_, err := m.client.node.session(ctx)
	return &lease{m, context.Background(), func(error) {}}, err
}

// nobody says of each node why it cannot be read. It is final only if it is so for all.
func (n *Nodes) nobody() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var errs []error
	final := true
	for _, m := range n.members {
		problem := m.problem
		if m.refused != "" {
			problem = &RefusedError{m.refused}
		}
		if problem == nil {
			problem = errors.New("it has not told its head yet")
		}
		var refused *RefusedError
		var stranger *StrangerError
		final = final && (errors.As(problem, &refused) || errors.As(problem, &stranger))
		errs = append(errs, fmt.Errorf("node %s: %w", m.name, problem))
	}
	all := errors.Join(errs...)
	if final {
		return all
	}
	return fmt.Errorf("no node can be read: %s", all.Error()) // without what would end the start
}

// read asks the node that is read, for the decision of ctx.
func read[T any](ctx context.Context, n *Nodes, what string, key vigil.TipSetKey, ask question[T]) (T, error) {
	var none T
	l, err := n.reader(ctx)
	if err != nil {
		return none, fmt.Errorf("%s: %w", what, err)
	}
	if kept := vigil.KeepTo(ctx, l.name); kept != l.name {
		return none, fmt.Errorf("%s: node %s is read now, and what came before was read of %s: it is decided anew", what, l.name, kept)
	}
	bounded, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(l.ctx, func() { cancel(context.Cause(l.ctx)) })()
	if err := l.take(bounded); err != nil {
		return none, fmt.Errorf("%s: %w", what, err)
	}
	defer l.give()
	began := time.Now()
	v, err := ask(bounded, l.client)
	if l.ctx.Err() == nil { // else the answer was not waited for
		n.note(l.member, what, key, time.Since(began), err)
	}
	switch {
	case err == nil || answers(err):
	case l.ctx.Err() != nil:
		err = fmt.Errorf("%s: %w", what, context.Cause(l.ctx))
	case !n.alone():
		err = fmt.Errorf("node %s: %w", l.name, err)
	}
	return v, err
}

// Network says which network the nodes follow.
func (n *Nodes) Network(ctx context.Context) (vigil.Network, error) {
	return read(ctx, n, "network", "", func(ctx context.Context, c *Client) (vigil.Network, error) { return c.Network(ctx) })
}

// Head asks for the head now.
func (n *Nodes) Head(ctx context.Context) (vigil.Head, error) {
	return read(ctx, n, "head", "", func(ctx context.Context, c *Client) (vigil.Head, error) { return c.Head(ctx) })
}

// Watch gives the latest head of the node that is read, and that of another as
// soon as it is read instead, even if it is the same.
func (n *Nodes) Watch(ctx context.Context) <-chan vigil.Head { return n.heads.watch(ctx) }

// At gives the tipset at the epoch in the chain that ends in key.
func (n *Nodes) At(ctx context.Context, epoch abi.ChainEpoch, key vigil.TipSetKey) (vigil.Head, error) {
	return read(ctx, n, "tipsets", key, func(ctx context.Context, c *Client) (vigil.Head, error) { return c.At(ctx, epoch, key) })
}

// Miner gives what does not change from day to day.
func (n *Nodes) Miner(ctx context.Context, miner abi.ActorID, key vigil.TipSetKey) (vigil.MinerInfo, error) {
	return agreed(ctx, n, claim{"the miner's addresses and sizes", miner, 0}, key, func(ctx context.Context, c *Client) (vigil.MinerInfo, error) { return c.Miner(ctx, miner, key) })
}

// Deadline is the one that is current at the tipset's epoch.
func (n *Nodes) Deadline(ctx context.Context, miner abi.ActorID, key vigil.TipSetKey) (vigil.Deadline, error) {
	return agreed(ctx, n, claim{"the current deadline", miner, 0}, key, func(ctx context.Context, c *Client) (vigil.Deadline, error) { return c.Deadline(ctx, miner, key) })
}

// Partitions of a deadline, by index.
func (n *Nodes) Partitions(ctx context.Context, miner abi.ActorID, deadline uint64, key vigil.TipSetKey) ([]vigil.Partition, error) {
	return agreed(ctx, n, claim{"the partitions of a deadline", miner, int64(deadline)}, key, func(ctx context.Context, c *Client) ([]vigil.Partition, error) {
		return c.Partitions(ctx, miner, deadline, key)
	})
}

// Posted gives, for each deadline, the partitions posted in its present occurrence.
func (n *Nodes) Posted(ctx context.Context, miner abi.ActorID, key vigil.TipSetKey) ([]bitfield.BitField, error) {
	return agreed(ctx, n, claim{"what is posted", miner, 0}, key, func(ctx context.Context, c *Client) ([]bitfield.BitField, error) { return c.Posted(ctx, miner, key) })
}

// Sectors gives the sectors of a set, ascending.
func (n *Nodes) Sectors(ctx context.Context, miner abi.ActorID, set bitfield.BitField, key vigil.TipSetKey) ([]vigil.Sector, error) {
	which, err := printOf(set)
	if err != nil {
		return nil, fmt.Errorf("the set of sectors to ask for: %w", err)
	}
	about := claim{"the sectors of a set", miner, int64(binary.BigEndian.Uint64(which[:]))}
	return agreed(ctx, n, about, key, func(ctx context.Context, c *Client) ([]vigil.Sector, error) { return c.Sectors(ctx, miner, set, key) })
}

// Faults gives all faulty sectors, the recovering ones included, and those.
func (n *Nodes) Faults(ctx context.Context, miner abi.ActorID, key vigil.TipSetKey) (faulty, recovering bitfield.BitField, err error) {
	type sets struct{ Faulty, Recovering bitfield.BitField } // exported, so that it is compared
	s, err := agreed(ctx, n, claim{"the faulty sectors", miner, 0}, key, func(ctx context.Context, c *Client) (sets, error) {
		f, r, err := c.Faults(ctx, miner, key)
		return sets{f, r}, err
	})
	return s.Faulty, s.Recovering, err
}

// Challenge is the beacon's seed of a miner's deadline.
func (n *Nodes) Challenge(ctx context.Context, miner abi.ActorID, epoch abi.ChainEpoch, key vigil.TipSetKey) ([32]byte, error) {
	return agreed(ctx, n, claim{"the challenge seed", miner, int64(epoch)}, key, func(ctx context.Context, c *Client) ([32]byte, error) {
		return c.Challenge(ctx, miner, epoch, key)
	})
}

// Commit is the ticket randomness that ties a post to a fork.
func (n *Nodes) Commit(ctx context.Context, epoch abi.ChainEpoch, key vigil.TipSetKey) ([32]byte, error) {
	return agreed(ctx, n, claim{"the commit randomness", 0, int64(epoch)}, key, func(ctx context.Context, c *Client) ([32]byte, error) {
		return c.Commit(ctx, epoch, key)
	})
}

// KeyAddress is the key address of an account given by any of its addresses.
func (n *Nodes) KeyAddress(ctx context.Context, account address.Address, key vigil.TipSetKey) (address.Address, error) {
	return read(ctx, n, "accounts' keys", key, func(ctx context.Context, c *Client) (address.Address, error) { return c.KeyAddress(ctx, account, key) })
}

// Account gives the next nonce after the tipset's own messages, and the balance before them.
func (n *Nodes) Account(ctx context.Context, account address.Address, key vigil.TipSetKey) (uint64, abi.TokenAmount, error) {
	type state struct { // exported, so that it is compared
		Nonce   uint64
		Balance abi.TokenAmount
	}
	s, err := agreed(ctx, n, claim{"the account " + account.String(), 0, 0}, key, func(ctx context.Context, c *Client) (state, error) {
		nonce, balance, err := c.Account(ctx, account, key)
		return state{nonce, balance}, err
	})
	return s.Nonce, s.Balance, err
}

// EstimateGas runs the call on the head and proposes its gas.
func (n *Nodes) EstimateGas(ctx context.Context, call vigil.Call, nonce uint64) (vigil.Gas, error) {
	return read(ctx, n, "estimates", "", func(ctx context.Context, c *Client) (vigil.Gas, error) { return c.EstimateGas(ctx, call, nonce) })
}

// Executed gives the messages that the parent of the tipset executed.
func (n *Nodes) Executed(ctx context.Context, key vigil.TipSetKey) ([]vigil.Executed, error) {
	return read(ctx, n, "receipts", key, func(ctx context.Context, c *Client) ([]vigil.Executed, error) { return c.Executed(ctx, key) })
}

// Search finds the execution of a message at or before the tipset.
func (n *Nodes) Search(ctx context.Context, message cid.Cid, key vigil.TipSetKey) (vigil.Executed, error) {
	return read(ctx, n, "messages", key, func(ctx context.Context, c *Client) (vigil.Executed, error) { return c.Search(ctx, message, key) })
}

// PoolNonce is the next nonce of an account as the pool of the node that is read has it.
func (n *Nodes) PoolNonce(ctx context.Context, account address.Address) (uint64, error) {
	return read(ctx, n, "the pool's nonces", "", func(ctx context.Context, c *Client) (uint64, error) { return c.PoolNonce(ctx, account) })
}
