package app

import (
	"fmt"
	"os"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil/devnet"
)

// A node that is alone and fails one call in ten, or in three: fifty calls make
// the first picture of the chain, ten a later one, and a failed call spoils the
// picture. Nothing is missed.
func TestALoneNodeThatFailsSomeCallsCostsNothing(t *testing.T) {
	for _, share := range []float64{0.1, 0.3} {
		t.Run(fmt.Sprint(share), func(t *testing.T) {
			notUnderRace(t)
			deadlines := uint64(2)
			f, _ := newScene(t, flockOf{sectors: 92})
			if share > 0.1 {
				if os.Getenv("VIGIL_LONG") == "" {
					t.Skip("it takes a minute; VIGIL_LONG=1 runs it")
				}
				deadlines, f.patience = 3, 2*flockEpoch // a picture that fails is not waited for
			}
			if err := f.chain.Fail(devnet.Fault{Kind: devnet.FaultError, Share: share}); err != nil {
				t.Fatal(err)
			}
			f.restart()
			f.to(firstDeadline + abi.ChainEpoch(deadlines)*60 + 2)
			if hits := f.chain.Faults()[0].Hits; hits < 50 {
				t.Errorf("only %d calls failed", hits)
			}
			f.want("the deadlines", deadlines, 0)
		})
	}
}
