package sophon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/alive"
	"github.com/vigil-post/vigil/jsonrpc"
)

// Rows keeps the requests and what is known of them. What a method wrote is
// durable when it returns. The package store has them.
type Rows interface {
	// AddMessage stores a message that is new, and gives what stands under
	// its ID then: an earlier one is left as it is.
	AddMessage(ctx context.Context, m vigil.Message) (vigil.Message, error)
	// Messages gives a miner's messages whose Expires is at or after the epoch, oldest first.
	Messages(ctx context.Context, miner abi.ActorID, since abi.ChainEpoch) ([]vigil.Message, error)
	// OpenMessages gives those that are followed, oldest first.
	OpenMessages(ctx context.Context) ([]vigil.Message, error)
}

// BackendConfig is what a Backend stands on. What has no default is required.
type BackendConfig struct {
	Client *jsonrpc.Client
	Heads  vigil.Heads
	Rows   Rows
	// Save writes how far messages have come; they have no attempts.
	Save func(ctx context.Context, messages ...vigil.Message) error
	// Find gives the messages of a query, oldest first.
	Find func(ctx context.Context, q vigil.MessageQuery) ([]vigil.Message, error)
	// KeyAddress is the key address of an account.
	KeyAddress func(ctx context.Context, account address.Address, key vigil.TipSetKey) (address.Address, error)
	Log        *slog.Logger    // default: slog.Default()
	Epoch      time.Duration   // the network's block delay; default 30 s
	Confidence abi.ChainEpoch  // epochs after which an execution is believed; default 5
	MaxFee     abi.TokenAmount // of a message; 0 leaves it to the other messager
	// Withheld, where set, says that nothing is to be sent for a message: it is not
	// handed over, whatever was stored of it before, and what the other messager has
	// of it without a nonce is marked bad there.
	Withheld func(m vigil.Message) bool
	// Changed, where set, is called after the state of messages has changed,
	// in the loop of Run: it must return at once.
	Changed func()
}

// Backend is a vigil.Messager and vigil.MessageDesk that leaves nonces, fees
// and signatures to a sophon-messager. What it is asked for is written down
// here first; then one loop, at each head, hands over what the other has not,
// asks for the rest, and writes down what it hears. So a lost answer or a
// restart of either needs no code of its own, and nothing is handed over under two IDs.
type Backend struct {
	c    BackendConfig
	wake chan struct{} // has an entry when a message was pushed since the last turn

	pulse    alive.Pulse // of the loop
	adjusted atomic.Pointer[terms]
}

var (
	_ vigil.Messager    = (*Backend)(nil)
	_ vigil.MessageDesk = (*Backend)(nil)
)

