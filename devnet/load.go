package devnet

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/ipfs/go-cid"
)

// load reads the chain as it was stored. It leaves the chain without a head
// where there is none on disk.
func (n *Network) load(ctx context.Context) error {
	if err := n.loadBlocks(ctx); err != nil {
		return fmt.Errorf("load blocks: %w", err)
	}
	if err := n.loadTipsets(ctx); err != nil {
		return fmt.Errorf("load tipsets: %w", err)
	}
	if n.chain.head == nil {
		return nil
	}
	return n.loadPool(ctx)
}

func (n *Network) loadBlocks(ctx context.Context) error {
	fresh := map[cid.Cid][]byte{}
	err := n.db.each(ctx, "SELECT cid, data FROM blocks", func(r *sql.Rows) error {
		var key, data []byte
		if err := r.Scan(&key, &data); err != nil {
			return err
		}
		c, err := cid.Cast(key)
		fresh[c] = data
		return err
	})
	n.blocks.add(fresh)
	return err
}

func (n *Network) loadTipsets(ctx context.Context) error {
	states := map[cid.Cid]*state{}
	first := true
	return n.db.each(ctx, "SELECT main, body FROM tipsets ORDER BY height, main", func(r *sql.Rows) error {
		var main bool
		var body []byte
		if err := r.Scan(&main, &body); err != nil {
			return err
		}
		t, err := n.revive(ctx, body, states)
		if err != nil {
			return err
		}
		if !main {
			n.chain.byCID[t.cid] = t
			return nil
		}
		n.chain.extend(t)
		if !first && n.chain.oldest == 0 {
			n.chain.oldest = t.height()
		}
		first = false
		return nil
	})
}

// revive makes a tipset of its record.
func (n *Network) revive(ctx context.Context, body []byte, states map[cid.Cid]*state) (*tipset, error) {
	var rec record
	if err := json.Unmarshal(body, &rec); err != nil {
		return nil, err
	}
	b, err := rec.Header.block()
	if err != nil {
		return nil, err
	}
	t := &tipset{cid: b.Cid(), header: rec.Header, messages: rec.Messages, receipts: rec.Receipts}
	for _, m := range t.messages {
		c, err := m.CID()
		if err != nil {
			return nil, err
		}
		t.cids = append(t.cids, c)
	}
	if t.after, err = n.stateAt(ctx, rec.After, states); err != nil {
		return nil, fmt.Errorf("state after %d: %w", t.height(), err)
	}
	t.after = t.after.with(rec)
	if t.before, err = n.stateAt(ctx, rec.Header.ParentStateRoot, states); err != nil {
		return nil, fmt.Errorf("state before %d: %w", t.height(), err)
	}
	return t, nil
}

func (n *Network) stateAt(ctx context.Context, root cid.Cid, states map[cid.Cid]*state) (*state, error) {
	if s, ok := states[root]; ok {
		return s, nil
	}
	s, err := loadState(newScratch(n.blocks).adt(ctx), root)
	states[root] = s
	return s, err
}

// with is the same state with what is not in its tree.
func (s *state) with(rec record) *state {
	c := *s
	c.tally, c.power = rec.Tally, rec.Power
	if c.power == nil { // of a chain that was made before power was counted
		c.power = map[abi.ActorID]abi.StoragePower{}
	}
	return &c
}

func (n *Network) loadPool(ctx context.Context) error {
	err := n.db.each(ctx, "SELECT body FROM pending ORDER BY sender, nonce", func(r *sql.Rows) error {
		var body []byte
		if err := r.Scan(&body); err != nil {
			return err
		}
		m := &SignedMessage{}
		if err := json.Unmarshal(body, m); err != nil {
			return err
		}
		c, err := m.CID()
		if err != nil {
			return err
		}
		n.chain.remember(c, m)
		n.pool.restore(m)
		return nil
	})
	n.pool.settle(n.chain.head.after)
	return err
}
