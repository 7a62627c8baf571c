package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/app"
	"github.com/vigil-post/vigil/dashboard"
	"github.com/vigil-post/vigil/explain"
	"github.com/vigil-post/vigil/store"
)

// busyDaemon has one miner whose deadline 3 is open and was missed a day ago. It
// answers what happened from a store, as the real one does.
type busyDaemon struct{ present string } // what is wrong with its nodes

func (busyDaemon) Changed() <-chan struct{} { return nil }

func (busyDaemon) Status() vigil.Status {
	at := vigil.Deadline{Index: 3, Count: 48, Challenge: 70, Open: 90, Close: 150, FaultCutoff: 20}
	row := missedDuty()
	row.State, row.ID.Open, row.Deadline = vigil.StateSubmitted, 90, at
	return vigil.Status{
		Version: "v1", Network: "test", Head: 100, HeadSeen: time.Now(), Delay: 30 * time.Second,
		Upgrade: &vigil.Upgrade{Name: "Next", Epoch: 5000},
		Nodes:   []vigil.NodeStatus{{Node: "ws://a", State: vigil.NodeInUse, Since: time.Now()}, {Node: "ws://b", State: vigil.NodeAside, Why: "lags by 5", Since: time.Now()}},
		Miners: []vigil.MinerStatus{{
			Miner: "f01000", Epoch: 100, Current: at,
			Deadlines: []vigil.DeadlineStatus{
				{Deadline: at, Partitions: 2, Sectors: 20, Faulty: 1, Posted: 1, Last: vigil.StateSubmitted, Forecast: &vigil.Forecast{Finish: 120, Fits: true}},
				{Deadline: at.Plus(1)}, {Deadline: at.Plus(2), Partitions: 1, Sectors: 10, Last: vigil.StateMissed, Forecast: &vigil.Forecast{Why: "the disk is slow."}},
			},
			Duties: []vigil.DutyStatus{{Duty: row.ID.String(), Kind: vigil.KindPost, Deadline: 3, Open: 90, Close: 150, Row: row, Message: vigil.MessagePublished}},
		}},
		Storages: []vigil.StorageStatus{{Path: "/mnt/a", State: vigil.StorageSilent, Why: "does not answer"}},
		Senders:  []vigil.SenderStatus{{Address: "f1abc", Balance: big.NewInt(5e17), Needed: big.NewInt(5e18), Problem: "too little", Urgent: true}},
		Alarms:   []vigil.Alarm{{Code: "balance", About: "f1abc", Urgent: true, By: 130, What: "The balance is too low.", Remedy: "Send it money."}},
	}
}

func (d busyDaemon) Power(context.Context, abi.ActorID) ([]vigil.Power, error) {
	if d.present != "" {
		return nil, errors.New(d.present)
	}
	return []vigil.Power{{
		Miner: 1000, Address: "f01000", Epoch: 100, Raw: big.NewInt(32 << 30), QualityAdj: big.NewInt(320 << 30), NetworkRaw: big.NewInt(1 << 50), NetworkQA: big.NewInt(1 << 50),
		FaultyRaw: big.NewInt(32 << 30), Sectors: 2, Active: 1, Faulty: 1, SectorSize: 32 << 30,
	}}, nil
}

func (busyDaemon) Faults(context.Context, abi.ActorID) ([]explain.Faulty, error) {
	d := vigil.Deadline{Index: 3, Count: 48, Open: 2970, Close: 3030, FaultCutoff: 2900}
	p := vigil.Partition{Index: 1, Faulty: bitfield.NewFromSet([]uint64{4, 5, 6}), Recovering: bitfield.NewFromSet([]uint64{5})}
	f, err := explain.FaultsOf(1000, d, p, map[abi.SectorNumber]string{4: "replica: missing"})
	return []explain.Faulty{f}, err
}

func (busyDaemon) Provers() []vigil.ProverStatus {
	return []vigil.ProverStatus{{
		Prover: "native", Kernels: "generic", AtOnce: 1, Memory: 18 << 30, Parameters: "/params",
		Proofs: []vigil.ProofWork{{Duty: "f01000/90/0", Close: 150, Sectors: 20, Since: time.Now(), Running: true}},
	}}
}

func missedDuty() vigil.Duty {
	return vigil.Duty{
		ID:       vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: 30},
		Deadline: vigil.Deadline{Index: 2, Count: 48, Challenge: 10, Open: 30, Close: 90, FaultCutoff: 0}, Partitions: []uint64{0},
		State: vigil.StateMissed, Reason: vigil.ReasonNotProved, Problem: "the prover has no memory", Tried: 88,
	}
}

