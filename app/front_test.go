package app

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/faultproxy"
	"github.com/vigil-post/vigil/notify"
)

// A start with all nodes down is seen at once where people look: on the page, by the
// commands, by a load balancer, and by those who are told of alarms; and when a node
// is there the work begins at the same address, and the alarm is over.
func TestAStartWithAllNodesDownIsSeenEverywhere(t *testing.T) {
	letters := make(chan string, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		letters <- string(body)
	}))
	t.Cleanup(receiver.Close)
	f, _ := newScene(t, flockOf{sectors: 2})
	f.stop()
	f.lines[0].Set(faultproxy.Refuse)
	c := f.config
	c.Dashboard.Listen = "127.0.0.1:0"
	c.Alarms = Alarms{Name: "miner-1", Targets: []notify.Target{{Format: notify.JSON, URL: receiver.URL}}}
	log := &journal{}
	ended := make(chan error, 1)
	go func() {
		d, err := assemble(t.Context(), c, slog.New(slog.NewTextHandler(log, nil)), func(*Daemon) (tools, error) { return f.tools, nil })
		if err == nil {
			err = d.Run(t.Context())
		}
		ended <- err
	}()
	t.Cleanup(func() {
		if err := <-ended; err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})

	base := waitFor(f, func() (string, bool) {
		said := regexp.MustCompile(`url=(http://\S+)`).FindStringSubmatch(log.String())
		return strings.Join(said[min(1, len(said)):], ""), said != nil
	})
	status := waitFor(f, func() (vigil.Status, bool) {
		s := statusAt(t, base)
		return s, strings.Contains(s.Starting, "no node answers")
	})
	if len(status.Nodes) != 1 || status.Nodes[0].State != vigil.NodeUnreachable {
		t.Errorf("the nodes are shown as %+v", status.Nodes)
	}
	if len(status.Alarms) == 0 || status.Alarms[0].Code != "no-head" || !status.Alarms[0].Urgent || status.Alarms[0].Remedy == "" {
		t.Errorf("the alarms are %+v", status.Alarms)
	}
	for path, want := range map[string]struct {
		code int
		says string
	}{
		"/":            {http.StatusOK, "no node answers"},
		"/system":      {http.StatusOK, "unreachable"},
		"/healthz":     {http.StatusServiceUnavailable, "no node answers"},
		"/api/duties":  {http.StatusOK, "["},
		"/messages":    {http.StatusOK, "essages"},
		"/times":       {http.StatusOK, "No proof"},
		"/api/recover": {http.StatusServiceUnavailable, "has not begun its work yet"},
		"/rpc/v0":      {http.StatusServiceUnavailable, "no node answers"},
	} {
		method := map[bool]string{true: http.MethodPost, false: http.MethodGet}[want.code == http.StatusServiceUnavailable && path != "/healthz"]
		if code, body := request(t, method, base+path); code != want.code || !strings.Contains(body, want.says) {
			t.Errorf("%s answers %d %s", path, code, body)
		}
	}
	for letter := range letters {
		if strings.Contains(letter, "no-head") {
			if !strings.Contains(letter, "no node answers") || !strings.Contains(letter, "configure a second node") {
				t.Errorf("people are told %s", letter)
			}
			break
		}
	}

	f.lines[0].Set()
	waitFor(f, func() (over, _ bool) { // the chain goes on, so that nobody thinks it silent
		if err := f.chain.Advance(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		for len(letters) > 0 {
			letter := <-letters
			over = over || strings.Contains(letter, "no-head") && strings.Contains(letter, `"over"`)
		}
		s := statusAt(t, base)
		return over, over && s.Starting == "" && len(s.Miners) == 1
	})
}

// waitFor looks again and again until something is there.
func waitFor[T any](f *flock, look func() (T, bool)) T {
	f.t.Helper()
	for {
		if seen, there := look(); there {
			return seen
		}
		f.pause(flockEpoch / 5)
	}
}

func statusAt(t *testing.T, base string) (s vigil.Status) {
	t.Helper()
	_, body := request(t, http.MethodGet, base+"/api/status")
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return s
}

func request(t *testing.T, method, url string) (code int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}
