package messager

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
)

// candidate is a sender whose key is held.
type candidate struct {
	key       address.Address
	nonce     uint64          // the chain's
	available abi.TokenAmount // of its balance, beside what is in flight
}

// offer is how a message could be sent.
type offer struct {
	from candidate
	gas  vigil.Gas
	// fault says that no node could say what the call needs, rather than that
	// the chain would refuse it.
	fault bool
	err   error
}

// sign gives the queued messages a nonce and a signature, and gives those that
// got one. The node is asked about all of them at once, so that a slow answer
// to one does not hold up the others.
func (l *loop) sign(ctx context.Context, open []vigil.Message) []vigil.Message {
	var queued []vigil.Message
	for _, m := range open {
		if m.State == vigil.MessageQueued && l.try(m.ID) {
			queued = append(queued, m)
		}
	}
	slices.SortStableFunc(queued, func(a, b vigil.Message) int { return int(a.Expires - b.Expires) })
	offers := make([]offer, len(queued))
	var wait sync.WaitGroup
	for i, m := range queued {
		candidates, err := l.candidates(ctx, m, open)
		if err != nil {
			offers[i].err = err
			continue
		}
		wait.Go(func() { offers[i] = l.offer(ctx, m, candidates) })
	}
	wait.Wait()
	var signed []vigil.Message
	for i, m := range queued {
		l.countFault(m.ID, offers[i].fault)
		m, err := l.signOne(ctx, m, offers[i], signed)
		if err != nil {
			l.problem(ctx, queued[i], err)
			continue
		}
		signed = append(signed, m)
	}
	return signed
}

func (l *loop) countFault(id string, fault bool) {
	if fault {
		l.faults[id]++
	} else {
		delete(l.faults, id)
	}
}

