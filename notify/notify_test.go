package notify

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// world is a status and somebody who is told of it. Nothing of it touches a network.
type world struct {
	t *testing.T

	mu     sync.Mutex // guards what follows
	status vigil.Status
	posts  []post
	answer func(*http.Request) (int, error)
	says   string // to all
}

type post struct {
	method, url, auth string
	body              string
}

func newWorld(t *testing.T) *world {
	return &world{t: t, status: vigil.Status{
		Head: 1000, HeadSeen: time.Now(), Delay: 30 * time.Second, Miners: []vigil.MinerStatus{{Miner: "f01000", Epoch: 1000}},
	}}
}

func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	code := http.StatusAccepted
	if w.answer != nil {
		answered, err := w.answer(r)
		if err != nil {
			return nil, err
		}
		code = answered
	}
	if code/100 == 2 {
		w.posts = append(w.posts, post{r.Method, r.URL.String(), r.Header.Get("Authorization"), string(body)})
	}
	header := http.Header{}
	if code/100 == 3 {
		header.Set("Location", r.URL.String()+"/moved")
	}
	return &http.Response{StatusCode: code, Status: fmt.Sprint(code), Header: header, Body: io.NopCloser(strings.NewReader(cmp.Or(w.says, "said so"))), Request: r}, nil
}

func (w *world) Status() vigil.Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.status
	s.Alarms = slices.Clone(s.Alarms)
	return s
}

func (w *world) change(f func(*vigil.Status)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(&w.status)
}

func (w *world) answers(f func(*http.Request) (int, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = f
}

// told gives what was told since the last time, and how often.
func (w *world) told() []post {
	w.mu.Lock()
	defer w.mu.Unlock()
	posts := w.posts
	w.posts = nil
	return posts
}

func (w *world) config(targets ...Target) Config {
	return Config{
		Status: w.Status, Miners: 1, Targets: targets, Name: "miner-1", Page: "http://10.0.0.1:8748",
		Memory: filepath.Join(w.t.TempDir(), "told.json"), Client: &http.Client{Transport: w},
	}
}

// runs lets a notifier run until stop.
func (w *world) runs(c Config) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); New(c).Run(ctx) }()
	return func() { cancel(); <-ended }
}

func raised(code string, urgent bool) vigil.Alarm {
	return vigil.Alarm{Code: code, About: "f01000/980/0", Miner: "f01000", Urgent: urgent, Since: time.Now(), By: 1040, What: "it is <wrong>", Remedy: "Do something."}
}

func alarms(list ...vigil.Alarm) func(*vigil.Status) {
	return func(s *vigil.Status) { s.Alarms = list }
}

var slack = Target{Format: Slack, URL: "https://hooks.example/services/SECRET"}

func (w *world) wants(what string, n int, says ...string) {
	w.t.Helper()
	posts := w.told()
	if len(posts) != n {
		w.t.Fatalf("%s: %d messages, want %d: %v", what, len(posts), n, posts)
	}
	all := fmt.Sprint(posts)
	for _, text := range says {
		if !strings.Contains(all, text) {
			w.t.Errorf("%s: nobody was told %q: %s", what, text, all)
		}
	}
}

func TestAnAlarmIsToldOnceAndItsEndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stop := w.runs(w.config(slack))
		defer stop()
		w.change(alarms(raised("not-started", true)))
		time.Sleep(time.Hour)
		w.wants("an urgent one", 1, "it is &lt;wrong&gt;", "Do something.", "20m0s left, until epoch 1040", "miner-1")
		w.change(alarms())
		time.Sleep(30 * time.Second)
		w.wants("it may come back at once", 0)
		time.Sleep(time.Hour)
		w.wants("its end", 1, "over")
		w.change(alarms(raised("not-started", true)))
		time.Sleep(time.Hour)
		w.wants("another one", 1, "rotating_light")
	})
}

func TestWhatMendsItselfIsNoNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stop := w.runs(w.config(slack))
		defer stop()
		w.change(alarms(raised("node-down", false)))
		time.Sleep(45 * time.Second)
		w.change(alarms())
		time.Sleep(time.Hour)
		w.wants("for 45 seconds", 0)
		w.change(alarms(raised("node-down", false)))
		time.Sleep(75 * time.Second)
		w.wants("for longer", 1, ":warning:")
		urgent := w.Status().Alarms[0]
		urgent.Urgent = true
		w.change(alarms(urgent))
		time.Sleep(time.Hour)
		w.wants("it becomes urgent", 1, ":rotating_light:")
	})
}

func TestARestartRepeatsNothingAndEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.config(slack)
		stop := w.runs(c)
		a := raised("not-started", true)
		w.change(alarms(a))
		time.Sleep(time.Minute)
		w.wants("an urgent one", 1)
		stop()

		before := w.Status()
		w.change(func(s *vigil.Status) { *s = vigil.Status{Delay: 30 * time.Second} }) // nothing is known yet
		stop = w.runs(c)
		time.Sleep(time.Hour)
		w.wants("nothing is known after the restart", 0)
		a.Since = time.Now()
		w.change(func(s *vigil.Status) { *s = before; s.Alarms = []vigil.Alarm{a} })
		time.Sleep(time.Hour)
		w.wants("it lasts", 0)
		w.change(alarms())
		time.Sleep(time.Hour)
		w.wants("it is over", 1, "over")
		stop()
	})
}

func TestATargetThatFailsIsToldLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var log bytes.Buffer
		var tries int
		w.answers(func(*http.Request) (int, error) { tries++; return 0, errors.New("connection refused") })
		c := w.config(slack)
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
		stop := w.runs(c)
		w.change(alarms(raised("not-started", true)))
		time.Sleep(time.Hour)
		w.answers(nil) // nobody counts any more
		w.change(func(*vigil.Status) {
			if tries < 10 || tries > 30 {
				t.Errorf("%d tries in an hour", tries)
			}
		})
		w.answers(func(*http.Request) (int, error) { return http.StatusTooManyRequests, nil })
		time.Sleep(time.Hour)
		w.answers(nil)
		time.Sleep(6 * time.Minute)
		w.wants("when it is back", 1)
		stop()
		if text := log.String(); strings.Contains(text, "SECRET") || strings.Count(text, "level=ERROR") != 2 || !strings.Contains(text, "connection refused") {
			t.Errorf("the log says\n%s", text)
		}
	})
}

// Many alarms are bounded, and one that is refused holds up no other.
func TestManyAlarmsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stop := w.runs(w.config(Target{Format: PagerDuty, URL: "https://events.example/v2/enqueue", Token: "KEY"}))
		defer stop()
		w.answers(func(r *http.Request) (int, error) {
			if r.ContentLength%2 == 0 {
				return http.StatusBadRequest, nil
			}
			return http.StatusAccepted, nil
		})
		var list []vigil.Alarm
		for i := range 3 * most {
			a := raised("sectors-bad", true)
			a.About = strings.Repeat("x", i%7) + fmt.Sprint(i)
			list = append(list, a)
		}
		w.change(alarms(list...))
		time.Sleep(3 * time.Hour)
		if n := len(w.told()); n == 0 || n > most {
			t.Errorf("%d alarms were told", n)
		}
	})
}

func TestAlertmanagerIsToldForAsLongAsItLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stop := w.runs(w.config(Target{Format: Alertmanager, URL: "http://am.example:9093/", Token: "T"}))
		defer stop()
		began := time.Now()
		w.change(alarms(raised("node-lag", false)))
		time.Sleep(10*time.Minute + time.Second)
		posts := w.told()
		if len(posts) < 8 || len(posts) > 11 {
			t.Fatalf("%d posts in ten minutes", len(posts))
		}
		var last time.Time
		for _, p := range posts {
			var got []alert
			if err := json.Unmarshal([]byte(p.body), &got); err != nil || len(got) != 1 {
				t.Fatal(p.body, err)
			}
			a := got[0]
			if p.url != "http://am.example:9093/api/v2/alerts" || p.auth != "Bearer T" || a.Labels["alertname"] != "Vigil node-lag" || a.Labels["severity"] != "warning" || !a.StartsAt.Equal(began) {
				t.Fatalf("%+v", p)
			}
			if !last.IsZero() && !a.EndsAt.After(last) {
				t.Errorf("it ends at %s, as was said before", a.EndsAt)
			}
			last = a.EndsAt
		}
		w.change(alarms())
		time.Sleep(time.Hour)
		posts = w.told()
		if len(posts) != 1 {
			t.Fatalf("its end is told %d times", len(posts))
		}
		var got []alert
		if err := json.Unmarshal([]byte(posts[0].body), &got); err != nil || got[0].EndsAt.After(time.Now()) {
			t.Errorf("%s", posts[0].body)
		}
	})
}

func TestPagerDutysEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stop := w.runs(w.config(Target{Format: PagerDuty, URL: "https://events.example/v2/enqueue", Token: "KEY"}))
		defer stop()
		long := raised("not-started", true)
		long.What, long.About = strings.Repeat("wrong ", 500), strings.Repeat("/mnt/a", 100)
		w.change(alarms(long))
		time.Sleep(time.Minute)
		w.change(alarms())
		time.Sleep(time.Hour)
		type event struct {
			RoutingKey  string `json:"routing_key"`
			EventAction string `json:"event_action"`
			DedupKey    string `json:"dedup_key"`
			Payload     *struct{ Summary, Source, Severity string }
		}
		posts := w.told()
		if len(posts) != 2 {
			t.Fatalf("%d events", len(posts))
		}
		var events [2]event
		for i, p := range posts {
			if err := json.Unmarshal([]byte(p.body), &events[i]); err != nil {
				t.Fatal(err)
			}
		}
		on, off := events[0], events[1]
		if on.RoutingKey != "KEY" || on.EventAction != "trigger" || off.EventAction != "resolve" || on.DedupKey != off.DedupKey || len(on.DedupKey) > 255 ||
			on.Payload == nil || on.Payload.Severity != "critical" || on.Payload.Source != "miner-1" || len([]rune(on.Payload.Summary)) > 1024 || off.Payload != nil {
			t.Errorf("%+v", events)
		}
	})
}

func TestOurOwnFormatHasAllOfAnAlarm(t *testing.T) {
	l := letter{"miner-1", "", time.Unix(0, 0).UTC(), []change{
		{Alarm: vigil.Alarm{Code: "no-head", About: "chain", Urgent: true, By: abi.ChainEpoch(7), What: "w", Remedy: "r"}, Left: time.Minute},
		{Alarm: vigil.Alarm{Code: "disk-full"}, Over: true},
	}}
	text, err := json.Marshal(Target{Format: JSON}.requests(l)[0].body)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"version":1,"name":"miner-1","time":"1970-01-01T00:00:00Z","alarms":[` +
		`{"code":"no-head","about":"chain","urgent":true,"since":"0001-01-01T00:00:00Z","by":7,"what":"w","remedy":"r","status":"firing","left_seconds":60},` +
		`{"code":"disk-full","about":"","urgent":false,"since":"0001-01-01T00:00:00Z","what":"","remedy":"","status":"over"}]}`
	if string(text) != want {
		t.Errorf("%s", text)
	}
}

func TestAHeartbeatStopsWithWhatItStandsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var mu sync.Mutex
		stopped := ""
		c := w.config()
		c.Beat = Heartbeat{URL: "https://hc.example/ping/SECRET", Every: time.Minute, Stopped: func() string { mu.Lock(); defer mu.Unlock(); return stopped }}
		stop := w.runs(c)
		defer stop()
		time.Sleep(10*time.Minute + time.Second)
		if posts := w.told(); len(posts) != 11 || posts[0].method != http.MethodGet || posts[0].url != c.Beat.URL {
			t.Fatalf("%v", posts)
		}
		mu.Lock()
		stopped = "no head"
		mu.Unlock()
		time.Sleep(10 * time.Minute)
		w.wants("it would be a lie", 0)
	})
}

func TestAMemoryThatIsDamagedIsNoReasonNotToTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.config(slack)
		if err := os.WriteFile(c.Memory, []byte(`{"slack`), 0o600); err != nil {
			t.Fatal(err)
		}
		stop := w.runs(c)
		defer stop()
		w.change(alarms(raised("not-started", true)))
		time.Sleep(time.Minute)
		w.wants("told all the same", 1)
		if text, err := os.ReadFile(c.Memory); err != nil || bytes.Contains(text, []byte("SECRET")) || !json.Valid(text) {
			t.Errorf("the memory is %s, %v", text, err)
		}
	})
}

