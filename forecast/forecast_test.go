package forecast_test

import (
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/forecast"
	"github.com/vigil-post/vigil/schedule"
)

const (
	now   = abi.ChainEpoch(6000) // deadline 4 opens
	epoch = 30 * time.Second
	full  = 2349
	form  = abi.RegisteredPoStProof_StackedDrgWindow32GiBV1_1
)

func deadline(n int) vigil.Deadline {
	open := abi.ChainEpoch(n) * 60
	return vigil.Deadline{Index: uint64(n) % 48, Count: 48, FaultCutoff: open - 70, Challenge: open - 20, Open: open, Close: open + 60}
}

// owes is a miner that has a deadline in each of the windows, of so many partitions.
func owes(id abi.ActorID, partitions map[int]int, history ...vigil.Duty) forecast.Miner {
	m := forecast.Miner{ID: id, History: history}
	for n := 100; n < 148; n++ {
		d := forecast.Deadline{Deadline: deadline(n)}
		for left := partitions[n]; left > 0; left -= 3 {
			d.Batches = append(d.Batches, forecast.Batch{Partitions: min(3, left), Sectors: full * min(3, left), State: vigil.StateScheduled})
		}
		m.Deadlines = append(m.Deadlines, d)
	}
	return m
}

// past is a post of yesterday.
func past(n, partitions int, read, prove time.Duration) vigil.Duty {
	d := deadline(n - 48)
	return vigil.Duty{
		ID: vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: d.Open}, Deadline: d, State: vigil.StateConfirmed,
		Took: vigil.Took{ProofType: form, Sectors: full * partitions, Began: d.Challenge + 1, Read: read, Prove: prove, Submitted: d.Open + 4, Included: d.Open + 6},
	}
}

func make1(t *testing.T, atOnce int, miners ...forecast.Miner) forecast.Plan {
	t.Helper()
	return forecast.Make(miners, now, forecast.Pace{Epoch: epoch, Policy: schedule.DefaultPolicy, AtOnce: atOnce})
}

func TestWhatIsExpectedOfADeadline(t *testing.T) {
	minutes := func(n int) time.Duration { return time.Duration(n) * time.Minute }
	for name, c := range map[string]struct {
		atOnce  int
		history []vigil.Duty
		owed    map[int]int
		finish  map[int]abi.ChainEpoch // since Open
		why     string
	}{
		"a proof that is there before Open is sent after it": {
			1, []vigil.Duty{past(110, 1, minutes(1), minutes(5))}, map[int]int{110: 1}, map[int]abi.ChainEpoch{110: 4 + 2}, "from one post",
		},
		"one that takes longer is sent when it is there": {
			1, []vigil.Duty{past(110, 1, minutes(2), minutes(20))}, map[int]int{110: 1}, map[int]abi.ChainEpoch{110: -19 + 44 + 2}, "",
		},
		"batches of a deadline wait for each other": {
			1, []vigil.Duty{past(110, 3, minutes(2), minutes(10))}, map[int]int{110: 6}, map[int]abi.ChainEpoch{110: -19 + 8 + 40 + 2}, "",
		},
		"and do not with a prover each": {
			2, []vigil.Duty{past(110, 3, minutes(2), minutes(10))}, map[int]int{110: 6}, map[int]abi.ChainEpoch{110: -19 + 8 + 20 + 2}, "reading as of 7047 sectors, scaled to 14094",
		},
		"a size that was never proved is scaled, and it is said": {
			1, []vigil.Duty{past(110, 1, minutes(1), minutes(10))}, map[int]int{110: 3}, map[int]abi.ChainEpoch{110: -19 + 6 + 60 + 2}, "proving as of 1 partitions, scaled to 3",
		},
		"a deadline waits for the one before": {
			1, []vigil.Duty{past(110, 1, minutes(1), minutes(30))}, map[int]int{110: 1, 111: 1, 112: 1},
			map[int]abi.ChainEpoch{110: -19 + 2 + 60 + 2, 111: -19 + 2 + 60 + 2, 112: 45}, "",
		},
		"what takes longer than there is does not fit": {
			1, []vigil.Duty{past(110, 1, minutes(10), minutes(45))}, map[int]int{110: 1}, map[int]abi.ChainEpoch{110: -19 + 20 + 90 + 2}, "its proofs take 45m0s after 10m0s of reading, and there are 39m30s",
		},
		"a slow day makes it tight": {
			1, []vigil.Duty{past(108, 1, minutes(2), minutes(20)), past(109, 1, minutes(2), minutes(20)), past(110, 1, minutes(2), minutes(38))},
			map[int]int{110: 1}, map[int]abi.ChainEpoch{110: -19 + 44 + 2}, "it is tight",
		},
	} {
		t.Run(name, func(t *testing.T) {
			plan := make1(t, c.atOnce, owes(1000, c.owed, c.history...))
			if len(plan.Deadlines) != len(c.owed) {
				t.Fatalf("%d deadlines are forecast, of %d with something to prove", len(plan.Deadlines), len(c.owed))
			}
			for _, e := range plan.Deadlines {
				f := e.Forecast
				if got, want := f.Finish-e.Deadline.Open, c.finish[int(e.Deadline.Open/60)]; got != want {
					t.Errorf("deadline %d is finished %d epochs after it opens, want %d (%+v)", e.Deadline.Index, got, want, f)
				}
				if f.Fits != (f.Finish < e.Deadline.Close) || f.Slow < f.Finish {
					t.Errorf("%+v", f)
				}
				if !strings.Contains(f.Why, c.why) {
					t.Errorf("why: %q, want %q in it", f.Why, c.why)
				}
			}
		})
	}
}

