package runner_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin"
	actor "github.com/filecoin-project/go-state-types/builtin/v18/miner"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/runner"
)

const (
	later     = uint64(20)             // a deadline far enough ahead
	laterOpen = abi.ChainEpoch(1200)   // its cutoff is 1130
	laterEnd  = laterOpen + 60 + 5 + 4 // its end is believed
)

func recovery(batch int) vigil.DutyID {
	return vigil.DutyID{Kind: vigil.KindRecover, Miner: minerID, Open: laterOpen, Batch: batch}
}

// outage makes partitions of a deadline faulty, so many sectors in each.
func (w *world) outage(deadline uint64, partitions, each int) {
	for i := range partitions {
		var sectors []uint64
		for n := range each {
			sectors = append(sectors, 1000*deadline+uint64(100*i+n))
		}
		w.add(deadline, sectors...)
		w.partitions[deadline][i].Faulty = bitfield.NewFromSet(sectors)
		w.partitions[deadline][i].Active = bitfield.New()
	}
}

// declarations gives what the messages declare, in the order in which they were pushed.
func (w *world) declarations(t *testing.T) [][]abi.SectorNumber {
	t.Helper()
	var all [][]abi.SectorNumber
	for _, m := range w.messages {
		if m.Call.Method != builtin.MethodsMiner.DeclareFaultsRecovered {
			continue
		}
		all = append(all, declaredBy(t, m.Call))
	}
	return all
}

func declaredBy(t *testing.T, call vigil.Call) (sectors []abi.SectorNumber) {
	t.Helper()
	var params actor.DeclareFaultsRecoveredParams
	if err := params.UnmarshalCBOR(bytes.NewReader(call.Params)); err != nil {
		t.Fatal(err)
	}
	for _, r := range params.Recoveries {
		numbers, err := r.Sectors.All(100_000)
		if err != nil || len(numbers) == 0 {
			t.Fatalf("partition %d: %v sectors, %v", r.Partition, numbers, err)
		}
		for _, n := range numbers {
			if n/100%10 != r.Partition {
				t.Errorf("sector %d is declared in partition %d", n, r.Partition)
			}
			sectors = append(sectors, abi.SectorNumber(n))
		}
	}
	return sectors
}

func (w *world) isRecovering() int {
	n := 0
	for _, p := range w.partitions[later] {
		count, _ := p.Recovering.Count()
		n += int(count)
	}
	return n
}

func TestAnOutageIsReadOnceAndDeclaredInMessagesThatFitTheLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.outage(later, 5, 4)
		w.change = func(c *runner.Config) { c.Policy.DeclareSectors = 6 }
		w.run(t, 1000)
		var all []abi.SectorNumber
		for _, message := range w.declarations(t) {
			if len(message) > 6 {
				t.Errorf("%d sectors in a message, at most 6", len(message))
			}
			all = append(all, message...)
		}
		slices.Sort(all)
		if once := slices.Compact(slices.Clone(all)); len(all) != 20 || len(once) != 20 {
			t.Errorf("%d declared, %d different ones, want 20", len(all), len(once))
		}
		for batch := range 4 {
			w.expect(t, recovery(batch), vigil.StateConfirmed)
		}
		if n := w.calls["tried to read"]; n != 20 || len(w.duties) != 4 {
			t.Errorf("%d sectors were read and there are %d duties, want 20 and 4", n, len(w.duties))
		}
	})
}

// estimator gives declarations gas by their sectors, as the chain would.
type estimator struct {
	t    *testing.T
	each int64
	err  error // where more is needed than a block has
}

func (e estimator) EstimateGas(_ context.Context, call vigil.Call, _ uint64) (vigil.Gas, error) {
	gas := vigil.Gas{Limit: e.each * int64(len(declaredBy(e.t, call)))}
	if e.err != nil && gas.Limit > 10_000_000_000 {
		return vigil.Gas{}, e.err
	}
	return gas, nil
}

