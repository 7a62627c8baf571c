package devnet

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	stdbig "math/big"
	"slices"
	"strings"
	"sync"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
)

// The pool's limits (lotus chain/messagepool).
const (
	poolSizeHigh        = 30_000
	poolSizeLow         = 20_000
	maxPendingTrusted   = 1000
	maxPendingUntrusted = 100
	replaceByFeePercent = 110 // the least premium of a replacement, in percent of the old one's
	maxBlockMessages    = 10_000
)

// What a pool refuses, in the words clients know.
var (
	errTooBig        = errors.New("message too big")
	errExistingNonce = errors.New("message with nonce already exists")
	errUnderpriced   = errors.New("replace by fee has too low GasPremium")
	errNonceTooLow   = errors.New("message nonce too low")
	errFeeCapTooLow  = errors.New("gas fee cap too low")
	errFunds         = errors.New("not enough funds to execute transaction")
	errSoft          = errors.New("validation failure")
	errTooMany       = errors.New("too many pending messages for actor")
)

// pool holds the signed messages that wait for a block, by sender and nonce.
type pool struct {
	mu      sync.Mutex // guards senders
	senders map[address.Address]map[uint64]*SignedMessage
}

func newPool() *pool {
	return &pool{senders: map[address.Address]map[uint64]*SignedMessage{}}
}

// check is what does not depend on the chain.
func (p *pool) check(m *SignedMessage) error {
	if b, err := m.Bytes(); err == nil && len(b) > maxMessageSize {
		return fmt.Errorf("mpool message too large (%dB): %w", len(b), errTooBig)
	}
	if err := m.Message.valid(0); err != nil {
		return fmt.Errorf("message not valid for block inclusion: %w", err)
	}
	if m.Message.GasFeeCap.LessThan(minimumBaseFee) {
		return errFeeCapTooLow
	}
	c, err := m.Message.CID()
	if err != nil {
		return err
	}
	if err := verify(&m.Signature, m.Message.From, c.Bytes()); err != nil {
		if m.Message.From.Protocol() == address.ID {
			err = fmt.Errorf("failed to validate signature: invalid signature for message %s (type %d): %w", c, m.Signature.Type, err)
		}
		return fmt.Errorf("signature verification failed: %w", err)
	}
	return nil
}

// add takes a message, or says why not. The state is the head's.
func (p *pool) add(m *SignedMessage, st *state, maxPending int) error {
	if err := p.check(m); err != nil {
		return err
	}
	_, sender, ok := st.lookup(m.Message.From)
	if !ok {
		return fmt.Errorf("failed to get actor nonce: resolution lookup failed (%s): actor not found", m.Message.From)
	}
	if sender.nonce > m.Message.Nonce {
		return fmt.Errorf("minimum expected nonce is %d, got %d: %w", sender.nonce, m.Message.Nonce, errNonceTooLow)
	}
	if err := m.Message.valid(gasOnChain(m.chainLength())); err != nil {
		return fmt.Errorf("verify msg failed: message will not be included in a block: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.funds(m, sender.balance); err != nil {
		return fmt.Errorf("failed to check balance: %w", err)
	}
	if err := p.place(m, maxPending); err != nil {
		return fmt.Errorf("failed to add locked: %w", err)
	}
	return nil
}

// funds checks that the sender can pay for this message's gas and for that of
// the others it has here. The value sent is not checked: a message that cannot
// be paid is executed and fails.
func (p *pool) funds(m *SignedMessage, balance abi.TokenAmount) error {
	need := requiredFunds(m)
	if balance.LessThan(need) {
		return fmt.Errorf("not enough funds (required: %s, balance: %s): %w", filText(need), filText(balance), errFunds)
	}
	for nonce, other := range p.senders[m.Message.From] {
		if nonce != m.Message.Nonce {
			need = big.Add(need, requiredFunds(other))
		}
	}
	if balance.LessThan(need) {
		return fmt.Errorf("not enough funds including pending messages (required: %s, balance: %s): %w", filText(need), filText(balance), errSoft)
	}
	return nil
}

func requiredFunds(m *SignedMessage) abi.TokenAmount {
	return big.Mul(m.Message.GasFeeCap, big.NewInt(m.Message.GasLimit))
}

func (p *pool) place(m *SignedMessage, maxPending int) error {
	mine := p.senders[m.Message.From]
	old, replaces := mine[m.Message.Nonce]
	if replaces {
		if err := replaceable(old, m); err != nil {
			return fmt.Errorf("message from %s with nonce %d already in mpool%w", m.Message.From, m.Message.Nonce, err)
		}
	}
	if !replaces && len(mine) >= maxPending {
		return fmt.Errorf("%w: %s", errTooMany, m.Message.From)
	}
	if mine == nil {
		mine = map[uint64]*SignedMessage{}
		p.senders[m.Message.From] = mine
	}
	mine[m.Message.Nonce] = m
	return nil
}

func replaceable(old, m *SignedMessage) error {
	a, errA := old.CID()
	b, errB := m.CID()
	if err := errors.Join(errA, errB); err != nil {
		return err
	}
	if a == b {
		return fmt.Errorf(": %w", errExistingNonce)
	}
	least := big.Add(big.Div(big.Mul(old.Message.GasPremium, big.NewInt(replaceByFeePercent)), big.NewInt(100)), big.NewInt(1))
	if m.Message.GasPremium.LessThan(least) {
		return fmt.Errorf(", increase GasPremium to %s from %s to trigger replace by fee: %w", least, m.Message.GasPremium, errUnderpriced)
	}
	return nil
}

// restore puts back what a reorg took off the chain, or what was stored. It
// does not replace what is there.
func (p *pool) restore(m *SignedMessage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, taken := p.senders[m.Message.From][m.Message.Nonce]; !taken {
		_ = p.place(m, poolSizeHigh) // the place is free, so there is nothing to refuse
	}
}

// settle forgets what the state has used the nonce of.
func (p *pool) settle(st *state) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for from, mine := range p.senders {
		_, a, ok := st.lookup(from)
		for nonce := range mine {
			if ok && nonce < a.nonce {
				delete(mine, nonce)
			}
		}
		if len(mine) == 0 {
			delete(p.senders, from)
		}
	}
}

