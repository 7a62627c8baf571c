package app

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// ahead is a deadline of the only miner that opens at least so many epochs from now.
func (f *flock) ahead(epochs abi.ChainEpoch) (open abi.ChainEpoch) {
	f.t.Helper()
	for _, d := range f.daemon.Status().Miners[0].Deadlines {
		if o := d.Deadline.Open; d.Sectors > 0 && o >= f.chain.Epoch()+epochs && (open == 0 || o < open) {
			open = o
		}
	}
	if open == 0 {
		f.t.Fatalf("no deadline opens in %d epochs or later", epochs)
	}
	return open
}

// index is that of the deadline that opens then.
func (f *flock) index(open abi.ChainEpoch) uint64 {
	f.t.Helper()
	for _, d := range f.daemon.Status().Miners[0].Deadlines {
		if d.Deadline.Open == open {
			return d.Deadline.Index
		}
	}
	f.t.Fatalf("no deadline opens at %d", open)
	return 0
}

// becomes waits, while the chain stands still, for what the daemon shows: if need be
// until the test is ended.
func (f *flock) becomes(so func(vigil.MinerStatus) bool) {
	f.t.Helper()
	for !so(f.daemon.Status().Miners[0]) {
		f.pause(flockEpoch / 10)
	}
}

// Judged: a fault that is there two hours before a deadline is known, named and
// alarmed before the challenge, in the whole daemon on a chain; and no other
// sector is.
func TestAFaultOfTwoHoursBeforeIsKnownBeforeTheChallenge(t *testing.T) {
	notUnderRace(t)
	f, w := newScene(t, flockOf{sectors: 92, rehearse: true})
	open := f.ahead(280)
	f.to(open - 240)
	f.becomes(func(m vigil.MinerStatus) bool { return len(m.Rehearsals) > 0 && len(m.Bad) == 0 })
	lost := abi.SectorNumber(2 * (f.index(open) - 2)) // the devnet fills the deadlines from the third on with two each
	w.lose(lost)
	f.to(open - 21)
	f.becomes(func(m vigil.MinerStatus) bool { // the sector is named
		return len(m.Bad) == 1 && m.Bad[0] == vigil.BadSector{Number: lost, Cause: "replica: missing"}
	})
	if log := f.log.String(); !strings.Contains(log, "level=ERROR msg=\"a sector will be skipped at its next deadline") {
		t.Error("there is no alarm")
	}
}

// What is foretold is made of what is stored and of what the chain says: it is
// the same while the daemon is off.
func TestThePlanIsTheSameWhileTheDaemonIsOff(t *testing.T) {
	f, _ := newScene(t, flockOf{sectors: 12})
	f.to(f.ahead(20) + 30)
	f.becomes(func(vigil.MinerStatus) bool { return f.idle() })
	plan := f.daemon.runner.Forecast(2)
	f.stop()
	again, err := PlanAhead(t.Context(), f.config, 2, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	f.start(f.config, f.tools)
	one, _ := json.Marshal(plan)
	other, _ := json.Marshal(again)
	if string(one) != string(other) || len(plan.Deadlines) != 6 || plan.Deadlines[0].Forecast == nil || plan.Workers != 2 {
		t.Errorf("%s\n%s", one, other)
	}
}
