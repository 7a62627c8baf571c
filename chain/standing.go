package chain

import (
	"context"
	"errors"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
)

// minerFunds is the miner actor's own state as StateReadState tells it, as far
// as it is about money. What has vested since the actor last looked still
// counts as locked, because a declaration does not look either.
type minerFunds struct {
	Balance amount
	State   *struct {
		PreCommitDeposits amount
		LockedFunds       amount
		InitialPledge     amount
		FeeDebt           amount
	}
}

func (m *minerFunds) check() error {
	if m.State == nil {
		return errors.New("it has no State")
	}
	s := m.State
	return required(field{"Balance", m.Balance.there()}, field{"PreCommitDeposits", s.PreCommitDeposits.there()},
		field{"LockedFunds", s.LockedFunds.there()}, field{"InitialPledge", s.InitialPledge.there()}, field{"FeeDebt", s.FeeDebt.there()})
}

// Standing is what a miner owes.
func (c *Client) Standing(ctx context.Context, miner abi.ActorID, key vigil.TipSetKey) (vigil.Standing, error) {
	funds, err := askAt[minerFunds](ctx, c, "StateReadState", miner, key)
	if err != nil {
		return vigil.Standing{}, err
	}
	info, err := askAt[minerInfo](ctx, c, "StateMinerInfo", miner, key)
	if err != nil {
		return vigil.Standing{}, err
	}
	s := vigil.Standing{Debt: funds.State.FeeDebt.Int, ConsensusFault: -1}
	locked := big.Sum(funds.State.PreCommitDeposits.Int, funds.State.LockedFunds.Int, funds.State.InitialPledge.Int)
	s.Unlocked = big.Max(big.Zero(), big.Sub(funds.Balance.Int, locked))
	if info.ConsensusFaultElapsed != nil {
		s.ConsensusFault = *info.ConsensusFaultElapsed
	}
	return s, nil
}

// Standing is what a miner owes.
func (n *Nodes) Standing(ctx context.Context, miner abi.ActorID, key vigil.TipSetKey) (vigil.Standing, error) {
	return read(ctx, n, "what the miner owes", key, func(ctx context.Context, c *Client) (vigil.Standing, error) { return c.Standing(ctx, miner, key) })
}
