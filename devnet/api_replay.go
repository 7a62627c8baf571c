package devnet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/ipfs/go-cid"
)

// StateReplay executes a message of a tipset again, after all that came before
// it. Without a tipset it is looked for, and what replaced it is good too.
func (a *api) StateReplay(ctx context.Context, key TipSetKey, c cid.Cid) (*InvocResult, error) {
	var ts *tipset
	var err error
	if len(key) == 0 {
		ts, c, err = a.executedIn(ctx, c)
	} else if ts, err = a.at(key); err != nil {
		err = fmt.Errorf("loading specified tipset %s: %w", key, err)
	}
	if err != nil {
		return nil, err
	}
	results, _, err := a.n.reexecute(ctx, ts)
	if err != nil {
		return nil, fmt.Errorf("unexpected error during execution: %w", err)
	}
	for i, r := range results {
		if ts.cids[i] == c {
			return r, nil
		}
	}
	return nil, errors.New("given message not found in tipset")
}

// executedIn finds the tipset that has a message.
func (a *api) executedIn(ctx context.Context, c cid.Cid) (*tipset, cid.Cid, error) {
	found, err := a.StateSearchMsg(ctx, nil, c, noLimit, true)
	if err != nil {
		return nil, c, fmt.Errorf("searching for msg %s: %w", c, err)
	}
	if found == nil {
		return nil, c, fmt.Errorf("didn't find msg %s", c)
	}
	child, err := a.at(found.TipSet)
	if err != nil {
		return nil, c, fmt.Errorf("loading tipset %s: %w", found.TipSet, err)
	}
	ts, err := a.parentOf(child.cid)
	return ts, found.Message, err
}

// reexecute does what a tipset did once more: the crons of null rounds before
// it, then its messages. What it did itself stays as it is.
func (n *Network) reexecute(ctx context.Context, ts *tipset) ([]*InvocResult, *machine, error) {
	parent := ts
	if ts != n.chain.genesis {
		var ok bool
		if parent, ok = n.chain.parent(ts); !ok {
			return nil, nil, errNoBlock{ts.header.Parents[0]}
		}
	}
	again := n.shadow(ctx, ts)
	x := again.newMachine(ctx, ts.before, drawn{n.chain, parent, ts})
	for e := parent.height() + 1; e < ts.height(); e++ {
		if err := again.endEpoch(ctx, x, e); err != nil {
			return nil, nil, fmt.Errorf("null round %d: %w", e, err)
		}
	}
	x.epoch = ts.height()
	var results []*InvocResult
	for _, sm := range ts.messages {
		m := sm.Message.onChain()
		length := sm.chainLength()
		r, err := x.traced(m, length, func() (Receipt, *fault, error) { return x.apply(m, length, ts.header.ParentBaseFee) })
		if err != nil {
			return nil, nil, err
		}
		r.MsgCid, err = sm.CID()
		if err != nil {
			return nil, nil, err
		}
		r.charged(ts.header.ParentBaseFee)
		results = append(results, r)
	}
	return results, x, nil
}

// shadow is a network that reads this one's chain, logs nothing, and makes no
// sectors: those that arrived with a tipset are looked up in what it left.
func (n *Network) shadow(ctx context.Context, ts *tipset) *Network {
	s := &Network{cfg: n.cfg, log: slog.New(slog.DiscardHandler), blocks: n.blocks, chain: n.chain, pool: n.pool}
	s.cfg.Sector = func(_ context.Context, _ string, miner abi.ActorID, number abi.SectorNumber) ([32]byte, error) {
		v, err := n.view(ctx, ts.after, ts.height(), idAddress(miner))
		if err != nil {
			return [32]byte{}, err
		}
		info, found, err := v.State.GetSector(v.store, number)
		if err != nil || !found {
			return [32]byte{}, errors.Join(fmt.Errorf("sector %d did not arrive", number), err)
		}
		return commROf(info.SealedCID)
	}
	return s
}

// ComputeStateOutput is the answer of StateCompute.
type ComputeStateOutput struct {
	Root  cid.Cid
	Trace []*InvocResult
}

// StateCompute executes a tipset again and then messages on top of it, at an
// epoch that may be ahead; no cron runs in between. Nothing of it is kept.
func (a *api) StateCompute(ctx context.Context, epoch abi.ChainEpoch, list []*Message, key TipSetKey) (*ComputeStateOutput, error) {
	ts, err := a.loaded(key)
	if err != nil {
		return nil, err
	}
	trace, _, err := a.n.reexecute(ctx, ts)
	if err != nil {
		return nil, fmt.Errorf("failed to compute base state: %w", err)
	}
	x := a.n.newMachine(ctx, ts.after, drawn{a.n.chain, ts, ts})
	x.epoch = epoch
	for _, m := range list {
		r, err := x.compute(m, ts.header.ParentBaseFee)
		if err != nil {
			return nil, err
		}
		trace = append(trace, r)
	}
	if err := x.st.flush(x.store); err != nil {
		return nil, err
	}
	return &ComputeStateOutput{x.st.root, trace}, nil
}

func (x *machine) compute(m *Message, baseFee abi.TokenAmount) (*InvocResult, error) {
	if m == nil {
		return nil, errNoMessage
	}
	probe := *m
	probe.defaults()
	encoded, err := probe.Bytes()
	if err != nil {
		return nil, fmt.Errorf("message: %w", err)
	}
	length := len(encoded)
	r, err := x.traced(&probe, length, func() (Receipt, *fault, error) { return x.apply(&probe, length, baseFee) })
	if err != nil {
		return nil, fmt.Errorf("applying message: %w", err)
	}
	r.charged(baseFee)
	return r, nil
}
