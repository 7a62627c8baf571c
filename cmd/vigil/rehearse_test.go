package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vigil-post/vigil/app"
)

// apart runs a command in a process of its own: this one takes the lowest priority, which
// would be that of all other tests.
func apart(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	c := exec.Command(self, args...)
	c.Env = append(os.Environ(), asProgram+"=1")
	c.Stdout, c.Stderr = &out, &errs
	var failed *exec.ExitError
	if err := c.Run(); err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), out.String(), errs.String()
}

// The sectors, the keys and the proofs are real; the daemon is off.
func TestARehearsalWithASnarkProvesAndNamesWhatIsMissing(t *testing.T) {
	if testing.Short() {
		t.Skip("it makes real proofs")
	}
	t.Parallel()
	n := newNode(t, epochFor(t))
	rehearse := func(args ...string) (int, []app.Tried) {
		t.Helper()
		code, stdout, stderr := apart(t, append([]string{"rehearse", "--config", n.config(), "--json"}, args...)...)
		var list []app.Tried
		if err := json.Unmarshal([]byte(stdout), &list); err != nil {
			t.Fatalf("%v: exit code %d, %v\n%s%s", args, code, err, stdout, stderr)
		}
		return code, list
	}
	if code, list := rehearse("--partition", "40/0", "--snark"); code != 0 || len(list) != 1 || list[0].Proved != 2 || !list[0].Good() {
		t.Errorf("exit code %d, %+v", code, list)
	}
	must(t, os.Remove(filepath.Join(n.dir, "chain", "storage", "sealed", "s-t01000-76"))) // of deadline 40
	if code, list := rehearse("--deadline", "40", "--snark"); code != 1 || len(list) != 1 || len(list[0].Bad) != 1 || list[0].Proved != 1 {
		t.Errorf("exit code %d, %+v", code, list)
	}
	code, stdout, _ := invoke(t, "rehearse", "--config", n.config(), "--deadline", "40", "--deadline", "41")
	for _, words := range []string{"deadline 40, partitions [0]: 2 sectors read", "sector 76 is bad: ", "deadline 41", "2 proof(s) rehearsed: 4 sectors, of which 1 would be left out"} {
		if code != 1 || !strings.Contains(stdout, words) {
			t.Errorf("exit code %d; it does not say %q:\n%s", code, words, stdout)
		}
	}
	if code, _, stderr := invoke(t, "rehearse", "--config", n.config(), "--deadline", "0"); code != 1 || !strings.Contains(stderr, "nothing was rehearsed") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
