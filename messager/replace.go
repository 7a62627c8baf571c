package messager

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
)

// renew gives the slots of a line new attempts where they are due, and stores
// all of them at once, or where that fails one by one. A message whose attempt
// cannot be made or stored stays as it is, and says why.
func (l *loop) renew(ctx context.Context, in line, b books) {
	var places []int
	var before, after []vigil.Message
	for i, s := range in.slots {
		renewed, err := l.renewed(ctx, in, s, b)
		if err != nil {
			in.slots[i].m = l.problem(ctx, s.m, err)
		} else if len(renewed.Attempts) > len(s.m.Attempts) {
			b.add(s.m, renewed)
			places, before, after = append(places, i), append(before, s.m), append(after, renewed)
		}
	}
	if len(after) == 0 {
		return
	}
	together := l.save(ctx, before, after)
	for n, i := range places {
		err := together
		if err != nil {
			err = l.save(ctx, before[n:n+1], after[n:n+1])
		}
		if err != nil {
			in.slots[i].m = l.problem(ctx, before[n], fmt.Errorf("store attempt %d: %w", len(after[n].Attempts), err))
			continue
		}
		in.slots[i].m = after[n]
	}
}

// renewed is a slot's message with a new attempt if one is due; nothing is stored yet.
func (l *loop) renewed(ctx context.Context, in line, s slot, b books) (vigil.Message, error) {
	cancel := s.void(l.head.Epoch) || l.hopeless(in, s)
	attempts := s.attempts(in.sender, cancel)
	due := l.due(s, attempts, cancel, in.urgent) || l.unpayable(ctx, s, attempts, cancel)
	if !cancel && !s.lives(l.head.Epoch) || !due || !l.try(fmt.Sprint("renew ", s.nonce, s.m.ID)) {
		return s.m, nil
	}
	if err := l.lease(ctx, in.sender); err != nil {
		return s.m, err
	}
	renewed, err := l.renewal(ctx, in, s, attempts, cancel, b)
	unwished := s
	unwished.m.Wish = vigil.Wish{}
	if err != nil && !cancel && wishedFor(s.m) && l.due(unwished, attempts, cancel, in.urgent) {
		// What somebody wished cannot be made, and must not keep what is due from being made.
		renewed, err = l.renewal(ctx, in, unwished, attempts, cancel, b)
		renewed.Wish = s.m.Wish
	}
	return renewed, err
}

// hopeless says that no pool takes the message with its nonce and none ever will.
// Those behind it must not wait for its time to be over, and whoever asked for it
// can ask for another one, which is estimated and signed anew.
func (l *loop) hopeless(in line, s slot) bool {
	own := s.attempts(in.sender, false)
	if !s.lives(l.head.Epoch) || len(own) == 0 || l.head.Epoch-own[0].Epoch < pause(in.urgent, l.c.ReplaceAfter) {
		return false
	}
	return !slices.ContainsFunc(own, func(a vigil.Attempt) bool { return a.Published || !l.asked[a.CID].invalid })
}

// renewal is a slot's message with a new attempt; nothing is stored yet.
func (l *loop) renewal(ctx context.Context, in line, s slot, attempts []vigil.Attempt, cancel bool, b books) (vigil.Message, error) {
	gas, err := l.renewedGas(ctx, in, s, attempts, cancel, b)
	if err != nil {
		return s.m, err
	}
	call := s.m.Call
	call.From = in.sender
	if cancel {
		call = vigil.Call{From: in.sender, To: in.sender, Value: big.Zero()}
	}
	renewed, err := l.attempt(ctx, s.m, vigil.SignedMessage{Call: call, Nonce: s.nonce, Gas: gas}, cancel)
	if err != nil {
		return s.m, fmt.Errorf("replace attempt %d: %w", lastAttempt(s.m).Number, err)
	}
	return renewed, nil
}

// due says whether a slot needs a new attempt: none of the right sort is
// there, the last has waited long enough or is too cheap for the base fee, or
// somebody wishes for one.
func (l *loop) due(s slot, attempts []vigil.Attempt, cancel bool, urgent abi.ChainEpoch) bool {
	if len(attempts) == 0 {
		return true
	}
	last := attempts[len(attempts)-1]
	if !cancel && wishedFor(s.m) {
		return true
	}
	_, refused := l.asked[last.CID]
	waited := l.head.Epoch-last.Epoch >= pause(urgent, l.c.ReplaceAfter)
	priced := last.Signed.Gas.FeeCap.LessThan(amount(l.head.BaseFee)) && l.head.Epoch > last.Epoch
	return (last.Published || refused) && (waited || priced)
}