// NewBackend checks the configuration.
func NewBackend(c BackendConfig) (*Backend, error) {
	if c.Client == nil || c.Heads == nil || c.Rows == nil || c.Save == nil || c.Find == nil || c.KeyAddress == nil {
		return nil, errors.New("sophon: client, heads, rows, save, find and key addresses are required")
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Epoch == 0 {
		c.Epoch = 30 * time.Second
	}
	b := &Backend{c: c, wake: make(chan struct{}, 1)}
	b.Adjust(c.Confidence, c.MaxFee)
	return b, nil
}

// Adjust changes the confidence and the greatest fee of a message, with the meanings
// and defaults that they have in a BackendConfig; a fee holds for what is handed over
// or replaced from now on.
func (b *Backend) Adjust(confidence abi.ChainEpoch, maxFee abi.TokenAmount) {
	if confidence == 0 {
		confidence = 5
	}
	b.adjusted.Store(&terms{confidence, amount(maxFee)})
}

// terms is what may change while a Backend runs.
type terms struct {
	confidence abi.ChainEpoch
	maxFee     abi.TokenAmount
}

func (b *Backend) terms() terms { return *b.adjusted.Load() }

// maxID is how long an ID may be in sophon-messager's tables.
const maxID = 256

// Push implements vigil.Messager. The same ID with another call is a
// *vigil.ConflictError, if the first one was pushed through this Backend.
func (b *Backend) Push(ctx context.Context, r vigil.MessageRequest) (vigil.Message, error) {
	switch {
	case r.ID == "" || len(r.ID) > maxID:
		return vigil.Message{}, fmt.Errorf("push message %q: its ID is empty or longer than %d", r.ID, maxID)
	case len(r.Senders) == 0 || r.Call.To == address.Undef:
		return vigil.Message{}, fmt.Errorf("push message %q: it names no sender or no receiver", r.ID)
	}
	r.Call.From, r.Call.Value = address.Undef, amount(r.Call.Value)
	now := time.Now()
	stored, err := b.c.Rows.AddMessage(ctx, vigil.Message{MessageRequest: r, State: vigil.MessageQueued, Created: now, Updated: now})
	if err != nil {
		return vigil.Message{}, fmt.Errorf("push message %q: %w", r.ID, err)
	}
	if !sameCall(stored.Call, r.Call) {
		return vigil.Message{}, &vigil.ConflictError{ID: r.ID}
	}
	select {
	case b.wake <- struct{}{}:
	default: // the loop has not taken the last one yet, and will see both
	}
	return stored, nil
}

func sameCall(a, b vigil.Call) bool {
	return a.To == b.To && a.Method == b.Method && amount(a.Value).Equals(amount(b.Value)) && bytes.Equal(a.Params, b.Params)
}

// Messages implements vigil.Messager.
func (b *Backend) Messages(ctx context.Context, miner abi.ActorID, since abi.ChainEpoch) ([]vigil.Message, error) {
	return b.c.Rows.Messages(ctx, miner, since)
}

// Has says whether the other messager can send from the address of a key.
func (b *Backend) Has(ctx context.Context, key address.Address) (held bool, err error) {
	return held, b.c.Client.Call(ctx, &held, "Message.WalletHas", key)
}

// Run follows the messages until ctx ends. It fails only when the stored ones
// cannot be read at the start.
func (b *Backend) Run(ctx context.Context) error {
	if _, err := b.c.Rows.OpenMessages(ctx); err != nil {
		return fmt.Errorf("sophon: %w", err)
	}
	heads := b.c.Heads.Watch(ctx)
	ticker := time.NewTicker(b.c.Epoch)
	defer ticker.Stop()
	for ctx.Err() == nil {
		b.round(ctx)
		select {
		case <-ctx.Done():
		case _, ok := <-heads:
			if !ok {
				heads = nil
			}
		case <-ticker.C:
		case <-b.wake:
		}
	}
	return nil
}

// round is a turn that shows that it goes on. A bug that stops it stops no more.
func (b *Backend) round(ctx context.Context) {
	defer b.pulse.Begin().End()
	err := alive.Caught(func() error { b.turn(ctx); return nil })
	alive.LogPanic(b.c.Log, "a bug stopped the look at the other messager; please report it", err)
}

// BusySince is since when the present round has been going on; the zero time while it waits for
// the next.
func (b *Backend) BusySince() time.Time { return b.pulse.BusySince() }

// turn brings every open row up to what the other messager says.
func (b *Backend) turn(ctx context.Context) {
	open, err := b.c.Rows.OpenMessages(ctx)
	if err != nil || len(open) == 0 {
		b.warn(ctx, err)
		return
	}
	head, err := b.c.Heads.Head(ctx)
	if err != nil {
		b.warn(ctx, err)
		return
	}
	changed := false
	for _, m := range open {
		if !due(m, head.Epoch) {
			continue
		}
		next, err := b.step(ctx, m, head)
		if err != nil {
			next = m
			next.Problem = err.Error()
			b.warn(ctx, fmt.Errorf("message %s: %w", m.ID, err))
		}
		saved, err := b.save(ctx, m, next)
		b.warn(ctx, err)
		changed = changed || saved
	}
	if changed && b.c.Changed != nil {
		b.c.Changed()
	}
}

const (
	// finality is when the chain itself is sure: a message is followed until then.
	finality abi.ChainEpoch = 900
	// seldom is in how many epochs a message is asked for that is believed.
	seldom = 10
)

// due says that a message is to be asked for: at every head until it is
// believed, and then each in its turn, because a reorg deeper than the
// confidence takes even that back.
func due(m vigil.Message, head abi.ChainEpoch) bool {
	if !m.State.Done() || m.Receipt == nil || head >= m.Receipt.Epoch+finality {
		return true
	}
	turn := fnv.New32a()
	turn.Write([]byte(m.ID))
	return (uint64(turn.Sum32())+uint64(head))%seldom == 0
}

func (b *Backend) warn(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		b.c.Log.Warn("a message could not be brought further by the other messager; it is tried again", "messager", b.c.Client.URL(), "error", err)
	}
}

