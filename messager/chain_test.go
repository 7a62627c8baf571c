package messager

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/filecoin-project/go-state-types/exitcode"
	"github.com/filecoin-project/go-state-types/network"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
)

// tipset is a tipset of the fake chain with the messages it includes.
type tipset struct {
	vigil.Head
	parent   *tipset
	included []vigil.SignedMessage
	exits    []exitcode.ExitCode
}

// fakeChain is a node and its chain: forks, a pool, accounts, and faults. It
// judges what it is given: two contents at a nonce are only tolerated as a
// replacement of the same call.
type fakeChain struct {
	t  *testing.T
	mu sync.Mutex

	head      *tipset
	byKey     map[vigil.TipSetKey]*tipset
	watchers  []chan vigil.Head
	pool      map[senderNonce]vigil.SignedMessage
	outsiders map[senderNonce]vigil.SignedMessage // not ours, with our keys
	intents   map[senderNonce]vigil.Call          // of everything that was ever pushed
	pushes    map[cid.Cid]int
	balance   map[address.Address]abi.TokenAmount
	keys      map[address.Address]address.Address
	exit      exitcode.ExitCode // of the messages that are mined

	baseFee    int64
	estimate   func(vigil.Call) (vigil.Gas, error)
	pushFault  func(vigil.SignedMessage) (taken bool, err error)
	readFault  func(method string) error
	forks      int
	estimates  int
	minPremium int64 // what a message must pay to be mined
}

func newChain(t *testing.T) *fakeChain {
	c := &fakeChain{
		t: t, byKey: map[vigil.TipSetKey]*tipset{}, pool: map[senderNonce]vigil.SignedMessage{},
		outsiders: map[senderNonce]vigil.SignedMessage{},
		intents:   map[senderNonce]vigil.Call{}, pushes: map[cid.Cid]int{},
		balance: map[address.Address]abi.TokenAmount{}, keys: map[address.Address]address.Address{}, baseFee: 100,
	}
	c.head = c.add(nil, 100, nil)
	return c
}

func (c *fakeChain) add(parent *tipset, epoch abi.ChainEpoch, included []vigil.SignedMessage) *tipset {
	c.forks++
	ts := &tipset{parent: parent, included: included}
	ts.Head = vigil.Head{Key: vigil.TipSetKey(fmt.Sprintf("%d-%d", epoch, c.forks)), Epoch: epoch, BaseFee: big.NewInt(c.baseFee)}
	if parent != nil {
		ts.Parent = parent.Key
	}
	for range included {
		ts.exits = append(ts.exits, c.exit)
	}
	c.byKey[ts.Key] = ts
	return ts
}

// mine adds n tipsets to the head, each with what the pool has in order.
func (c *fakeChain) mine(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range n {
		c.head = c.add(c.head, c.head.Epoch+1, c.selectMessages(c.head))
	}
	c.announce()
}

func (c *fakeChain) selectMessages(on *tipset) []vigil.SignedMessage {
	var chosen []vigil.SignedMessage
	for sender := range c.balance {
		for nonce := c.nonce(sender, on); ; nonce++ {
			m, ok := c.pool[senderNonce{sender, nonce}]
			if !ok || m.Gas.Premium.LessThan(big.NewInt(c.minPremium)) {
				break
			}
			chosen = append(chosen, m)
		}
	}
	return chosen
}

// skip passes n null rounds and mines one tipset.
func (c *fakeChain) skip(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.head = c.add(c.head, c.head.Epoch+abi.ChainEpoch(n)+1, c.selectMessages(c.head))
	c.announce()
}

// reorg replaces the last depth tipsets by as many empty ones and one more.
func (c *fakeChain) reorg(depth int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range depth {
		if c.head.parent != nil {
			c.head = c.head.parent
		}
	}
	for range depth + 1 {
		c.head = c.add(c.head, c.head.Epoch+1, nil)
	}
	c.announce()
}

// dropPool forgets all pending messages, as a node that restarts may. An
// outsider sees their own through.
func (c *fakeChain) dropPool() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.pool)
	for at, m := range c.outsiders {
		c.pool[at] = m
	}
}

