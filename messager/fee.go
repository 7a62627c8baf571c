package messager

import (
	"fmt"
	"math"
	gobig "math/big"

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
// against a rise before the deadline closes. A premium is paid. Therefore,
// with a budget B (attoFIL, the most a message may cost), and an estimate (L,
// P, F) of gas limit, premium and fee cap, the first attempt has
//
//	C        = ⌊B / L⌋                    the ceiling
//	premium₁ = min(P, C)
//	fee cap₁ = C                          (maximize_fee_cap, as in lotus)
//	         | min(C, max(F, 100))        (otherwise)
//
// and each replacement at the same nonce climbs from the highest premium p that
// a node may have of the message, by as many equal ratios as there will be
// replacements until spare epochs before Expires. With e epochs left and a
// replacement every w(e) = max(1, min(ReplaceAfter, e/4)) epochs,
//
//	k        = max(1, ⌈(e − spare) / w(e)⌉)
//	premium' = min(C, max(⌊1.10 p⌋ + 1, asked, ⌊p · (C/p)^(1/k)⌋))
//	fee cap' = C | min(C, max(fee cap, 2 · base fee + premium', ⌊f · (C/f)^(1/k)⌋))
//
// where ⌊1.10 p⌋ + 1 is the network's least for a replacement, asked what a
// pool's refusal named, and f the last fee cap. At k = 1 the premium is C:
// the budget is exhausted before Expires and not after, and L · fee cap ≤ B always.

const (
	// minFeeCap is the least fee cap that a pool takes.
	minFeeCap = 100
	// spare is how many epochs before its end a message has all its budget.
	spare abi.ChainEpoch = 5
)

// terms is what a price depends on, beside the gas.
type terms struct {
	budget  abi.TokenAmount
	left    abi.ChainEpoch // until the message expires
	every   abi.ChainEpoch // epochs between replacements
	baseFee abi.TokenAmount
	low     bool            // the fee cap follows the base fee
	asked   abi.TokenAmount // the premium that a pool asked for, or none
}

// ceiling is the most a unit of gas may cost.
func (t terms) ceiling(limit int64) abi.TokenAmount {
	return big.Div(t.budget, big.NewInt(max(1, limit)))
}

// pause is how many epochs an attempt is given before it is replaced.
func pause(left, every abi.ChainEpoch) abi.ChainEpoch { return max(1, min(every, left/4)) }

// steps is how many replacements there will be, this one included.
func (t terms) steps() int64 {
	w := pause(t.left, t.every)
	return max(1, int64((t.left-spare+w-1)/w))
}

// price gives the first attempt's gas.
func price(estimate vigil.Gas, t terms) (vigil.Gas, error) {
	if estimate.Limit <= 0 || estimate.Limit > blockGasLimit {
		return vigil.Gas{}, fmt.Errorf("a gas limit of %d, and a block has %d: a message for fewer partitions or sectors needs less", estimate.Limit, int64(blockGasLimit))
	}
	ceiling := t.ceiling(estimate.Limit)
	if ceiling.LessThan(big.NewInt(minFeeCap)) {
		return vigil.Gas{}, fmt.Errorf("%s attoFIL are too little for %d gas", t.budget, estimate.Limit)
	}
	gas := vigil.Gas{Limit: estimate.Limit, FeeCap: ceiling, Premium: big.Min(amount(estimate.Premium), ceiling)}
	if t.low {
		gas.FeeCap = big.Min(ceiling, big.Max(big.Max(amount(estimate.FeeCap), gas.Premium), big.NewInt(minFeeCap)))
	}
	return gas, nil
}

// reprice gives a replacement's gas, where highest is the highest premium that
// a node may have of the message, or false when the budget allows no more.
func reprice(last vigil.Gas, highest abi.TokenAmount, t terms) (vigil.Gas, bool) {
	ceiling, k := t.ceiling(last.Limit), t.steps()
	least := big.Max(leastReplacement(highest), amount(t.asked))
	if least.GreaterThan(ceiling) {
		return vigil.Gas{}, false
	}
	gas := vigil.Gas{Limit: last.Limit, Premium: big.Min(ceiling, big.Max(least, climb(highest, ceiling, k))), FeeCap: ceiling}
	if t.low {
		follow := big.Add(big.Mul(amount(t.baseFee), big.NewInt(2)), gas.Premium)
		gas.FeeCap = big.Min(ceiling, big.Max(big.Max(last.FeeCap, follow), climb(last.FeeCap, ceiling, k)))
	}
	return gas, true
}

// thrifty is a replacement for a pool that says the sender cannot pay for the
// last: as little as pools replace for, and as the next tipsets ask.
func thrifty(gas vigil.Gas, highest abi.TokenAmount, t terms) vigil.Gas {
	gas.Premium = big.Min(gas.Premium, big.Max(leastReplacement(highest), amount(t.asked)))
	follow := big.Add(big.Mul(amount(t.baseFee), big.NewInt(2)), gas.Premium)
	gas.FeeCap = big.Min(gas.FeeCap, big.Max(follow, big.NewInt(minFeeCap)))
	return gas
}

// leastReplacement is the least premium with which the network's pools replace
// one: ⌊1.10 p⌋ + 1.
func leastReplacement(premium abi.TokenAmount) abi.TokenAmount {
	return big.Add(big.Div(big.Mul(premium, big.NewInt(11)), big.NewInt(10)), big.NewInt(1))
}

// climb is ⌊from · (to/from)^(1/k)⌋, and to at the last step.
func climb(from, to abi.TokenAmount, k int64) abi.TokenAmount {
	if k <= 1 {
		return to
	}
	from = big.Max(from, big.NewInt(1))
	a, _ := new(gobig.Float).SetInt(from.Int).Float64()
	b, _ := new(gobig.Float).SetInt(to.Int).Float64()
	if b <= a {
		return to
	}
	step, _ := new(gobig.Float).SetFloat64(a * math.Pow(b/a, 1/float64(k))).Int(nil)
	return big.Min(to, big.NewFromGo(step))
}

// worst is the most that a message can take from its sender for its gas: of
// its attempts at its present nonce only one can be executed.
func worst(m vigil.Message) abi.TokenAmount {
	most := big.Zero()
	for _, a := range m.Attempts {
		if isCurrent(m, a) {
			most = big.Max(most, gasCost(a.Signed.Gas))
		}
	}
	return most
}

func gasCost(g vigil.Gas) abi.TokenAmount {
	return big.Mul(amount(g.FeeCap), big.NewInt(g.Limit))
}

// least is what a message costs when the next block takes it at the base fee.
func least(g vigil.Gas, baseFee abi.TokenAmount) abi.TokenAmount {
	return big.Mul(big.Add(amount(baseFee), amount(g.Premium)), big.NewInt(g.Limit))
}

// paid is what an execution took from the sender for gas.
func paid(g vigil.Gas, used int64, baseFee abi.TokenAmount) abi.TokenAmount {
	return g.Paid(used, baseFee)
}

func amount(a abi.TokenAmount) abi.TokenAmount {
	if a.Nil() {
		return big.Zero()
	}
	return a
}

// Gas when a node cannot estimate and no earlier message tells: generous,
// because a limit too low loses the message and one too high costs little. The
// largest window posts use a few hundred million of a block's ten billion. A
// send of nothing uses about 0.7 million.
const (
	guessedLimit   = 1_000_000_000
	guessedPremium = 200_000
	blockGasLimit  = 10_000_000_000
	sendLimit      = 2_000_000
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

// scaled is an amount of gas or premium times an operator's factor.
func scaled(n abi.TokenAmount, factor float64) abi.TokenAmount {
	return big.Div(big.Mul(n, big.NewInt(int64(math.Round(factor*1e6)))), big.NewInt(1e6))
}
