// Package messager gets calls on chain before their time is over: it chooses
// a sender, asks for the gas, gives a nonce, signs, pushes, pushes again, raises
// the fee, and goes on until the chain shows the message executed, at the
// configured confidence.
//
// One loop does all that, once for each head (and by the clock where no head
// comes). It is level-triggered: it reads what is stored, asks the chain what
// is true at the head, and does what is missing; so a lost answer, a reorg or
// a restart needs no code of its own. An attempt is stored, with its nonce,
// before a node sees it, and what a node may have seen is only ever pushed
// again or replaced at the same nonce. A nonce is never given to two messages.
//
// A message counts as executed when one of its attempts stands in the
// executed messages of a tipset on the head's chain. Where the scan was
// interrupted for long, the account's nonce tells, and a search finds it.
package messager

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
)

// Config is what a Messager stands on. Heads, Node, Signer and Store are required.
type Config struct {
	Heads  vigil.Heads
	Node   vigil.MessageNode
	Signer vigil.Signer
	Store  Storage
	Log    *slog.Logger // default: slog.Default()

	Epoch        time.Duration     // the network's block delay; default 30 s
	Confidence   abi.ChainEpoch    // epochs after which an execution is believed; default 5
	ReplaceAfter abi.ChainEpoch    // epochs without inclusion after which the fee is raised; default 5
	MaxFee       abi.TokenAmount   // the most that a message may cost in gas; default 5 FIL
	Preferred    []address.Address // senders to use first where a message's Senders have them

	// Changed, where set, is called after the state of messages has changed.
	// It is called in the messager's loop, so it must return at once.
	Changed func()
}

// Messager is a vigil.Messager. Messages are seen through while Run runs.
type Messager struct {
	c    Config
	wake chan struct{} // has an entry when a message was pushed since the last turn
}

var _ vigil.Messager = (*Messager)(nil)

// defaultMaxFee is Lotus' default for window posts: 5 FIL.
var defaultMaxFee = big.MustFromString("5000000000000000000")

// New checks the configuration.
func New(c Config) (*Messager, error) {
	if c.Heads == nil || c.Node == nil || c.Signer == nil || c.Store == nil {
		return nil, errors.New("messager: heads, node, signer and store are required")
	}
	if c.Epoch < 0 || c.Confidence < 0 || c.ReplaceAfter < 0 || !c.MaxFee.Nil() && c.MaxFee.LessThan(big.Zero()) {
		return nil, errors.New("messager: epoch, confidence, replacement time and greatest fee cannot be negative")
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Epoch == 0 {
		c.Epoch = 30 * time.Second
	}
	if c.Confidence == 0 {
		c.Confidence = 5
	}
	if c.ReplaceAfter == 0 {
		c.ReplaceAfter = 5
	}
	if c.MaxFee.NilOrZero() {
		c.MaxFee = defaultMaxFee
	}
	return &Messager{c: c, wake: make(chan struct{}, 1)}, nil
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
		MessageRequest: r, State: vigil.MessageQueued, Created: now, Updated: now,
	})
	if err != nil {
		return vigil.Message{}, fmt.Errorf("push message %q: %w", r.ID, err)
	}
	if !sameCall(stored.Call, r.Call) {
		return vigil.Message{}, &vigil.ConflictError{ID: r.ID}
	}
	select {
	case m.wake <- struct{}{}:
	default: // the loop has not taken the last one yet, and will see both
	}
	return stored, nil
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
	case len(r.Senders) == 0:
		return errors.New("it names no sender")
	case r.Call.To == address.Undef:
		return errors.New("it names no receiver")
	case amount(r.Call.Value).LessThan(big.Zero()):
		return errors.New("its value is negative")
	case len(r.Call.Params) > vigil.MaxMessageSize-frame:
		return fmt.Errorf("%d bytes of parameters are too many for a message of at most %d", len(r.Call.Params), vigil.MaxMessageSize)
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
	l.askHead(ctx)
	for ctx.Err() == nil {
		l.turn(ctx)
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
			l.askHead(ctx)
		case <-m.wake:
		}
	}
	return nil
}

// patience is how long a node may take for an answer: half an epoch, within reason.
func (c Config) patience() time.Duration {
	return min(max(c.Epoch/2, 3*time.Second), 15*time.Second)
}
