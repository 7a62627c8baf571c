package devnet

import (
	"context"
	"errors"
	"fmt"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/adt"
	"github.com/filecoin-project/go-state-types/exitcode"

	"github.com/vigil-post/vigil/devnet/actor"
)

// machine executes messages in one epoch, on a state of its own.
type machine struct {
	st     *state
	sc     *scratch
	store  adt.Store // sc, as the actors use it
	epoch  abi.ChainEpoch
	draw   randomness
	verify VerifyFunc
	posts  []acceptedPost // taken by the actor, in the order of execution
	// unpaid is for estimates: the sender need not have the gas limit's price.
	unpaid bool
}

// newMachine starts from a state, which it leaves alone.
func (n *Network) newMachine(ctx context.Context, st *state, draw randomness) *machine {
	sc := newScratch(n.blocks)
	return &machine{st: st.clone(), sc: sc, store: sc.adt(ctx), draw: draw, verify: n.judge}
}

// randomness is what the chain drew, as seen from the epoch being executed.
type randomness interface {
	// ticketDigest is of the tipset at the epoch or, where that was a null round, after it.
	ticketDigest(epoch abi.ChainEpoch) ([]byte, error)
}

// outcome is what a call returned.
type outcome struct {
	ret []byte
	gas int64
	err error // nil, an *actor.Refusal with the exit code, or *fatal
}

// refuse is a call that ends with an exit code.
func refuse(code exitcode.ExitCode, format string, args ...any) error {
	return &actor.Refusal{Code: code, Text: fmt.Sprintf(format, args...)}
}

// fault is why a message failed, in the words of the network's VM.
type fault struct {
	code exitcode.ExitCode
	text string
}

// fatal is an error of this program, not of the message: a block that is not
// there, a state that cannot be encoded. It ends the epoch.
type fatal struct{ err error }

func (f *fatal) Error() string { return f.err.Error() }
func (f *fatal) Unwrap() error { return f.err }

// errCannotInclude says that a message cannot stand in a block, failed or not:
// nobody could be charged for it.
var errCannotInclude = errors.New("message cannot be included")

// apply executes a message that a block has, and takes its gas from the sender.
func (x *machine) apply(m *Message, length int, baseFee abi.TokenAmount) (Receipt, *fault, error) {
	from, sender, ok := x.st.lookup(m.From)
	if !ok || sender.code != accountCode || sender.nonce != m.Nonce && !x.unpaid {
		return Receipt{}, nil, fmt.Errorf("%w: sender %s is no account with nonce %d", errCannotInclude, m.From, m.Nonce)
	}
	sender.nonce++
	hold := big.Mul(m.GasFeeCap, big.NewInt(m.GasLimit))
	if x.unpaid {
		hold = big.Zero()
	}
	if sender.balance.LessThan(hold) {
		return Receipt{}, nil, fmt.Errorf("%w: sender %s cannot pay for its gas", errCannotInclude, m.From)
	}
	sender.balance = big.Sub(sender.balance, hold)
	x.st.set(from, sender)

	r, f, err := x.run(from, m, length)
	if err != nil {
		return Receipt{}, nil, err
	}
	if !x.unpaid {
		sender = x.st.actors[from]
		sender.balance = big.Add(sender.balance, pay(m, r.GasUsed, baseFee).refund)
		x.st.set(from, sender)
	}
	return r, f, nil
}

// run executes the call; what it changed is kept only if it succeeds within its gas.
func (x *machine) run(from abi.ActorID, m *Message, length int) (Receipt, *fault, error) {
	kept, posts := x.st.clone(), len(x.posts)
	out := x.call(from, m)
	out.gas += gasBase(length)
	var internal *fatal
	if errors.As(out.err, &internal) {
		return Receipt{}, nil, fmt.Errorf("execute method %d of %s: %w", m.Method, m.To, out.err)
	}
	if out.err == nil && out.gas > m.GasLimit {
		out.err = refuse(exitcode.SysErrOutOfGas, "out of gas: used %d of %d", out.gas, m.GasLimit)
	}
	if out.err == nil {
		return Receipt{Return: out.ret, GasUsed: out.gas}, nil, nil
	}
	x.st, x.posts = kept, x.posts[:posts]
	f := x.fault(m, out.err)
	return Receipt{ExitCode: f.code, GasUsed: min(out.gas, m.GasLimit)}, f, nil
}

func (x *machine) fault(m *Message, err error) *fault {
	code, text := exitcode.ErrUnspecified, err.Error()
	var r *actor.Refusal
	if errors.As(err, &r) {
		code = r.Code
	}
	to := m.To.String()
	if id, _, ok := x.st.lookup(m.To); ok {
		to = fmt.Sprintf("f0%d", id)
	}
	return &fault{code, fmt.Sprintf("message failed with backtrace:\n00: %s (method %d) -- %s (%d)\n (RetCode=%d)", to, m.Method, text, code, code)}
}

// call moves the value and runs the method.
func (x *machine) call(from abi.ActorID, m *Message) outcome {
	to, _, ok := x.st.lookup(m.To)
	if !ok {
		var err error
		if to, err = x.receiver(m.To); err != nil {
			return outcome{err: err}
		}
	}
	if err := x.transfer(from, to, m.Value); err != nil {
		return outcome{gas: 22_900, err: err}
	}
	if m.Method == methodSend {
		return outcome{}
	}
	if !x.st.actors[to].isMiner() {
		return outcome{gas: gasRefused, err: refuse(exitcode.ErrUnhandledMessage, "unhandled message method %d", m.Method)}
	}
	return x.callMiner(from, to, m.Method, m.Params)
}

// receiver makes the account of a key that is sent something for the first time.
func (x *machine) receiver(to address.Address) (abi.ActorID, error) {
	if p := to.Protocol(); p != address.SECP256K1 && p != address.BLS {
		return 0, refuse(exitcode.SysErrInvalidReceiver, "actor not found: %s", to)
	}
	id, err := x.st.addAccount(x.store, to)
	if err != nil {
		return 0, &fatal{err}
	}
	return id, nil
}

func (x *machine) transfer(from, to abi.ActorID, value abi.TokenAmount) error {
	if value.IsZero() {
		return nil
	}
	a := x.st.actors[from]
	if a.balance.LessThan(value) {
		return refuse(exitcode.SysErrInsufficientFunds, "sender does not have funds to transfer (balance %s, transfer %s)", a.balance, value)
	}
	a.balance = big.Sub(a.balance, value)
	x.st.set(from, a)
	b := x.st.actors[to]
	b.balance = big.Add(b.balance, value)
	x.st.set(to, b)
	return nil
}
