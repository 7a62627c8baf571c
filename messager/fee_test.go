package messager

import (
	"testing"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"pgregory.net/rapid"

	"github.com/vigil-post/vigil"
)

// play is a message that no tipset takes, from its first attempt to its end.
func play(t *rapid.T, gas vigil.Gas, terms terms, check func(before, after vigil.Gas)) vigil.Gas {
	since := terms.left
	for ; terms.left > 0; terms.left-- {
		if since-terms.left < pause(terms.left, terms.every) {
			continue
		}
		if higher, ok := reprice(gas, gas.Premium, terms); ok {
			check(gas, higher)
			gas, since = higher, terms.left
		}
	}
	return gas
}

func TestFeesStayWithinTheBudgetAndExhaustItBeforeTheEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		estimate := vigil.Gas{
			Limit:   rapid.Int64Range(1, blockGasLimit).Draw(t, "limit"),
			Premium: big.NewInt(rapid.Int64Range(0, 1<<50).Draw(t, "premium")),
			FeeCap:  big.NewInt(rapid.Int64Range(0, 1<<50).Draw(t, "fee cap")),
		}
		terms := terms{
			budget:  big.NewInt(rapid.Int64Range(0, 5e18).Draw(t, "budget")),
			left:    abi.ChainEpoch(rapid.Int64Range(3, 2880).Draw(t, "left")),
			every:   abi.ChainEpoch(rapid.Int64Range(1, 30).Draw(t, "every")),
			baseFee: big.NewInt(rapid.Int64Range(100, 1<<40).Draw(t, "base fee")),
			low:     rapid.Bool().Draw(t, "low"),
		}
		ceiling := terms.ceiling(estimate.Limit)
		gas, err := price(estimate, terms)
		if err != nil {
			if ceiling.GreaterThanEqual(big.NewInt(minFeeCap)) {
				t.Fatalf("refused with enough: %v", err)
			}
			return
		}
		check := func(before, gas vigil.Gas) {
			if gasCost(gas).GreaterThan(terms.budget) || gas.FeeCap.LessThan(gas.Premium) || gas.FeeCap.LessThan(big.NewInt(minFeeCap)) {
				t.Fatalf("gas %+v with a budget of %s", gas, terms.budget)
			}
			if need := leastReplacement(before.Premium); gas.Premium.LessThan(need) {
				t.Fatalf("premium %s after %s: a pool asks for %s", gas.Premium, before.Premium, need)
			}
			if gas.FeeCap.LessThan(before.FeeCap) {
				t.Fatalf("fee cap %s after %s", gas.FeeCap, before.FeeCap)
			}
		}
		check(vigil.Gas{Premium: big.NewInt(-100), FeeCap: big.Zero()}, gas)
		last := play(t, gas, terms, check)
		if leastReplacement(last.Premium).LessThanEqual(ceiling) {
			t.Fatalf("at the end the premium is %s, and the budget allows %s", last.Premium, ceiling)
		}
	})
}

// The pool's answers in the recording: 100474 was pending, 100475 was refused
// with "increase GasPremium to 110522", 126599 was taken.
func TestTheReplacementThatLotusAskedForIsOffered(t *testing.T) {
	last := vigil.Gas{Limit: 894203, FeeCap: big.NewInt(101528), Premium: big.NewInt(100474)}
	gas, ok := reprice(last, last.Premium, terms{budget: defaultMaxFee, left: 60, every: 5})
	if !ok || gas.Premium.LessThan(big.NewInt(110522)) {
		t.Errorf("%v, %v", gas, ok)
	}
}

func TestABudgetBelowTheLeastFeeCapIsAnError(t *testing.T) {
	if _, err := price(vigil.Gas{Limit: 1000, Premium: big.NewInt(1)}, terms{budget: big.NewInt(99_999)}); err == nil {
		t.Error("a fee cap of 99 was taken")
	}
	if _, err := price(vigil.Gas{}, terms{budget: defaultMaxFee}); err == nil {
		t.Error("a gas limit of 0 was taken")
	}
	gas, err := price(vigil.Gas{Limit: 1000, Premium: big.NewInt(500)}, terms{budget: big.NewInt(200_000)})
	if err != nil || !gas.Premium.Equals(big.NewInt(200)) {
		t.Errorf("the premium is cut to the fee cap: %v, %v", gas, err)
	}
}

func TestThePremiumThatAPoolAskedForIsOffered(t *testing.T) {
	last := vigil.Gas{Limit: 1000, FeeCap: big.NewInt(1e6), Premium: big.NewInt(100)}
	gas, ok := reprice(last, last.Premium, terms{budget: big.NewInt(1e9), left: 1000, every: 5, asked: big.NewInt(777)})
	if !ok || !gas.Premium.Equals(big.NewInt(777)) {
		t.Errorf("%v, %v", gas, ok)
	}
}

// Lotus' own table of over-estimations (chain/vm/burn_test.go) has these values.
func TestWhatIsPaidIsWhatLotusBurnsAndTips(t *testing.T) {
	for _, c := range []struct{ used, limit, burn int64 }{
		{100, 200, 90}, {100, 150, 20}, {1000, 1300, 60}, {500, 700, 60}, {200, 200, 0}, {20000, 21000, 0}, {0, 2000, 2000}, {500, 651, 30},
	} {
		all := vigil.Gas{Limit: c.limit, FeeCap: big.NewInt(1), Premium: big.Zero()}.Paid(c.used, big.NewInt(1))
		if got := all.Int64() - c.used; got != c.burn {
			t.Errorf("used %d of %d: burnt %d, want %d", c.used, c.limit, got, c.burn)
		}
	}
	gas := vigil.Gas{Limit: 200, FeeCap: big.NewInt(50), Premium: big.NewInt(20)}
	if got := paid(gas, 100, big.NewInt(10)); !got.Equals(big.NewInt(10*(100+90) + 20*200)) {
		t.Errorf("paid %s", got)
	}
	if got := paid(gas, 100, big.NewInt(40)); !got.Equals(big.NewInt(40*(100+90) + 10*200)) {
		t.Errorf("paid %s where the fee cap limits the tip", got)
	}
}