// unpayable says that the last attempt could cost more than its sender has by
// now, so that no block takes it.
func (l *loop) unpayable(ctx context.Context, s slot, attempts []vigil.Attempt, cancel bool) bool {
	if len(attempts) == 0 {
		return false
	}
	last := attempts[len(attempts)-1]
	a, err := l.account(ctx, last.Signed.From, l.head.Key)
	return err == nil && l.head.Epoch > last.Epoch && gasCost(last.Signed.Gas).GreaterThan(spendable(a.balance, s, cancel))
}

// wishedFor says that a replacement is wished for and not made yet.
func wishedFor(m vigil.Message) bool {
	return m.Wish.Verb == vigil.WishReplace && lastAttempt(m).Number <= m.Wish.After
}

// renewedGas is the gas of a slot's next attempt.
func (l *loop) renewedGas(ctx context.Context, in line, s slot, attempts []vigil.Attempt, cancel bool, b books) (vigil.Gas, error) {
	t, err := l.termsWithLoan(ctx, in, s, cancel || s.m.Duty.Kind == vigil.KindFill, b)
	if err != nil {
		return vigil.Gas{}, err
	}
	if !cancel && wishedFor(s.m) && s.m.Wish.Gas != nil {
		return affordable(*s.m.Wish.Gas, t)
	}
	highest, last := big.Zero(), vigil.Gas{Limit: sendLimit, FeeCap: big.NewInt(minFeeCap)}
	for _, a := range s.m.Attempts {
		if a.Signed.Nonce != s.nonce || a.Signed.From != in.sender {
			continue
		}
		highest = big.Max(highest, amount(a.Signed.Gas.Premium))
		if asked, ok := l.asked[a.CID]; ok {
			t.asked = big.Max(amount(t.asked), amount(asked.premium))
		}
	}
	cheaper := false
	if len(attempts) > 0 {
		a := attempts[len(attempts)-1]
		last, cheaper = a.Signed.Gas, !a.Published && l.asked[a.CID].cheaper
	}
	gas, ok := reprice(last, highest, t)
	if !ok {
		return gas, errors.New("no tipset includes it, and the greatest fee or the balance allow no higher one")
	}
	if cheaper {
		gas = thrifty(gas, highest, t)
	}
	if gas.FeeCap.LessThan(amount(l.head.BaseFee)) {
		return gas, errors.New("the base fee is above the fee cap that the greatest fee or the balance allow")
	}
	return gas, nil
}

// affordable is gas that somebody wished for, unless it could cost more than may be paid.
func affordable(gas vigil.Gas, t terms) (vigil.Gas, error) {
	if cost := gasCost(gas); cost.GreaterThan(t.budget) {
		return gas, fmt.Errorf("the replacement that was wished for may cost %s attoFIL, and the greatest fee or the balance allow %s", cost, t.budget)
	}
	return gas, nil
}

// termsWithLoan are the terms with what those behind the slot can leave it,
// where the sender's balance allows less without. Its fee cap follows the base
// fee then, so that it takes no more of their money than it needs. Where a pool
// has refused it for its sender's funds it borrows nothing.
func (l *loop) termsWithLoan(ctx context.Context, in line, s slot, nothing bool, b books) (terms, error) {
	t, err := l.termsOf(ctx, in, s, nothing, big.Zero(), b)
	lent := in.lends(s.nonce, l.head)
	refused := slices.ContainsFunc(s.m.Attempts, func(a vigil.Attempt) bool { return l.asked[a.CID].cheaper })
	if err != nil || refused || lent.Sign() == 0 {
		return t, err
	}
	with, err := l.termsOf(ctx, in, s, nothing, lent, b)
	if err != nil || !with.budget.GreaterThan(t.budget) {
		return t, err
	}
	with.low = true
	return with, nil
}

// termsOf is what the price of a slot's next attempt depends on. lent is what
// others leave it of the sender's money that is promised to them.
func (l *loop) termsOf(ctx context.Context, in line, s slot, nothing bool, lent abi.TokenAmount, b books) (terms, error) {
	a, err := l.account(ctx, in.sender, l.head.Key)
	if err != nil {
		return terms{}, err
	}
	budget, err := l.budgetOf(ctx, in, s, nothing, b)
	if err != nil {
		return terms{}, err
	}
	mine := big.Zero()
	if inFlight(s.m) && s.m.Nonce == s.nonce {
		mine = worst(s.m)
	}
	free := big.Add(big.Sub(a.balance, amount(b.reserved[in.sender])), lent)
	payable := big.Min(big.Add(mine, big.Max(free, big.Zero())), spendable(a.balance, s, nothing))
	return terms{
		budget: big.Min(budget, big.Max(payable, big.Zero())),
		left:   in.urgent, every: l.c.ReplaceAfter, baseFee: amount(l.head.BaseFee), low: l.c.LowFeeCap || nothing,
	}, nil
}

