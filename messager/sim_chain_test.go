package messager

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/filecoin-project/go-state-types/network"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
)

// simTipset is a tipset of the simulated chain.
type simTipset struct {
	vigil.Head
	parent   *simTipset
	included []simMessage
	nonces   map[address.Address]uint64 // after its own messages
}

type simMessage struct {
	vigil.SignedMessage
	cid  cid.Cid
	ours bool
}

// simChain is a chain, a market for its space and a pool, made for many
// messages: everything is looked up and nothing walked. It judges every push.
type simChain struct {
	t       testing.TB
	seed    uint64
	random  *rand.Rand
	head    *simTipset
	byEpoch map[abi.ChainEpoch]*simTipset // on the head's chain
	pool    map[address.Address]map[uint64]simMessage
	senders []address.Address
	intents map[senderNonce]string
	on      map[cid.Cid]*simTipset // executed on the head's chain, ours
	times   map[string]int         // how often a call stands on the head's chain
	forks   int

	baseFee, price     int64   // what a block's space costs
	deaf, mute, blind  float64 // how often a push is lost, its answer is, a read fails
	pushes, reorgs     int
	deepest, outsiders int
	confidence         abi.ChainEpoch
	takenBack          map[abi.ChainEpoch]int // recoveries, and sends of nothing, that a reorg took back from below the confidence, by epoch
}

func newSimChain(t testing.TB, seed uint64, r *rand.Rand, senders []address.Address) *simChain {
	c := &simChain{
		t: t, seed: seed, random: r, senders: senders, byEpoch: map[abi.ChainEpoch]*simTipset{}, pool: map[address.Address]map[uint64]simMessage{},
		intents: map[senderNonce]string{}, on: map[cid.Cid]*simTipset{}, takenBack: map[abi.ChainEpoch]int{}, times: map[string]int{}, baseFee: 1000, price: 100_000,
	}
	for _, s := range senders {
		c.pool[s] = map[uint64]simMessage{}
	}
	c.head = &simTipset{Head: vigil.Head{Key: "1000-0", Epoch: 1000, BaseFee: big.NewInt(1000)}, nonces: map[address.Address]uint64{}}
	c.byEpoch[1000] = c.head
	return c
}

// mine adds a tipset with what the market takes; after some null rounds.
func (c *simChain) mine(nulls int, take bool) {
	c.forks++
	epoch := c.head.Epoch + 1 + abi.ChainEpoch(nulls)
	ts := &simTipset{
		Head:   vigil.Head{Key: vigil.TipSetKey(fmt.Sprintf("%d-%d", epoch, c.forks)), Parent: c.head.Key, Epoch: epoch, BaseFee: big.NewInt(c.baseFee)},
		parent: c.head, nonces: maps.Clone(c.head.nonces),
	}
	for _, sender := range c.senders {
		for take {
			m, ok := c.pool[sender][ts.nonces[sender]]
			if !ok || !c.affords(m.Gas) {
				break
			}
			ts.included = append(ts.included, m)
			ts.nonces[sender]++
		}
	}
	c.head, c.byEpoch[epoch] = ts, ts
	for _, m := range ts.included {
		delete(c.pool[m.From], m.Nonce)
		c.count(m, ts, 1)
	}
}

func (c *simChain) affords(g vigil.Gas) bool {
	tip := big.Min(g.Premium, big.Sub(g.FeeCap, big.NewInt(c.baseFee)))
	return tip.GreaterThanEqual(big.NewInt(c.price))
}

func (c *simChain) count(m simMessage, ts *simTipset, by int) {
	if !m.ours {
		return
	}
	if by > 0 {
		c.on[m.cid] = ts
	} else {
		delete(c.on, m.cid)
	}
	if !nothing(m.Call) {
		c.times[string(m.Params)] += by
	}
}

