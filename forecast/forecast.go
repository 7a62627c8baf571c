// Package forecast says when each deadline's proofs will be on chain, going by
// what earlier ones took. It is pure: it plays what the daemon does with the
// deadlines ahead.
//
//   - Work on a deadline begins StartConfidence epochs after its challenge: all
//     its sectors are read side by side.
//   - A batch that is read waits for a prover. Of those that wait, the one whose
//     deadline closes first comes next; at Close it is given up.
//   - The message is sent SubmitConfidence epochs after Open, or when the proof is
//     there, and is executed some epochs later.
//
// Proofs of all miners wait in one line. That two miners' sectors are read from
// one storage at the same time is not looked at: it is in what earlier reads took.
package forecast

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/partition"
	"github.com/vigil-post/vigil/schedule"
)

// Pace is how the daemon works.
type Pace struct {
	Epoch  time.Duration // the length of one
	Policy schedule.Policy
	AtOnce int // proofs that are made at the same time
}

// Miner is what one miner owes in the deadlines ahead, and what it has done.
type Miner struct {
	ID        abi.ActorID
	Deadlines []Deadline   // with something to prove, by Open
	History   []vigil.Duty // those that were proved say how long it took
}

// Deadline is one occurrence of a deadline and the batches it is proved in.
type Deadline struct {
	vigil.Deadline
	Batches []Batch
}

// Batch is what is proved and posted together.
type Batch struct {
	Partitions int
	Sectors    int
	State      vigil.DutyState // how far it has come
	Began      abi.ChainEpoch  // when work on it began, if it is going on
	Took       vigil.Took      // what is over of it
}

// Standing is how far the work on a deadline has come.
type Standing struct {
	Duties []vigil.Duty                // also of other deadlines
	Posted func(partition uint64) bool // by whomever, in this occurrence
	// Began says when work on a duty began that is going on; 0 if it is not.
	Began func(vigil.DutyID) abi.ChainEpoch
}

// Of gives a deadline with its batches: those of its duties, and of what no duty
// has yet, as schedule.Plan will cut it.
func Of(d vigil.Deadline, owes []Due, s Standing, policy schedule.Policy) Deadline {
	out := Deadline{Deadline: d}
	due, recovers := map[uint64]int{}, map[uint64]bool{}
	for _, o := range owes {
		due[o.Partition], recovers[o.Partition] = o.Sectors, o.Recovers
	}
	for _, duty := range s.Duties {
		if duty.ID.Kind != vigil.KindPost || duty.ID.Open != d.Open || duty.State == vigil.StateReplaced {
			continue
		}
		b := batch(duty.Partitions, due)
		b.State, b.Took, b.Began = duty.State, duty.Took, s.Began(duty.ID)
		out.Batches = append(out.Batches, b)
		for _, index := range duty.Partitions {
			delete(due, index)
		}
	}
	var left []uint64
	for _, o := range owes {
		if due[o.Partition] > 0 && !s.Posted(o.Partition) {
			left = append(left, o.Partition)
		}
	}
	for _, together := range policy.Batches(left, func(index uint64) bool { return recovers[index] }) {
		out.Batches = append(out.Batches, batch(together, due))
	}
	return out
}

func batch(partitions []uint64, due map[uint64]int) Batch {
	b := Batch{Partitions: len(partitions), State: vigil.StateScheduled}
	for _, index := range partitions {
		b.Sectors += due[index]
	}
	return b
}

// Due is how many sectors a partition's next proof covers.
type Due struct {
	Partition uint64
	Sectors   int
	Recovers  bool // some of them are faulty until that proof
}

// DueOf counts what partitions owe.
func DueOf(partitions []vigil.Partition) ([]Due, error) {
	due := make([]Due, len(partitions))
	for i, p := range partitions {
		set, err := partition.Due(p)
		if err != nil {
			return nil, err
		}
		n, err := set.Count()
		if err != nil {
			return nil, fmt.Errorf("partition %d: count what is due: %w", p.Index, err)
		}
		none, err := p.Recovering.IsEmpty()
		if err != nil {
			return nil, fmt.Errorf("partition %d: recovering sectors: %w", p.Index, err)
		}
		due[i] = Due{p.Index, int(n), !none}
	}
	return due, nil
}

// Plan is the forecast for all deadlines ahead.
type Plan struct {
	Now     abi.ChainEpoch `json:"now"`
	Time    time.Time      `json:"time"` // of that epoch
	Epoch   time.Duration  `json:"epoch"`
	Workers int            `json:"workers"` // proofs that are made at the same time
	// Enough is with how many workers the most deadlines fit. It is Workers
	// where more would not help.
	Enough    int        `json:"enough"`
	Deadlines []Expected `json:"deadlines"` // by Open
}

// Expected is what is expected of a deadline.
type Expected struct {
	Miner      string         `json:"miner"`
	Deadline   vigil.Deadline `json:"deadline"`
	Partitions int            `json:"partitions"`
	Sectors    int            `json:"sectors"`
	Done       bool           `json:"done,omitempty"` // all of it is on chain
	// Forecast is nil while nothing of the miner was proved that tells how long it takes.
	Forecast *vigil.Forecast `json:"forecast,omitempty"`
}

// Make forecasts all miners' deadlines as they stand at the epoch now.
func Make(miners []Miner, now abi.ChainEpoch, pace Pace) Plan {
	plan := Plan{Now: now, Epoch: pace.Epoch, Workers: pace.AtOnce, Deadlines: expect(miners, now, pace)}
	plan.Enough = enough(miners, now, pace, fitting(plan.Deadlines))
	return plan
}

// Deadlines is Make's list alone.
func Deadlines(miners []Miner, now abi.ChainEpoch, pace Pace) []Expected {
	return expect(miners, now, pace)
}

func fitting(list []Expected) (n int) {
	for _, e := range list {
		if e.Forecast != nil && e.Forecast.Fits {
			n++
		}
	}
	return n
}

// enough is the smallest number of workers with which as many deadlines fit as
// with any number of them.
func enough(miners []Miner, now abi.ChainEpoch, pace Pace, fits int) int {
	batches := 0
	for _, m := range miners {
		for _, d := range m.Deadlines {
			batches += len(d.Batches)
		}
	}
	with := func(n int) int {
		p := pace
		p.AtOnce = n
		return fitting(expect(miners, now, p))
	}
	low, high := pace.AtOnce, max(batches, pace.AtOnce)
	best := with(high)
	if best <= fits {
		return pace.AtOnce
	}
	for low+1 < high {
		if middle := (low + high) / 2; with(middle) >= best {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}

// expect plays the deadlines twice: at the usual pace, and at the pace of the slowest tenth.
func expect(miners []Miner, now abi.ChainEpoch, pace Pace) []Expected {
	usual, slow := newPlay(miners, now, pace, median), newPlay(miners, now, pace, ninth)
	usual.run()
	slow.run()
	list := make([]Expected, 0, len(usual.acts))
	for i, a := range usual.acts {
		e := a.expected()
		if e.Forecast != nil {
			e.Forecast.Slow = slow.acts[i].finish()
			e.Forecast.Why = a.why(e.Forecast.Slow)
		}
		list = append(list, e)
	}
	slices.SortStableFunc(list, func(a, b Expected) int {
		return cmp.Or(cmp.Compare(a.Deadline.Open, b.Deadline.Open), cmp.Compare(a.Miner, b.Miner))
	})
	return list
}
