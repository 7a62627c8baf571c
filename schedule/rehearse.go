package schedule

import (
	"slices"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// RehearseLeads are how many epochs before a deadline opens its sectors are read
// for random challenges, as its proof will read them: half a day before, when a
// disk can still be replaced, and a little more than an hour before, when a mount
// can still be mended. What is rehearsed later than the challenge is too late.
var RehearseLeads = []abi.ChainEpoch{150, 1440}

// Rehearsal says which deadline is to be rehearsed next with a lead, if any: the first of
// those that come within it and have not been rehearsed since. rehearsed gives the
// epoch at which a deadline was last, or a negative one if it never was; wanted says
// whether it has anything to rehearse.
func Rehearsal(lead abi.ChainEpoch, current vigil.Deadline, epoch abi.ChainEpoch, wanted func(index uint64) bool, rehearsed func(index uint64) abi.ChainEpoch) (vigil.Deadline, bool) {
	for n := range int(current.Count) {
		d := current.Plus(n + 1)
		if d.Open-epoch > lead {
			break
		}
		if epoch < d.Challenge && wanted(d.Index) && rehearsed(d.Index) < d.Open-lead {
			return d, true
		}
	}
	return vigil.Deadline{}, false
}

// RehearsalEnd is the epoch at which a rehearsal with a lead is given up: at the
// challenge, when the proof itself reads; and one far ahead after four windows, because
// others wait behind it, and there will be a nearer one.
func RehearsalEnd(lead abi.ChainEpoch, d vigil.Deadline, epoch abi.ChainEpoch) abi.ChainEpoch {
	if lead == slices.Min(RehearseLeads) {
		return d.Challenge
	}
	return min(d.Challenge, epoch+4*(d.Close-d.Open))
}