// reorg takes back tipsets; of their messages some are forgotten.
func (c *simChain) reorg(depth int) {
	c.reorgs++
	c.deepest = max(c.deepest, depth)
	from := c.head.Epoch
	for range depth {
		ts := c.head
		if ts.parent == nil {
			return
		}
		delete(c.byEpoch, ts.Epoch)
		for _, m := range ts.included {
			c.count(m, ts, -1)
			if recovery := strings.HasPrefix(string(m.Params), string(vigil.KindRecover)); from-ts.Epoch >= c.confidence && (recovery || m.ours && nothing(m.Call)) {
				c.takenBack[ts.Epoch]++
			}
			if c.random.IntN(2) == 0 {
				c.pool[m.From][m.Nonce] = m
			}
		}
		c.head = ts.parent
	}
}

// outsider sends something with one of our keys.
func (c *simChain) outsider() {
	sender := c.senders[c.random.IntN(len(c.senders))]
	at := c.head.nonces[sender] + uint64(c.random.IntN(3))
	c.outsiders++
	m := vigil.SignedMessage{
		Call: vigil.Call{From: sender, To: sender, Value: big.NewInt(int64(c.outsiders))}, Nonce: at,
		Gas:       vigil.Gas{Limit: 1e6, FeeCap: big.NewInt(1 << 50), Premium: big.NewInt(int64(100_000 + c.random.IntN(1<<20)))},
		Signature: crypto.Signature{Type: crypto.SigTypeSecp256k1, Data: make([]byte, 65)},
	}
	id, err := m.CID()
	if err != nil {
		c.t.Fatal(err)
	}
	c.pend(simMessage{m, id, false})
}

func (c *simChain) pend(m simMessage) error {
	if m.Nonce < c.head.nonces[m.From] {
		return fmt.Errorf("%w: minimum expected nonce is %d", vigil.ErrNonceTooLow, c.head.nonces[m.From])
	}
	if before, ok := c.pool[m.From][m.Nonce]; ok && before.cid != m.cid {
		if need := leastReplacement(before.Gas.Premium); m.Gas.Premium.LessThan(need) {
			return fmt.Errorf("%w: replace by fee", &vigil.PremiumError{Needed: need})
		}
	}
	c.pool[m.From][m.Nonce] = m
	return nil
}

var errSim = errors.New("connection reset by peer")

func (c *simChain) read() error {
	if c.blind > 0 && c.random.Float64() < c.blind {
		return errSim
	}
	return nil
}

// The messager's view of it. It is asked by one goroutine, but for estimates
// and pushes, which take turns here in an order that a run's seed does not fix
// unless locked holds them to one at a time: see lockedSim.

func (c *simChain) Network(context.Context) (vigil.Network, error) {
	return vigil.Network{Name: "sim", Version: network.Version27, BlockDelay: 30 * time.Second}, nil
}

func (c *simChain) Head(context.Context) (vigil.Head, error) { return c.head.Head, nil }

func (c *simChain) Watch(context.Context) <-chan vigil.Head { return nil }

func (c *simChain) At(_ context.Context, epoch abi.ChainEpoch, _ vigil.TipSetKey) (vigil.Head, error) {
	if err := c.read(); err != nil {
		return vigil.Head{}, err
	}
	for ; epoch >= 0; epoch-- {
		if ts, ok := c.byEpoch[epoch]; ok {
			return ts.Head, nil
		}
	}
	return vigil.Head{}, vigil.ErrNotFound
}

func (c *simChain) KeyAddress(_ context.Context, a address.Address, _ vigil.TipSetKey) (address.Address, error) {
	return a, nil
}

func (c *simChain) Account(_ context.Context, a address.Address, key vigil.TipSetKey) (uint64, abi.TokenAmount, error) {
	if err := c.read(); err != nil {
		return 0, big.Zero(), err
	}
	ts := c.head
	for ts != nil && ts.Key != key {
		ts = ts.parent
	}
	if ts == nil {
		return 0, big.Zero(), vigil.ErrNotFound
	}
	return ts.nonces[a], big.Mul(big.NewInt(1e9), oneFIL), nil
}