// foreign puts a message of the same key that is not ours into the pool.
func (c *fakeChain) foreign(sender address.Address, nonce uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := senderNonce{sender, nonce}
	c.outsiders[at] = vigil.SignedMessage{
		Call: vigil.Call{From: sender, To: sender}, Nonce: nonce,
		Gas:       vigil.Gas{Limit: 1, FeeCap: big.NewInt(1 << 60), Premium: big.NewInt(1 << 60)},
		Signature: crypto.Signature{Type: crypto.SigTypeSecp256k1, Data: make([]byte, 65)},
	}
	c.pool[at] = c.outsiders[at]
}

func (c *fakeChain) announce() {
	for _, w := range c.watchers {
		select {
		case <-w: // the older head was not taken
		default:
		}
		w <- c.head.Head
	}
}

// nonce is an account's next nonce after the tipset's messages.
func (c *fakeChain) nonce(sender address.Address, ts *tipset) (n uint64) {
	for ; ts != nil; ts = ts.parent {
		for _, m := range ts.included {
			if m.From == sender {
				n++
			}
		}
	}
	return n
}

func (c *fakeChain) fault(method string) error {
	if c.readFault == nil {
		return nil
	}
	return c.readFault(method)
}

func (c *fakeChain) Network(context.Context) (vigil.Network, error) {
	return vigil.Network{Name: "fake", Version: network.Version27, BlockDelay: 30 * time.Second}, nil
}

func (c *fakeChain) Head(context.Context) (vigil.Head, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.head.Head, c.fault("Head")
}

func (c *fakeChain) Watch(ctx context.Context) <-chan vigil.Head {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := make(chan vigil.Head, 1)
	c.watchers = append(c.watchers, w)
	return w
}

func (c *fakeChain) At(_ context.Context, epoch abi.ChainEpoch, key vigil.TipSetKey) (vigil.Head, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.fault("At"); err != nil {
		return vigil.Head{}, err
	}
	for ts := c.byKey[key]; ts != nil; ts = ts.parent {
		if ts.Epoch <= epoch {
			return ts.Head, nil
		}
	}
	return vigil.Head{}, vigil.ErrNotFound
}

func (c *fakeChain) KeyAddress(_ context.Context, a address.Address, _ vigil.TipSetKey) (address.Address, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if key, ok := c.keys[a]; ok {
		return key, c.fault("KeyAddress")
	}
	return address.Undef, vigil.ErrNotFound
}

func (c *fakeChain) Account(_ context.Context, a address.Address, key vigil.TipSetKey) (uint64, abi.TokenAmount, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nonce(a, c.byKey[key]), c.balance[a], c.fault("Account")
}

func (c *fakeChain) EstimateGas(_ context.Context, call vigil.Call, _ uint64) (vigil.Gas, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.estimates++
	if c.estimate != nil {
		return c.estimate(call)
	}
	if err := c.fault("EstimateGas"); err != nil {
		return vigil.Gas{}, err
	}
	return vigil.Gas{Limit: 50_000_000, FeeCap: big.NewInt(1100), Premium: big.NewInt(100_000)}, nil
}

// PoolNonce is the first nonce that neither the chain nor the pool has.
func (c *fakeChain) PoolNonce(_ context.Context, a address.Address) (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	nonce := c.nonce(a, c.head)
	for {
		if _, ok := c.pool[senderNonce{a, nonce}]; !ok {
			return nonce, c.fault("PoolNonce")
		}
		nonce++
	}
}

func (c *fakeChain) PushMessage(_ context.Context, m vigil.SignedMessage) ([]vigil.PushResult, error) {
	err := c.take(m)
	result := vigil.PushResult{Node: "fake"}
	if err != nil {
		result.Problem = err.Error()
	}
	return []vigil.PushResult{result}, err
}

// take is what the node does with a message.
func (c *fakeChain) take(m vigil.SignedMessage) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	id, err := m.CID()
	if err != nil {
		c.t.Errorf("pushed: %v", err)
	}
	taken := true
	if c.pushFault != nil {
		taken, err = c.pushFault(m)
	}
	c.judge(m)
	c.pushes[id]++
	if taken {
		if refused := c.pend(m, id); err == nil {
			err = refused
		}
	}
	return err
}