func TestWithoutHistoryNothingIsForetold(t *testing.T) {
	plan := make1(t, 1, owes(1000, map[int]int{110: 1}), owes(1001, map[int]int{110: 1}, past(110, 1, time.Minute, time.Minute)))
	if plan.Deadlines[0].Forecast != nil || plan.Deadlines[1].Forecast == nil {
		t.Errorf("%+v", plan.Deadlines)
	}
}

func TestTheWorkersThatWouldBeEnoughAreFound(t *testing.T) {
	one := past(110, 3, 2*time.Minute, 15*time.Minute)
	for _, c := range []struct{ partitions, atOnce, want int }{
		{3, 1, 1},  // it fits
		{15, 1, 3}, // five proofs, two each in the half hour there is
		{15, 4, 4},
		{30, 1, 5},
	} {
		plan := make1(t, c.atOnce, owes(1000, map[int]int{110: c.partitions}, one, past(110, 15, 2*time.Minute, 15*time.Minute)))
		if plan.Enough != c.want {
			t.Errorf("%d partitions: %d workers are enough, want %d", c.partitions, plan.Enough, c.want)
		}
	}
	slow := make1(t, 1, owes(1000, map[int]int{110: 1}, past(110, 1, time.Hour, time.Minute)))
	if slow.Enough != 1 || slow.Deadlines[0].Forecast.Fits || !strings.Contains(slow.Deadlines[0].Forecast.Why, "spread them over more disks") {
		t.Errorf("reading is what is slow: %d workers, %+v", slow.Enough, slow.Deadlines[0].Forecast)
	}
}

// What has come some way is not expected to begin anew.
func TestWhatIsUnderWayIsExpectedSooner(t *testing.T) {
	history := past(110, 1, 2*time.Minute, 20*time.Minute)
	open := deadline(100)
	for name, c := range map[string]struct {
		batch forecast.Batch
		want  abi.ChainEpoch
	}{
		"not begun":    {forecast.Batch{State: vigil.StateScheduled}, now + 44 + 2},
		"begun":        {forecast.Batch{State: vigil.StateScheduled, Began: now - 19}, now - 19 + 44 + 2},
		"overdue":      {forecast.Batch{State: vigil.StateScheduled, Began: now - 70}, now + 4 + 2},
		"proved":       {forecast.Batch{State: vigil.StateProved}, now + 4 + 2},
		"submitted":    {forecast.Batch{State: vigil.StateSubmitted, Took: vigil.Took{Submitted: now}}, now + 2},
		"long ago":     {forecast.Batch{State: vigil.StateSubmitted, Took: vigil.Took{Submitted: now - 20}}, now + 1},
		"on the chain": {forecast.Batch{State: vigil.StateConfirmed, Took: vigil.Took{Included: now - 3}}, now - 3},
	} {
		c.batch.Partitions, c.batch.Sectors = 1, full
		plan := make1(t, 1, forecast.Miner{ID: 1000, History: []vigil.Duty{history}, Deadlines: []forecast.Deadline{{Deadline: open, Batches: []forecast.Batch{c.batch}}}})
		if e := plan.Deadlines[0]; e.Forecast.Finish != c.want || e.Done != (c.batch.State == vigil.StateConfirmed) {
			t.Errorf("%s: finish %d, want %d; done %v", name, e.Forecast.Finish, c.want, e.Done)
		}
	}
}

