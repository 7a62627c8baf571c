package vigil

import (
	"fmt"
	"strings"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
)

// Standing is what a miner owes the chain, which takes no declaration of
// recovered sectors from one that cannot pay or is punished.
type Standing struct {
	Debt     abi.TokenAmount // fees that its balance was too low for
	Unlocked abi.TokenAmount // the part of its balance that could pay them
	// ConsensusFault is the last epoch in which it is punished for a fault in
	// making blocks; -1 if there was none.
	ConsensusFault abi.ChainEpoch
}

// Hindrance says why the chain would refuse a declaration of recovered sectors
// at an epoch, and what to do; it is empty where nothing is in the way. The
// rules are those of declare_faults_recovered (builtin-actors,
// actors/miner/src/lib.rs): the whole debt is paid first, out of what is not
// locked, and no recovery is declared up to the fault's end.
func (s Standing) Hindrance(epoch abi.ChainEpoch) string {
	switch {
	case s.Debt.Int != nil && s.Debt.Sign() > 0 && s.Debt.GreaterThan(orNone(s.Unlocked)):
		return fmt.Sprintf("the miner owes %s in fees and can pay %s of it, and the chain takes no recovery before all is paid: send at least %s to the miner's address",
			InFIL(s.Debt), InFIL(orNone(s.Unlocked)), InFIL(big.Sub(s.Debt, orNone(s.Unlocked))))
	case epoch <= s.ConsensusFault:
		return fmt.Sprintf("the miner is punished for a consensus fault, and the chain takes no recovery before epoch %d: nothing but waiting helps, and it is declared then", s.ConsensusFault+1)
	}
	return ""
}

func orNone(a abi.TokenAmount) abi.TokenAmount {
	if a.Int == nil || a.Sign() < 0 {
		return big.Zero()
	}
	return a
}

// InFIL writes an amount so that people can send it: in FIL, with all its digits.
func InFIL(a abi.TokenAmount) string {
	digits := fmt.Sprintf("%019s", a.String())
	whole, part := digits[:len(digits)-18], strings.TrimRight(digits[len(digits)-18:], "0")
	if part == "" {
		return whole + " FIL"
	}
	return whole + "." + part + " FIL"
}
