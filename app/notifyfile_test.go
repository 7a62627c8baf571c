package app

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vigil-post/vigil/notify"
)

const notified = `
[alarms]
name = "miner-1"
heartbeat_url_file = "hook"
heartbeat_every = "30s"

[[notify]]
format = "slack"
url_file = "hook"

[[notify]]
format = "pagerduty"
token_file = "token"
urgent_only = true

[[notify]]
format = "alertmanager"
url = "http://10.0.0.5:9093"

[trace]
otlp = "http://127.0.0.1:4318"
`

// hooked is a place with a file that has a secret URL.
func hooked(t *testing.T) string {
	t.Helper()
	dir := place(t)
	write(t, filepath.Join(dir, "hook"), "https://hooks.example/services/SECRET\n")
	return dir
}

func TestThoseWhoAreToldOfAlarmsAreUnderstood(t *testing.T) {
	c, err := parse("vigil.toml", hooked(t), []byte(good+notified), noEnv)
	if err != nil {
		t.Fatal(err)
	}
	const secret = "https://hooks.example/services/SECRET"
	want := []notify.Target{
		{Format: notify.Slack, URL: secret},
		{Format: notify.PagerDuty, URL: "https://events.pagerduty.com/v2/enqueue", Token: "abc", UrgentOnly: true},
		{Format: notify.Alertmanager, URL: "http://10.0.0.5:9093"},
	}
	a := c.Alarms
	if len(a.Targets) != len(want) || a.Heartbeat != secret || a.HeartbeatEvery != 30*time.Second || a.name() != "miner-1" || c.Trace.OTLP != "http://127.0.0.1:4318" {
		t.Fatalf("%+v", a)
	}
	for i := range want {
		if a.Targets[i] != want[i] {
			t.Errorf("%d: %+v", i, a.Targets[i])
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		if text := fmt.Sprintf(verb, c); strings.Contains(text, "SECRET") || strings.Contains(text, "abc") {
			t.Errorf("%s shows a secret: %s", verb, text)
		}
	}
}

func TestWhoCannotBeToldIsAFinding(t *testing.T) {
	for _, c := range []struct{ sentence, old, new, says string }{
		{"a format that is none", `"slack"`, `"email"`, "use alertmanager, pagerduty, slack, json"},
		{"no URL", `url = "http://10.0.0.5:9093"`, ``, "notify[2].url: this is no URL of a web server"},
		{"a URL that is none", `"http://10.0.0.5:9093"`, `"10.0.0.5:9093"`, "this is no URL of a web server"},
		{"a URL twice", `url_file = "hook"` + "\n\n[[notify]]", `url_file = "hook"` + "\nurl = \"http://x\"\n[[notify]]", "the URL is given twice"},
		{"a file that is gone", `url_file = "hook"` + "\n\n[[notify]]", `url_file = "none"` + "\n[[notify]]", "no such file"},
		{"PagerDuty without a key", `token_file = "token"`, ``, "PagerDuty needs a routing key"},
		{"a token twice", `token_file = "token"`, "token_file = \"token\"\ntoken = \"x\"", "the token is given twice"},
		{"a heartbeat that is too fast", `"30s"`, `"1s"`, "no pace for a heartbeat"},
		{"a heartbeat to nowhere", `heartbeat_url_file = "hook"`, `heartbeat_url = "hc-ping.com"`, "alarms.heartbeat_url: this is no URL"},
		{"a collector that is none", `"http://127.0.0.1:4318"`, `"127.0.0.1:4317"`, "trace.otlp: this is no URL"},
		{"a setting that does not exist", `urgent_only`, `urgently_only`, "no such setting"},
	} {
		if !strings.Contains(notified, c.old) {
			t.Fatalf("%s: the file has no %q", c.sentence, c.old)
		}
		// The good file's own token files are left alone.
		_, err := parse("vigil.toml", hooked(t), []byte(good+strings.Replace(notified, c.old, c.new, 1)), noEnv)
		var found *FindingsError
		if !errors.As(err, &found) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.sentence, err)
		}
	}
}

// Real HTTP, so that the test of notifications is one of them all.
func TestNotificationsAreTried(t *testing.T) {
	var mu sync.Mutex
	var paths []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		paths = append(paths, r.Method+" "+r.URL.Path)
		if r.URL.Path == "/broken" {
			http.Error(w, "no_service", http.StatusNotFound)
		}
	}))
	defer server.Close()
	c := Config{Alarms: Alarms{Name: "miner-1", Heartbeat: Secret(server.URL + "/beat"), Targets: []notify.Target{
		{Format: notify.Alertmanager, URL: server.URL}, {Format: notify.Slack, URL: server.URL + "/broken"}, {Format: notify.JSON, URL: server.URL + "/json"},
	}}}
	var said []string
	err := TryNotifications(t.Context(), c, func(who string, err error) { said = append(said, fmt.Sprint(who, " ", err)) })
	if err == nil || len(said) != 4 || !strings.Contains(said[1], "HTTP 404 Not Found: no_service") || !strings.HasSuffix(said[3], "<nil>") {
		t.Errorf("%v, %q", err, said)
	}
	mu.Lock()
	defer mu.Unlock()
	if got := strings.Join(paths, ", "); got != "POST /api/v2/alerts, POST /api/v2/alerts, POST /broken, POST /broken, POST /json, POST /json, GET /beat" {
		t.Error(got)
	}
	if TryNotifications(t.Context(), Config{}, nil) == nil {
		t.Error("nobody to tell is no success")
	}
}
