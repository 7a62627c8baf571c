package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vigil-post/vigil"
)

// listener is a writer that calls back for each line written to it.
type listener struct {
	mu   sync.Mutex // guards text, and the calls
	text bytes.Buffer
	line func(string)
}

func (l *listener) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	for line := range strings.Lines(string(p)) {
		l.line(strings.TrimSpace(line))
	}
	return len(p), nil
}

func (l *listener) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// The whole of Vigil: a chain, a miner and the daemon, until the chain itself
// shows a proof; then again, from what the first run left.
func TestTheDevnetConfirmsAProofAndGoesOnAfterARestart(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	dir := t.TempDir()
	first := devnetUntilConfirmed(t, dir)
	if !strings.Contains(first, "the key is made") {
		t.Errorf("no key was made:\n%s", first)
	}
	second := devnetUntilConfirmed(t, dir)
	if strings.Contains(second, "the key is made") {
		t.Errorf("the key was made again:\n%s", second)
	}
	for _, file := range []string{"README", "daemon.toml", "keystore", "passphrase", filepath.Join("chain", "token")} {
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil {
			t.Error(err)
		} else if file != "README" && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s may be read by others: %v", file, info.Mode())
		}
	}
}

// devnetUntilConfirmed runs the devnet until it says that a proof is
// confirmed, looks at the dashboard, stops it as a signal would, and gives
// what it said.
func devnetUntilConfirmed(t *testing.T, dir string) string {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Minute)
	defer stop()
	page := ""
	confirmed := false
	out := &listener{line: func(line string) {
		if url, ok := strings.CutPrefix(line, "the dashboard is at "); ok {
			page = url
		}
		if strings.HasPrefix(line, "first Window PoSt confirmed") {
			confirmed = true
			checkPage(t, page)
			stop()
		}
	}}
	var log bytes.Buffer
	code := run(ctx, []string{"vigil", "devnet", "--data", dir, "--dashboard", "127.0.0.1:0"}, out, &log)
	if code != 0 || !confirmed {
		t.Fatalf("exit code %d\n%s\n%s", code, out, lastLines(log.String(), 40))
	}
	return out.String()
}

// checkPage asks the dashboard for what it shows.
func checkPage(t *testing.T, url string) {
	t.Helper()
	for _, path := range []string{"/", "/healthz", "/metrics"} {
		body := fetch(t, url+path)
		if path == "/" && !strings.Contains(body, "t01000") {
			t.Errorf("the page does not show the miner")
		}
	}
	var provers []vigil.ProverStatus
	if err := json.Unmarshal([]byte(fetch(t, url+"/api/provers")), &provers); err != nil || len(provers) != 1 || provers[0].Prover != "native" || provers[0].Made == 0 {
		t.Errorf("the provers are %+v: %v", provers, err)
	}
	var s vigil.Status
	if err := json.Unmarshal([]byte(fetch(t, url+"/api/status")), &s); err != nil {
		t.Error(err)
	}
	if len(s.Miners) != 1 || len(s.Miners[0].Deadlines) != 48 || s.Miners[0].Problem != "" {
		t.Errorf("status: %+v", s)
		return
	}
	for _, d := range s.Miners[0].Duties {
		if d.Row.State != vigil.StateConfirmed || d.Kind != vigil.KindPost {
			continue
		}
		checkMore(t, url, d)
		return
	}
}

// checkMore asks for the pages of a duty that is confirmed.
func checkMore(t *testing.T, url string, d vigil.DutyStatus) {
	t.Helper()
	deadline := fmt.Sprintf("/miners/t01000/deadlines/%d", d.Deadline)
	for path, says := range map[string]string{
		"/duties/" + d.Duty:        `<ol class="timeline">`,
		deadline:                   "active: 2",
		deadline + "/partitions/0": "active: 2",
		"/times":                   d.Duty,
		"/system":                  "in use",
		"/api/provers":             `"native"`,
	} {
		if body := fetch(t, url+path); !strings.Contains(body, says) {
			t.Errorf("%s does not say %q:\n%s", path, says, body)
		}
	}
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Errorf("%s: %s %v", url, r.Status, err)
	}
	return string(body)
}

func lastLines(text string, n int) string {
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
