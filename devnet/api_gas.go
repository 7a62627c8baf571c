package devnet

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/exitcode"
)

// overEstimate is what a node multiplies the gas used by, to get a limit.
const overEstimate = 1.25

// minPremiums are the least premiums that a node proposes to who does not want
// to wait for longer than so many blocks.
var minPremiums = map[uint64]int64{1: 200_000, 2: 150_000}

const minPremium = 100_000

// errSender is why a message cannot be tried.
var errSender = errors.New("sender validation failed")

// MessageSendSpec is what a caller lets an estimate cost.
type MessageSendSpec struct {
	MaxFee         abi.TokenAmount
	MsgUuid        string
	MaximizeFeeCap bool
	// Venus' own: factors for the gas limit and the premium.
	GasOverEstimation float64
	GasOverPremium    float64
}

func (a *api) GasEstimateMessageGas(ctx context.Context, m *Message, spec *MessageSendSpec, key TipSetKey) (*Message, error) {
	if err := m.complete(); err != nil {
		return nil, err
	}
	ts, err := a.at(key)
	if err != nil {
		return nil, fmt.Errorf("getting tipset: %w", err)
	}
	return a.n.priced(ctx, *m, spec, ts, nil)
}

// priced fills in what a message leaves open: its gas limit, after the messages
// given were executed too, its premium and its fee cap.
func (n *Network) priced(ctx context.Context, m Message, spec *MessageSendSpec, ts *tipset, after []*Message) (*Message, error) {
	m.defaults()
	if m.GasLimit == 0 {
		used, err := n.gasUsed(ctx, &m, ts, after)
		if err != nil {
			return nil, err
		}
		m.GasLimit = int64(min(float64(used)*spec.overEstimation(), blockGasLimit))
	}
	if m.GasPremium.IsZero() {
		m.GasPremium = spec.premium(n.chain.premium(ts, 10))
	}
	if m.GasFeeCap.IsZero() {
		m.GasFeeCap = feeCap(ts, m.GasPremium, 20)
	}
	spec.cap(&m)
	return &m, nil
}

// overEstimation is what a caller wants the gas used multiplied by.
func (s *MessageSendSpec) overEstimation() float64 {
	if s != nil && s.GasOverEstimation > 0 {
		return s.GasOverEstimation
	}
	return overEstimate
}

// premium is raised as a caller wants it.
func (s *MessageSendSpec) premium(p abi.TokenAmount) abi.TokenAmount {
	if s == nil || s.GasOverPremium <= 0 || s.GasOverPremium > 1e6 {
		return p
	}
	const unit = 1 << 20
	return big.Div(big.Mul(p, big.NewInt(int64(s.GasOverPremium*unit))), big.NewInt(unit))
}

// cap lowers what is paid to what the caller allows.
func (s *MessageSendSpec) cap(m *Message) {
	maxFee := big.Div(fil(7), big.NewInt(100)) // a node's default, 0.07 FIL
	maximize := false
	if s != nil {
		maximize = s.MaximizeFeeCap
		if s.MaxFee.Int != nil && !s.MaxFee.IsZero() {
			maxFee = s.MaxFee
		}
	}
	limit := big.NewInt(m.GasLimit)
	if m.GasLimit > 0 && (maximize || big.Mul(m.GasFeeCap, limit).GreaterThan(maxFee)) {
		m.GasFeeCap = big.Div(maxFee, limit)
	}
	m.GasPremium = big.Min(m.GasPremium, m.GasFeeCap)
}

func (a *api) GasEstimateGasLimit(ctx context.Context, m *Message, key TipSetKey) (int64, error) {
	if m == nil {
		return 0, errNoMessage
	}
	ts, err := a.at(key)
	if err != nil {
		return 0, fmt.Errorf("getting tipset: %w", err)
	}
	out := *m
	out.defaults()
	return a.n.gasUsed(ctx, &out, ts, nil)
}

func (a *api) GasEstimateGasPremium(_ context.Context, blocks uint64, _ address.Address, _ int64, key TipSetKey) (abi.TokenAmount, error) {
	ts, err := a.at(key)
	if err != nil {
		return big.Zero(), fmt.Errorf("getting tipset from key: %w", err)
	}
	return a.n.chain.premium(ts, blocks), nil
}

func (a *api) GasEstimateFeeCap(_ context.Context, m *Message, blocks int64, key TipSetKey) (abi.TokenAmount, error) {
	ts, err := a.at(key)
	if err != nil {
		return big.Zero(), fmt.Errorf("getting tipset from key: %w", err)
	}
	if m == nil {
		return big.Zero(), errNoMessage
	}
	out := *m
	out.defaults()
	return feeCap(ts, out.GasPremium, blocks), nil
}

