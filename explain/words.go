package explain

import (
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
)

// FIL writes an amount as people read it: in FIL, nanoFIL or attoFIL,
// whichever takes the fewest zeros, with four digits.
func FIL(a abi.TokenAmount) string {
	a = amount(a)
	for _, unit := range []struct {
		name string
		size int64
	}{{"FIL", 1e18}, {"nanoFIL", 1e9}} {
		if a.CmpAbs(big.NewInt(unit.size/1000)) >= 0 {
			return short(new(big.Rat).SetFrac(a.Int, big.NewInt(unit.size))) + " " + unit.name
		}
	}
	return a.String() + " attoFIL"
}

// short writes a number with four digits after the point and without its last zeros.
func short(r *big.Rat) string {
	return strings.TrimSuffix(strings.TrimRight(r.FloatString(4), "0"), ".")
}

// span is a number of epochs, with how long that is where it is known.
func span(n abi.ChainEpoch, epoch time.Duration) string {
	text := fmt.Sprintf("%d epochs", n)
	if n == 1 {
		text = "1 epoch"
	}
	if epoch <= 0 {
		return text
	}
	d := time.Duration(n) * epoch
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%s (%d days)", text, d/(24*time.Hour))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%s (%d hours)", text, d/time.Hour)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%s (%d minutes)", text, d/time.Minute)
	}
	return fmt.Sprintf("%s (%s)", text, d.Round(time.Second))
}
