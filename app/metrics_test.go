package app

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/dashboard"
	"github.com/vigil-post/vigil/measure"
)

var updateMetrics = flag.Bool("update", false, "write the generated page of docs")

// fullStatus has something of everything that metrics are made of.
type fullStatus struct{}

func (fullStatus) Changed() <-chan struct{} { return nil }

func (fullStatus) Status() vigil.Status {
	fee, now := abi.NewTokenAmount(100), time.Now()
	deadline := vigil.Deadline{Index: 1, Count: 48, Challenge: 80, Open: 100, Close: 160}
	return vigil.Status{
		Version: "v1", Network: "devnet", Head: 110, HeadTime: now, HeadSeen: now, Delay: 30 * time.Second, BaseFee: &fee,
		Nodes:    []vigil.NodeStatus{{Node: "ws://one", State: vigil.NodeInUse}},
		Storages: []vigil.StorageStatus{{Path: "/mnt/a", State: vigil.StorageReady}},
		Senders:  []vigil.SenderStatus{{Address: "f3x", Balance: fee, Needed: fee}},
		Machine:  vigil.MachineStatus{Data: "/data", Free: 1 << 30},
		Miners: []vigil.MinerStatus{{
			Miner: "f01000", Epoch: 110, Current: deadline, Covered: 10,
			Deadlines: []vigil.DeadlineStatus{{Deadline: deadline, Forecast: &vigil.Forecast{Finish: 130, Fits: true}}},
		}},
	}
}

// allMetrics is what Prometheus reads of a daemon in which everything has happened once.
func allMetrics(t *testing.T) (registry *prometheus.Registry, described map[string]bool) {
	t.Helper()
	meter := measure.New(1000)
	meter.Call("ws://one", "ChainHead", time.Second, errors.New("EOF"))
	if _, err := meter.Messager(noMessages{}, time.Second).Messages(t.Context(), 1000, 0); err != nil {
		t.Fatal(err)
	}
	registry = prometheus.NewPedanticRegistry()
	described = map[string]bool{}
	name := regexp.MustCompile(`fqName: "([^"]+)"`)
	for _, c := range []prometheus.Collector{dashboard.StatusCollector(fullStatus{}), meter} {
		registry.MustRegister(c)
		descs := make(chan *prometheus.Desc, 1000)
		c.Describe(descs)
		close(descs)
		for d := range descs {
			described[name.FindStringSubmatch(d.String())[1]] = true
		}
	}
	return registry, described
}

type noMessages struct{ vigil.Messager }

func (noMessages) Messages(context.Context, abi.ActorID, abi.ChainEpoch) ([]vigil.Message, error) {
	return nil, nil
}

// metric is a row of docs/metrics.md.
type metric struct{ name, kind, labels, help string }

func metricsOf(t *testing.T, registry *prometheus.Registry) (list []metric) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		m := metric{name: f.GetName(), kind: strings.ToLower(f.GetType().String()), help: f.GetHelp()}
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, "`"+l.GetName()+"`")
		}
		m.labels = strings.Join(labels, ", ")
		list = append(list, m)
	}
	return list
}

func TestThePageOfMetricsIsCurrent(t *testing.T) {
	registry, described := allMetrics(t)
	var page strings.Builder
	page.WriteString("# Metrics\n\n" +
		"`/metrics` of the dashboard's address is read by Prometheus; [the rules and the Grafana dashboard](../deploy) are made of these. " +
		"Labels are of what is configured (miners, nodes, storages, senders) and of words, so their number is bounded. " +
		"Beside these there are Go's own (`go_…`) and the process's (`process_…`). This page is written by `go test ./app -run TestThePageOfMetrics -update`.\n\n" +
		"| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, m := range metricsOf(t, registry) {
		fmt.Fprintf(&page, "| `%s` | %s | %s | %s |\n", m.name, m.kind, m.labels, m.help)
		delete(described, m.name)
	}
	for name := range described {
		t.Errorf("%s was not there to be looked at: let fullStatus have it", name)
	}
	path := filepath.Join("..", "docs", "metrics.md")
	if *updateMetrics {
		if err := os.WriteFile(path, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != page.String() {
		t.Errorf("%s is not what the metrics say: %v; run: go test ./app -run TestThePageOfMetrics -update", path, err)
	}
}

func TestMetricsAreNamedByTheConventions(t *testing.T) {
	registry, _ := allMetrics(t)
	answer := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	problems, err := promlint.New(answer.Body).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// What deploy/ asks for exists, and is asked for by the labels that it has.
// Whether Prometheus understands it is checked by the module in deploy/check.
func TestDeployAsksForMetricsThatExist(t *testing.T) {
	registry, _ := allMetrics(t)
	known := map[string]metric{}
	for _, m := range metricsOf(t, registry) {
		known[m.name] = m
		if m.kind == "histogram" {
			known[m.name+"_bucket"], known[m.name+"_sum"], known[m.name+"_count"] = m, m, m
		}
	}
	asked := regexp.MustCompile(`\b(vigil_[a-z0-9_]+)(?:\{([^}]*)\})?`)
	label := regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)`)
	given := []string{"`job`", "`instance`", "`le`"} // by Prometheus itself
	for _, path := range []string{"grafana/vigil.json", "prometheus/vigil.rules.yml"} {
		text, err := os.ReadFile(filepath.Join("..", "deploy", path))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(path, ".json") && !json.Valid(text) {
			t.Errorf("%s is no JSON", path)
		}
		found := asked.FindAllStringSubmatch(string(text), -1)
		if len(found) < 10 {
			t.Errorf("%s asks for %d metrics only", path, len(found))
		}
		for _, f := range found {
			m, ok := known[f[1]]
			if !ok {
				t.Errorf("%s asks for %s, which there is not", path, f[1])
			}
			for _, l := range label.FindAllStringSubmatch(f[2], -1) {
				if name := "`" + l[1] + "`"; !strings.Contains(m.labels, name) && !slices.Contains(given, name) {
					t.Errorf("%s asks for %s by %s, which it has not", path, f[1], l[1])
				}
			}
		}
	}
}
