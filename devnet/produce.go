package devnet

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/filecoin-project/go-state-types/proof"
	"github.com/ipfs/go-cid"
)

// pruneEvery is how often, in epochs, what is no longer kept is dropped.
const pruneEvery = 500

// Advance lets epochs pass. With null rounds one step may pass several.
func (n *Network) Advance(ctx context.Context, epochs int) error {
	for target := n.Epoch() + abi.ChainEpoch(epochs); n.Epoch() < target; {
		if err := n.step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// step makes the next tipset, after whatever the script has for it.
func (n *Network) step(ctx context.Context) error {
	next := n.Epoch() + 1
	if n.cfg.Script != nil {
		if err := n.cfg.Script(ctx, n, next); err != nil {
			return fmt.Errorf("script of epoch %d: %w", next, err)
		}
	}
	n.making.Lock()
	defer n.making.Unlock()
	if err := n.change(ctx, branch{on: n.chain.current(), length: 1}); err != nil {
		return fmt.Errorf("epoch %d: %w", next, err)
	}
	if err := n.dispute(ctx); err != nil {
		return err
	}
	return n.postForNeighbours(ctx)
}

// branch is a change of the canonical chain: what comes off and what is built in its place.
type branch struct {
	off    []*tipset // the head first
	on     *tipset   // what remains
	length abi.ChainEpoch
}

// change makes a branch, stores it and shows it, all at once.
func (n *Network) change(ctx context.Context, b branch) error {
	var made []*tipset
	fresh := map[cid.Cid][]byte{}
	for head := b.on; head.height() < b.on.height()+b.length; {
		d, err := n.make(ctx, head, len(b.off) > 0)
		if err != nil {
			return fmt.Errorf("make epoch %d: %w", head.height()+1, err)
		}
		maps.Copy(fresh, d.m.sc.fresh)
		made = append(made, d.ts)
		head = d.ts
	}
	if err := n.db.write(ctx, func(x *batch) {
		x.blocks(fresh)
		x.replace(b.off, made, b.on)
	}); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	n.notify.publish(func() { n.chain.adopt(b.off, made) }, changes(b.off, made))
	n.unmark(b)
	head := n.chain.current()
	n.pool.settle(head.after)
	if head.height()/pruneEvery > b.on.height()/pruneEvery {
		return n.prune(ctx, head.height()-keepEpochs)
	}
	return nil
}

// changes is what subscribers hear of a branch.
func changes(off, on []*tipset) []HeadChange {
	var out []HeadChange
	for _, t := range off {
		out = append(out, HeadChange{"revert", t.wire()})
	}
	for _, t := range on {
		out = append(out, HeadChange{"apply", t.wire()})
	}
	return out
}

// make makes the tipset after a parent. It can be read by its key from then on.
func (n *Network) make(ctx context.Context, parent *tipset, fork bool) (*draft, error) {
	d := n.draft(ctx, parent, fork)
	if err := d.execute(ctx, n); err != nil {
		return nil, err
	}
	if err := n.audit(ctx, d.m); err != nil {
		return nil, err
	}
	if err := d.seal(); err != nil {
		return nil, err
	}
	n.blocks.add(d.m.sc.fresh)
	n.chain.keep(d.ts)
	return d, nil
}

// draft is a tipset in the making.
type draft struct {
	parent *tipset
	header *BlockHeader
	m      *machine
	ts     *tipset
}

// draft begins a tipset: its epoch, and all that its header says of its past.
func (n *Network) draft(ctx context.Context, parent *tipset, fork bool) *draft {
	seed := seedOf(parent)
	if fork { // the same parent must not get the same child again
		seed = hash256(seed, be64(uint64(time.Now().UnixNano())))
	}
	height := n.nextHeight(parent.height(), seed)
	h := &BlockHeader{
		Miner:                 idAddress(parent.after.producer(seed)),
		Ticket:                &Ticket{VRFProof: stretch(hash256([]byte("ticket"), seed, be64(uint64(height))), 96)},
		ElectionProof:         &ElectionProof{WinCount: 1, VRFProof: stretch(hash256([]byte("election"), seed), 96)},
		WinPoStProof:          []proof.PoStProof{{ProofBytes: []byte("valid proof")}},
		Parents:               []cid.Cid{parent.cid},
		ParentWeight:          big.Add(parent.header.ParentWeight, big.NewInt(5068)),
		Height:                height,
		ParentStateRoot:       parent.after.root,
		ParentMessageReceipts: cid.Undef, // known when sealed
		Timestamp:             uint64(n.now().Unix()),
		BlockSig:              &crypto.Signature{Type: crypto.SigTypeBLS, Data: stretch(hash256([]byte("block"), seed), 96)},
		ParentBaseFee:         n.baseFee(parent, height),
	}
	for e := parent.height() + 1; e <= height; e++ {
		h.BeaconEntries = append(h.BeaconEntries, beaconEntry(beaconRound(e)))
	}
	ts := &tipset{header: h, before: parent.after}
	return &draft{
		parent: parent, header: h, ts: ts,
		m: n.newMachine(ctx, parent.after, drawn{n.chain, parent, ts}),
	}
}

// seedOf is what is drawn for a tipset's child.
func seedOf(parent *tipset) []byte { return hash256(parent.cid.Bytes()) }

// nextHeight is the first epoch after one that has a block.
func (n *Network) nextHeight(parent abi.ChainEpoch, seed []byte) abi.ChainEpoch {
	height, chance := parent+1, seed
	for ; n.weather.null(height) || isNull(chance, n.weather.nullShare(height, n.cfg.NullRounds)); height++ {
		chance = hash256(chance)
	}
	return height
}

func isNull(chance []byte, share float64) bool {
	return float64(binary.BigEndian.Uint64(chance))/math.MaxUint64 < share
}

// execute runs the epochs from the parent's on: of null rounds only the cron,
// at the tipset's own epoch its messages and then the cron.
func (d *draft) execute(ctx context.Context, n *Network) error {
	for e := d.parent.height() + 1; e < d.header.Height; e++ {
		if err := n.endEpoch(ctx, d.m, e); err != nil {
			return fmt.Errorf("null round %d: %w", e, err)
		}
	}
	d.m.epoch = d.header.Height
	keep := func(m *waiting) bool { return n.weather.keeps(m, d.header.Height) }
	if err := d.include(n.pool.pick(d.m.st, d.header.ParentBaseFee, keep)); err != nil {
		return err
	}
	if err := d.m.payProducer(d.header.Miner); err != nil {
		return err
	}
	return n.endEpoch(ctx, d.m, d.header.Height)
}

// include executes the messages in the order that the network gives them: the
// BLS messages of a block before the others.
func (d *draft) include(picked []*SignedMessage) error {
	for _, typ := range []crypto.SigType{crypto.SigTypeBLS, crypto.SigTypeSecp256k1} {
		for _, m := range picked {
			if m.Signature.Type != typ {
				continue
			}
			c, err := m.CID()
			if err != nil {
				return err
			}
			r, _, err := d.m.apply(&m.Message, m.chainLength(), d.header.ParentBaseFee)
			if errors.Is(err, errCannotInclude) {
				continue // an earlier one spent its money, or was left out itself
			}
			if err != nil {
				return fmt.Errorf("message %s: %w", c, err)
			}
			d.m.count(&m.Message, r)
			d.ts.messages = append(d.ts.messages, m)
			d.ts.cids = append(d.ts.cids, c)
			d.ts.receipts = append(d.ts.receipts, r)
		}
	}
	return nil
}

// count tallies a message to a miner.
func (x *machine) count(m *Message, r Receipt) {
	id, a, ok := x.st.lookup(m.To)
	if !ok || !a.isMiner() {
		return
	}
	t := x.st.tally[id]
	t.Messages++
	if r.ExitCode != 0 {
		t.MessagesFailed++
	}
	x.st.tally[id] = t
}

// drawn is the randomness seen by a tipset in the making: its own ticket
// counts, as it may be the first one after a null round.
type drawn struct {
	chain  *chain
	parent *tipset
	own    *tipset
}

func (d drawn) ticketDigest(epoch abi.ChainEpoch) ([]byte, error) {
	ts := d.own
	if epoch <= d.parent.height() {
		_, after, err := d.chain.around(d.parent, epoch)
		if err != nil {
			return nil, err
		}
		ts = after
	}
	return hash256(ts.header.Ticket.VRFProof), nil
}

// prune drops what is older than an epoch, and what nothing refers to any more.
func (n *Network) prune(ctx context.Context, below abi.ChainEpoch) error {
	if below <= 0 {
		return nil
	}
	tipsets := n.chain.forget(below)
	var roots []cid.Cid
	for _, t := range n.chain.kept() {
		h := t.header
		roots = append(roots, t.after.root, h.ParentStateRoot, h.Messages, h.ParentMessageReceipts)
	}
	dead, err := n.blocks.garbage(roots)
	if err != nil {
		return fmt.Errorf("find garbage: %w", err)
	}
	n.blocks.remove(dead)
	return n.db.write(ctx, func(b *batch) {
		b.dropTipsets(tipsets)
		b.dropBlocks(dead)
	})
}
