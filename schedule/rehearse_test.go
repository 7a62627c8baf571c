package schedule_test

import (
	"testing"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/schedule"
)

func deadlineAt(epoch abi.ChainEpoch) vigil.Deadline {
	n := epoch / 60
	return vigil.Deadline{Index: uint64(n) % 48, Count: 48, FaultCutoff: n*60 - 70, Challenge: n*60 - 20, Open: n * 60, Close: n*60 + 60}
}

// A law: who rehearses what is due, one deadline an epoch, has rehearsed every
// deadline twice before its challenge, the second time so late that a fault of two
// hours before is seen, and no deadline without sectors.
func TestEveryDeadlineIsRehearsedTwiceBeforeItsChallenge(t *testing.T) {
	last := map[uint64]abi.ChainEpoch{}
	times := map[uint64][]abi.ChainEpoch{}
	wanted := func(index uint64) bool { return index != 5 }
	rehearsed := func(index uint64) abi.ChainEpoch {
		if at, ok := last[index]; ok {
			return at
		}
		return -1
	}
	const first, end = 10_000, 10_000 + 3*2880
	for epoch := abi.ChainEpoch(first); epoch < end; epoch++ {
		for _, lead := range schedule.RehearseLeads {
			d, ok := schedule.Rehearsal(lead, deadlineAt(epoch), epoch, wanted, rehearsed)
			if !ok {
				continue
			}
			if end := schedule.RehearsalEnd(lead, d, epoch); end <= epoch || end > d.Challenge || end > epoch+240 {
				t.Fatalf("a rehearsal begun %d epochs before its deadline may last %d", d.Open-epoch, end-epoch)
			}
			if epoch >= d.Challenge || d.Index == 5 {
				t.Fatalf("deadline %d is rehearsed at %d", d.Index, epoch-d.Open)
			}
			last[d.Index] = epoch
			times[d.Index] = append(times[d.Index], epoch)
		}
		d := deadlineAt(epoch).Plus(1)
		if epoch != d.Challenge || epoch < first+1500 || d.Index == 5 {
			continue
		}
		early, late := 0, 0
		for _, at := range times[d.Index] {
			switch before := d.Open - at; {
			case before <= 240 && before > 20:
				late++
			case before <= 1440:
				early++
			}
		}
		if early != 1 || late != 1 {
			t.Fatalf("deadline %d was rehearsed %d times early and %d times late before its challenge at %d", d.Index, early, late, epoch)
		}
	}
}
