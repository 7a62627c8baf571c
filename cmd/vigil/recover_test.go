package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/app"
)

// Nobody proves a deadline. A dry run says which of its sectors could be
// declared, and why the other could not; the daemon then does what it said, and
// the other is declared when its file is back and somebody asks.
func TestADryRunSaysWhatTheDaemonThenDeclares(t *testing.T) {
	if testing.Short() || underRace() {
		t.Skip("it takes a quarter of a minute, and epochs are too short for the race detector")
	}
	t.Parallel()
	n := newNode(t, epochFor(t)/2)
	replica := filepath.Join(n.dir, "chain", "storage", "sealed", "s-t01000-0")
	whole, err := os.ReadFile(replica)
	if err == nil {
		err = os.Remove(replica)
	}
	if err != nil {
		t.Fatal(err)
	}

	found := dryRun(t, n)
	if len(found.Readable) != 1 || found.Readable[0] != 1 || len(found.Messages) != 1 || found.Messages[0].Sectors != 1 || found.Messages[0].Gas < 1_000_000 ||
		len(found.Unreadable) != 1 || found.Unreadable[0].Number != 0 || !strings.Contains(found.Unreadable[0].Cause, "missing") ||
		found.Cutoff != 2946-70 || found.Left <= 0 {
		t.Errorf("the dry run says %+v", found)
	}
	code, text, _ := invoke(t, "recover", "--config", n.config(), "--dry-run", "--deadline", "2")
	for _, words := range []string{"on chain before epoch 2876", "1 sectors would be declared: [1]", "a message for 1 sectors of 1 partitions", "sector 0 cannot be read", "nothing was sent"} {
		if code != 1 || !strings.Contains(text, words) {
			t.Errorf("exit code %d, and %q is not said:\n%s", code, words, text)
		}
	}
	if code, _, said := invoke(t, "recover", "--config", n.config(), "--token-file", filepath.Join(n.dir, "chain", "token")); code != 1 || !strings.Contains(said, "the daemon is off") {
		t.Errorf("without a daemon: exit code %d\n%s", code, said)
	}

	d := launch(t, "run", "--config", n.config())
	_, page, _ := strings.Cut(d.must(t, time.Minute, "msg=dashboard"), "url=")
	d.must(t, time.Minute, `msg="recovery declared"`, "duty=t01000/2946/recover/0", "sectors=[1]")
	ask := []string{"recover", "--url", page, "--token-file", filepath.Join(n.dir, "daemon", "token"), "--deadline", "2"}
	code, text, said := asked(t, n, ask, func(text string) bool { return strings.Contains(text, "the first is 0") })
	if code != 1 || !strings.Contains(text, "UNREADABLE") {
		t.Errorf("exit code %d\n%s%s", code, text, said)
	}
	if err := os.WriteFile(replica, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, text, said = asked(t, n, ask, func(text string) bool { return !strings.Contains(text, "the first is 0") }); code != 0 {
		t.Errorf("exit code %d\n%s%s", code, text, said)
	}
	d.must(t, time.Minute, `msg="recovery declared"`, "duty=t01000/2946/recover/1", "sectors=[0]")
	d.must(t, time.Minute, "somebody wishes that faulty sectors are read now")
}

// dryRun waits until the first deadline has closed without a proof, and gives
// what would be done about it.
func dryRun(t *testing.T, n *node) app.Recovery {
	t.Helper()
	for {
		code, text, said := invoke(t, "recover", "--config", n.config(), "--dry-run", "--deadline", "2", "--json")
		var list []app.Recovery
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			t.Fatalf("exit code %d: %v\n%s%s", code, err, text, said)
		}
		if len(list) > 0 {
			return list[0]
		}
		pause(t, n.epoch)
	}
}

// asked asks the daemon to recover until it says what is waited for.
func asked(t *testing.T, n *node, ask []string, enough func(text string) bool) (code int, text, said string) {
	t.Helper()
	for began := time.Now(); time.Since(began) < 2*time.Minute; pause(t, 5*n.epoch) {
		if code, text, said = invoke(t, ask...); text != "" && enough(text) {
			return code, text, said
		}
	}
	return code, text, said
}

func TestRecoverSaysWhatItNeeds(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", dir) // where a daemon is that is not named
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--dry-run"}, 2, "--dry-run needs --config"},
		{nil, 1, "read the daemon's token"},
		{[]string{"--sector", "7"}, 2, "--sector is for --dry-run"},
		{[]string{"--deadline", "x"}, 2, `"x" is no number`},
		{[]string{"--url", "http://127.0.0.1:1"}, 2, "--token-file is needed"},
		{[]string{"--url", "http://127.0.0.1:1", "--token-file", filepath.Join(dir, "token")}, 1, "read the daemon's token"},
		{[]string{"7"}, 2, `takes no argument "7"`},
	} {
		code, _, said := invoke(t, append([]string{"recover"}, c.args...)...)
		if code != c.code || !strings.Contains(said, c.says) {
			t.Errorf("%v: exit code %d, want %d\n%s", c.args, code, c.code, said)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "token")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("asking made a token")
	}
}

func TestTheCountdownIsOfTheNearestCutoffFirst(t *testing.T) {
	status := vigil.Status{Head: 1000, Delay: 30 * time.Second, Miners: []vigil.MinerStatus{{Miner: "t01000", Recoveries: []vigil.RecoveryStatus{
		{Deadline: 3, Cutoff: 2200, Faulty: 2349, Declared: 2349},
		{Deadline: 7, Cutoff: 1130, Faulty: 5, Declared: 2, Unreadable: []vigil.BadSector{{Number: 9, Cause: "replica: missing"}}, Problem: "1 faulty sectors cannot be read"},
	}}}}
	var text strings.Builder
	all := newStanding(status, app.CheckWanted{})
	if err := all.print(&text); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(text.String(), "\n")
	if f := strings.Fields(lines[1]); strings.Join(f, " ") != "t01000 7 5 2 1 0 1130 1:05:00" {
		t.Errorf("the first line is %q", lines[1])
	}
	if f := strings.Fields(lines[2]); strings.Join(f, " ") != "t01000 3 2349 2349 0 0 2200 10:00:00" {
		t.Errorf("the second line is %q", lines[2])
	}
	if !strings.Contains(text.String(), "deadline 7 of t01000: 1 faulty sectors cannot be read") || all.stuck() == nil {
		t.Errorf("what is wrong is not said:\n%s", text.String())
	}
	if one := newStanding(status, app.CheckWanted{Deadlines: []uint64{3}}); len(one.Recoveries) != 1 || one.stuck() != nil {
		t.Errorf("deadline 3 alone: %+v", one)
	}
	if none := newStanding(status, app.CheckWanted{Miners: []abi.ActorID{1001}}); len(none.Recoveries) != 0 {
		t.Errorf("of another miner: %+v", none)
	}
}