func (b *Backend) save(ctx context.Context, was, is vigil.Message) (bool, error) {
	if was.State == is.State && was.Problem == is.Problem && was.Nonce == is.Nonce && sameReceipt(was.Receipt, is.Receipt) && was.Settled == is.Settled {
		return false, nil
	}
	is.Updated = time.Now()
	return true, b.c.Save(ctx, is)
}

func sameReceipt(a, b *vigil.Receipt) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// step asks for one message, or hands it over, and says what it has become.
func (b *Backend) step(ctx context.Context, m vigil.Message, head vigil.Head) (vigil.Message, error) {
	var known bool
	if err := b.c.Client.Call(ctx, &known, "Message.HasMessageByUid", m.ID); err != nil {
		return m, err
	}
	switch {
	case known:
	case m.State.Done() && m.Receipt != nil: // it has forgotten what the chain executed long ago
		m.Settled = head.Epoch >= m.Receipt.Epoch+finality
		return m, nil
	default:
		return b.handOver(ctx, m, head)
	}
	var there *Message
	if err := b.c.Client.Call(ctx, &there, "Message.GetMessageByUid", m.ID); err != nil {
		return m, err
	}
	if there == nil {
		return m, errors.New("the other messager has it and does not show it")
	}
	return b.judge(ctx, m, *there, head)
}

// handOver gives a message to the other messager, unless it is too late.
func (b *Backend) handOver(ctx context.Context, m vigil.Message, head vigil.Head) (vigil.Message, error) {
	if head.Epoch >= m.Expires-1 {
		return ended(m, vigil.MessageExpired, "the other messager never had it"), nil
	}
	if b.withheld(m) {
		m.Problem = whyWithheld
		return m, nil
	}
	from, err := b.sender(ctx, m, head)
	if err != nil {
		return m, err
	}
	call := m.Call
	call.From = from
	var id string
	spec := SendSpec{ExpireEpoch: m.Expires, MaxFee: b.terms().maxFee}
	if err := b.c.Client.Call(ctx, &id, "Message.PushMessageWithId", m.ID, callOf(vigil.SignedMessage{Call: call}), spec); err != nil {
		return m, err
	}
	m.Problem = ""
	return m, nil
}