func TestADeclarationThatNeedsTooMuchGasIsHalved(t *testing.T) {
	for sentence, c := range map[string]struct {
		estimator estimator
		most      int
		messages  int
	}{
		"more than its share of a block":           {estimator{each: 1_000_000_000}, 5, 4},
		"more than a block, which nodes refuse":    {estimator{each: 4_000_000_000, err: &vigil.CallError{Text: "call ran out of gas", OutOfGas: true}}, 1, 20},
		"as much as there is":                      {estimator{each: 250_000_000}, 20, 1},
		"a refusal that no smaller one would mend": {estimator{each: 4_000_000_000, err: &vigil.CallError{Text: "no"}}, 20, 1},
		"a node that cannot tell":                  {estimator{each: 4_000_000_000, err: errors.New("connection refused")}, 20, 1},
	} {
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.outage(later, 5, 4)
				c.estimator.t = t
				w.change = func(config *runner.Config) { config.Gas = c.estimator }
				w.run(t, 1000)
				messages := w.declarations(t)
				for _, m := range messages {
					if len(m) > c.most {
						t.Errorf("%d sectors in a message, at most %d", len(m), c.most)
					}
				}
				if len(messages) != c.messages || w.isRecovering() != 20 {
					t.Errorf("%d messages and %d sectors recovering, want %d and 20", len(messages), w.isRecovering(), c.messages)
				}
			})
		})
	}
}

func TestWhatCannotBeReadHoldsUpNothingAndIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.outage(later, 2, 3)
		w.bad[20_001] = "replica: missing"
		w.run(t, 995)
		if all := w.declarations(t); len(all) != 1 || len(all[0]) != 5 {
			t.Fatalf("declared %v, want all but the bad one", all)
		}
		if left := w.expect(t, recovery(1), vigil.StateScheduled); len(left.Skipped) != 1 || left.Skipped[0].Cause != "replica: missing" {
			t.Errorf("what is left: %+v", left)
		}
		if n := w.calls["tried to read"]; n != 7 { // the bad one twice
			t.Errorf("%d reads, want 7", n)
		}
		delete(w.bad, 20_001)
		w.run(t, 1010)
		w.expect(t, recovery(1), vigil.StateConfirmed)
		if n := w.calls["tried to read"]; n != 8 || w.isRecovering() != 6 {
			t.Errorf("%d reads and %d sectors recovering, want 8 and 6", n, w.isRecovering())
		}
	})
}

func TestWhoMendedAStorageNeedNotWaitForTheNextRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.outage(later, 1, 2)
		w.bad[20_000], w.bad[20_001] = "replica: missing", "replica: missing"
		var r *runner.Runner
		w.started = func(started *runner.Runner) { r = started }
		w.at = map[abi.ChainEpoch]func(){988: func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			clear(w.bad)
			if !r.Hurry(minerID) || r.Hurry(4711) {
				t.Error("it is not known whose sectors are to be read")
			}
		}}
		w.run(t, 991) // four epochs before they were due
		w.expect(t, recovery(0), vigil.StateConfirmed)
	})
}

// Wherever the store or the messager fails, and wherever the daemon ends, every
// sector is declared in the end.
func TestEverySectorIsDeclaredWhateverFailsOnTheWay(t *testing.T) {
	for _, method := range []string{"SaveDuty", "Push"} {
		for nth := range 6 {
			t.Run(fmt.Sprint(method, nth), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld()
					w.outage(later, 5, 4)
					w.bad[20_001] = "replica: missing"
					w.change = func(c *runner.Config) { c.Policy.DeclareSectors = 6 }
					calls := 0
					w.fails = func(called string) bool {
						if called == method {
							calls++
						}
						return called == method && calls == nth+1
					}
					w.run(t, 988) // the daemon ends in the midst of it
					w.run(t, 1020)
					if n := w.isRecovering(); n != 19 {
						t.Errorf("%d sectors are recovering, want all but the bad one", n)
					}
					delete(w.bad, 20_001)
					w.run(t, 1040)
					if n := w.isRecovering(); n != 20 {
						t.Errorf("%d sectors are recovering, want all", n)
					}
					for id, duty := range w.duties {
						if duty.State != vigil.StateConfirmed {
							t.Errorf("%s is %s", id, duty.State)
						}
					}
				})
			})
		}
	}
}

