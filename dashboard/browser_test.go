package dashboard

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// browserPlan is what browser/drive.mjs is to do.
type browserPlan struct {
	Base     string              `json:"base"`
	Modules  string              `json:"modules"`
	Chromium string              `json:"chromium"`
	Out      string              `json:"out"`
	States   map[string][]string `json:"states"`
	Live     map[string]string   `json:"live"`
	Keyboard map[string]string   `json:"keyboard"`
}

// browserReport is what it saw.
type browserReport struct {
	Pages  int
	Faults []string
	Paints []struct {
		State, At, Look string
		MS              int
	}
	Screenshots string
}

// TestInABrowser drives every page with 0, 1 and 100 miners in headless Chromium.
// Screenshots are kept in $VIGIL_SCREENSHOTS.
func TestInABrowser(t *testing.T) {
	node, chromium, modules := browser(t)
	fake := newFake(states()["none"])
	mux := http.NewServeMux()
	mux.Handle("/", New(whole(fake)))
	mux.HandleFunc("POST /state/{name}", func(w http.ResponseWriter, r *http.Request) {
		s, known := states()[r.PathValue("name")]
		if !known {
			http.NotFound(w, r)
			return
		}
		s = alarmed(s)
		if r.PathValue("name") != "silent" {
			s.HeadSeen = time.Now().Add(time.Hour) // it does not grow old however slow the machine is
		}
		fake.set(s)
	})
	base := serve(t, mux)
	pages := []string{"/", "/alarms", "/forecast", "/times", "/system"}
	miner := []string{"/miners/f01000", "/miners/f01000/deadlines/14", "/miners/f01000/deadlines/14/partitions/1", "/duties/f01000/1144200/0"}
	out := os.Getenv("VIGIL_SCREENSHOTS")
	if out == "" {
		out = t.TempDir()
	}
	report := drive(t, node, browserPlan{
		Base: base, Modules: modules, Chromium: chromium, Out: out,
		States: map[string][]string{
			"none": pages, "waiting": {"/", "/system", "/alarms"}, "silent": {"/"}, "furnished": slices.Concat(pages, miner, []string{"/messages"}), "troubled": {"/"}, "hundred": {"/", "/forecast", "/system", "/miners/f01007"},
		},
		Live:     map[string]string{"path": "/", "from": "healthy", "to": "troubled", "before": "Nothing needs attention", "after": "2 sectors cannot be read"},
		Keyboard: map[string]string{"path": "/", "state": "healthy", "other": "troubled"},
	})
	for _, fault := range report.Faults {
		t.Error(fault)
	}
	if report.Pages < 42 {
		t.Errorf("only %d pages were looked at", report.Pages)
	}
	judgePaints(t, report)
}

// judgePaints says how long the first content took; it is held against 500 ms
// only where VIGIL_LONG says that the machine is ours alone.
func judgePaints(t *testing.T, report browserReport) {
	var all []int
	for _, p := range report.Paints {
		all = append(all, p.MS)
		if os.Getenv("VIGIL_LONG") != "" && p.MS > 500 {
			t.Errorf("%s %s %s: the first content came after %d ms", p.State, p.At, p.Look, p.MS)
		}
	}
	slices.Sort(all)
	t.Logf("%d pages; the first content after %d ms in the middle, %d ms at worst; screenshots in %s", report.Pages, all[len(all)/2], all[len(all)-1], report.Screenshots)
}

// browser finds Node, Chromium and the modules, or skips where they are
// missing: .ci/run sees to it that they are there when it runs.
func browser(t *testing.T) (node, chromium, modules string) {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser takes its time")
	}
	modules = os.Getenv("VIGIL_BROWSER_MODULES")
	if modules == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Skip("no cache folder:", err)
		}
		modules = filepath.Join(cache, "vigil-ci", "browser", "node_modules")
	}
	node, errNode := exec.LookPath("node")
	chromium, errChromium := exec.LookPath("chromium")
	if name := os.Getenv("VIGIL_CHROMIUM"); name != "" {
		chromium, errChromium = exec.LookPath(name)
	}
	_, errModules := os.Stat(filepath.Join(modules, "playwright-core"))
	for what, err := range map[string]error{"node": errNode, "chromium": errChromium, "playwright-core (see .ci/run)": errModules} {
		if err != nil && os.Getenv("VIGIL_BROWSER") == "must" {
			t.Fatalf("%s is missing: %v", what, err)
		}
		if err != nil {
			t.Skipf("%s is missing: %v", what, err)
		}
	}
	return node, chromium, modules
}

// serve serves a handler on loopback until the test ends.
func serve(t *testing.T, h http.Handler) (base string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, l, h) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

// drive runs the script; it is killed with the test.
func drive(t *testing.T, node string, plan browserPlan) (report browserReport) {
	t.Helper()
	text, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "plan.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	var problems strings.Builder
	run := exec.CommandContext(t.Context(), node, "browser/drive.mjs", file)
	run.Stderr = &problems
	said, err := run.Output()
	if err == nil {
		err = json.Unmarshal(said, &report)
	}
	if err != nil {
		t.Fatal(fmt.Errorf("drive the browser: %w\n%s\n%s", err, said, problems.String()))
	}
	return report
}