// maxGasHistory is how many blocks a node looks back for premiums, at most.
const maxGasHistory = 128

// premium is what a node proposes to a sender who wants to wait for some
// blocks: the premium a little below the middle of the gas that twice as many
// past tipsets had room for, if their messages filled as much, or the least
// that they had, and never under a minimum. A node adds noise of half a
// percent; here the same question has the same answer.
func (c *chain) premium(ts *tipset, blocks uint64) abi.TokenAmount {
	blocks = min(max(blocks, 1), maxGasHistory)
	var list []*SignedMessage
	seen := int64(0)
	for range 2 * blocks {
		parent, ok := c.parent(ts)
		if ts.height() == 0 || !ok {
			break
		}
		ts = parent
		list = append(list, ts.messages...)
		seen++
	}
	least := big.NewInt(minPremium)
	if p, ok := minPremiums[blocks]; ok {
		least = big.NewInt(p)
	}
	if p := belowMedian(list, seen*blockGasTarget*21/40); p.GreaterThanEqual(big.NewInt(minPremium)) {
		return p
	}
	return least
}

// belowMedian walks down the premiums until their messages' limits exceed the gas.
func belowMedian(list []*SignedMessage, gas int64) abi.TokenAmount {
	slices.SortStableFunc(list, func(a, b *SignedMessage) int { return big.Cmp(b.Message.GasPremium, a.Message.GasPremium) })
	last, before := big.Zero(), big.Zero()
	for _, m := range list {
		last, before = m.Message.GasPremium, last
		if gas -= m.Message.GasLimit; gas < 0 {
			break
		}
	}
	if before.IsZero() {
		return last
	}
	return big.Div(big.Add(last, before), big.NewInt(2))
}

// feeCap holds if the base fee rises by an eighth in each of the next blocks.
func feeCap(ts *tipset, premium abi.TokenAmount, blocks int64) abi.TokenAmount {
	const unit = 1 << 20
	rise := big.NewInt(int64(math.Pow(1.125, float64(min(max(blocks, 0), 100))) * unit))
	return big.Add(big.Div(big.Mul(ts.header.ParentBaseFee, rise), big.NewInt(unit)), premium)
}

// gasUsed executes a message as the next one of its sender: at the tipset's own
// epoch, after the tipset's messages, those of the sender in the pool that come
// before it, and those given. So a post cannot be estimated before its deadline
// is open.
func (n *Network) gasUsed(ctx context.Context, m *Message, ts *tipset, after []*Message) (int64, error) {
	from, err := keyAddress(ts, m.From)
	if err != nil {
		return 0, fmt.Errorf("gas estimation failed: resolving sender %s (%w): %w", m.From, err, errSender)
	}
	x := n.estimator(ctx, ts)
	prior := append([]*SignedMessage{}, ts.messages...)
	for _, p := range n.pool.of(from) {
		if m.Nonce == 0 || p.Message.Nonce < m.Nonce {
			prior = append(prior, p)
		}
	}
	for _, p := range prior {
		if _, e, ok := x.st.lookup(p.Message.From); !ok || e.nonce != p.Message.Nonce {
			continue
		}
		if _, _, err := x.apply(&p.Message, p.chainLength(), ts.header.ParentBaseFee); err != nil {
			return 0, fmt.Errorf("gas estimation failed: CallWithGas failed: applying prior message: %w", err)
		}
	}
	for _, p := range after {
		if _, err := x.probe(p, from, ts); err != nil {
			return 0, err
		}
	}
	if _, _, ok := x.st.lookup(from); !ok {
		return 0, fmt.Errorf("gas estimation failed: CallWithGas failed: sender %s not found on chain: %w", m.From, errSender)
	}
	return x.probe(m, from, ts)
}

// probe executes a message with all the gas of a block.
func (x *machine) probe(m *Message, from address.Address, ts *tipset) (int64, error) {
	try := *m
	try.From, try.GasLimit = from, blockGasLimit
	b, err := try.Bytes()
	if err != nil {
		return 0, fmt.Errorf("gas estimation failed: serialize message: %w", err)
	}
	r, f, err := x.apply(&try, len(b), ts.header.ParentBaseFee)
	switch {
	case err != nil:
		return 0, fmt.Errorf("gas estimation failed: CallWithGas failed: %w", err)
	case r.ExitCode == exitcode.SysErrOutOfGas:
		return 0, errOutOfGas
	case f != nil:
		return 0, reverted(f)
	}
	return r.GasUsed, nil
}

// estimator is a machine whose work is thrown away.
func (n *Network) estimator(ctx context.Context, ts *tipset) *machine {
	x := n.newMachine(ctx, ts.before, drawn{n.chain, ts, ts})
	x.epoch, x.unpaid = ts.height(), true
	return x
}