// nextNonce is the nonce after the sender's last one, here or on chain. A gap
// ends it, as a wallet that asked would otherwise leave it for ever.
func (p *pool) nextNonce(from address.Address, onChain uint64) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.senders[from][onChain] != nil {
		onChain++
	}
	return onChain
}

// of lists a sender's messages in the order of their nonces.
func (p *pool) of(from address.Address) []*SignedMessage {
	p.mu.Lock()
	defer p.mu.Unlock()
	return inOrder(p.senders[from])
}

func inOrder(mine map[uint64]*SignedMessage) []*SignedMessage {
	var out []*SignedMessage
	for _, nonce := range slices.Sorted(maps.Keys(mine)) {
		out = append(out, mine[nonce])
	}
	return out
}

// size is how many messages wait.
func (p *pool) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, mine := range p.senders {
		n += len(mine)
	}
	return n
}

// pending lists every message.
func (p *pool) pending() []*SignedMessage {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := []*SignedMessage{}
	for _, from := range slices.SortedFunc(maps.Keys(p.senders), func(a, b address.Address) int {
		return cmp.Compare(a.String(), b.String())
	}) {
		out = append(out, inOrder(p.senders[from])...)
	}
	return out
}

// pick chooses the messages of the next block: of the senders' next nonces
// always the one that pays the highest premium, while the block has gas. A
// nonce that is not there yet, a fee cap below the base fee or too little
// balance keeps a sender's later messages waiting.
func (p *pool) pick(st *state, baseFee abi.TokenAmount) []*SignedMessage {
	queues := p.ready(st, baseFee)
	var out []*SignedMessage
	gas := int64(blockGasLimit)
	for len(out) < maxBlockMessages {
		best := bestPremium(queues)
		if best < 0 {
			break
		}
		m := queues[best][0]
		if m.Message.GasLimit > gas {
			queues[best] = nil
			continue
		}
		queues[best] = queues[best][1:]
		gas -= m.Message.GasLimit
		out = append(out, m)
	}
	return out
}

func bestPremium(queues [][]*SignedMessage) int {
	best := -1
	for i, q := range queues {
		if len(q) > 0 && (best < 0 || q[0].Message.GasPremium.GreaterThan(queues[best][0].Message.GasPremium)) {
			best = i
		}
	}
	return best
}

// ready lists, per sender, the messages that could be executed one after the other.
func (p *pool) ready(st *state, baseFee abi.TokenAmount) [][]*SignedMessage {
	var queues [][]*SignedMessage
	var queue []*SignedMessage
	var nonce uint64
	var left abi.TokenAmount
	var from address.Address
	for _, m := range p.pending() {
		if m.Message.From != from {
			queues = append(queues, queue)
			from, queue = m.Message.From, nil
			_, a, ok := st.lookup(from)
			nonce, left = a.nonce, a.balance
			if !ok {
				left = big.Zero()
			}
		}
		need := requiredFunds(m)
		if m.Message.Nonce != nonce || m.Message.GasFeeCap.LessThan(baseFee) || left.LessThan(need) {
			continue
		}
		left = big.Sub(left, need)
		nonce++
		queue = append(queue, m)
	}
	return append(queues, queue)
}

// filText writes an amount as a node does in its errors.
func filText(v abi.TokenAmount) string {
	r := new(stdbig.Rat).SetFrac(v.Int, stdbig.NewInt(1_000_000_000_000_000_000))
	if r.Sign() == 0 {
		return "0 FIL"
	}
	return strings.TrimRight(strings.TrimRight(r.FloatString(18), "0"), ".") + " FIL"
}
