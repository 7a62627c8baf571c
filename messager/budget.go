package messager

import (
	"context"
	"fmt"

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

// books is what messages in flight may still take.
type books struct {
	reserved map[address.Address]abi.TokenAmount // from a sender's balance
	promised map[vigil.DutyKind]abi.TokenAmount  // for gas, of a kind
	paid     map[vigil.DutyKind]abi.TokenAmount  // in the last 24 hours, as far as it was read
}

func booksOf(open []vigil.Message) books {
	b := books{map[address.Address]abi.TokenAmount{}, map[vigil.DutyKind]abi.TokenAmount{}, map[vigil.DutyKind]abi.TokenAmount{}}
	for _, m := range open {
		b.add(vigil.Message{}, m)
	}
	return b
}

// add counts a message as it is now in place of what it was.
func (b books) add(before, m vigil.Message) {
	for sign, m := range map[int64]vigil.Message{-1: before, 1: m} {
		if !inFlight(m) {
			continue
		}
		most := big.Mul(worst(m), big.NewInt(sign))
		b.promised[m.Duty.Kind] = big.Add(amount(b.promised[m.Duty.Kind]), most)
		value := big.Mul(amount(m.Call.Value), big.NewInt(sign))
		b.reserved[m.Call.From] = big.Add(amount(b.reserved[m.Call.From]), big.Add(most, value))
	}
}

// committed is what the messages of a kind may have cost in the last 24 hours
// and may still cost: what the chain took, and for those in flight the most it could take.
func (l *loop) committed(ctx context.Context, kind vigil.DutyKind, b books) (abi.TokenAmount, error) {
	paid, read := b.paid[kind]
	if !read {
		var err error
		if paid, err = l.c.Store.Paid(ctx, kind, l.head.Epoch-l.c.day()); err != nil {
			return paid, err
		}
		b.paid[kind] = paid
	}
	return big.Add(paid, amount(b.promised[kind])), nil
}

// allowance is what a message may cost beside the others of its kind.
func (l *loop) allowance(ctx context.Context, m vigil.Message, b books) (abi.TokenAmount, error) {
	most := l.c.maxFee(m.Duty.Kind)
	daily := l.c.Budgets[m.Duty.Kind].PerDay
	if daily.NilOrZero() {
		return most, nil
	}
	committed, err := l.committed(ctx, m.Duty.Kind, b)
	if err != nil {
		return most, err
	}
	left := big.Sub(daily, committed)
	if inFlight(m) {
		// It is among those committed, and what it may cost already is
		// promised, even where a reorg has made all of them too much.
		left = big.Max(big.Add(left, worst(m)), worst(m))
	}
	if !inFlight(m) && left.LessThan(most) {
		// With less than its greatest fee it could get stuck, and keep those behind it waiting.
		return left, fmt.Errorf("the day's budget for %s messages, %s attoFIL, has less left than one may cost: %s are spent or promised; raise it, or wait until the oldest are a day old", m.Duty.Kind, daily, committed)
	}
	return big.Min(most, left), nil
}