// spendable is what a slot's message may cost in gas at most: no block takes
// one that could cost more than its sender has.
func spendable(balance abi.TokenAmount, s slot, nothing bool) abi.TokenAmount {
	if nothing {
		return balance
	}
	return big.Sub(balance, amount(s.m.Call.Value))
}

// mayFill says that a hole has been waited out: whoever took its nonce may
// bring their message after all, but not while ours run out of time.
func (l *loop) mayFill(in line) bool {
	for _, s := range in.slots {
		if s.lives(l.head.Epoch) {
			return l.head.Epoch-lastAttempt(s.m).Epoch >= pause(in.urgent, l.c.ReplaceAfter) || len(s.m.Attempts) > 1
		}
	}
	return false
}

// fillPrefix begins the IDs of sends of nothing that are nobody's.
const fillPrefix = "fill/"

// fill makes a message of our own for a nonce that nobody of ours holds: a
// send of nothing to oneself, without which those behind it cannot be executed.
func (l *loop) fill(ctx context.Context, in line, nonce uint64, b books) (vigil.Message, error) {
	if err := l.lease(ctx, in.sender); err != nil {
		return vigil.Message{}, err
	}
	now := time.Now()
	m, err := l.c.Store.AddMessage(ctx, vigil.Message{
		MessageRequest: vigil.MessageRequest{
			ID: fmt.Sprintf("%s%s/%d", fillPrefix, in.sender, nonce), Duty: vigil.DutyID{Kind: vigil.KindFill},
			Call:    vigil.Call{To: in.sender, Value: big.Zero()},
			Senders: []address.Address{in.sender}, Expires: l.head.Epoch + finality,
		},
		State: vigil.MessageQueued, Paid: big.Zero(), Created: now, Updated: now,
	})
	if err == nil && m.Duty.Kind != vigil.KindFill {
		err = fmt.Errorf("somebody's message has the ID %s, and is not used for this", m.ID)
	}
	if err != nil || len(m.Attempts) > 0 {
		return m, err
	}
	before := m
	m.Call.From, m.Nonce, m.State, m.Settled = in.sender, nonce, vigil.MessageSigned, false
	m.Problem = fmt.Sprintf("nobody uses nonce %d, and messages wait behind it", nonce)
	t, err := l.termsWithLoan(ctx, in, slot{nonce, m}, true, b)
	if err != nil {
		return m, err
	}
	gas, ok := reprice(vigil.Gas{Limit: sendLimit, FeeCap: big.NewInt(minFeeCap)}, big.NewInt(guessedPremium), t)
	if !ok {
		return m, errors.New("the sender's balance or the greatest fee allow no premium for it")
	}
	filled, err := l.attempt(ctx, m, vigil.SignedMessage{Call: m.Call, Nonce: nonce, Gas: gas}, false)
	if err != nil {
		return m, err
	}
	b.add(before, filled)
	return filled, l.save(ctx, []vigil.Message{before}, []vigil.Message{filled})
}

// attempt adds a signed attempt to a message; nothing is stored yet.
func (l *loop) attempt(ctx context.Context, m vigil.Message, signed vigil.SignedMessage, cancel bool) (vigil.Message, error) {
	var err error
	if signed.Signature, err = l.c.Signer.Sign(ctx, signed); err != nil {
		return m, fmt.Errorf("sign: %w", err)
	}
	encoded, err := signed.Encode()
	if err != nil {
		return m, err
	}
	if len(encoded) > vigil.MaxMessageSize {
		return m, &vigil.TooLargeError{Bytes: len(encoded), Most: vigil.MaxMessageSize}
	}
	c, err := signed.CID()
	if err != nil {
		return m, err
	}
	m.Attempts = append(slices.Clone(m.Attempts), vigil.Attempt{
		Number: len(m.Attempts) + 1, CID: c, Cancel: cancel, Signed: signed, Encoded: encoded,
		Epoch: l.head.Epoch, Created: time.Now(),
	})
	return m, nil
}
