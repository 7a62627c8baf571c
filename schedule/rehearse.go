package schedule

import (
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// RehearseLeads are how many epochs before a deadline opens its sectors are read
// for random challenges, as its proof will read them: half a day before, when a
// disk can still be replaced, and a little more than an hour before, when a mount
// can still be mended. What is rehearsed later than the challenge is too late.
var RehearseLeads = []abi.ChainEpoch{150, 1440}

// Rehearsal says which deadline is to be rehearsed next, if any: the first of those
// that come within a lead and have not been rehearsed since. rehearsed gives the
// epoch at which a deadline was last, or a negative one if it never was; wanted says
// whether it has anything to rehearse.
func Rehearsal(current vigil.Deadline, epoch abi.ChainEpoch, wanted func(index uint64) bool, rehearsed func(index uint64) abi.ChainEpoch) (vigil.Deadline, bool) {
	for _, lead := range RehearseLeads {
		for n := range int(current.Count) {
			d := current.Plus(n + 1)
			if d.Open-epoch > lead {
				break
			}
			if epoch < d.Challenge && wanted(d.Index) && rehearsed(d.Index) < d.Open-lead {
				return d, true
			}
		}
	}
	return vigil.Deadline{}, false
}