func TestATestIsToldAndOver(t *testing.T) {
	w := newWorld(t)
	for _, format := range Formats {
		if err := New(w.config()).Test(t.Context(), Target{Format: format, URL: "http://somewhere.example"}); err != nil {
			t.Error(err)
		}
		w.wants(string(format), 2, "nothing is wrong")
	}
	w.answers(func(*http.Request) (int, error) { return http.StatusForbidden, nil })
	err := New(w.config()).Test(t.Context(), slack)
	if err == nil || strings.Contains(err.Error(), "SECRET") || !strings.Contains(err.Error(), "hooks.example answers HTTP 403: said so") {
		t.Error(err)
	}
}

// What lasts and is not urgent takes no room from what somebody must be woken for.
func TestManyMildAlarmsHoldUpNoUrgentOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stop := w.runs(w.config(slack))
		defer stop()
		var list []vigil.Alarm
		for i := range 2 * most {
			a := raised("rehearsal-unread", false)
			a.About = fmt.Sprint(i)
			list = append(list, a)
		}
		w.change(alarms(list...))
		time.Sleep(time.Hour)
		w.told()
		w.change(alarms(append(list, raised("no-head", true))...))
		time.Sleep(time.Minute)
		w.wants("an urgent one behind many", 1, ":rotating_light:")
	})
}

func TestARedirectThatDropsTheMessageIsNoSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.answers(func(r *http.Request) (int, error) {
			if r.Method == http.MethodPost {
				return http.StatusMovedPermanently, nil
			}
			return http.StatusOK, nil
		})
		n := New(w.config())
		if err := n.Test(t.Context(), slack); err == nil || !strings.Contains(err.Error(), "301") {
			t.Errorf("got %v", err)
		}
		if posts := w.told(); len(posts) != 0 {
			t.Errorf("it was followed: %v", posts)
		}
	})
}

// Many servers answer with the path that they do not know, which of a webhook is its secret.
func TestWhatAServerSaysOfItsPathIsNotShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.says = "Cannot POST /services/SECRET?key=HIDDEN"
		w.answers(func(*http.Request) (int, error) { return http.StatusNotFound, nil })
		target := slack
		target.URL += "?key=HIDDEN"
		err := New(w.config()).Test(t.Context(), target)
		if err == nil || strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), "HIDDEN") || !strings.Contains(err.Error(), "Cannot POST …") {
			t.Errorf("got %v", err)
		}
	})
}

// A daemon that has just started has planned and not begun yet: that is no reason to wake anybody.
func TestAMomentOfUrgencyIsNoNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.change(alarms(raised("not-started", true)))
		stop := w.runs(w.config(slack))
		defer stop()
		time.Sleep(11 * time.Second)
		w.change(alarms())
		time.Sleep(time.Hour)
		w.wants("for a moment", 0)
		w.change(alarms(raised("not-started", true)))
		time.Sleep(26 * time.Second)
		w.wants("for longer", 1, ":rotating_light:")
	})
}

// Before the first head not even the length of an epoch is known, and each start begins with that.
func TestAStartIsNoNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		known := w.Status()
		blind := func(s *vigil.Status) { *s = vigil.Status{Alarms: []vigil.Alarm{raised("no-head", true)}} }
		w.change(blind)
		stop := w.runs(w.config(slack))
		time.Sleep(5 * time.Second)
		w.change(func(s *vigil.Status) { *s = known })
		time.Sleep(time.Hour)
		stop()
		w.wants("a start", 0)
		w.change(blind)
		defer w.runs(w.config(slack))()
		time.Sleep(time.Minute)
		w.wants("a start without nodes", 1, ":rotating_light:")
	})
}
