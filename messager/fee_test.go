package messager

import (
	"testing"

	"github.com/filecoin-project/go-state-types/big"
	"pgregory.net/rapid"

	"github.com/vigil-post/vigil"
)

func TestFeesStayWithinTheBudgetAndReplacementsAreTakenByThePool(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		estimate := vigil.Gas{
			Limit:   rapid.Int64Range(1, blockGasLimit).Draw(t, "limit"),
			Premium: big.NewInt(rapid.Int64Range(0, 1<<50).Draw(t, "premium")),
		}
		budget := big.NewInt(rapid.Int64Range(0, 5e18).Draw(t, "budget"))
		gas, err := price(estimate, budget)
		if err != nil {
			if big.Div(budget, big.NewInt(estimate.Limit)).GreaterThanEqual(big.NewInt(minFeeCap)) {
				t.Fatalf("refused with enough: %v", err)
			}
			return
		}
		for range 80 {
			if gasCost(gas).GreaterThan(budget) || gas.FeeCap.LessThan(gas.Premium) || gas.FeeCap.LessThan(big.NewInt(minFeeCap)) {
				t.Fatalf("gas %+v with a budget of %s", gas, budget)
			}
			higher, ok := reprice(gas, budget)
			if !ok {
				return
			}
			need := big.Add(big.Div(big.Mul(gas.Premium, big.NewInt(110)), big.NewInt(100)), big.NewInt(1))
			if higher.Premium.LessThan(need) {
				t.Fatalf("premium %s after %s: a pool asks for %s", higher.Premium, gas.Premium, need)
			}
			gas = higher
		}
	})
}

// The pool's answers in the recording: 100474 was pending, 100475 was refused
// with "increase GasPremium to 110522", 126599 was taken.
func TestTheReplacementThatLotusAskedForIsOffered(t *testing.T) {
	last := vigil.Gas{Limit: 894203, FeeCap: big.NewInt(101528), Premium: big.NewInt(100474)}
	gas, ok := reprice(last, defaultMaxFee)
	if !ok || gas.Premium.LessThan(big.NewInt(110522)) {
		t.Errorf("%v, %v", gas, ok)
	}
}

func TestABudgetBelowTheLeastFeeCapIsAnError(t *testing.T) {
	if _, err := price(vigil.Gas{Limit: 1000, Premium: big.NewInt(1)}, big.NewInt(99_999)); err == nil {
		t.Error("a fee cap of 99 was taken")
	}
	if _, err := price(vigil.Gas{}, defaultMaxFee); err == nil {
		t.Error("a gas limit of 0 was taken")
	}
	gas, err := price(vigil.Gas{Limit: 1000, Premium: big.NewInt(500)}, big.NewInt(200_000))
	if err != nil || !gas.Premium.Equals(big.NewInt(200)) {
		t.Errorf("the premium is cut to the fee cap: %v, %v", gas, err)
	}
}
