package messager

import (
	"fmt"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
)

// The fee of a message, per unit of gas, is at most its fee cap: the base fee
// of the block that takes it is burnt, and the block's miner gets
//
//	min(premium, fee cap − base fee)
//
// So a high fee cap costs nothing while the base fee is low; it is insurance
// against a rise before the deadline closes. Therefore, for a budget B
// (attoFIL, the most a message may cost) and an estimate (L, P) of gas limit
// and premium:
//
//	fee cap = ⌊B / L⌋
//	premium = min(P, fee cap)
//
// and of each replacement at the same nonce, from the attempt before it
// (nodes ask for ⌊1.10 P⌋ + 1 at least, and advise 1.25):
//
//	premium' = ⌊1.25 premium⌋ + 1
//	fee cap' = max(fee cap, ⌊B / L⌋)
//
// as long as premium' ≤ fee cap'. The budget is never exceeded: L · fee cap ≤ B.

// minFeeCap is the least fee cap that a pool takes.
const minFeeCap = 100

// price gives the first attempt's gas.
func price(estimate vigil.Gas, budget abi.TokenAmount) (vigil.Gas, error) {
	if estimate.Limit <= 0 {
		return vigil.Gas{}, fmt.Errorf("a gas limit of %d", estimate.Limit)
	}
	feeCap := big.Div(budget, big.NewInt(estimate.Limit))
	if feeCap.LessThan(big.NewInt(minFeeCap)) {
		return vigil.Gas{}, fmt.Errorf("%s attoFIL are too little for %d gas", budget, estimate.Limit)
	}
	return vigil.Gas{Limit: estimate.Limit, FeeCap: feeCap, Premium: big.Min(amount(estimate.Premium), feeCap)}, nil
}

// reprice gives a replacement's gas, or false when the budget allows no more.
func reprice(last vigil.Gas, budget abi.TokenAmount) (vigil.Gas, bool) {
	premium := big.Add(big.Div(big.Mul(last.Premium, big.NewInt(5)), big.NewInt(4)), big.NewInt(1))
	feeCap := big.Max(last.FeeCap, big.Div(budget, big.NewInt(last.Limit)))
	if premium.GreaterThan(feeCap) {
		return vigil.Gas{}, false
	}
	return vigil.Gas{Limit: last.Limit, FeeCap: feeCap, Premium: premium}, true
}

// cost is the most that a message can take from its sender.
func cost(m vigil.SignedMessage) abi.TokenAmount {
	return big.Add(gasCost(m.Gas), amount(m.Value))
}

func gasCost(g vigil.Gas) abi.TokenAmount {
	return big.Mul(amount(g.FeeCap), big.NewInt(g.Limit))
}

// least is what a message costs when the next block takes it at the base fee.
func least(g vigil.Gas, baseFee abi.TokenAmount) abi.TokenAmount {
	return big.Mul(big.Add(amount(baseFee), amount(g.Premium)), big.NewInt(g.Limit))
}

// amount makes the zero value a zero.
func amount(a abi.TokenAmount) abi.TokenAmount {
	if a.Nil() {
		return big.Zero()
	}
	return a
}

// Gas when a node cannot estimate and no earlier message tells: generous,
// because a limit too low loses the message and one too high costs little. The
// largest window posts use a few hundred million of a block's ten billion.
const (
	guessedLimit   = 1_000_000_000
	guessedPremium = 200_000
	blockGasLimit  = 10_000_000_000
)

// guess is the gas of a call that could not be estimated, from the last
// confirmed message of its kind, if there is one.
func guess(last *vigil.Gas, baseFee abi.TokenAmount) vigil.Gas {
	gas := vigil.Gas{Limit: guessedLimit, Premium: big.NewInt(guessedPremium)}
	if last != nil {
		gas.Limit = min(last.Limit+last.Limit/2, blockGasLimit)
		gas.Premium = big.Max(gas.Premium, amount(last.Premium))
	}
	gas.FeeCap = big.Add(big.Mul(amount(baseFee), big.NewInt(10)), gas.Premium) // as nodes do: a rise for 20 epochs
	return gas
}
