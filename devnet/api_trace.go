package devnet

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/exitcode"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil/devnet/actor"
)

// InvocResult is the answer of StateCall and StateReplay.
type InvocResult struct {
	MsgCid         cid.Cid
	Msg            *Message
	MsgRct         *Receipt
	GasCost        GasCost
	ExecutionTrace ExecutionTrace
	Error          string
	Duration       time.Duration
}

// GasCost is where a message's gas went.
type GasCost struct {
	Message            *cid.Cid
	GasUsed            abi.TokenAmount
	BaseFeeBurn        abi.TokenAmount
	OverEstimationBurn abi.TokenAmount
	MinerPenalty       abi.TokenAmount
	MinerTip           abi.TokenAmount
	Refund             abi.TokenAmount
	TotalCost          abi.TokenAmount
}

// ExecutionTrace is what happened within a message. The methods of this network
// send nothing, so there are no calls below.
type ExecutionTrace struct {
	Msg          MessageTrace
	MsgRct       ReturnTrace
	InvokedActor *ActorTrace `json:",omitempty"`
	GasCharges   []GasTrace
	Subcalls     []ExecutionTrace
	IpldOps      []IpldOp `json:",omitempty"`
}

// MessageTrace is a message as the VM sees it: its sender by ID.
type MessageTrace struct {
	From        address.Address
	To          address.Address
	Value       abi.TokenAmount
	Method      abi.MethodNum
	Params      []byte
	ParamsCodec uint64
	GasLimit    uint64
	ReadOnly    bool
}

// ReturnTrace is what a call returned.
type ReturnTrace struct {
	ExitCode    exitcode.ExitCode
	Return      []byte
	ReturnCodec uint64
}

// ActorTrace is the called actor before the call.
type ActorTrace struct {
	Id    abi.ActorID
	State Actor
}

// GasTrace is one charge of gas. This VM charges a message for its place on
// chain and for the call as a whole.
type GasTrace struct {
	Name       string
	TotalGas   int64         `json:"tg"`
	ComputeGas int64         `json:"cg"`
	StorageGas int64         `json:"sg"`
	TimeTaken  time.Duration `json:"tt"`
}

// IpldOp is an object that a call read or wrote.
type IpldOp struct {
	Op   string // Get or Put
	Cid  cid.Cid
	Size uint64
}

// recorder is a store that notes what is read and written.
type recorder struct {
	*scratch
	ops []IpldOp
}

// Get reads an object.
func (r *recorder) Get(c cid.Cid) ([]byte, error) {
	data, err := r.scratch.Get(c)
	if err == nil {
		r.ops = append(r.ops, IpldOp{"Get", c, uint64(len(data))})
	}
	return data, err
}

// Put adds an object.
func (r *recorder) Put(c cid.Cid, data []byte) error {
	r.ops = append(r.ops, IpldOp{"Put", c, uint64(len(data))})
	return r.scratch.Put(c, data)
}

// traced executes a message and tells all about it. A length of 0 is a call
// that takes no place on chain.
func (x *machine) traced(m *Message, length int, execute func() (Receipt, *fault, error)) (*InvocResult, error) {
	c, err := m.CID()
	if err != nil {
		return nil, err
	}
	trace := ExecutionTrace{Msg: x.messageTrace(m, length), InvokedActor: x.actorTrace(m.To)}
	kept, rec := x.store, &recorder{scratch: x.sc}
	x.store = actor.NewStore(kept.Context(), rec)
	start := time.Now()
	r, f, err := execute()
	took := time.Since(start)
	x.store = kept
	if err != nil {
		return nil, err
	}
	trace.IpldOps = rec.ops
	trace.MsgRct = ReturnTrace{r.ExitCode, r.Return, codecOf(r.Return)}
	trace.GasCharges = charges(r.GasUsed, length, took)
	out := &InvocResult{MsgCid: c, Msg: m, MsgRct: &r, GasCost: freeOfCharge(), ExecutionTrace: trace, Duration: took}
	if f != nil {
		out.Error = f.text
	}
	return out, nil
}

func (x *machine) messageTrace(m *Message, length int) MessageTrace {
	t := MessageTrace{
		From: m.From, To: m.To, Value: m.Value, Method: m.Method, Params: m.Params, ParamsCodec: codecOf(m.Params),
		GasLimit: uint64(max(m.GasLimit-onChainCharge(length), 0)),
	}
	if id, _, ok := x.st.lookup(m.From); ok {
		t.From = idAddress(id)
	}
	return t
}

func (x *machine) actorTrace(addr address.Address) *ActorTrace {
	id, e, ok := x.st.lookup(addr)
	if !ok {
		return nil
	}
	return &ActorTrace{id, x.st.wire(e)}
}

// codecCBOR is the multicodec of parameters and returns.
const codecCBOR = 0x51

// codecOf is CBOR for what there is; nothing has no codec.
func codecOf(data []byte) uint64 {
	if len(data) == 0 {
		return 0
	}
	return codecCBOR
}

// onChainCompute is the part of a message's charge that is the same for all.
const onChainCompute = 38_863

func charges(used int64, length int, took time.Duration) []GasTrace {
	place := min(onChainCharge(length), used)
	var out []GasTrace
	if length > 0 {
		compute := min(onChainCompute, place)
		out = append(out, GasTrace{"OnChainMessage", place, compute, place - compute, 0})
	}
	return append(out, GasTrace{"OnMethodInvocation", used - place, used - place, 0, took})
}

// onChainCharge is the part of a message's gas that pays for its place on chain.
func onChainCharge(length int) int64 {
	if length == 0 {
		return 0
	}
	return gasBase(length) - gasTransfer
}

// freeOfCharge is the cost of a call that is not on chain.
func freeOfCharge() GasCost {
	zero := big.Zero()
	return GasCost{nil, zero, zero, zero, zero, zero, zero, zero}
}

// charged is where the gas of a message that is on chain went.
func (r *InvocResult) charged(baseFee abi.TokenAmount) {
	p := pay(r.Msg, r.MsgRct.GasUsed, baseFee)
	r.GasCost = GasCost{
		Message: &r.MsgCid, GasUsed: big.NewInt(r.MsgRct.GasUsed), BaseFeeBurn: p.baseFeeBurn,
		OverEstimationBurn: p.overEstimationBurn, MinerPenalty: big.Zero(), MinerTip: p.tip,
		Refund: p.refund, TotalCost: p.total(),
	}
}

// StateCall executes a message for nothing, at a tipset's epoch: on the state
// that the tipset's parent left and, as a node does, after the messages that
// the tipset has of the same sender.
func (a *api) StateCall(ctx context.Context, m *Message, key TipSetKey) (*InvocResult, error) {
	ts, err := a.loaded(key)
	if err != nil {
		return nil, err
	}
	if m == nil {
		return nil, errNoMessage
	}
	probe := *m
	probe.defaults()
	if probe.GasLimit == 0 {
		probe.GasLimit = math.MaxInt64 / 2
	}
	x := a.n.estimator(ctx, ts)
	for _, p := range ts.messages {
		if p.Message.From != probe.From {
			continue
		}
		if _, _, err := x.apply(&p.Message, p.chainLength(), ts.header.ParentBaseFee); err != nil {
			return nil, fmt.Errorf("applying prior message: %w", err)
		}
	}
	from, sender, ok := x.st.lookup(probe.From)
	if !ok {
		return nil, fmt.Errorf("sender %s not found on chain: %w", probe.From, errSender)
	}
	probe.Nonce = sender.nonce
	return x.traced(&probe, 0, func() (Receipt, *fault, error) { return x.run(from, &probe, 0) })
}
