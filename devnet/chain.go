package devnet

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/exitcode"
	"github.com/ipfs/go-cid"
)

// finality is how deep the network may reorganise.
const finality = 900

// Receipt is what a message did.
type Receipt struct {
	ExitCode   exitcode.ExitCode
	Return     []byte
	GasUsed    int64
	EventsRoot *cid.Cid
}

func (r *Receipt) encode(e *encoder) {
	e.array(4)
	e.int(int64(r.ExitCode))
	e.bytes(r.Return)
	e.int(r.GasUsed)
	e.null()
}

// tipset is a tipset with what it did. It does not change once it is in the chain.
type tipset struct {
	cid      cid.Cid
	header   *BlockHeader
	messages []*SignedMessage // BLS first, as the network executes them
	cids     []cid.Cid        // of the messages, on chain
	receipts []Receipt        // of the messages; clients see them with the next tipset
	before   *state           // what its parent left: what clients read at this tipset
	after    *state           // with its messages and cron
}

func (t *tipset) height() abi.ChainEpoch { return t.header.Height }
func (t *tipset) key() TipSetKey         { return TipSetKey{t.cid} }

func (t *tipset) wire() *TipSet {
	return &TipSet{Cids: t.key(), Blocks: []*BlockHeader{t.header}, Height: t.header.Height}
}

// chain is the tipsets that are kept, and where messages stand in them.
type chain struct {
	mu       sync.RWMutex // guards all below
	byCID    map[cid.Cid]*tipset
	main     map[abi.ChainEpoch]*tipset // the canonical chain; null rounds are absent
	head     *tipset
	genesis  *tipset
	oldest   abi.ChainEpoch // of main, beside genesis
	included map[sequence]inclusion
	messages map[cid.Cid]seen // every one, so that a replaced one is still known
}

// seen is a message and the head's epoch when it came or was included.
type seen struct {
	message *SignedMessage
	epoch   abi.ChainEpoch
}

// sequence is a place in an account's history; one message at most takes it.
type sequence struct {
	from  address.Address
	nonce uint64
}

type inclusion struct {
	tipset *tipset
	index  int
}

func newChain() *chain {
	return &chain{
		byCID:    map[cid.Cid]*tipset{},
		main:     map[abi.ChainEpoch]*tipset{},
		included: map[sequence]inclusion{},
		messages: map[cid.Cid]seen{},
	}
}

// current is the head. Everything reachable from it stays as it is.
func (c *chain) current() *tipset {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.head
}

// keep makes a tipset known, by its key only.
func (c *chain) keep(t *tipset) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byCID[t.cid] = t
}

// extend makes a tipset the head; its parent is the head before.
func (c *chain) extend(t *tipset) { c.adopt(nil, []*tipset{t}) }

// adopt takes the last tipsets off the canonical chain, the head first, and
// puts others in their place. What was taken off can still be read by its key.
func (c *chain) adopt(off, on []*tipset) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range off {
		c.takeOff(t)
	}
	for _, t := range on {
		c.putOn(t)
	}
}

func (c *chain) takeOff(t *tipset) {
	delete(c.main, t.height())
	for _, m := range t.messages {
		delete(c.included, sequence{m.Message.From, m.Message.Nonce})
	}
	c.head = c.byCID[t.header.Parents[0]]
}

func (c *chain) putOn(t *tipset) {
	c.byCID[t.cid] = t
	c.main[t.height()] = t
	c.head = t
	if c.genesis == nil {
		c.genesis = t
	}
	for i, m := range t.messages {
		c.included[sequence{m.Message.From, m.Message.Nonce}] = inclusion{t, i}
		c.messages[t.cids[i]] = seen{m, t.height()}
	}
}

// last lists the last tipsets of the canonical chain, the head first, and the
// one that they stand on.
func (c *chain) last(depth int) (list []*tipset, base *tipset, err error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	base = c.head
	for range depth {
		parent, ok := c.byCID[base.header.Parents[0]]
		if !ok || base == c.genesis {
			return nil, nil, fmt.Errorf("reorg of %d tipsets: the chain is kept from epoch %d", depth, base.height())
		}
		list = append(list, base)
		base = parent
	}
	return list, base, nil
}

