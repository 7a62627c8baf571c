package runner

import (
	"maps"
	"slices"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/forecast"
	"github.com/vigil-post/vigil/schedule"
)

// outlook is what forecasts are made of, and which of it those on the board are of:
// they are made when somebody looks. The board's mutex guards it.
type outlook struct {
	miners  map[abi.ActorID]forecast.Miner
	changes uint64 // of miners
	made    uint64 // the change that the forecasts on the board are of,
	workers int    // and for how many proofs at a time
}

// pace is how this daemon works now.
func (r *Runner) pace(epoch time.Duration) forecast.Pace {
	p := forecast.Pace{Epoch: epoch, Policy: r.Policy(), AtOnce: 1}
	if r.cfg.AtOnce != nil {
		p.AtOnce = max(1, r.cfg.AtOnce())
	}
	return p
}

// owed is what the miner owes from now on, for a whole proving period.
func (m *miner) owed(view schedule.View, current vigil.Deadline) forecast.Miner {
	owed := forecast.Miner{ID: m.id, History: view.Duties}
	for n := range len(m.layout.deadlines) {
		d := current.Plus(n)
		standing := forecast.Standing{Duties: view.Duties, Posted: postedIn(view, d.Open), Began: m.began}
		owed.Deadlines = append(owed.Deadlines, forecast.Of(d, m.layout.due[d.Index], standing, m.cfg.Policy))
	}
	return owed
}

// postedIn says which partitions are posted in a deadline's occurrence.
func postedIn(view schedule.View, open abi.ChainEpoch) func(uint64) bool {
	posted := map[uint64]bool{}
	for _, d := range view.Deadlines {
		for _, p := range d.Partitions {
			posted[p.Index] = posted[p.Index] || d.Open == open && p.Posted
		}
	}
	return func(index uint64) bool { return posted[index] }
}

// began is when the work on a duty's proof began that is going on.
func (m *miner) began(id vigil.DutyID) abi.ChainEpoch {
	if j, busy := m.running[id]; busy && j.task.Verb == schedule.Prove {
		return j.began
	}
	return 0
}

// take takes in what a miner owes now. The caller holds the mutex.
func (o *outlook) take(owed forecast.Miner) {
	if o.miners == nil {
		o.miners = map[abi.ActorID]forecast.Miner{}
	}
	o.miners[owed.ID] = owed
	o.changes++
}

// owed gives what is owed by all miners; the caller holds the mutex.
func (b *board) owed() []forecast.Miner {
	var list []forecast.Miner
	for _, id := range slices.Sorted(maps.Keys(b.ahead.miners)) {
		list = append(list, b.ahead.miners[id])
	}
	return list
}

// foresee sees to it that the forecasts on the board are of what is known. Nobody
// waits for it but who looks: it is computed without the mutex.
func (r *Runner) foresee() {
	b := &r.board
	b.mu.Lock()
	pace := r.pace(b.status.Delay)
	miners, head, change := b.owed(), b.status.Head, b.ahead.changes
	current := b.ahead.made == change && b.ahead.workers == pace.AtOnce
	b.mu.Unlock()
	if !current {
		b.foretell(forecast.Deadlines(miners, head, pace), change, pace.AtOnce)
	}
}

// foretell puts forecasts on the board.
func (b *board) foretell(list []forecast.Expected, change uint64, workers int) {
	type place struct {
		miner string
		open  abi.ChainEpoch
	}
	found := map[place]*vigil.Forecast{}
	for _, e := range list {
		found[place{e.Miner, e.Deadline.Open}] = e.Forecast
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ahead.made, b.ahead.workers = change, workers
	miners := slices.Clone(b.status.Miners)
	for i := range miners {
		miners[i].Deadlines = slices.Clone(miners[i].Deadlines)
		for j, d := range miners[i].Deadlines {
			miners[i].Deadlines[j].Forecast = found[place{miners[i].Miner, d.Deadline.Open}]
		}
	}
	b.status.Miners = miners
}

// Forecast is what is expected of all miners' deadlines in the proving period
// ahead, with so many proofs made at the same time; 0 is as many as there are.
func (r *Runner) Forecast(workers int) forecast.Plan {
	r.board.mu.Lock()
	miners, s := r.board.owed(), r.board.status
	r.board.mu.Unlock()
	pace := r.pace(s.Delay)
	if workers > 0 {
		pace.AtOnce = workers
	}
	plan := forecast.Make(miners, s.Head, pace)
	plan.Time = s.HeadTime
	return plan
}
