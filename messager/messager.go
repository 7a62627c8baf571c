// Package messager gets calls on chain before their time is over: it chooses
// a sender, asks for the gas, gives a nonce, signs, pushes, pushes again, raises
// the fee, and goes on until the chain shows the message executed, at the
// configured confidence.
//
// One loop does all that, once for each head (and by the clock where no head
// comes). It is level-triggered: it reads what is stored, asks the chain what
// is true at the head, and does what is missing; so a lost answer, a reorg or
// a restart needs no code of its own. What people wish of a message is such a
// fact in its row too. An attempt is stored, with its nonce and under its
// sender's lease, before a node sees it, and what a node may have seen is only
// ever pushed again, replaced at the same nonce, or has its nonce taken by a
// send of nothing. A nonce is never given to two messages.
//
// A message counts as executed when one of its attempts stands in the
// executed messages of a tipset on the head's chain. Where the scan was
// interrupted for long, the account's nonce tells, and a search finds it. It is
// watched until it is settled, and taken back where a reorg of up to 900 epochs
// says so. docs/messager.md tells all of it to people.
package messager

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/alive"
)

// Config is what a Messager stands on. Heads, Node, Signer and Store are required.
type Config struct {
	Heads  vigil.Heads
	Node   vigil.MessageNode
	Signer vigil.Signer
	Store  Storage
	Log    *slog.Logger // default: slog.Default()

	Epoch        time.Duration  // the network's block delay; default 30 s
	Confidence   abi.ChainEpoch // epochs after which an execution is believed; default 5
	ReplaceAfter abi.ChainEpoch // epochs without inclusion after which the fee is raised; default 5

	MaxFee    abi.TokenAmount           // the most that a message may cost in gas; default 5 FIL
	Budgets   map[vigil.DutyKind]Budget // of the kinds that have their own
	LowFeeCap bool                      // the fee cap follows the base fee, instead of being all that the budget allows
	// GasOverEstimation and GasOverPremium multiply what a node proposes, on
	// top of its own over-estimation; default 1.
	GasOverEstimation float64
	GasOverPremium    float64

	Preferred []address.Address // senders to use first where a message's Senders have them
	// Miner, where set, tells who may send a duty's message now: that may have
	// changed since the message was asked for.
	Miner func(ctx context.Context, miner abi.ActorID, key vigil.TipSetKey) (vigil.MinerInfo, error)
	// Holder is this messager's name in the leases of its senders; it must be
	// no other's. Default: made of the host, the process and a random number.
	Holder string

	// Changed, where set, is called after the state of messages has changed.
	// It is called in the messager's loop, so it must return at once.
	Changed func()
}

// Messager is a vigil.Messager. Messages are seen through while Run runs.
type Messager struct {
	c    Config
	wake chan struct{} // has an entry when something is new since the last turn
	turn alive.Pulse   // of the loop
	// adjusted is c on other terms; nil while they are the first.
	adjusted atomic.Pointer[Config]

	mu      sync.Mutex // guards what follows
	watched []address.Address
	senders []vigil.SenderStatus
}

var (
	_ vigil.Messager    = (*Messager)(nil)
	_ vigil.MessageDesk = (*Messager)(nil)
)

// defaultMaxFee is Lotus' default for window posts: 5 FIL.
var defaultMaxFee = big.MustFromString("5000000000000000000")

// New checks the configuration.
func New(c Config) (*Messager, error) {
	if c.Heads == nil || c.Node == nil || c.Signer == nil || c.Store == nil {
		return nil, errors.New("messager: heads, node, signer and store are required")
	}
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	c.Epoch = cmp.Or(c.Epoch, 30*time.Second)
	if c.Holder == "" {
		c.Holder = someName()
	}
	return &Messager{c: c, wake: make(chan struct{}, 1)}, nil
}

func (c Config) check() error {
	if c.Epoch < 0 || c.Confidence < 0 || c.ReplaceAfter < 0 || amount(c.MaxFee).LessThan(big.Zero()) {
		return errors.New("messager: epoch, confidence, replacement time and greatest fee cannot be negative")
	}
	if c.GasOverEstimation < 0 || c.GasOverEstimation > 100 || c.GasOverPremium < 0 || c.GasOverPremium > 100 {
		return errors.New("messager: gas over-estimation and over-premium are factors from 0 to 100")
	}
	for kind, b := range c.Budgets {
		if amount(b.MaxFee).LessThan(big.Zero()) || amount(b.PerDay).LessThan(big.Zero()) {
			return fmt.Errorf("messager: a budget of %s messages is negative", kind)
		}
		if !b.PerDay.NilOrZero() && b.PerDay.LessThan(c.maxFee(kind)) {
			return fmt.Errorf("messager: all %s messages of a day may cost %s attoFIL, and one alone %s: none would ever be sent", kind, b.PerDay, c.maxFee(kind))
		}
	}
	return nil
}

