package messager

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/alive"
)

// offer is how a message could be sent.
type offer struct {
	from candidate
	gas  vigil.Gas
	// fault says that no node could say what the call needs, rather than that
	// the chain would refuse it.
	fault bool
	err   error
}

// sign gives the queued messages a nonce and a signature, the most urgent
// first, and gives those that got one. The node is asked about all of them at
// once, so that a slow answer to one does not hold up the others.
func (l *loop) sign(ctx context.Context, open []vigil.Message, b books) []vigil.Message {
	queued := l.queued(open)
	offers := make([]offer, len(queued))
	var wait sync.WaitGroup
	for i, m := range queued {
		candidates, err := l.candidates(ctx, m, b)
		if err != nil {
			offers[i].err = err
			continue
		}
		nonce := max(candidates[0].nonce, l.givenNonce(ctx, candidates[0].key))
		wait.Go(func() {
			err := alive.Caught(func() error { offers[i] = l.offer(ctx, m, candidates, nonce); return nil })
			if err != nil {
				offers[i].err = err
			}
			alive.LogPanic(l.c.Log, "a bug stopped the preparation of a message; please report it", err)
		})
	}
	wait.Wait()
	var before, signed []vigil.Message
	nonces := map[address.Address]uint64{}
	for i, m := range queued {
		l.goes.Goes() // a wallet that does not answer takes its time for each
		l.countFault(m.ID, offers[i].fault)
		signedOne, err := l.signOne(ctx, m, offers[i], b, nonces)
		if err != nil {
			l.problem(ctx, m, err)
			continue
		}
		b.add(m, signedOne)
		before, signed = append(before, m), append(signed, signedOne)
	}
	return l.saveSigned(ctx, before, signed)
}

// queued are the messages that are to be signed in this round.
func (l *loop) queued(open []vigil.Message) []vigil.Message {
	var queued []vigil.Message
	for _, m := range open {
		if m.State == vigil.MessageQueued && m.Duty.Kind != vigil.KindFill && m.Wish.Verb != vigil.WishCancel &&
			!tooLate(m, l.head.Epoch) && l.try(m.ID) {
			queued = append(queued, m)
		}
	}
	slices.SortStableFunc(queued, func(a, b vigil.Message) int { return int(a.Expires - b.Expires) })
	return queued
}

func (l *loop) countFault(id string, fault bool) {
	if fault {
		l.faults[id]++
	} else {
		delete(l.faults, id)
	}
}

func (l *loop) givenNonce(ctx context.Context, sender address.Address) uint64 {
	next, err := l.c.Store.NextNonce(ctx, sender)
	if err != nil {
		return 0 // only an estimate is asked with it
	}
	return next
}

