package messager

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
)

// Budget is what the messages of a kind may cost in gas. Without a field its
// amount is Config.MaxFee for a message, and any for a day.
type Budget struct {
	MaxFee abi.TokenAmount // of one message
	PerDay abi.TokenAmount // of all together, in any 24 hours
}

// day is 24 hours in epochs of a chain.
func (c Config) day() abi.ChainEpoch { return abi.ChainEpoch(86400e9 / int64(c.Epoch)) }

func (c Config) maxFee(kind vigil.DutyKind) abi.TokenAmount {
	if b := c.Budgets[kind]; !b.MaxFee.NilOrZero() {
		return b.MaxFee
	}
	return c.MaxFee
}

// A day's budget is a purse. A message is paid from its kind's purse up to the
// kind's greatest fee. What it costs beyond that, because dearer ones wait
// behind it, is paid from the purse of the kind that may pay most for one.
//
// Nothing is signed that a purse could be overdrawn by. Until a message is
// settled it counts for the most that it may cost: its kind's greatest fee,
// whatever its attempts allow yet, so that it can climb as far whatever comes
// after it, and what its attempts allow beyond that. What is settled counts for what the chain
// took. So of the messages that tipsets of any 24 hours execute, the one whose
// price was raised last was weighed against all the others; and a reorg of no more than
// the confidence takes back nothing that counted for less.

// budgeted says that some kind has a budget for the day.
func (c Config) budgeted() bool {
	for _, b := range c.Budgets {
		if !b.PerDay.NilOrZero() {
			return true
		}
	}
	return false
}

// payer is the kind whose purse pays for what stands in the way of others.
func (c Config) payer() vigil.DutyKind {
	payer := vigil.KindPost
	for _, kind := range c.kinds() {
		if c.maxFee(kind).GreaterThan(c.maxFee(payer)) && kind != vigil.KindFill && kind != "" {
			payer = kind
		}
	}
	return payer
}

