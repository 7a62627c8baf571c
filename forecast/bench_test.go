package forecast_test

import (
	"testing"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/forecast"
	"github.com/vigil-post/vigil/schedule"
)

// A hundred miners, each with a partition in every deadline and a day of history:
// pages wait for it.
func BenchmarkDeadlinesOfAHundredMiners(b *testing.B) {
	partitions := map[int]int{}
	var history []vigil.Duty
	for n := 100; n < 148; n++ {
		partitions[n] = 1
		history = append(history, past(n, 1, time.Minute, time.Minute))
	}
	var miners []forecast.Miner
	for i := range 100 {
		miners = append(miners, owes(abi.ActorID(1000+i), partitions, history...))
	}
	for b.Loop() {
		forecast.Deadlines(miners, now, forecast.Pace{Epoch: epoch, Policy: schedule.DefaultPolicy, AtOnce: 2})
	}
}
