package runner_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// noted is what was noted, a word or two for each event.
func (w *world) noted() string {
	var words []string
	for _, e := range w.notes {
		word := strings.TrimSpace(string(e.Kind) + " " + e.Task)
		if e.Kind == vigil.EventRead {
			word += fmt.Sprintf("%d/%d/%d", e.Sectors, e.Bad, e.Unchecked)
		}
		if e.Problem != "" {
			word += " (" + e.Problem + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

func TestADutysLifeIsNoted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2)
		w.run(t, after)
		if got, want := w.noted(), "begun prove, read2/0/0, ended prove, ended submit, ended confirm"; got != want {
			t.Errorf("noted: %s\nwant:  %s", got, want)
		}
		if e := w.notes[2]; e.Duty != post(0) || e.Epoch != 1003 || e.TipSet != "1001" || e.Took != 2*epoch {
			t.Errorf("the end of the proof: %+v", e)
		}
	})
}

func TestWhatFailsAtEveryHeadIsNotedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2)
		w.prove = func(context.Context) error { return errors.New("no memory") }
		w.run(t, after)
		if got, want := w.noted(), "ended prove (no memory)"; strings.Count(got, want) != 1 || strings.Count(got, "begun") != 1 || !strings.HasSuffix(got, "ended miss") {
			t.Errorf("noted: %s", got)
		}
	})
}

func TestSectorsThatAreWaitedForAreNotedWhenTheyChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2)
		w.unknown[2] = true
		w.at = map[abi.ChainEpoch]func(){open: func() { delete(w.unknown, 2) }}
		w.run(t, after)
		got := w.noted()
		if strings.Count(got, "read2/0/1") != 1 || strings.Count(got, "read2/0/0") != 1 {
			t.Errorf("noted: %s", got)
		}
	})
}

func TestWhatIsStoppedIsNotedWithWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2)
		w.prove = func(ctx context.Context) error { return wait(ctx, 30*epoch) }
		w.run(t, open-10)
		if got := w.noted(); !strings.HasSuffix(got, "ended prove (it was stopped while its proof of 2 sectors was being made: the daemon was told to end)") {
			t.Errorf("noted: %s", got)
		}
	})
}

func TestBlindnessIsNotedAndItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2)
		w.failing["Partitions"] = 20
		w.run(t, after)
		if got := w.noted(); strings.Count(got, "blind") != 1 || strings.Count(got, "seeing") != 1 || strings.Index(got, "blind") > strings.Index(got, "seeing") {
			t.Errorf("noted: %s", got)
		}
	})
}

// A try that is still going on at the end says nothing of why those before failed.
func TestATryThatIsStoppedLeavesTheReasonOfTheLastOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2)
		w.unknown[1], w.unknown[2] = true, true
		w.slow = map[abi.SectorNumber]time.Duration{1: 100 * time.Second}
		w.run(t, after)
		duty := w.expect(t, post(0), vigil.StateMissed)
		if duty.Reason != vigil.ReasonNoSectors || !strings.Contains(duty.Problem, "not checked") {
			t.Errorf("it was missed because of %q (%s)", duty.Reason, duty.Problem)
		}
	})
}

func TestSectorsThatCanBeReadAgainAreNoReasonAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2)
		w.unknown[2] = true
		w.at = map[abi.ChainEpoch]func(){open: func() { delete(w.unknown, 2) }}
		w.prove = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		w.run(t, after)
		duty := w.expect(t, post(0), vigil.StateMissed)
		if duty.Reason != vigil.ReasonNotProved || duty.Problem != "time was over while its proof of 2 sectors was being made; that try began at epoch 1020" {
			t.Errorf("it was missed because of %q (%s)", duty.Reason, duty.Problem)
		}
	})
}

// A mount that hangs is no fault of the prover's, and the sector that waits for it is named.
func TestAReadingThatNeverEndsIsNotTakenForAProofThatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2)
		w.slow = map[abi.SectorNumber]time.Duration{1: 100 * time.Hour, 2: 100 * time.Hour}
		w.run(t, after)
		duty := w.expect(t, post(0), vigil.StateMissed)
		if duty.Reason != vigil.ReasonNoSectors || !strings.Contains(duty.Problem, "the first is 1: not checked: no answer came") {
			t.Errorf("it was missed because of %q (%s)", duty.Reason, duty.Problem)
		}
		if got := w.noted(); strings.Count(got, "read2/0/2") != 1 {
			t.Errorf("noted: %s", got)
		}
	})
}

// The journal of a duty that fails at every head for half an hour is not a page of the same line.
func TestSectorsThatAreReadAgainWithTheSameResultAreNotedOnce(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(*world)
		want    string
	}{
		"the proof fails":     {func(w *world) { w.prove = func(context.Context) error { return errors.New("no memory") } }, "read2/0/0"},
		"every sector is bad": {func(w *world) { w.bad[1], w.bad[2] = "replica: missing", "replica: missing" }, "read2/2/0"},
		"a sector is bad": {func(w *world) {
			w.bad[1] = "replica: missing"
			w.prove = func(context.Context) error { return errors.New("no memory") }
		}, "read2/1/0"},
		"one is bad, then both": {func(w *world) {
			w.bad[1], w.bad[2] = "replica: missing", "replica: missing"
			w.at = map[abi.ChainEpoch]func(){open: func() { w.bad[2] = "cache: missing" }}
		}, "read2/2/0, read2/2/0"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.add(deadline, 1, 2)
				c.happens(w)
				w.run(t, after)
				var reads []string
				for _, word := range strings.Split(w.noted(), ", ") {
					if strings.HasPrefix(word, "read") {
						reads = append(reads, word)
					}
				}
				if got := strings.Join(reads, ", "); got != c.want && got != c.want+", read1/0/0" {
					t.Errorf("noted: %s, want %s", got, c.want)
				}
			})
		})
	}
}

// A sector that is lost for good is read every few minutes, for months.
func TestFaultySectorsThatStayUnreadableAreNotedWhenTheyChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.outage(later, 1, 3)
		w.bad[20_000], w.bad[20_001] = "replica: missing", "replica: missing"
		w.at = map[abi.ChainEpoch]func(){1030: func() { delete(w.bad, 20_000) }}
		w.run(t, 1080)
		got := w.noted()
		if strings.Count(got, "read3/2/0") != 1 || strings.Count(got, "read2/2/0") != 0 || strings.Count(got, "read2/1/0") != 1 || strings.Count(got, "read1/1/0") != 0 {
			t.Errorf("noted: %s", got)
		}
	})
}
