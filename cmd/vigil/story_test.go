package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vigil-post/vigil/devnet/scenario"
)

// A story told to the real daemon, to its end. What it expects is not a matter
// of how fast this machine is.
func TestAScenarioIsToldAndJudged(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a quarter of a minute")
	}
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", dir)
	for _, c := range []struct {
		name, expect, says string
		code               int
	}{
		{"kept", "invalid = 0\nfaulty = 0", "scenario kept ended as it should", 0},
		{"broken", "confirmed = 1000", "scenario broken did NOT end as it should: partitions confirmed: ", 1},
	} {
		file := filepath.Join(dir, c.name+".toml")
		text := "about = \"a short reorg\"\n[network]\nsectors = 8\n[[event]]\nat = 20\nreorg = 5\n[[event]]\nat = 25\nnode = \"error\"\nmethod = \"ChainHead\"\ncalls = 1\n[expect]\nuntil = 30\n" + c.expect
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		var out, log bytes.Buffer
		code := run(t.Context(), []string{"vigil", "devnet", "--scenario", file, "--dashboard", "127.0.0.1:0"}, &out, &log)
		if code != c.code || !strings.Contains(out.String(), c.says) || !strings.Contains(log.String(), `what="reorg=5"`) {
			t.Errorf("%s: exit code %d\n%s\n%s", c.name, code, out.String(), lastLines(log.String(), 20))
		}
	}
}

// Every story that comes with the program, told to the real daemon. It needs
// two cores of its own for half an hour: on a busy machine the daemon is late.
func TestEveryScenarioEndsAsItShould(t *testing.T) {
	if os.Getenv("VIGIL_LONG") != "1" {
		t.Skip("it takes half an hour; VIGIL_LONG=1 runs it")
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for _, name := range scenario.Names() {
		t.Run(name, func(t *testing.T) {
			var out, log bytes.Buffer
			code := run(t.Context(), []string{"vigil", "devnet", "--scenario", name, "--block-time", "250ms", "--dashboard", "127.0.0.1:0"}, &out, &log)
			if code != 0 {
				t.Errorf("exit code %d\n%s\n%s", code, out.String(), log.String())
			}
		})
	}
}

func TestTheScenariosAreListed(t *testing.T) {
	code, stdout, _ := invoke(t, "devnet", "scenarios")
	if code != 0 || strings.Count(stdout, "\n") != 2*len(scenario.Names()) || !strings.Contains(stdout, "silent-node\n    the node says nothing") {
		t.Errorf("exit code %d\n%s", code, stdout)
	}
}
