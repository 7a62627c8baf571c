package actor

import (
	"cmp"
	"fmt"
	mathbig "math/big"
	"strings"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
)

// Prices of a proof that was disputed with success: what it costs beside the
// projected reward, and what the disputer gets.
var (
	disputePenalty = fil(20)
	disputeReward  = fil(4)
)

// disputedPeriod is how long a reward the penalty of a disputed proof takes: the
// fault fee's 3.51 days and two more.
const disputedPeriod = miner.ContinuedFaultProjectionPeriod + 2*builtin.EpochsInDay

func fil(n int64) abi.TokenAmount { return big.Mul(big.NewInt(n), big.NewInt(1e18)) }

// reward is what power would earn in a period.
func (e Economy) reward(qa abi.StoragePower, period abi.ChainEpoch) abi.TokenAmount {
	if e.Reward.PositionEstimate.Int == nil || e.Power.PositionEstimate.Int == nil {
		return big.Zero()
	}
	return miner.ExpectedRewardForPower(e.Reward, e.Power, qa, period)
}

// continuedFault is the fee of a proving period for power that stays faulty.
func (e Economy) continuedFault(qa abi.StoragePower) abi.TokenAmount {
	return e.reward(qa, miner.ContinuedFaultProjectionPeriod)
}

// dailyFee is the fee that the sectors of a deadline owe, at most half of what
// they earn in a day.
func (e Economy) dailyFee(owed abi.TokenAmount, live abi.StoragePower) abi.TokenAmount {
	limit := big.Div(e.reward(live, builtin.EpochsInDay), big.NewInt(miner.DailyFeeBlockRewardCapDenom))
	return big.Min(owed, limit)
}

// termination is the fee for a sector that was faulty for too long.
func (e Economy) termination(size abi.SectorSize, s *miner.SectorOnChainInfo, at abi.ChainEpoch) abi.TokenAmount {
	return miner.PledgePenaltyForTermination(s.InitialPledge, at-s.Activation, e.continuedFault(miner.QAPowerForSector(size, s)))
}

// inFIL writes an amount as the network's actor does in its words: in FIL, with
// a point always.
func inFIL(a abi.TokenAmount) string {
	whole, part := new(mathbig.Int).QuoRem(new(mathbig.Int).Abs(amount(a).Int), fil(1).Int, new(mathbig.Int))
	digits := strings.TrimRight(fmt.Sprintf("%018s", part), "0")
	sign := ""
	if amount(a).Sign() < 0 {
		sign = "-"
	}
	return fmt.Sprintf("%s%s.%s", sign, whole, cmp.Or(digits, "0"))
}
