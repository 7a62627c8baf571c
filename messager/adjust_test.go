package messager

import (
	"testing"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
)

// Terms that no message could be sent on change nothing, and what is not said has its default.
func TestTermsAreTakenWholeOrNotAtAll(t *testing.T) {
	m, err := New(Config{Heads: struct{ vigil.Heads }{}, Node: struct{ vigil.MessageNode }{}, Signer: struct{ vigil.Signer }{}, Store: struct{ Storage }{}})
	if err != nil {
		t.Fatal(err)
	}
	most := abi.NewTokenAmount(7)
	for _, wrong := range []Terms{
		{MaxFee: most, GasOverPremium: -1},
		{MaxFee: most, ReplaceAfter: -1},
		{MaxFee: most, Budgets: map[vigil.DutyKind]Budget{vigil.KindPost: {PerDay: big.Sub(most, big.NewInt(1))}}},
	} {
		if m.Adjust(wrong) == nil || !m.Terms().MaxFee.Equals(defaultMaxFee) || !m.config().maxFee(vigil.KindPost).Equals(defaultMaxFee) {
			t.Errorf("%+v was taken: %+v", wrong, m.Terms())
		}
	}
	if err := m.Adjust(Terms{MaxFee: most, LowFeeCap: true}); err != nil {
		t.Fatal(err)
	}
	got := m.Terms()
	if !got.MaxFee.Equals(most) || !got.LowFeeCap || got.ReplaceAfter != 5 || got.Confidence != 5 || got.GasOverEstimation != 1 || got.GasOverPremium != 1 {
		t.Errorf("%+v", got)
	}
	if len(m.wake) != 1 {
		t.Error("the loop is not woken")
	}
}