// candidates are the message's senders that could sign, preferred ones first.
// It is an error, with each one's reason, when there is none.
func (l *loop) candidates(ctx context.Context, m vigil.Message, open []vigil.Message) ([]candidate, error) {
	var found []candidate
	var errs []error
	for _, sender := range m.Senders {
		c, err := l.candidate(ctx, sender, open)
		switch {
		case err != nil:
			errs = append(errs, err)
		case !slices.ContainsFunc(found, func(f candidate) bool { return f.key == c.key }):
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no sender can be used: %w", errors.Join(errs...))
	}
	preferred := map[address.Address]bool{}
	for _, sender := range l.c.Preferred {
		if key, err := l.keyOf(ctx, sender); err == nil {
			preferred[key] = true
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int {
		switch {
		case preferred[a.key] && !preferred[b.key]:
			return -1
		case preferred[b.key] && !preferred[a.key]:
			return 1
		}
		return 0
	})
	return found, nil
}

func (l *loop) candidate(ctx context.Context, sender address.Address, open []vigil.Message) (candidate, error) {
	key, err := l.keyOf(ctx, sender)
	if err != nil {
		return candidate{}, err
	}
	held, err := l.c.Signer.Has(ctx, key)
	if err != nil {
		return candidate{}, fmt.Errorf("look for the key of %s: %w", sender, err)
	}
	if !held {
		return candidate{}, fmt.Errorf("the key of %s (%s) is not in the wallet", sender, key)
	}
	a, err := l.account(ctx, key, l.head.Key)
	if err != nil {
		return candidate{}, err
	}
	return candidate{key, a.nonce, big.Sub(a.balance, reserved(open, key))}, nil
}

// offer finds the first candidate that can pay well, or else the one that can
// best pay for the next block. It only reads the loop, and may run beside others.
func (l *loop) offer(ctx context.Context, m vigil.Message, candidates []candidate) offer {
	var best *offer
	var errs []error
	fault := false
	for _, c := range candidates {
		gas, err := l.estimate(ctx, m, c)
		if err != nil {
			var refused *vigil.CallError
			fault = fault || !errors.As(err, &refused)
			errs = append(errs, err)
			continue
		}
		free := big.Sub(c.available, amount(m.Call.Value))
		switch {
		case free.GreaterThanEqual(big.Min(gasCost(gas), l.c.MaxFee)):
			return offer{from: c, gas: gas}
		case free.LessThan(least(gas, l.head.BaseFee)):
			errs = append(errs, fmt.Errorf("%s has %s attoFIL to spend, and the message needs %s at least", c.key, free, least(gas, l.head.BaseFee)))
		case best == nil || c.available.GreaterThan(best.from.available):
			best = &offer{from: c, gas: gas}
		}
	}
	if best != nil {
		return *best
	}
	return offer{fault: fault, err: errors.Join(errs...)}
}

// estimate asks the node for a call's gas. When for the second round in a row
// no node could tell, it guesses: a message with too much gas is better than none.
func (l *loop) estimate(ctx context.Context, m vigil.Message, c candidate) (vigil.Gas, error) {
	next, err := l.c.Store.NextNonce(ctx, c.key)
	if err != nil {
		return vigil.Gas{}, err
	}
	limited, cancel := context.WithTimeout(ctx, l.c.patience())
	defer cancel()
	call := m.Call
	call.From = c.key
	gas, err := l.c.Node.EstimateGas(limited, call, max(next, c.nonce))
	var refused *vigil.CallError
	if err == nil || errors.As(err, &refused) || l.faults[m.ID] == 0 {
		return gas, err
	}
	last, err := l.c.Store.LastGas(ctx, m.Call.Method, len(m.Call.Params))
	switch {
	case err == nil:
		return guess(&last, l.head.BaseFee), nil
	case errors.Is(err, vigil.ErrNotFound):
		return guess(nil, l.head.BaseFee), nil
	}
	return vigil.Gas{}, err
}

// signOne gives a message its nonce and first attempt by the offer, and stores
// both. beside are the messages that were signed since the offers were made.
func (l *loop) signOne(ctx context.Context, m vigil.Message, o offer, beside []vigil.Message) (vigil.Message, error) {
	if o.err != nil {
		return m, o.err
	}
	free := big.Sub(big.Sub(o.from.available, reserved(beside, o.from.key)), amount(m.Call.Value))
	if free.LessThan(least(o.gas, l.head.BaseFee)) {
		return m, fmt.Errorf("%s has %s attoFIL to spend beside its other messages", o.from.key, free)
	}
	gas, err := price(o.gas, big.Min(l.c.MaxFee, free))
	if err != nil {
		return m, err
	}
	next, err := l.c.Store.NextNonce(ctx, o.from.key)
	if err != nil {
		return m, err
	}
	before := m
	m.Call.From, m.Nonce, m.State, m.Problem = o.from.key, max(next, o.from.nonce), vigil.MessageSigned, ""
	if m, err = l.attempt(ctx, m, gas); err != nil {
		return m, err
	}
	if err := l.save(ctx, []vigil.Message{before}, []vigil.Message{m}); err != nil {
		return m, fmt.Errorf("store the signed message: %w", err)
	}
	return m, nil
}

// attempt adds a signed attempt to a message; nothing is stored yet.
func (l *loop) attempt(ctx context.Context, m vigil.Message, gas vigil.Gas) (vigil.Message, error) {
	signed := vigil.SignedMessage{Call: m.Call, Nonce: m.Nonce, Gas: gas}
	var err error
	if signed.Signature, err = l.c.Signer.Sign(ctx, signed); err != nil {
		return m, fmt.Errorf("sign: %w", err)
	}
	encoded, err := signed.Encode()
	if err != nil {
		return m, err
	}
	c, err := signed.CID()
	if err != nil {
		return m, err
	}
	m.Attempts = append(slices.Clone(m.Attempts), vigil.Attempt{
		Number: len(m.Attempts) + 1, CID: c, Signed: signed, Encoded: encoded,
		Epoch: l.head.Epoch, Created: time.Now(),
	})
	return m, nil
}
