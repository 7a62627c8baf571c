package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/explain"
)

// What a shell asks for is answered: commands and flags by the library, values here,
// those that only the daemon knows by the daemon.
func TestValuesAreCompleted(t *testing.T) {
	daemon := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/status":
			_ = json.NewEncoder(w).Encode(vigil.Status{Miners: []vigil.MinerStatus{{Miner: "t01000", Current: vigil.Deadline{Index: 7}}, {Miner: "t01001"}}})
		case "/api/duties":
			_ = json.NewEncoder(w).Encode([]explain.Duty{{ID: "t01000/306/0", Deadline: 5, State: vigil.StateProved}})
		}
	}))
	t.Cleanup(daemon.Close)
	config := filepath.Join(t.TempDir(), "vigil.toml")
	listen := strings.TrimPrefix(daemon.URL, "http://")
	if err := os.WriteFile(config, []byte("[dashboard]\nlisten = \""+listen+"\"\n[data]\ndir = \"data\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		line string
		want string // lines, or the beginning of some
	}{
		{"deadlines --url " + daemon.URL + " --miner", "t01000:deadline 7\nt01001:deadline 0\n"},
		{"deadlines --config " + config + " --miner", "t01000:deadline 7\nt01001:deadline 0\n"},
		{"why --url " + daemon.URL, "t01000/306/0:deadline 5, proved\n"},
		{"message explain --config " + config, "t01000/306/0:deadline 5, proved\n"},
		{"logs --url " + daemon.URL + " --duty", "t01000/306/0:deadline 5, proved\n"},
		{"logs --level", "info\nwarn\nerror\n"},
		{"duties --state", "scheduled\nproved\nsubmitted\nconfirmed\nmissed\nreplaced\nshadowed\n"},
		{"wallet new --type", "secp256k1\nbls\n"},
		{"deadlines --url http://127.0.0.1:1 --miner", ""}, // nobody is there to ask
		{"wallet", "new:make a key"},
		{"status --j", "--json"},
	} {
		var out, problems bytes.Buffer
		run(t.Context(), append(append([]string{"vigil"}, strings.Fields(c.line)...), completing), &out, &problems)
		got := out.String()
		if got != c.want && (c.want == "" || strings.HasSuffix(c.want, "\n") || !strings.Contains(got, c.want)) {
			t.Errorf("%s: %q, want %q; %s", c.line, got, c.want, problems.String())
		}
	}
}

// A flag whose values are known has them for completion, and no other is named there.
func TestChoicesAreOfFlagsThatThereAre(t *testing.T) {
	root := newRoot(new(bytes.Buffer), new(bytes.Buffer))
	for name := range flagChoices {
		path, flag, _ := strings.Cut(name, "--")
		c, found := commandOf(root, strings.Fields(path))
		has := false
		for _, below := range append(c.Commands, c) {
			for _, f := range below.Flags {
				has = has || f.Names()[0] == flag
			}
			for _, deeper := range below.Commands {
				for _, f := range deeper.Flags {
					has = has || f.Names()[0] == flag
				}
			}
		}
		if found != strings.TrimSpace(path) || !has {
			t.Errorf("no command has %s", name)
		}
	}
	for path := range argumentChoices {
		if c, found := commandOf(root, strings.Fields(path)); found != path || c.ArgsUsage == "" {
			t.Errorf("no command %s takes an argument", path)
		}
	}
}

func TestATypoIsUnderstood(t *testing.T) {
	for line, want := range map[string]string{
		"stauts":                `vigil has no command "stauts"; did you mean vigil status?`,
		"wallet lsit":           `vigil wallet has no command "lsit"; did you mean vigil wallet list?`,
		"message explian x":     `did you mean vigil message explain?`,
		"status --jsno":         `vigil status has no flag --jsno; did you mean --json?`,
		"duties --mine f01000":  `vigil duties has no flag --mine; did you mean --miner?`,
		"frobnicate":            "vigil has no command \"frobnicate\"\n",
		"status --frobnication": "vigil status has no flag --frobnication\n",
	} {
		var out, problems bytes.Buffer
		if code := run(t.Context(), append([]string{"vigil"}, strings.Fields(line)...), &out, &problems); code != exitUsage || !strings.Contains(problems.String(), want) {
			t.Errorf("%s: %d, %s", line, code, problems.String())
		}
	}
}