// standing is what a miner owes, for as long as it does.
type standing struct {
	w     *world
	until abi.ChainEpoch
	owes  vigil.Standing
}

func (s standing) Standing(context.Context, abi.ActorID, vigil.TipSetKey) (vigil.Standing, error) {
	if s.w.now() >= s.until {
		return vigil.Standing{ConsensusFault: s.owes.ConsensusFault}, s.w.called("Standing")
	}
	return s.owes, s.w.called("Standing")
}

func TestAHindranceIsSaidBeforehandAndTheRecoveryGoesOnWhenItIsGone(t *testing.T) {
	for sentence, c := range map[string]struct {
		owes vigil.Standing
		says string
	}{
		"a debt":            {vigil.Standing{Debt: big.NewInt(3e18), Unlocked: big.NewInt(1e18), ConsensusFault: -1}, "send at least 2 FIL to the miner's address"},
		"a consensus fault": {vigil.Standing{ConsensusFault: 1008}, "no recovery before epoch 1009"},
	} {
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.outage(later, 1, 2)
				w.change = func(config *runner.Config) { config.Standing = standing{w, 1008, c.owes} }
				r := w.run(t, 1005)
				if len(w.messages) != 0 || w.calls["tried to read"] != 0 {
					t.Errorf("%d messages, %d reads for nothing", len(w.messages), w.calls["tried to read"])
				}
				lines := r.Status().Miners[0].Recoveries
				if len(lines) != 1 || !strings.Contains(lines[0].Problem, c.says) || lines[0].Cutoff != 1130 || lines[0].Faulty != 2 || lines[0].Declared != 0 {
					t.Errorf("the status says %+v", lines)
				}
				if n := strings.Count(w.log.String(), c.says); n != 1 {
					t.Errorf("it is said %d times in the log", n)
				}
				w.run(t, 1020)
				w.expect(t, recovery(0), vigil.StateConfirmed)
			})
		})
	}
}

func TestAMinerWhoseStandingCannotBeReadIsRecoveredAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.outage(later, 1, 2)
		w.failing["Standing"] = 1000
		w.change = func(config *runner.Config) { config.Standing = standing{w, 0, vigil.Standing{}} }
		w.run(t, 995)
		w.expect(t, recovery(0), vigil.StateConfirmed)
	})
}

func TestAConsensusFaultThatOutlastsTheCutoffSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.outage(later, 1, 2)
		w.change = func(config *runner.Config) { config.Standing = standing{w, 2000, vigil.Standing{ConsensusFault: 1500}} }
		w.run(t, 1140)
		if duty := w.expect(t, recovery(0), vigil.StateMissed); duty.Reason != vigil.ReasonHindered || !strings.Contains(duty.Problem, "too late for this proving period, whose cutoff is epoch 1130") {
			t.Errorf("%+v", duty)
		}
	})
}

func TestTheReturnedPowerIsLookedAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.outage(later, 2, 3)
		w.change = func(c *runner.Config) { c.Policy.DeclareSectors = 4 }
		w.at = map[abi.ChainEpoch]func(){laterOpen + 61: func() { // nothing is on its way any more
			w.mu.Lock()
			defer w.mu.Unlock()
			for i := range w.messages {
				w.messages[i].State = vigil.MessageConfirmed
			}
		}}
		r := w.run(t, laterEnd)
		for batch, want := range []int{4, 2} {
			if duty := w.expect(t, recovery(batch), vigil.StateConfirmed); duty.Returned == nil || *duty.Returned != want {
				t.Errorf("recovery %d: %+v", batch, duty)
			}
		}
		if n := strings.Count(w.log.String(), "the power of recovered sectors is back"); n != 2 {
			t.Errorf("it is said %d times", n)
		}
		if lines := r.Status().Miners[0].Recoveries; len(lines) != 1 || lines[0].Returned != 6 || lines[0].Faulty != 0 || lines[0].Problem != "" {
			t.Errorf("the status says %+v", lines)
		}
		for batch := range 2 { // two partitions, each alone
			if duty := w.expect(t, vigil.DutyID{Kind: vigil.KindPost, Miner: minerID, Open: laterOpen, Batch: batch}, vigil.StateConfirmed); len(duty.Partitions) != 1 {
				t.Errorf("%v were posted together", duty.Partitions)
			}
		}
	})
}

