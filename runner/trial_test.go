package runner_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/runner"
)

// trial rehearses the first deadline's partitions of a world at once.
func (w *world) trial(t *testing.T, snark bool) runner.Tried {
	t.Helper()
	trial := runner.Trial{State: w, Sectors: w, Log: slog.New(slog.DiscardHandler), AtOnce: 4, Head: w.head()}
	if snark {
		trial.Prover, trial.Verifier = w, w
	}
	tried, err := trial.Try(t.Context(), minerID, deadline, w.partitions[deadline])
	if err != nil {
		t.Fatal(err)
	}
	return tried
}

func TestATrialReadsWhatAProofWouldAndProvesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2, 3)
		w.add(deadline, 4, 5)
		w.partitions[deadline][1].Faulty = bitfield.NewFromSet([]uint64{5}) // not due
		tried := w.trial(t, false)
		if !tried.Good() || tried.Sectors != 4 || tried.Proved != 0 || w.calls["Prove"] != 0 || !slices.Equal(tried.Partitions, []uint64{0, 1}) {
			t.Errorf("%+v", tried)
		}
		tried = w.trial(t, true)
		if !tried.Good() || tried.Proved != 4 || tried.Prove < 2*epoch || w.calls["Verify"] != 1 {
			t.Errorf("%+v", tried)
		}
		if len(w.duties)+len(w.messages)+len(w.kept) > 0 {
			t.Error("something is stored or sent")
		}
	})
}

func TestATrialNamesWhatAProofWouldLeaveOutAndProvesTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1, 2, 3, 4)
		w.bad[2], w.unknown[3] = "p_aux: missing", true
		var stated []abi.SectorNumber
		w.verdict = func(s vigil.Statement) bool {
			for _, sector := range s.Sectors {
				stated = append(stated, sector.Number)
			}
			return true
		}
		tried := w.trial(t, true)
		if tried.Good() || len(tried.Bad) != 1 || tried.Bad[0].Cause != "p_aux: missing" || len(tried.Unchecked) != 1 || tried.Proved != 2 {
			t.Errorf("%+v", tried)
		}
		if !slices.Equal(stated, []abi.SectorNumber{1, 4}) {
			t.Errorf("proved: %v", stated)
		}
	})
}

func TestATrialWhoseProofIsWrongOrCannotBeMadeSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(deadline, 1)
		w.verdict = func(vigil.Statement) bool { return false }
		if tried := w.trial(t, true); tried.Good() || !strings.Contains(tried.Problem, "vigil selftest") {
			t.Errorf("%+v", tried)
		}
		w.prove = func(context.Context) error { return errors.New("no parameters") }
		if tried := w.trial(t, true); tried.Good() || !strings.Contains(tried.Problem, "no parameters") {
			t.Errorf("%+v", tried)
		}
		w.bad[1] = "replica: missing"
		if tried := w.trial(t, true); tried.Good() || tried.Proved != 0 || tried.Problem != "" {
			t.Errorf("%+v", tried)
		}
	})
}