func TestADeadlineIsCutIntoBatchesAsItWillBe(t *testing.T) {
	var partitions []vigil.Partition
	for i := range uint64(6) {
		live := bitfield.NewFromSet([]uint64{10 * i, 10*i + 1})
		faulty := bitfield.New()
		if i == 5 {
			faulty = live // owes nothing
		}
		partitions = append(partitions, vigil.Partition{Index: i, All: live, Live: live, Faulty: faulty, Recovering: bitfield.New()})
	}
	id := vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: 6600}
	old := id
	old.Open -= 2880
	gone := id
	gone.Batch = 1
	due, err := forecast.DueOf(partitions)
	if err != nil {
		t.Fatal(err)
	}
	d := forecast.Of(deadline(110), due, forecast.Standing{
		Duties: []vigil.Duty{
			{ID: id, Partitions: []uint64{1}, State: vigil.StateProved},
			{ID: gone, Partitions: []uint64{2}, State: vigil.StateReplaced},
			{ID: old, Partitions: []uint64{2}, State: vigil.StateConfirmed},
		},
		Posted: func(index uint64) bool { return index == 0 },
		Began:  func(of vigil.DutyID) abi.ChainEpoch { return of.Open - 19 },
	}, schedule.Policy{MaxPartitions: 2})
	want := []forecast.Batch{
		{Partitions: 1, Sectors: 2, State: vigil.StateProved, Began: 6581},
		{Partitions: 2, Sectors: 4, State: vigil.StateScheduled},
		{Partitions: 1, Sectors: 2, State: vigil.StateScheduled},
	}
	if len(d.Batches) != len(want) {
		t.Fatalf("%+v", d.Batches)
	}
	for i := range want {
		if d.Batches[i] != want[i] {
			t.Errorf("batch %d is %+v, want %+v", i, d.Batches[i], want[i])
		}
	}
}

// A duty whose sectors were all lost meanwhile owes nothing: that is no reason to
// take the daemon down.
func TestABatchWithoutSectorsIsForetoldLikeAnyOther(t *testing.T) {
	plan := make1(t, 1, forecast.Miner{ID: 1000, History: []vigil.Duty{past(110, 1, time.Minute, time.Minute)}, Deadlines: []forecast.Deadline{
		{Deadline: deadline(111), Batches: []forecast.Batch{{Partitions: 1, State: vigil.StateScheduled}}},
	}})
	if f := plan.Deadlines[0].Forecast; f == nil || !f.Fits || f.Read != 0 {
		t.Errorf("%+v", f)
	}
}

// After an outage, too, a deadline is cut as schedule.Plan will cut it.
func TestPartitionsThatRecoverAreForetoldAlone(t *testing.T) {
	var partitions []vigil.Partition
	planned := schedule.Deadline{Deadline: deadline(110)}
	for i := range uint64(5) {
		live := bitfield.NewFromSet([]uint64{10 * i, 10*i + 1})
		faulty := bitfield.New()
		if i%2 == 1 {
			faulty = live
		}
		partitions = append(partitions, vigil.Partition{Index: i, All: live, Live: live, Faulty: faulty, Recovering: faulty})
		planned.Partitions = append(planned.Partitions, schedule.Partition{Index: i, Due: 2, Recovering: i % 2})
	}
	due, err := forecast.DueOf(partitions)
	if err != nil {
		t.Fatal(err)
	}
	for _, alone := range []bool{true, false} {
		policy := schedule.DefaultPolicy
		policy.RecoverAlone = alone
		d := forecast.Of(planned.Deadline, due, forecast.Standing{Posted: func(uint64) bool { return false }}, policy)
		tasks := schedule.Plan(schedule.View{Miner: 1000, Epoch: planned.Open, Deadlines: []schedule.Deadline{planned}}, policy)
		if len(d.Batches) != len(tasks) {
			t.Fatalf("%d batches are foretold, %d planned", len(d.Batches), len(tasks))
		}
		for i, task := range tasks {
			if d.Batches[i].Partitions != len(task.Duty.Partitions) {
				t.Errorf("batch %d is of %d partitions, planned are %v", i, d.Batches[i].Partitions, task.Duty.Partitions)
			}
		}
	}
}
