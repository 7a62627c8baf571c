package devnet

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
)

// overEstimate is what a node multiplies the gas used by, to get a limit.
const overEstimate = 1.25

// minPremiums are the least premiums that a node proposes, by how many blocks
// the sender wants to wait: with room in every block nobody need pay more.
var minPremiums = map[uint64]int64{0: 200_000, 1: 200_000, 2: 150_000}

const minPremium = 100_000

var (
	errNoMessage = errors.New("no message")
	errNoAddress = errors.New("'To' and 'From' addresses cannot be empty")
)

// MessageSendSpec is what a caller lets an estimate cost.
type MessageSendSpec struct {
	MaxFee         abi.TokenAmount
	MsgUuid        string
	MaximizeFeeCap bool
}

func (a *api) GasEstimateMessageGas(ctx context.Context, m *Message, spec *MessageSendSpec, key TipSetKey) (*Message, error) {
	ts, err := a.at(key)
	if err != nil {
		return nil, err
	}
	if m == nil {
		return nil, errNoMessage
	}
	if m.To == address.Undef || m.From == address.Undef {
		return nil, errNoAddress
	}
	out := *m
	out.defaults()
	if out.GasLimit == 0 {
		used, err := a.n.gasUsed(ctx, &out, ts)
		if err != nil {
			return nil, err
		}
		out.GasLimit = min(int64(float64(used)*overEstimate), blockGasLimit)
	}
	if out.GasPremium.IsZero() {
		out.GasPremium = premium(10)
	}
	if out.GasFeeCap.IsZero() {
		out.GasFeeCap = feeCap(ts, out.GasPremium, 20)
	}
	spec.cap(&out)
	return &out, nil
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
	ts, err := a.at(key)
	if err != nil {
		return 0, err
	}
	if m == nil {
		return 0, errNoMessage
	}
	out := *m
	out.defaults()
	return a.n.gasUsed(ctx, &out, ts)
}

func (a *api) GasEstimateGasPremium(_ context.Context, blocks uint64, _ address.Address, _ int64, _ TipSetKey) (abi.TokenAmount, error) {
	return premium(blocks), nil
}

func (a *api) GasEstimateFeeCap(_ context.Context, m *Message, blocks int64, key TipSetKey) (abi.TokenAmount, error) {
	ts, err := a.at(key)
	if err != nil {
		return big.Zero(), err
	}
	if m == nil {
		return big.Zero(), errNoMessage
	}
	p := m.GasPremium
	if p.Int == nil {
		p = big.Zero()
	}
	return feeCap(ts, p, blocks), nil
}

func premium(blocks uint64) abi.TokenAmount {
	if p, ok := minPremiums[blocks]; ok {
		return big.NewInt(p)
	}
	return big.NewInt(minPremium)
}

// feeCap holds if the base fee rises by an eighth in each of the next blocks.
func feeCap(ts *tipset, premium abi.TokenAmount, blocks int64) abi.TokenAmount {
	const unit = 1 << 20
	rise := big.NewInt(int64(math.Pow(1.125, float64(min(max(blocks, 0), 100))) * unit))
	return big.Add(big.Div(big.Mul(ts.header.ParentBaseFee, rise), big.NewInt(unit)), premium)
}

// gasUsed executes a message as the next one of its sender: at the tipset's own
// epoch, after the tipset's messages and those of the sender in the pool that
// come before it. So a post cannot be estimated before its deadline is open.
func (n *Network) gasUsed(ctx context.Context, m *Message, ts *tipset) (int64, error) {
	_, from, ok := ts.before.lookup(m.From)
	if !ok {
		return 0, fmt.Errorf("getting key address: resolution lookup failed (%s): actor not found", m.From)
	}
	x := n.estimator(ctx, ts)
	prior := append([]*SignedMessage{}, ts.messages...)
	for _, p := range n.pool.of(from.key) {
		if m.Nonce == 0 || p.Message.Nonce < m.Nonce {
			prior = append(prior, p)
		}
	}
	for _, p := range prior {
		if _, e, ok := x.st.lookup(p.Message.From); !ok || e.nonce != p.Message.Nonce {
			continue
		}
		if _, _, err := x.apply(&p.Message, p.chainLength(), ts.header.ParentBaseFee); err != nil {
			return 0, fmt.Errorf("message before it: %w", err)
		}
	}
	probe := *m
	probe.From, probe.GasLimit = from.key, blockGasLimit
	r, f, err := x.apply(&probe, n.probeLength(&probe), ts.header.ParentBaseFee)
	if err != nil {
		return 0, err
	}
	if f != nil {
		return 0, &revertedError{fmt.Sprintf("message execution failed (exit=[%s], vm error=[%s])", f.code, f.text)}
	}
	return r.GasUsed, nil
}

// estimator is a machine whose work is thrown away.
func (n *Network) estimator(ctx context.Context, ts *tipset) *machine {
	x := n.newMachine(ctx, ts.before, drawn{n.chain, ts, ts})
	x.epoch, x.unpaid = ts.height(), true
	return x
}

func (n *Network) probeLength(m *Message) int {
	b, err := m.Bytes()
	if err != nil {
		return 0
	}
	return len(b)
}