// kinds are those of all messages that there may be, in one order.
func (c Config) kinds() []vigil.DutyKind {
	kinds := slices.AppendSeq([]vigil.DutyKind{vigil.KindPost, vigil.KindRecover, vigil.KindFill, ""}, maps.Keys(c.Budgets))
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// books is what messages may still take.
type books struct {
	c        Config
	payer    vigil.DutyKind
	budgeted bool                                // some purse has a bottom
	reserved map[address.Address]abi.TokenAmount // from a sender's balance, by those in flight
	promised map[vigil.DutyKind]abi.TokenAmount  // from a purse, by those that are not settled
	spent    map[vigil.DutyKind]abi.TokenAmount  // from a purse in the last 24 hours, as far as it was read
}

func (c Config) books(open []vigil.Message) books {
	b := books{c, c.payer(), c.budgeted(), map[address.Address]abi.TokenAmount{}, map[vigil.DutyKind]abi.TokenAmount{}, map[vigil.DutyKind]abi.TokenAmount{}}
	for _, m := range open {
		b.add(vigil.Message{}, m)
	}
	return b
}

// shares are what the purse of a message's kind pays of its cost, and what the payer's does.
func (b books) shares(kind vigil.DutyKind, cost abi.TokenAmount) (own, beyond abi.TokenAmount) {
	if kind == b.payer {
		return cost, big.Zero()
	}
	own = big.Min(cost, b.c.maxFee(kind))
	return own, big.Sub(cost, own)
}

// add counts a message as it is now in place of what it was.
func (b books) add(before, m vigil.Message) {
	b.count(before, big.Sub)
	b.count(m, big.Add)
}

func (b books) count(m vigil.Message, with func(a, b big.Int) big.Int) {
	if !counts(m) {
		return
	}
	most := worst(m)
	if inFlight(m) {
		b.reserved[m.Call.From] = with(amount(b.reserved[m.Call.From]), big.Add(most, amount(m.Call.Value)))
	}
	if b.budgeted {
		own, beyond := b.shares(m.Duty.Kind, most)
		own = big.Max(own, b.c.maxFee(m.Duty.Kind))
		b.promised[m.Duty.Kind] = with(amount(b.promised[m.Duty.Kind]), own)
		b.promised[b.payer] = with(amount(b.promised[b.payer]), beyond)
	}
}

// counts says that the message may still take something from a purse: it has
// a nonce, and is not settled. One that is on chain is among them, for it may
// be taken back and cost more when it lands again.
func counts(m vigil.Message) bool {
	return !m.Settled && m.State != vigil.MessageQueued && len(m.Attempts) > 0
}

// left is what a purse has left for more than it has paid and promised, or
// false where it has no bottom.
func (l *loop) left(ctx context.Context, kind vigil.DutyKind, b books) (abi.TokenAmount, bool, error) {
	daily := l.c.Budgets[kind].PerDay
	if daily.NilOrZero() {
		return big.Zero(), false, nil
	}
	spent, read := b.spent[kind]
	if !read {
		var err error
		if spent, err = l.spent(ctx, kind, b.payer); err != nil {
			return big.Zero(), true, err
		}
		b.spent[kind] = spent
	}
	return big.Sub(daily, big.Add(spent, amount(b.promised[kind]))), true, nil
}

// spent is what settled messages of the last 24 hours took from a purse.
func (l *loop) spent(ctx context.Context, purse, payer vigil.DutyKind) (abi.TokenAmount, error) {
	since := l.head.Epoch - l.c.day()
	sum := big.Zero()
	for _, kind := range l.c.kinds() {
		if kind != purse && purse != payer {
			continue
		}
		within, beyond, err := l.c.Store.Paid(ctx, kind, since, l.c.maxFee(kind))
		if err != nil {
			return sum, err
		}
		if kind == purse {
			sum = big.Add(sum, within)
		}
		if purse == payer {
			sum = big.Add(sum, beyond)
		}
	}
	return sum, nil
}

// allowance is what a message without a nonce may cost: its greatest fee, if
// its purse has as much left. With less it could get stuck, and keep those
// behind it waiting.
func (l *loop) allowance(ctx context.Context, m vigil.Message, b books) (abi.TokenAmount, error) {
	most := l.c.maxFee(m.Duty.Kind)
	left, bottom, err := l.left(ctx, m.Duty.Kind, b)
	if err == nil && bottom && left.LessThan(most) {
		daily := l.c.Budgets[m.Duty.Kind].PerDay
		err = fmt.Errorf("the day's budget for %s messages, %s attoFIL, has less left than one may cost: %s are spent or promised; raise it, or wait until those on their way are confirmed or the oldest are a day old", m.Duty.Kind, daily, big.Sub(daily, left))
	}
	return most, err
}

// budgetOf is what a slot may cost. Those who wait behind it can only be
// executed after it, so it may cost as much as one of another kind there, if
// the purse that pays for that has as much left: a recovery that is stuck must
// not cost a window post its deadline. A send of nothing may cost what its
// message might have, for of the two one is executed.
func (l *loop) budgetOf(ctx context.Context, in line, s slot, nothing bool, b books) (abi.TokenAmount, error) {
	kind := s.m.Duty.Kind
	own := l.c.maxFee(kind)
	most := own
	for _, behind := range in.behind(s.nonce, l.head.Epoch) {
		if nothing || behind != kind {
			most = big.Max(most, l.c.maxFee(behind))
		}
	}
	if most.Equals(own) {
		return own, nil
	}
	left, bottom, err := l.left(ctx, b.payer, b)
	if err != nil || !bottom {
		return most, err
	}
	beyond := big.Zero()
	if counts(s.m) { // what it has already
		beyond = big.Max(big.Sub(worst(s.m), own), beyond)
	}
	return big.Min(most, big.Add(own, big.Max(big.Add(left, beyond), beyond))), nil
}
