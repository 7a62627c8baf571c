package actor

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/exitcode"
)

// How a block reward vests: three quarters of it, evenly over 180 days, in
// steps of a day that are rounded up to half days.
const (
	lockedPart, lockedWhole = 3, 4
	vestPeriod              = 180 * builtin.EpochsInDay
	vestStep                = builtin.EpochsInDay
	vestRounding            = 12 * builtin.EpochsInHour
)

// vesting reads the table of funds that vest, by epoch. Its first entry lies in
// the state itself and may have been drawn down to nothing.
func (s *session) vesting() ([]miner.VestingFund, error) {
	funds, err := s.st.LoadVestingFunds(s.rt.Store)
	if err != nil {
		return nil, fmt.Errorf("load vesting funds: %w", err)
	}
	if len(funds) > 0 && funds[0].Amount.IsZero() {
		funds = funds[1:]
	}
	return funds, nil
}

func (s *session) saveVesting(funds []miner.VestingFund) error {
	if len(funds) == 0 {
		s.st.VestingFunds = nil
		return nil
	}
	tail, err := s.rt.Store.Put(s.rt.Store.Context(), &miner.VestingFundsTail{Funds: funds[1:]})
	s.st.VestingFunds = &miner.VestingFunds{Head: funds[0], Tail: tail}
	return err
}

// free takes an amount out of what is locked, for the miner and for the network.
func (s *session) free(amount abi.TokenAmount) error {
	s.st.LockedFunds = big.Sub(s.st.LockedFunds, amount)
	s.out.Pledge = big.Sub(s.out.Pledge, amount)
	if s.st.LockedFunds.Sign() < 0 {
		return contradiction("locked funds fall to %s", s.st.LockedFunds)
	}
	return nil
}

// vested splits off the funds whose epoch has passed.
func (s *session) vested(funds []miner.VestingFund) (sum abi.TokenAmount, rest []miner.VestingFund) {
	sum = big.Zero()
	for len(funds) > 0 && funds[0].Epoch < s.rt.Epoch {
		sum, funds = big.Add(sum, funds[0].Amount), funds[1:]
	}
	return sum, funds
}

// unlockVested frees what has vested.
func (s *session) unlockVested() error {
	if s.st.LockedFunds.IsZero() || s.st.VestingFunds == nil || s.st.VestingFunds.Head.Epoch >= s.rt.Epoch {
		return nil
	}
	funds, err := s.vesting()
	if err != nil {
		return err
	}
	sum, rest := s.vested(funds)
	if err := s.saveVesting(rest); err != nil {
		return err
	}
	return s.free(sum)
}

// unlockFor frees what has vested and, for a debt, as much of what has not; the
// funds that would vest first go first.
func (s *session) unlockFor(debt abi.TokenAmount) error {
	if debt.IsZero() || s.st.LockedFunds.IsZero() || s.st.VestingFunds == nil {
		return nil
	}
	if head := &s.st.VestingFunds.Head; head.Epoch >= s.rt.Epoch && head.Amount.GreaterThanEqual(debt) {
		drawn := *s.st.VestingFunds
		drawn.Head.Amount = big.Sub(head.Amount, debt)
		s.st.VestingFunds = &drawn
		return s.free(debt)
	}
	funds, err := s.vesting()
	if err != nil {
		return err
	}
	sum, rest := s.vested(funds)
	for debt.Sign() > 0 && len(rest) > 0 {
		part := big.Min(debt, rest[0].Amount)
		sum, debt = big.Add(sum, part), big.Sub(debt, part)
		if part.LessThan(rest[0].Amount) || debt.IsZero() {
			// An entry that is used up stays when the debt ends with it.
			rest[0].Amount = big.Sub(rest[0].Amount, part)
			break
		}
		rest = rest[1:]
	}
	if err := s.saveVesting(rest); err != nil {
		return err
	}
	return s.free(sum)
}

// lock puts an amount into the vesting table, from this epoch on, and frees what
// has vested.
func (s *session) lock(amount abi.TokenAmount) error {
	funds, err := s.vesting()
	if err != nil {
		return err
	}
	sum, rest := s.vested(mergeFunds(funds, vestOver(amount, s.rt.Epoch, s.st.ProvingPeriodStart)))
	if err := s.saveVesting(rest); err != nil {
		return err
	}
	if err := s.free(sum); err != nil {
		return err
	}
	return s.free(amount.Neg())
}

// vestOver is the schedule of an amount that is locked at an epoch.
func vestOver(amount abi.TokenAmount, from, periodStart abi.ChainEpoch) (out []miner.VestingFund) {
	quant := builtin.NewQuantSpec(vestRounding, periodStart)
	done := big.Zero()
	for epoch := from + vestStep; done.LessThan(amount); epoch += vestStep {
		at, target := quant.QuantizeUp(epoch), amount
		if past := at - from; past < vestPeriod {
			target = big.Div(big.Mul(amount, big.NewInt(int64(past))), big.NewInt(vestPeriod))
		}
		out = append(out, miner.VestingFund{Epoch: at, Amount: big.Sub(target, done)})
		done = target
	}
	return out
}

func mergeFunds(a, b []miner.VestingFund) []miner.VestingFund {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(x, y miner.VestingFund) int { return cmp.Compare(x.Epoch, y.Epoch) })
	var out []miner.VestingFund
	for _, f := range all {
		if n := len(out); n > 0 && out[n-1].Epoch == f.Epoch {
			out[n-1].Amount = big.Add(out[n-1].Amount, f.Amount)
			continue
		}
		out = append(out, f)
	}
	return out
}

// applyRewards takes a block's reward, of which three quarters vest, and its
// penalty. Only the reward actor may bring it; the reward is in the balance.
func (s *session) applyRewards(p *miner.ApplyRewardParams) error {
	switch {
	case p.Reward.Sign() < 0:
		return illegal("cannot lock up a negative amount of funds")
	case p.Penalty.Sign() < 0:
		return illegal("cannot penalize a negative amount of funds")
	}
	if err := s.allow(builtin.RewardActorAddr); err != nil {
		return err
	}
	amount := big.Div(big.Mul(p.Reward, big.NewInt(lockedPart)), big.NewInt(lockedWhole))
	unlocked, err := s.unlocked()
	if err != nil {
		return err
	}
	if unlocked.LessThan(amount) {
		return refuse(exitcode.ErrInsufficientFunds, "insufficient funds to lock, available: %s, requested: %s", inFIL(unlocked), inFIL(amount))
	}
	if err := s.lock(amount); err != nil {
		return err
	}
	s.charge(p.Penalty)
	_, err = s.repay()
	return err
}
