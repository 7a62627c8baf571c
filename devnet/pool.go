package devnet

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
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
	// A stranger's fee cap may be this many times below the base fee.
	lowerFeeCap = 100
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
	errNonceGap      = errors.New("unfulfilled nonce gap")
)

// pool holds the signed messages that wait for a block, by sender and nonce.
type pool struct {
	mu        sync.Mutex // guards all below
	senders   map[address.Address]map[uint64]*waiting
	high, low int // a pool of more messages than high is cut to low
}

// waiting is a message in the pool, since the epoch that the head was at.
type waiting struct {
	*SignedMessage
	came abi.ChainEpoch
}

func newPool() *pool {
	return &pool{senders: map[address.Address]map[uint64]*waiting{}, high: poolSizeHigh, low: poolSizeLow}
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

// add takes a message, or says why not. The state and the base fee are the
// head's. A stranger's, whose maxPending is the lower one, may leave no gap and
// must be able to pay soon.
func (p *pool) add(m *SignedMessage, head *tipset, maxPending int) error {
	if err := p.check(m); err != nil {
		return err
	}
	st := head.after
	_, sender, err := resolve(st, m.Message.From)
	if err != nil {
		return fmt.Errorf("failed to get actor nonce: %w", err)
	}
	if sender.nonce > m.Message.Nonce {
		return fmt.Errorf("minimum expected nonce is %d, got %d: %w", sender.nonce, m.Message.Nonce, errNonceTooLow)
	}
	if err := m.Message.valid(gasOnChain(m.chainLength())); err != nil {
		return fmt.Errorf("verify msg failed: message will not be included in a block: %w", err)
	}
	stranger := maxPending < maxPendingTrusted
	bound := big.Max(big.Div(head.header.ParentBaseFee, big.NewInt(lowerFeeCap)), minimumBaseFee)
	if stranger && m.Message.GasFeeCap.LessThan(bound) {
		return fmt.Errorf("verify msg failed: GasFeeCap doesn't meet base fee lower bound for inclusion in the next 20 blocks (GasFeeCap: %s, baseFeeLowerBound: %s): %w",
			m.Message.GasFeeCap, bound, errSoft)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.funds(m, sender.balance); err != nil {
		return fmt.Errorf("failed to check balance: %w", err)
	}
	if next := p.nextLocked(m.Message.From, sender.nonce); stranger && m.Message.Nonce > next {
		return fmt.Errorf("failed to add locked: message nonce has too big a gap from expected nonce (Nonce: %d, nextNonce: %d): %w", m.Message.Nonce, next, errNonceGap)
	}
	if err := p.place(&waiting{m, head.height()}, maxPending); err != nil {
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
			need = big.Add(need, requiredFunds(other.SignedMessage))
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

func (p *pool) place(m *waiting, maxPending int) error {
	mine := p.senders[m.Message.From]
	old, replaces := mine[m.Message.Nonce]
	if replaces {
		if err := replaceable(old.SignedMessage, m.SignedMessage); err != nil {
			return fmt.Errorf("message from %s with nonce %d already in mpool%w", m.Message.From, m.Message.Nonce, err)
		}
		m.came = old.came // it has waited, and pays more
	}
	if !replaces && len(mine) >= maxPending {
		return fmt.Errorf("%w: %s", errTooMany, m.Message.From)
	}
	if mine == nil {
		mine = map[uint64]*waiting{}
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
// does not replace what is there, and says so.
func (p *pool) restore(m *SignedMessage) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, taken := p.senders[m.Message.From][m.Message.Nonce]; taken {
		return false
	}
	_ = p.place(&waiting{SignedMessage: m}, math.MaxInt) // the place is free, so there is nothing to refuse
	return true
}

// remove takes messages out, by what they are. It lists them.
func (p *pool) remove(which func(*SignedMessage) bool) []*SignedMessage {
	p.mu.Lock()
	defer p.mu.Unlock()
	var gone []*SignedMessage
	for from, mine := range p.senders {
		for nonce, m := range mine {
			if which(m.SignedMessage) {
				gone = append(gone, m.SignedMessage)
				delete(mine, nonce)
			}
		}
		if len(mine) == 0 {
			delete(p.senders, from)
		}
	}
	return gone
}

// evict cuts a pool that has too many messages to those that pay best. It
// lists the others.
func (p *pool) evict(baseFee abi.TokenAmount) []*SignedMessage {
	p.mu.Lock()
	high, low := p.high, p.low
	p.mu.Unlock()
	if p.size() <= high {
		return nil
	}
	var all []*link
	for _, q := range p.queues() {
		all = append(all, links(q, baseFee)...)
	}
	slices.SortStableFunc(all, func(a, b *link) int { return b.pays(a) })
	kept := map[*SignedMessage]bool{}
	for _, l := range all {
		for _, m := range l.list {
			if len(kept) < low {
				kept[m.SignedMessage] = true
			}
		}
	}
	return p.remove(func(m *SignedMessage) bool { return !kept[m] })
}

// settle forgets what the state has used the nonce of.
func (p *pool) settle(st *state) {
	p.remove(func(m *SignedMessage) bool {
		_, a, ok := st.lookup(m.Message.From)
		return ok && m.Message.Nonce < a.nonce
	})
}

// nextNonce is the nonce after the sender's last one, here or on chain. A gap
// ends it, as a wallet that asked would otherwise leave it for ever.
func (p *pool) nextNonce(from address.Address, onChain uint64) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.nextLocked(from, onChain)
}

func (p *pool) nextLocked(from address.Address, onChain uint64) uint64 {
	for p.senders[from][onChain] != nil {
		onChain++
	}
	return onChain
}

// of lists a sender's messages in the order of their nonces.
func (p *pool) of(from address.Address) []*SignedMessage {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []*SignedMessage
	for _, m := range inOrder(p.senders[from]) {
		out = append(out, m.SignedMessage)
	}
	return out
}

func inOrder(mine map[uint64]*waiting) []*waiting {
	var out []*waiting
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

// queues is every message, by sender and in the order of their nonces.
func (p *pool) queues() [][]*waiting {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out [][]*waiting
	for _, from := range slices.SortedFunc(maps.Keys(p.senders), func(a, b address.Address) int {
		return cmp.Compare(a.String(), b.String())
	}) {
		out = append(out, inOrder(p.senders[from]))
	}
	return out
}

// pending lists every message.
func (p *pool) pending() []*SignedMessage {
	out := []*SignedMessage{}
	for _, q := range p.queues() {
		for _, m := range q {
			out = append(out, m.SignedMessage)
		}
	}
	return out
}

// pick chooses the messages of the next block. A nonce that is not there yet, a
// fee cap below the base fee, too little balance or the weather keeps a
// sender's later messages waiting.
func (p *pool) pick(st *state, baseFee abi.TokenAmount, keep func(*waiting) bool) []*SignedMessage {
	queues := p.queues()
	for i, q := range queues {
		queues[i] = ready(q, st, baseFee, keep)
	}
	return pack(queues, baseFee)
}

// ready is the messages of a sender that could be executed one after the other.
func ready(queue []*waiting, st *state, baseFee abi.TokenAmount, keep func(*waiting) bool) []*waiting {
	_, a, ok := st.lookup(queue[0].Message.From)
	if !ok {
		return nil
	}
	nonce, left := a.nonce, a.balance
	var out []*waiting
	for _, m := range queue {
		need := requiredFunds(m.SignedMessage)
		switch {
		case m.Message.Nonce < nonce:
			continue
		case m.Message.Nonce > nonce, m.Message.GasFeeCap.LessThan(baseFee), left.LessThan(need), keep(m):
			return out
		}
		left = big.Sub(left, need)
		nonce++
		out = append(out, m)
	}
	return out
}

// filText writes an amount as a node does in its errors.
func filText(v abi.TokenAmount) string {
	r := new(stdbig.Rat).SetFrac(v.Int, stdbig.NewInt(1_000_000_000_000_000_000))
	if r.Sign() == 0 {
		return "0 FIL"
	}
	return strings.TrimRight(strings.TrimRight(r.FloatString(18), "0"), ".") + " FIL"
}