// judge fails the test when a nonce comes with a second intent: another call
// that is not the send of nothing which takes a nonce from its message.
func (c *fakeChain) judge(m vigil.SignedMessage) {
	at := senderNonce{m.From, m.Nonce}
	if before, ok := c.intents[at]; ok && !nothing(m.Call) && !(sameCall(before, m.Call) && before.From == m.From) {
		c.t.Errorf("nonce %d of %s was used for two intents: %v and %v", m.Nonce, m.From, before, m.Call)
	}
	if !nothing(m.Call) {
		c.intents[at] = m.Call
	}
	if m.Gas.FeeCap.LessThan(m.Gas.Premium) {
		c.t.Errorf("fee cap %s is below premium %s", m.Gas.FeeCap, m.Gas.Premium)
	}
	if _, ok := c.balance[m.From]; !ok {
		c.t.Errorf("sent from %s, which is no key address here", m.From)
	}
}

func nothing(c vigil.Call) bool {
	return c.To == c.From && c.Method == 0 && amount(c.Value).Sign() == 0 && len(c.Params) == 0
}

// pend puts a message into the pool by the network's rules.
func (c *fakeChain) pend(m vigil.SignedMessage, id cid.Cid) error {
	if m.Nonce < c.nonce(m.From, c.head) {
		return fmt.Errorf("%w: minimum expected nonce is higher: message nonce too low", vigil.ErrNonceTooLow)
	}
	at := senderNonce{m.From, m.Nonce}
	if before, ok := c.pool[at]; ok {
		if known, err := before.CID(); err == nil && known == id {
			return nil
		}
		need := big.Add(big.Div(big.Mul(before.Gas.Premium, big.NewInt(110)), big.NewInt(100)), big.NewInt(1))
		if m.Gas.Premium.LessThan(need) {
			return fmt.Errorf("%w: replace by fee has too low GasPremium", &vigil.PremiumError{Needed: need})
		}
	}
	c.pool[at] = m
	return nil
}

func (c *fakeChain) Executed(_ context.Context, key vigil.TipSetKey) ([]vigil.Executed, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.fault("Executed"); err != nil {
		return nil, err
	}
	ts := c.byKey[key]
	if ts == nil || ts.parent == nil {
		return nil, nil
	}
	return c.executions(ts.parent), nil
}

func (c *fakeChain) executions(ts *tipset) []vigil.Executed {
	var list []vigil.Executed
	for i, m := range ts.included {
		id, err := m.CID()
		if err != nil {
			c.t.Errorf("included: %v", err)
		}
		list = append(list, vigil.Executed{
			CID: id, From: m.From, Nonce: m.Nonce,
			Receipt: vigil.Receipt{ExitCode: ts.exits[i], GasUsed: 1, Epoch: ts.Epoch, TipSet: ts.Key},
		})
	}
	return list
}

func (c *fakeChain) Search(_ context.Context, wanted cid.Cid, key vigil.TipSetKey) (vigil.Executed, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.fault("Search"); err != nil {
		return vigil.Executed{}, err
	}
	for ts := c.byKey[key].parent; ts != nil; ts = ts.parent {
		list := c.executions(ts)
		if i := slices.IndexFunc(list, func(e vigil.Executed) bool { return e.CID == wanted }); i >= 0 {
			return list[i], nil
		}
	}
	return vigil.Executed{}, vigil.ErrNotFound
}

// fakeSigner holds some keys; its signatures are not checked by the fake chain.
type fakeSigner struct{ keys []address.Address }

func (s fakeSigner) Has(_ context.Context, key address.Address) (bool, error) {
	return slices.Contains(s.keys, key), nil
}

func (s fakeSigner) Sign(_ context.Context, m vigil.SignedMessage) (crypto.Signature, error) {
	if !slices.Contains(s.keys, m.From) {
		return crypto.Signature{}, vigil.ErrNotFound
	}
	unsigned, err := m.UnsignedCID()
	if err != nil {
		return crypto.Signature{}, err
	}
	data := unsigned.Bytes()
	return crypto.Signature{Type: crypto.SigTypeSecp256k1, Data: append(make([]byte, 65-len(data)), data...)}, nil
}