// forget drops tipsets below an epoch, and returns their CIDs.
func (c *chain) forget(below abi.ChainEpoch) []cid.Cid {
	c.mu.Lock()
	defer c.mu.Unlock()
	var gone []cid.Cid
	for id, t := range c.byCID {
		if t.height() >= below || t == c.genesis {
			continue
		}
		gone = append(gone, id)
		delete(c.byCID, id)
		if c.main[t.height()] != t {
			continue
		}
		delete(c.main, t.height())
		for _, m := range t.messages {
			delete(c.included, sequence{m.Message.From, m.Message.Nonce})
		}
	}
	maps.DeleteFunc(c.messages, func(_ cid.Cid, s seen) bool { return s.epoch < below })
	c.oldest = max(c.oldest, below)
	return gone
}

func (c *chain) kept() []*tipset {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Collect(maps.Values(c.byCID))
}

func (c *chain) remember(id cid.Cid, m *SignedMessage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages[id] = seen{m, c.head.height()}
}

func (c *chain) message(id cid.Cid) (*SignedMessage, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	s, ok := c.messages[id]
	return s.message, ok
}

// tipset finds a tipset by its key; the empty key is the head.
func (c *chain) tipset(key TipSetKey) (*tipset, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if len(key) == 0 {
		return c.head, nil
	}
	for _, id := range key {
		if _, ok := c.byCID[id]; !ok {
			return nil, fmt.Errorf("get block %s: %w", id, errNoBlock{id})
		}
	}
	if len(key) > 1 {
		return nil, errors.New("tipset of several blocks on a network that makes one in an epoch")
	}
	return c.byCID[key[0]], nil
}

// around finds the tipsets at or next to an epoch, on the branch of ts: the
// last one not after it and the first one not before it.
func (c *chain) around(ts *tipset, epoch abi.ChainEpoch) (at, after *tipset, err error) {
	if epoch > ts.height() {
		return nil, nil, fmt.Errorf("looking for tipset with height greater than start point, req: %d, head: %d", epoch, ts.height())
	}
	if epoch < 0 {
		return nil, nil, fmt.Errorf("height %d is negative", epoch)
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.main[ts.height()] == ts {
		return c.aroundMain(epoch)
	}
	at, after = ts, ts
	for at.height() > epoch {
		after = at
		parent, ok := c.byCID[at.header.Parents[0]]
		if !ok {
			return nil, nil, fmt.Errorf("get block %s: %w", at.header.Parents[0], errNoBlock{at.header.Parents[0]})
		}
		at = parent
	}
	if at.height() == epoch {
		after = at
	}
	return at, after, nil
}

func (c *chain) aroundMain(epoch abi.ChainEpoch) (at, after *tipset, err error) {
	if epoch == 0 {
		return c.genesis, c.genesis, nil
	}
	for e := epoch; at == nil; e-- {
		if e <= 0 || e < c.oldest && c.main[e] == nil {
			at = c.genesis
			if c.oldest > 1 {
				return nil, nil, fmt.Errorf("epoch %d is older than what is kept (from %d)", epoch, c.oldest)
			}
			break
		}
		at = c.main[e]
	}
	for e := epoch; after == nil; e++ {
		after = c.main[e]
	}
	return at, after, nil
}

// parent is a tipset's parent, if it is kept.
func (c *chain) parent(ts *tipset) (*tipset, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	p, ok := c.byCID[ts.header.Parents[0]]
	return p, ok
}

// child is the tipset that executed ts, in a client's eyes: the one that has its receipts.
func (c *chain) child(ts *tipset) (*tipset, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.main[ts.height()] != ts {
		return nil, false
	}
	for e := ts.height() + 1; e <= c.head.height(); e++ {
		if t := c.main[e]; t != nil {
			return t, true
		}
	}
	return nil, false
}

// place finds where the canonical chain used a nonce.
func (c *chain) place(from address.Address, nonce uint64) (inclusion, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	in, ok := c.included[sequence{from, nonce}]
	return in, ok
}
