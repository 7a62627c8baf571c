package chain

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/exitcode"

	"github.com/vigil-post/vigil"
)

// PostsBefore gives the Window PoSts of a miner that the parent of the tipset
// executed, those that failed too. What is no Window PoSt to be read is none.
func (c *Client) PostsBefore(ctx context.Context, id abi.ActorID, key vigil.TipSetKey) ([]vigil.MinerPost, error) {
	ts, err := c.tipSet(ctx, key)
	if err != nil || ts.Epoch == 0 {
		return nil, err
	}
	blocks, err := ts.Key.CIDs()
	if err != nil {
		return nil, err
	}
	messages, err := askMaybe[[]*listedMessage](ctx, c, "ChainGetParentMessages", blocks[0])
	if err != nil {
		return nil, err
	}
	posts, at, err := c.postsAmong(ctx, id, val(messages), key)
	if err != nil || len(posts) == 0 {
		return nil, err
	}
	receipts, err := askMaybe[[]*receipt](ctx, c, "ChainGetParentReceipts", blocks[0])
	if err != nil {
		return nil, err
	}
	parent, err := c.tipSet(ctx, ts.Parent)
	if err != nil {
		return nil, err
	}
	executed, err := executions(parent, val(messages), val(receipts))
	if err != nil {
		return nil, err
	}
	for i, n := range at {
		m := val(messages)[n].Message
		gas := vigil.Gas{Limit: *m.GasLimit, FeeCap: m.GasFeeCap.Int, Premium: m.GasPremium.Int}
		posts[i].Epoch, posts[i].ExitCode = parent.Epoch, exitcode.ExitCode(executed[n].Receipt.ExitCode)
		posts[i].Paid = gas.Paid(executed[n].Receipt.GasUsed, parent.BaseFee)
	}
	return posts, nil
}

// postsAmong finds a miner's posts among messages, and where they are there.
func (c *Client) postsAmong(ctx context.Context, id abi.ActorID, messages []*listedMessage, key vigil.TipSetKey) (posts []vigil.MinerPost, at []int, err error) {
	for n, m := range messages {
		if err := m.check(); err != nil {
			return nil, nil, unusable("ChainGetParentMessages", "%w", err)
		}
		if m.Message.Method != builtin.MethodsMiner.SubmitWindowedPoSt {
			continue
		}
		to, err := c.idOf(ctx, m.Message.To.Address, key)
		if errors.Is(err, vigil.ErrNotFound) {
			continue // anybody may write to nobody
		}
		if err != nil {
			return nil, nil, err
		}
		if to != vigil.MinerAddress(id) {
			continue
		}
		post, err := postIn(m.Message.Params)
		if err != nil {
			continue // the actor could not read it either
		}
		post.Message, post.From = m.Cid, m.Message.From.Address
		posts, at = append(posts, post), append(at, n)
	}
	return posts, at, nil
}

// idOf is the ID address of an actor, who may be written to by another one of its.
func (c *Client) idOf(ctx context.Context, a address.Address, key vigil.TipSetKey) (address.Address, error) {
	if a.Protocol() == address.ID {
		return a, nil
	}
	k, err := keyParam(key)
	if err != nil {
		return address.Undef, err
	}
	id, err := ask[account](ctx, c, "StateLookupID", a, k)
	return id.Address, err
}

// postIn reads the parameters of SubmitWindowedPoSt.
func postIn(params []byte) (vigil.MinerPost, error) {
	var p miner.SubmitWindowedPoStParams
	if err := p.UnmarshalCBOR(bytes.NewReader(params)); err != nil {
		return vigil.MinerPost{}, fmt.Errorf("read the parameters of a post: %w", err)
	}
	post := vigil.MinerPost{Deadline: p.Deadline}
	for _, part := range p.Partitions {
		numbers, err := part.Skipped.All(miner.AddressedSectorsMax)
		if err != nil {
			return vigil.MinerPost{}, fmt.Errorf("read the skipped sectors of a post: %w", err)
		}
		proved := vigil.ProvedPartition{Index: part.Index}
		for _, n := range numbers {
			proved.Skipped = append(proved.Skipped, abi.SectorNumber(n))
		}
		post.Partitions = append(post.Partitions, proved)
	}
	return post, nil
}

// PostsBefore gives the Window PoSts of a miner that the parent of the tipset executed.
func (n *Nodes) PostsBefore(ctx context.Context, id abi.ActorID, key vigil.TipSetKey) ([]vigil.MinerPost, error) {
	return read(ctx, n, "posts", key, func(ctx context.Context, c *Client) ([]vigil.MinerPost, error) { return c.PostsBefore(ctx, id, key) })
}
