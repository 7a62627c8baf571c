package vigil_test

import (
	"testing"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
)

func TestAHindranceIsWhatTheChainWouldRefuseADeclarationFor(t *testing.T) {
	milli := func(n int64) abi.TokenAmount { return big.Mul(big.NewInt(n), big.NewInt(1e15)) }
	for _, c := range []struct {
		sentence string
		standing vigil.Standing
		epoch    abi.ChainEpoch
		want     string
	}{
		{"nothing is known", vigil.Standing{ConsensusFault: -1}, 0, ""},
		{"a debt that can be paid is paid by the declaration", vigil.Standing{Debt: milli(1500), Unlocked: milli(1500), ConsensusFault: -1}, 7, ""},
		{
			"a debt that cannot", vigil.Standing{Debt: milli(31500), Unlocked: milli(1000), ConsensusFault: -1}, 7,
			"the miner owes 31.5 FIL in fees and can pay 1 FIL of it, and the chain takes no recovery before all is paid: send at least 30.5 FIL to the miner's address",
		},
		{
			"more is locked than there is", vigil.Standing{Debt: big.NewInt(1), Unlocked: milli(-5), ConsensusFault: -1}, 7,
			"the miner owes 0.000000000000000001 FIL in fees and can pay 0 FIL of it, and the chain takes no recovery before all is paid: send at least 0.000000000000000001 FIL to the miner's address",
		},
		{
			"the last epoch of a consensus fault", vigil.Standing{ConsensusFault: 900}, 900,
			"the miner is punished for a consensus fault, and the chain takes no recovery before epoch 901: nothing but waiting helps, and it is declared then",
		},
		{"the one after it", vigil.Standing{ConsensusFault: 900}, 901, ""},
	} {
		if got := c.standing.Hindrance(c.epoch); got != c.want {
			t.Errorf("%s: %q, want %q", c.sentence, got, c.want)
		}
	}
}