func TestPowerThatDoesNotReturnIsAWarningWithItsCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.outage(later, 1, 3)
		w.at = map[abi.ChainEpoch]func(){laterOpen - 30: func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.bad[20_002] = "replica: missing"
		}}
		r := w.run(t, laterEnd)
		duty := w.expect(t, recovery(0), vigil.StateConfirmed)
		if duty.Returned == nil || *duty.Returned != 2 || !strings.Contains(duty.Problem, "1 of 3 sectors that were declared recovered have no power: sector 20002 was left out of the proof: replica: missing") {
			t.Errorf("%+v", duty)
		}
		if !strings.Contains(w.log.String(), `level=WARN msg="sectors were declared recovered and have no power; they are read and declared again"`) {
			t.Error("it is not said")
		}
		lines := r.Status().Miners[0].Recoveries
		if len(lines) != 1 || lines[0].Returned != 2 || lines[0].Faulty != 1 || len(lines[0].Unreadable) != 1 || lines[0].Cutoff != laterOpen+2880-70 {
			t.Errorf("the status says %+v", lines)
		}
	})
}

// crawling is a node that takes its time over partitions.
type crawling struct {
	*world
	each time.Duration
}

func (c crawling) Partitions(ctx context.Context, miner abi.ActorID, deadline uint64, key vigil.TipSetKey) ([]vigil.Partition, error) {
	if err := wait(ctx, c.each); err != nil {
		return nil, err
	}
	return c.world.Partitions(ctx, miner, deadline, key)
}

// After a start not all deadlines are read at the first look. What is not known of
// yet is not taken for recovered.
func TestADeadlineThatIsNotReadYetConfirmsNoRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.outage(later, 1, 2)
		w.stuck = true
		w.run(t, 987)
		w.expect(t, recovery(0), vigil.StateSubmitted)
		w.change = func(c *runner.Config) { c.State = crawling{w, 4 * time.Second} }
		w.run(t, 995)
		w.expect(t, recovery(0), vigil.StateSubmitted)
		if all := w.declarations(t); len(all) != 1 {
			t.Errorf("declared %v", all)
		}
	})
}

// hanging reads nothing for other miners than one: their storages hang.
type hanging struct {
	*world
	but abi.ActorID
}

func (h hanging) Read(ctx context.Context, r vigil.ReadRequest) (vigil.VanillaProof, error) {
	if r.Miner != h.but {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return h.world.Read(ctx, r)
}

// Many miners' cutoffs are the same, and the storages of all but one hang: those must not
// take every turn until it is too late for the one.
func TestMinersDoNotStarveEachOtherNearACutoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.outage(later, 1, 2)
		w.epoch = 1098
		for i := range 24 {
			w.miners = append(w.miners, minerID+abi.ActorID(i))
		}
		good := w.miners[23]
		w.reader = hanging{w, good}
		w.run(t, 1130)
		id := recovery(0)
		id.Miner = good
		if duty := w.duties[id]; duty.State != vigil.StateConfirmed {
			t.Errorf("%+v", duty)
		}
	})
}

// In the last epochs before the cutoff a try that failed is made again at the next.
func TestNearTheCutoffEveryEpochIsTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.outage(later, 1, 2)
		w.epoch = 1110
		w.bad[20_000], w.bad[20_001] = "replica: missing", "replica: missing"
		w.at = map[abi.ChainEpoch]func(){1125: func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			clear(w.bad)
		}}
		w.run(t, 1131)
		w.expect(t, recovery(0), vigil.StateConfirmed)
	})
}