func (c *simChain) PoolNonce(_ context.Context, a address.Address) (uint64, error) {
	nonce := c.head.nonces[a]
	for {
		if _, ok := c.pool[a][nonce]; !ok {
			return nonce, c.read()
		}
		nonce++
	}
}

func (c *simChain) EstimateGas(context.Context, vigil.Call, uint64) (vigil.Gas, error) {
	return vigil.Gas{Limit: simGas, FeeCap: big.NewInt(11 * 1000), Premium: big.NewInt(100_000)}, nil
}

// simGas is what every message needs, so that all can pay the same for a unit.
const simGas = 50_000_000

func (c *simChain) PushMessage(_ context.Context, m vigil.SignedMessage) ([]vigil.PushResult, error) {
	c.pushes++
	id, err := m.CID()
	if err != nil {
		c.t.Fatal(err)
	}
	c.judge(m)
	if c.chance(id, "deaf") < c.deaf {
		return nil, errSim
	}
	err = c.pend(simMessage{m, id, true})
	if c.chance(id, "mute") < c.mute {
		return nil, errSim
	}
	return []vigil.PushResult{{Node: "sim"}}, err
}

// chance is the random number of a push, whichever others come before it.
func (c *simChain) chance(id cid.Cid, what string) float64 {
	h := fnv.New64a()
	fmt.Fprint(h, c.seed, c.forks, id.KeyString(), what)
	return float64(h.Sum64()>>11) / (1 << 53)
}

// judge fails the simulation when a nonce comes with a second intent.
func (c *simChain) judge(m vigil.SignedMessage) {
	if m.Gas.FeeCap.LessThan(m.Gas.Premium) || gasCost(m.Gas).GreaterThan(defaultMaxFee) {
		c.t.Fatalf("gas %+v", m.Gas)
	}
	if nothing(m.Call) {
		return
	}
	at := senderNonce{m.From, m.Nonce}
	if before, ok := c.intents[at]; ok && before != string(m.Params) {
		c.t.Fatalf("nonce %d of %s was used for %q and %q", m.Nonce, m.From, before, m.Params)
	}
	c.intents[at] = string(m.Params)
}

func (c *simChain) Executed(_ context.Context, key vigil.TipSetKey) ([]vigil.Executed, error) {
	if err := c.read(); err != nil {
		return nil, err
	}
	ts := c.head
	for ts != nil && ts.Key != key {
		ts = ts.parent
	}
	if ts == nil || ts.parent == nil {
		return nil, nil
	}
	list := make([]vigil.Executed, len(ts.parent.included))
	for i, m := range ts.parent.included {
		list[i] = c.execution(m.cid, m.SignedMessage, ts.parent)
	}
	return list, nil
}

func (c *simChain) execution(id cid.Cid, m vigil.SignedMessage, ts *simTipset) vigil.Executed {
	return vigil.Executed{CID: id, From: m.From, Nonce: m.Nonce, Receipt: vigil.Receipt{GasUsed: m.Gas.Limit * 4 / 5, Epoch: ts.Epoch, TipSet: ts.Key}}
}

func (c *simChain) Search(_ context.Context, wanted cid.Cid, _ vigil.TipSetKey) (vigil.Executed, error) {
	if err := c.read(); err != nil {
		return vigil.Executed{}, err
	}
	ts, ok := c.on[wanted]
	if !ok || ts == c.head { // its own messages are executed by the next
		return vigil.Executed{}, vigil.ErrNotFound
	}
	i := slices.IndexFunc(ts.included, func(m simMessage) bool { return m.cid == wanted })
	return c.execution(wanted, ts.included[i].SignedMessage, ts), nil
}

// prune forgets what is older than any reorg.
func (c *simChain) prune() {
	old := c.byEpoch[c.head.Epoch-finality-300]
	if old == nil { // a null round
		return
	}
	for ts := old.parent; ts != nil; ts = ts.parent {
		delete(c.byEpoch, ts.Epoch)
		for _, m := range ts.included {
			delete(c.on, m.cid)
		}
	}
	old.parent = nil
}