// offer finds the first candidate that can pay well, or else the one that can
// best pay for the next block. It only reads the loop, and may run beside others.
func (l *loop) offer(ctx context.Context, m vigil.Message, candidates []candidate, nonce uint64) offer {
	var best *offer
	var errs []error
	fault := false
	for i, c := range candidates {
		if i > 0 {
			nonce = c.nonce
		}
		gas, err := l.estimate(ctx, m, c, nonce)
		if err != nil {
			var refused *vigil.CallError
			fault = fault || !errors.As(err, &refused)
			if !slices.ContainsFunc(errs, func(known error) bool { return known.Error() == err.Error() }) {
				errs = append(errs, err)
			}
			continue
		}
		free := big.Sub(c.available, amount(m.Call.Value))
		switch {
		case free.GreaterThanEqual(big.Min(gasCost(gas), l.c.maxFee(m.Duty.Kind))):
			return offer{from: c, gas: gas}
		case free.LessThan(least(gas, l.head.BaseFee)):
			need := least(gas, l.head.BaseFee)
			errs = append(errs, fmt.Errorf("%s has %s to spend, and the message needs %s at least: top it up with %s or more",
				c.key, vigil.InFIL(free), vigil.InFIL(need), vigil.InFIL(big.Sub(need, free))))
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
func (l *loop) estimate(ctx context.Context, m vigil.Message, c candidate, nonce uint64) (vigil.Gas, error) {
	limited, cancel := context.WithTimeout(ctx, l.c.patience())
	defer cancel()
	call := m.Call
	call.From = c.key
	gas, err := l.c.Node.EstimateGas(limited, call, nonce)
	var refused *vigil.CallError
	switch {
	case err == nil:
		return l.c.over(gas), nil
	case errors.As(err, &refused) || l.faults[m.ID] == 0:
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

// over is a node's estimate with the operator's factors on top of the node's own.
func (c Config) over(gas vigil.Gas) vigil.Gas {
	gas.Limit = min(scaled(big.NewInt(gas.Limit), c.GasOverEstimation).Int64(), max(gas.Limit, blockGasLimit))
	gas.Premium = scaled(amount(gas.Premium), c.GasOverPremium)
	return gas
}

// signOne gives a message its nonce and next attempt by the offer; nothing is
// stored yet. nonces is what was given in this turn.
func (l *loop) signOne(ctx context.Context, m vigil.Message, o offer, b books, nonces map[address.Address]uint64) (vigil.Message, error) {
	if o.err != nil {
		return m, o.err
	}
	next, err := l.nextNonce(ctx, m, o.from)
	if err != nil {
		return m, err
	}
	gas, err := l.firstGas(ctx, m, o, b)
	if err != nil {
		return m, err
	}
	next = max(next, nonces[o.from.key])
	m.Call.From, m.Nonce, m.State, m.Problem = o.from.key, next, vigil.MessageSigned, ""
	m, err = l.attempt(ctx, m, vigil.SignedMessage{Call: m.Call, Nonce: next, Gas: gas}, false)
	if err == nil {
		nonces[o.from.key] = next + 1
	}
	return m, err
}

// firstGas prices a message's first attempt within its budget, the day's, and
// what the sender can spend beside its other messages.
func (l *loop) firstGas(ctx context.Context, m vigil.Message, o offer, b books) (vigil.Gas, error) {
	a, err := l.account(ctx, o.from.key, l.head.Key)
	if err != nil {
		return vigil.Gas{}, err
	}
	free := big.Sub(big.Sub(a.balance, amount(b.reserved[o.from.key])), amount(m.Call.Value))
	if free.LessThan(least(o.gas, l.head.BaseFee)) {
		return vigil.Gas{}, fmt.Errorf("%s has %s to spend beside its other messages: top it up", o.from.key, vigil.InFIL(free))
	}
	budget, err := l.allowance(ctx, m, b)
	if err != nil {
		return vigil.Gas{}, err
	}
	if budget.LessThan(least(o.gas, l.head.BaseFee)) {
		// With a nonce it would keep those behind it waiting.
		return vigil.Gas{}, fmt.Errorf("the base fee is so high that the next tipset takes it for %s only, and the greatest fee of a message allows %s",
			vigil.InFIL(least(o.gas, l.head.BaseFee)), vigil.InFIL(budget))
	}
	return price(o.gas, terms{
		budget: big.Min(budget, free), left: m.Expires - l.head.Epoch,
		every: l.c.ReplaceAfter, baseFee: amount(l.head.BaseFee), low: l.c.LowFeeCap,
	})
}

// saveSigned stores what was signed and gives it: all at once, or where that
// fails one by one, so that one that cannot be stored keeps no other back.
func (l *loop) saveSigned(ctx context.Context, before, signed []vigil.Message) []vigil.Message {
	if len(signed) == 0 || l.save(ctx, before, signed) == nil {
		return signed
	}
	var saved []vigil.Message
	for i := range signed {
		if err := l.save(ctx, before[i:i+1], signed[i:i+1]); err != nil {
			l.problem(ctx, before[i], fmt.Errorf("store the signed message: %w", err))
			continue
		}
		saved = append(saved, signed[i])
	}
	return saved
}
