package runner_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/forecast"
	"github.com/vigil-post/vigil/runner"
	"github.com/vigil-post/vigil/schedule"
)

// oneByOne is a prover that makes one proof after the other, and takes nearly as
// long for one partition as for any other.
type oneByOne struct {
	*world
	turn   chan struct{}
	random *rand.Rand // used by whoever has the turn
	each   time.Duration
}

func (p *oneByOne) Prove(ctx context.Context, r vigil.ProveRequest) ([]byte, error) {
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-p.turn }()
	r.Begun()
	partitions := time.Duration(len(r.Statement.Sectors)+1) / 2 // two 2 KiB sectors each
	share := 970 + time.Duration(p.random.IntN(60))             // a few percent more or less
	if err := wait(ctx, p.each*partitions*share/1000); err != nil {
		return nil, err
	}
	return p.world.Prove(ctx, r)
}

// Judged: what a day's forecast says of each deadline is what comes of it within a
// fifth, also of those that wait for others' proofs and those that nearly fill
// their window.
func TestADayIsForetoldFromTheDayBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.prove = func(context.Context) error { return nil }
		w.prover = &oneByOne{world: w, turn: make(chan struct{}, 1), random: rand.New(rand.NewPCG(7, 7)), each: 4 * time.Minute}
		w.slow = map[abi.SectorNumber]time.Duration{}
		sector := uint64(1)
		for deadline, partitions := range []int{1, 2, 3, 4, 6, 7, 0, 8} {
			for range partitions {
				w.add(uint64(deadline), sector, sector+1)
				w.slow[abi.SectorNumber(sector)] = time.Duration(20+sector%70) * time.Second
				sector += 2
			}
		}
		const day, pass = 2880, 8 * 60
		w.epoch = day - 30
		r := w.run(t, day+pass+20)
		plan := r.Forecast(0)
		w.epoch = 2*day - 30 // no other deadline has sectors
		w.run(t, 2*day+pass+20)

		done := map[abi.ChainEpoch]abi.ChainEpoch{}
		for _, d := range w.duties {
			done[d.ID.Open] = max(done[d.ID.Open], d.Took.Included)
		}
		late, shown := 0, r.Status().Miners[0].Deadlines
		for _, e := range plan.Deadlines {
			if f := shown[e.Deadline.Index].Forecast; f == nil || *f != *e.Forecast {
				t.Errorf("deadline %d is shown with %+v", e.Deadline.Index, f)
			}
			told, was := e.Forecast.Finish-e.Deadline.Open, done[e.Deadline.Open]-e.Deadline.Open
			if 5*max(told-was, was-told) > was {
				t.Errorf("deadline %d: finished %d epochs after it opened, foretold %d (%+v)", e.Deadline.Index, was, told, e.Forecast)
			}
			if was > 20 {
				late++
			}
		}
		if len(plan.Deadlines) != 7 || late < 3 {
			t.Errorf("%d deadlines were foretold, of %d it was not plain: the test shows too little", len(plan.Deadlines), late)
		}
	})
}

// A policy that was changed while the daemon runs is what forecasts go by, too.
func TestAForecastGoesByThePolicyThatIsInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2)
		var r *runner.Runner
		w.started = func(started *runner.Runner) { r = started }
		later := schedule.DefaultPolicy
		later.SubmitConfidence += 10
		w.at = map[abi.ChainEpoch]func(){closed + 7: func() { r.Adjust(runner.Adjustable{Policy: later, NoRehearsals: true}) }}
		w.run(t, closed+9)
		for _, list := range [][]forecast.Expected{r.Forecast(0).Deadlines, shown(r)} {
			if len(list) != 1 || list[0].Forecast == nil || list[0].Forecast.Finish < list[0].Deadline.Open+later.SubmitConfidence {
				t.Errorf("foretold: %+v", list)
			}
		}
	})
}

// shown gives the forecasts of the status.
func shown(r *runner.Runner) (list []forecast.Expected) {
	for _, d := range r.Status().Miners[0].Deadlines {
		if d.Forecast != nil {
			list = append(list, forecast.Expected{Deadline: d.Deadline, Forecast: d.Forecast})
		}
	}
	return list
}