// past is a data folder in which a duty was missed.
func past(t *testing.T, data string) *store.Store {
	t.Helper()
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), filepath.Join(data, "vigil.db"))
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now().Add(-time.Hour)
	event := func(after time.Duration, epoch abi.ChainEpoch, kind vigil.EventKind, duty vigil.DutyID, facts vigil.EventFacts) vigil.Event {
		return vigil.Event{Time: began.Add(after), Epoch: epoch, Kind: kind, Duty: duty, EventFacts: facts}
	}
	id := missedDuty().ID
	err = s.AddEvents(t.Context(),
		event(0, 5, vigil.EventStarted, vigil.DutyID{}, vigil.EventFacts{Version: "v1", Delay: 30 * time.Second}),
		event(time.Minute, 11, vigil.EventBegun, id, vigil.EventFacts{Task: "prove", TipSet: "bafyone,bafytwo"}),
		event(2*time.Minute, 12, vigil.EventEnded, id, vigil.EventFacts{Task: "prove", Problem: "the prover has no memory", Took: time.Minute}),
	)
	if err := errors.Join(err, s.SaveDuty(t.Context(), missedDuty()), s.SaveAlive(t.Context(), time.Now(), 77)); err != nil {
		t.Fatal(err)
	}
	return s
}

// busy is the HTTP side of a busy daemon with a past.
func busy(t *testing.T, d busyDaemon) string {
	t.Helper()
	data := t.TempDir()
	s := past(t, data)
	t.Cleanup(func() { _ = s.Close() })
	p, err := app.OpenPast(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	server := httptest.NewServer(dashboard.New(dashboard.Config{Status: d, Past: p, Present: d}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestPeopleLookAtTheDaemon(t *testing.T) {
	url := busy(t, busyDaemon{})
	for _, c := range []struct {
		args []string
		code int
		says []string
	}{
		{[]string{"status"}, 0, []string{"vigil v1 on test: epoch 100", "Next at epoch 5000, in 4900", "does not know its rules", "ALARM balance f1abc", "15m0s", "1 of 2", "published", "deadline 5 in", "lags by 5", "/mnt/a", "0.5 FIL", "too little"}},
		{[]string{"status", "now"}, 2, []string{"takes no argument"}},
		{[]string{"deadlines"}, 0, []string{"closes in 50 (25m0s)", "1 of 2", "epoch 120, 30 before close", "opens in 110", "missed", "will not fit: the disk is slow"}},
		{[]string{"deadlines", "--miner", "f01001"}, 1, []string{"no miner f01001"}},
		{[]string{"deadlines", "--miner", "me"}, 2, []string{"write it as f01000"}},
		{[]string{"duties"}, 0, []string{"f01000/30/0", "partitions [0]", "missed", "not_proved", "the prover has no memory"}},
		{[]string{"duties", "--state", "confirmed"}, 0, []string{"no duty fits"}},
		{[]string{"duties", "--state", "gone"}, 2, []string{"there is no state"}},
		{[]string{"duties", "--deadline", "48"}, 2, []string{"0 to 47"}},
		{[]string{"duties", "--kind", "gift"}, 2, []string{"post or recover"}},
		{[]string{"duties", "--limit", "0"}, 2, []string{"--limit"}},
		{[]string{"why"}, 0, []string{"f01000/30/0: deadline 2", "It was missed (not_proved)", "at epoch 88: the prover has no memory", "What to do:", "TO CLOSE", "Work began", "[tipset …bafyone and 1]", "tried again until epoch 88", "39m0s"}},
		{[]string{"why", "f01000/30/0"}, 0, []string{"missed"}},
		{[]string{"why", "f01000", "2"}, 0, []string{"f01000/30/0"}},
		{[]string{"why", "f01000", "4"}, 1, []string{"no duty of f01000 at deadline 4"}},
		{[]string{"why", "f01000", "fourth"}, 2, []string{"0 to 47"}},
		{[]string{"why", "f01000/31/0"}, 1, []string{"duty f01000/31/0: not found"}},
		{[]string{"why", "yesterday"}, 2, []string{"write it as f01000/1144209/0"}},
		{[]string{"why", "a", "b", "c"}, 2, []string{"not 3 words"}},
		{[]string{"why", "--miner", "f01001"}, 1, []string{"none was missed"}},
		{[]string{"faults"}, 0, []string{"deadline 3 partition 1: 3 faulty, 1 of them recovering", "replica: missing", "Mend what the cause says", "declared recovered", "vigil check --sector 6"}},
		{[]string{"power"}, 0, []string{"32 GiB", "320 GiB", "0.030517 %", "no"}},
		{[]string{"provers"}, 0, []string{"native", "generic", "18 GiB", "f01000/90/0", "proving"}},
		{[]string{"logs"}, 0, []string{"Vigil v1 saw its first head", "f01000/30/0 Work began", "warn ", "error", "It was missed"}},
		{[]string{"logs", "--level", "error"}, 0, []string{"It was missed"}},
		{[]string{"logs", "--level", "loud"}, 2, []string{"info, warn or error"}},
		{[]string{"logs", "--duty", "f01000/30/0"}, 0, []string{"Work began"}},
		{[]string{"logs", "--duty", "mine"}, 2, []string{"write it as"}},
		{[]string{"can-restart"}, 0, []string{"safe to restart until epoch 126"}},
		{[]string{"can-restart", "--for", "1h"}, 1, []string{"Not now: the message of f01000/90/0 may have to be replaced", "It may be safe after epoch"}},
		{[]string{"can-restart", "--for", "-1s"}, 2, []string{"--for"}},
	} {
		code, stdout, stderr := invoke(t, append([]string{c.args[0], "--url", url}, c.args[1:]...)...)
		if code != c.code {
			t.Errorf("%v: exit code %d, want %d:\n%s%s", c.args, code, c.code, stdout, stderr)
		}
		for _, words := range c.says {
			if !strings.Contains(stdout+stderr, words) {
				t.Errorf("%v: it does not say %q:\n%s%s", c.args, words, stdout, stderr)
			}
		}
		if strings.Contains(stdout, "\x1b") {
			t.Errorf("%v: it is coloured, and this is no terminal", c.args)
		}
	}
}

func TestEveryAnswerIsTheJSONThatIsDocumented(t *testing.T) {
	url := busy(t, busyDaemon{})
	for name, value := range answers {
		if name == "shadow report" {
			continue // it is asked of a configuration's daemon: see shadow_test.go
		}
		args := append(strings.Fields(name), "--json", "--url", url)
		code, stdout, stderr := invoke(t, args...)
		if code != 0 {
			t.Errorf("vigil %s: exit code %d: %s", name, code, stderr)
			continue
		}
		documents := []string{stdout}
		if name == "logs" {
			documents = strings.Split(strings.TrimSpace(stdout), "\n")
		}
		for _, text := range documents {
			d := json.NewDecoder(strings.NewReader(text))
			d.DisallowUnknownFields()
			into := reflect.New(reflect.TypeOf(value))
			if err := d.Decode(into.Interface()); err != nil {
				t.Errorf("vigil %s --json: %v:\n%s", name, err, text)
			}
			if into.Elem().IsZero() {
				t.Errorf("vigil %s --json says nothing", name)
			}
		}
	}
}

func TestWhatANodeDoesNotTellIsSaidAsItIs(t *testing.T) {
	url := busy(t, busyDaemon{present: "no node can be read: connection refused"})
	if code, _, stderr := invoke(t, "power", "--url", url); code != 1 || !strings.Contains(stderr, "connection refused") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

func TestThePastIsReadFromTheDatabaseWhileTheDaemonIsOff(t *testing.T) {
	path, data := daemonOff(t)
	for _, command := range []string{"why", "duties", "logs", "status"} {
		if code, _, stderr := invoke(t, command, "--config", path); code != 1 || !strings.Contains(stderr, "the daemon does not answer") {
			t.Errorf("%s before the first start: exit code %d: %s", command, code, stderr)
		}
	}
	s := past(t, data)
	for _, state := range []string{"which hangs", "which is off"} {
		for _, c := range []struct {
			args []string
			code int
			says string
		}{
			{[]string{"why"}, 0, "It was missed (not_proved)"},
			{[]string{"why", "f01000", "2"}, 0, "It was missed (not_proved)"},
			{[]string{"duties"}, 0, "f01000/30/0"},
			{[]string{"logs", "--limit", "2"}, 0, "came to nothing"},
			{[]string{"logs", "--follow"}, 1, "the daemon does not answer"},
			{[]string{"status"}, 1, "its database knows of epoch 77, and the daemon was alive at"},
			{[]string{"can-restart"}, 1, "nothing to restart"},
			{[]string{"provers"}, 1, "the daemon does not answer"},
		} {
			code, stdout, stderr := invoke(t, append([]string{c.args[0], "--config", path}, c.args[1:]...)...)
			if code != c.code || !strings.Contains(stdout+stderr, c.says) {
				t.Errorf("%v of a daemon %s: exit code %d, want %d with %q:\n%s%s", c.args, state, code, c.code, c.says, stdout, stderr)
			}
		}
		if err := s.Close(); err != nil && state == "which hangs" {
			t.Fatal(err)
		}
	}
	t.Setenv("VIGIL_CONFIG", path)
	if code, stdout, stderr := invoke(t, "why"); code != 0 || !strings.Contains(stdout, "not_proved") {
		t.Errorf("by the variable: exit code %d: %s%s", code, stdout, stderr)
	}
	for _, args := range [][]string{{"message", "list"}, {"recover"}, {"plan"}, {"run"}, {"shadow", "report"}, {"storage", "list"}} {
		if code, _, stderr := invoke(t, args...); code == 2 {
			t.Errorf("%v does not take the variable: %s", args, stderr)
		}
	}
	if code, _, stderr := invoke(t, "recover", "--url", "http://127.0.0.1:1"); code != 2 || !strings.Contains(stderr, "--token-file is needed") {
		t.Errorf("the token of the variable's daemon goes to another URL: exit code %d: %s", code, stderr)
	}
}
