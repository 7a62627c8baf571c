package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vigil-post/vigil"
)

func TestSinceWhenEverySectorWasReadIsSaid(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.Local)
	for want, m := range map[string]vigil.MinerStatus{
		"not every sector was read in a rehearsal yet":                   {},
		"every sector was read since epoch 7":                            {Covered: 7},
		"every sector was read in the last 12 h, since Tue 3 Mar 17:36":  {Covered: 7, CoveredAt: now.Add(-11*time.Hour - 30*time.Minute)},
		"every sector was read in the last 31 min, since Wed 4 Mar 04:3": {Covered: 7, CoveredAt: now.Add(-30*time.Minute - time.Second)},
	} {
		if got := coverage(m, now); !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestTheStoragesAreListedWithWhatTheDaemonHasRead(t *testing.T) {
	dir, config := twoStorages(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(vigil.Status{Miners: []vigil.MinerStatus{{Miner: "f01000", Covered: 7}}})
	}))
	defer server.Close()
	text, err := os.ReadFile(config)
	must(t, err)
	text = append(text, "[dashboard]\nlisten = \""+strings.TrimPrefix(server.URL, "http://")+"\"\n[data]\ndir = \""+filepath.Join(dir, "data")+"\"\n"...)
	must(t, os.WriteFile(config, text, 0o600))
	if code, stdout, stderr := invoke(t, "storage", "list", "--config", config); code != 0 || !strings.Contains(stdout, "f01000: every sector was read since epoch 7") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	server.Close()
	if code, stdout, _ := invoke(t, "storage", "list", "--config", config); code != 0 || strings.Contains(stdout, "f01000") {
		t.Errorf("no daemon runs: exit code %d\n%s", code, stdout)
	}
}