// sender is the first of a message's senders whose key the other messager can use.
func (b *Backend) sender(ctx context.Context, m vigil.Message, head vigil.Head) (address.Address, error) {
	var errs []error
	for _, account := range m.Senders {
		key, err := b.c.KeyAddress(ctx, account, head.Key)
		if err == nil {
			var held bool
			if held, err = b.Has(ctx, key); held && err == nil {
				return key, nil
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", account, err))
		}
	}
	return address.Undef, fmt.Errorf("the other messager has the key of none of the senders %v: %w", m.Senders, errors.Join(errs...))
}

// judge turns what the other messager says into what is so here.
func (b *Backend) judge(ctx context.Context, m vigil.Message, there Message, head vigil.Head) (vigil.Message, error) {
	said := vigil.Call{To: there.To, Method: there.Method, Value: there.Value, Params: there.Params}
	if !sameCall(said, m.Call) {
		return ended(m, vigil.MessageCancelled, "the other messager has another message under its ID"), nil
	}
	m.Nonce, m.Problem, m.Receipt = there.Nonce, there.ErrorMsg, nil
	m.Call.From = there.From
	switch there.State {
	case UnFillMsg:
		m.State = vigil.MessageQueued
		if head.Epoch >= m.Expires || m.Wish.Verb == vigil.WishCancel || b.withheld(m) {
			return b.giveUp(ctx, m)
		}
	case FillMsg:
		m.State = vigil.MessagePublished
	case OnChainMsg:
		return b.landed(m, there, head)
	case FailedMsg:
		return ended(m, vigil.MessageCancelled, "the other messager has given it up: "+there.ErrorMsg), nil
	case NonceConflict:
		return ended(m, vigil.MessageCancelled, "its nonce went to another message"), nil
	default:
		return m, fmt.Errorf("the other messager has it in the state %d, which is not known here", there.State)
	}
	return m, nil
}

// giveUp marks a message bad that is expired or not wanted any more, while it has no nonce: the other messager
// itself looks at no expiry, and would send it late.
func (b *Backend) giveUp(ctx context.Context, m vigil.Message) (vigil.Message, error) {
	if err := b.c.Client.Call(ctx, nil, "Message.MarkBadMessage", m.ID); err != nil {
		return m, err
	}
	if b.withheld(m) {
		return ended(m, vigil.MessageCancelled, whyWithheld+", and it had no nonce yet"), nil
	}
	if m.Wish.Verb == vigil.WishCancel {
		return ended(m, vigil.MessageCancelled, "it was not wanted any more, and had no nonce yet"), nil
	}
	return ended(m, vigil.MessageExpired, "it had no nonce when its time was over"), nil
}

// landed is a message that a tipset executed.
func (b *Backend) landed(m vigil.Message, there Message, head vigil.Head) (vigil.Message, error) {
	if there.Receipt == nil {
		return m, errors.New("the other messager has it on chain and has no receipt of it")
	}
	m.Receipt = &vigil.Receipt{
		ExitCode: there.Receipt.ExitCode, GasUsed: there.Receipt.GasUsed,
		Epoch: abi.ChainEpoch(there.Height), TipSet: vigil.NewTipSetKey(there.TipSetKey...),
	}
	switch m.State = vigil.MessageIncluded; {
	case head.Epoch < m.Receipt.Epoch+b.terms().confidence:
	case m.Receipt.ExitCode == 0:
		m.State = vigil.MessageConfirmed
	default:
		m.State = vigil.MessageFailed
	}
	m.Settled = head.Epoch >= m.Receipt.Epoch+finality
	return m, nil
}

func ended(m vigil.Message, state vigil.MessageState, why string) vigil.Message {
	m.State, m.Problem, m.Receipt, m.Settled = state, why, nil, true
	return m
}

// Find implements vigil.MessageDesk for what was pushed through this Backend.
func (b *Backend) Find(ctx context.Context, q vigil.MessageQuery) ([]vigil.Message, error) {
	return b.c.Find(ctx, q)
}

// whyWithheld is what people are told of a message that is withheld.
const whyWithheld = "its miner is in shadow: nothing of it is handed to the other messager"

func (b *Backend) withheld(m vigil.Message) bool { return b.c.Withheld != nil && b.c.Withheld(m) }

// sendable is a *vigil.WishError for a message that nothing is to be sent for.
func (b *Backend) sendable(ctx context.Context, id string) error {
	found, err := b.c.Find(ctx, vigil.MessageQuery{ID: id})
	if err != nil {
		return err
	}
	for _, m := range found {
		if b.withheld(m) {
			return &vigil.WishError{ID: id, Why: whyWithheld}
		}
	}
	return nil
}

// Replace implements vigil.MessageDesk: the other messager is asked at once.
func (b *Backend) Replace(ctx context.Context, id string, gas *vigil.Gas) error {
	if err := b.sendable(ctx, id); err != nil {
		return err
	}
	p := ReplaceParams{ID: id, Auto: gas == nil, MaxFee: b.terms().maxFee, GasPremium: big.Zero(), GasFeecap: big.Zero()}
	if gas != nil {
		p.GasLimit, p.GasFeecap, p.GasPremium = gas.Limit, gas.FeeCap, gas.Premium
	}
	var c cid.Cid
	return b.c.Client.Call(ctx, &c, "Message.ReplaceMessage", p)
}

// Cancel implements vigil.MessageDesk for a message that has no nonce yet. One
// that has is a *vigil.WishError: the other messager would forget it and leave
// a hole in the nonces, behind which everything waits.
func (b *Backend) Cancel(ctx context.Context, id string) error {
	var there *Message
	if err := b.c.Client.Call(ctx, &there, "Message.GetMessageByUid", id); err != nil {
		return err
	}
	if there == nil || there.State != UnFillMsg {
		return &vigil.WishError{ID: id, Why: "the other messager has given it a nonce: replace it, or see it through there"}
	}
	return b.c.Client.Call(ctx, nil, "Message.MarkBadMessage", id)
}

// Republish implements vigil.MessageDesk.
func (b *Backend) Republish(ctx context.Context, id string) error {
	if err := b.sendable(ctx, id); err != nil {
		return err
	}
	return b.c.Client.Call(ctx, nil, "Message.RepublishMessage", id)
}
