package devnet

import (
	"slices"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/network"
)

// What the base fee moves by (lotus chain/store/basefee.go).
const (
	blockGasTarget = blockGasLimit / 2
	// premiumIndex is the unit of gas whose premium decides: four fifths into
	// a block that is sorted by premium, the highest first.
	premiumIndex = blockGasLimit*8/10 - 1
	// feeChange is the largest change from an epoch to the next, as a part of the fee.
	feeChange = 8
)

// baseFee is what a tipset at a height costs: what it was told, or what follows
// from its parent. The tipset at an upgrade's epoch is the first whose child's
// base fee follows the new rule. Null rounds between them change nothing.
func (n *Network) baseFee(parent *tipset, height abi.ChainEpoch) abi.TokenAmount {
	if fee, told := n.weather.baseFee(height); told {
		return fee
	}
	base := parent.header.ParentBaseFee
	if n.versionAt(parent.height()+1) < network.Version28 {
		return baseFeeByUse(base, gasLimits(parent.messages))
	}
	return baseFeeByPremium(base, decidingPremium(parent.messages, base))
}

// baseFeeByUse moves the base fee by at most an eighth, towards blocks that are
// half full: the rule before network version 28.
func baseFeeByUse(base abi.TokenAmount, gasLimits int64) abi.TokenAmount {
	delta := big.Div(
		big.Mul(base, big.NewInt(min(gasLimits, 2*blockGasTarget)-blockGasTarget)),
		big.NewInt(feeChange*blockGasTarget))
	return big.Max(big.Add(base, delta), minimumBaseFee)
}

// baseFeeByPremium moves the base fee by what four fifths of a full block pay on
// top of it (FIP-0115, from network version 28 on): it falls by an eighth unless
// blocks are that full, and rises by at most as much.
func baseFeeByPremium(base, premium abi.TokenAmount) abi.TokenAmount {
	most := big.Div(big.Add(base, big.NewInt(feeChange-1)), big.NewInt(feeChange))
	return big.Max(minimumBaseFee, big.Add(base, big.Min(most, big.Sub(premium, most))))
}

// decidingPremium is the effective premium of the unit of gas at premiumIndex,
// zero if the block has less gas.
func decidingPremium(list []*SignedMessage, base abi.TokenAmount) abi.TokenAmount {
	type offer struct {
		premium abi.TokenAmount
		gas     int64
	}
	var offers []offer
	for _, m := range list {
		effective := big.Max(big.Zero(), big.Min(m.Message.GasPremium, big.Sub(m.Message.GasFeeCap, base)))
		offers = append(offers, offer{effective, m.Message.GasLimit})
	}
	slices.SortFunc(offers, func(a, b offer) int { return big.Cmp(b.premium, a.premium) })
	index := int64(premiumIndex)
	for _, o := range offers {
		if index < o.gas {
			return o.premium
		}
		index -= o.gas
	}
	return big.Zero()
}

func gasLimits(list []*SignedMessage) int64 {
	var sum int64
	for _, m := range list {
		sum += m.Message.GasLimit
	}
	return sum
}