// someName is a name that no other messager has.
func someName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return fmt.Sprintf("%s process %d %s", host, os.Getpid(), rand.Text()[:8])
}

// Push stores the request and returns; Run sees it through. It is durable on
// return. The same ID with another call is a *vigil.ConflictError.
func (m *Messager) Push(ctx context.Context, r vigil.MessageRequest) (vigil.Message, error) {
	if err := check(r); err != nil {
		return vigil.Message{}, fmt.Errorf("push message %q: %w", r.ID, err)
	}
	r.Call.From = address.Undef
	r.Call.Value = amount(r.Call.Value)
	now := time.Now()
	stored, err := m.c.Store.AddMessage(ctx, vigil.Message{
		MessageRequest: r, State: vigil.MessageQueued, Paid: big.Zero(), Created: now, Updated: now,
	})
	if err != nil {
		return vigil.Message{}, fmt.Errorf("push message %q: %w", r.ID, err)
	}
	if !sameCall(stored.Call, r.Call) {
		return vigil.Message{}, &vigil.ConflictError{ID: r.ID}
	}
	m.nudge()
	return stored, nil
}

// nudge wakes the loop, unless it has not taken the last nudge yet and will see both.
func (m *Messager) nudge() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Messages gives a miner's messages whose Expires is at or after the epoch, oldest first.
func (m *Messager) Messages(ctx context.Context, miner abi.ActorID, since abi.ChainEpoch) ([]vigil.Message, error) {
	return m.c.Store.Messages(ctx, miner, since)
}

// check refuses what could never get on chain.
func check(r vigil.MessageRequest) error {
	const frame = 512 // more than everything but the parameters takes
	switch {
	case r.ID == "":
		return errors.New("it has no ID")
	case len(r.Senders) == 0 || slices.Contains(r.Senders, address.Undef):
		return errors.New("it names no sender")
	case r.Call.To == address.Undef:
		return errors.New("it names no receiver")
	case amount(r.Call.Value).LessThan(big.Zero()):
		return errors.New("its value is negative")
	case len(r.Call.Params) > vigil.MaxMessageSize-frame:
		return &vigil.TooLargeError{Bytes: len(r.Call.Params) + frame, Most: vigil.MaxMessageSize}
	case r.Duty.Kind == vigil.KindFill || strings.HasPrefix(r.ID, fillPrefix):
		return errors.New("messages of this kind, and IDs of this form, are the messager's own")
	case r.Supersedes == r.ID:
		return errors.New("it supersedes itself")
	}
	return nil
}

// sameCall compares what the caller gave.
func sameCall(a, b vigil.Call) bool {
	return a.To == b.To && a.Method == b.Method && amount(a.Value).Equals(amount(b.Value)) && bytes.Equal(a.Params, b.Params)
}

// Run sees the messages through until ctx ends. It fails only when the stored
// messages cannot be read at the start.
func (m *Messager) Run(ctx context.Context) error {
	if _, err := m.c.Store.OpenMessages(ctx); err != nil {
		return fmt.Errorf("messager: %w", err)
	}
	l := newLoop(m.c)
	heads := m.c.Heads.Watch(ctx)
	ticker := time.NewTicker(m.c.Epoch)
	defer ticker.Stop()
	m.round(ctx, l, l.askHead)
	for ctx.Err() == nil {
		l.c = m.config()
		m.round(ctx, l, func(ctx context.Context) {
			l.turn(ctx)
			m.inspect(ctx, l)
		})
		select {
		case <-ctx.Done():
		case head, ok := <-heads:
			if !ok {
				heads = nil
				continue
			}
			l.newRound(head)
			ticker.Reset(m.c.Epoch) // the clock counts from the last head
		case <-ticker.C:
			m.round(ctx, l, l.askHead)
		case <-m.wake:
		}
	}
	return nil
}

// round does a part of the loop's work, which shows that it goes on. A bug that stops it stops
// no more: what it was about is done, or meets it again, in the next round.
func (m *Messager) round(ctx context.Context, l *loop, work func(context.Context)) {
	l.goes = m.turn.Begin()
	defer l.goes.End()
	err := alive.Caught(func() error { work(ctx); return nil })
	alive.LogPanic(l.c.Log, "a bug stopped the messager's round; please report it", err)
}

// BusySince is since when the loop has been at one step of its present round; the zero time
// while it waits for something to do. Each step ends within a minute, or hangs.
func (m *Messager) BusySince() time.Time { return m.turn.BusySince() }

// patience is how long a node may take for an answer: half an epoch, within reason.
func (c Config) patience() time.Duration {
	return min(max(c.Epoch/2, 3*time.Second), 15*time.Second)
}
