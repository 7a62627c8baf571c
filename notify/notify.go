// Package notify tells people of alarms over HTTP: Alertmanager, PagerDuty,
// Slack, or anything that takes JSON. It is level-triggered like the rest: each
// target is brought, step by step, from what it was told to what is so, whatever
// failed or was restarted in between. So nothing is queued, nothing is told
// twice, and what is over is said to be over.
//
// Nobody waits for it. What a target was told is kept in a file, because a
// restart is no news.
package notify

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/alive"
)

// Config is what a Notifier needs. Status, Miners and Name are required.
type Config struct {
	Status  func() vigil.Status // with its alarms
	Miners  int                 // how many there are to be seen until an alarm that is not there is over
	Targets []Target
	Beat    Heartbeat
	Name    string // of this daemon, for those who are told of several
	Page    string // the URL of its dashboard, or nothing
	Memory  string // the file that has what targets were told; nowhere if empty
	Log     *slog.Logger
	Client  *http.Client // default: one with ten seconds of patience
}

// Target is somebody who is told.
type Target struct {
	Format     Format
	URL        string
	Token      string // PagerDuty's routing key; to others it is sent as a bearer's
	UrgentOnly bool
}

// String shows a target without what may be a secret.
func (t Target) String() string { return string(t.Format) + " at " + t.host() }

// GoString hides the same from %#v.
func (t Target) GoString() string { return t.String() }

// Format is how a target is told. The configuration has this word.
type Format string

// The formats, by whose API they are.
const (
	Alertmanager Format = "alertmanager"
	PagerDuty    Format = "pagerduty"
	Slack        Format = "slack"
	JSON         Format = "json"
)

// Formats lists them as the configuration takes them.
var Formats = []Format{Alertmanager, PagerDuty, Slack, JSON}

const (
	// most is how many alarms a target is told of at a time: beyond that the
	// number is the news.
	most = 200
	// mild is how many of them may not be urgent: the rest of the room is for
	// what somebody must be woken for.
	mild = most / 2
	// firstPause and longestPause are how long a target is left alone that
	// could not be told; it doubles with each failure.
	firstPause, longestPause = 5 * time.Second, 5 * time.Minute
	// refresh is how often Alertmanager is told again of what lasts: it takes
	// what it does not hear of for lasts to be over.
	refresh, lasts = time.Minute, 4 * time.Minute
)

// Notifier tells targets of alarms while Run runs.
type Notifier struct {
	c      Config
	memory *memory
}

// New makes a Notifier, and reads what was told before. A memory that cannot be
// read costs repeated messages and nothing else.
func New(c Config) *Notifier {
	client := *cmp.Or(c.Client, &http.Client{Timeout: 10 * time.Second})
	client.CheckRedirect = sameMethod
	c.Client = &client
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	m, err := openMemory(c.Memory)
	if err != nil {
		c.Log.Warn("what was told of alarms is not known any more: what lasts is told again", "file", c.Memory, "error", err)
	}
	m.only(c.Targets)
	return &Notifier{c, m}
}

// Run works until ctx ends. It looks at the status even where nobody is told, so that
// it is known since when alarms last.
func (n *Notifier) Run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	for _, t := range n.c.Targets {
		l := n.listener(t)
		all.Go(func() { n.every(ctx, func(s vigil.Status) { l.turn(ctx, s) }) })
	}
	if n.c.Beat.URL != "" {
		all.Go(func() {
			_ = alive.Restarted(ctx, n.c.Log, "heartbeat", func(ctx context.Context) error { n.beat(ctx); return nil })
		})
	}
	n.every(ctx, func(vigil.Status) {})
}

// every looks at the status a few times an epoch.
func (n *Notifier) every(ctx context.Context, look func(vigil.Status)) {
	for {
		var s vigil.Status
		err := alive.Caught(func() error {
			s = n.c.Status()
			look(s)
			return nil
		})
		alive.LogPanic(n.c.Log, "a bug stopped a notification; please report it", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(min(max(s.Delay/3, time.Second), 10*time.Second)):
		}
	}
}

// Test tells a target of an alarm that is none, and that it is over.
func (n *Notifier) Test(ctx context.Context, t Target) error {
	now := time.Now()
	alarm := vigil.Alarm{
		Code: "test", About: "notifications", Since: now, What: "this is a test of Vigil's notifications: nothing is wrong",
		Remedy: "Nothing is to be done.",
	}
	var errs []error
	for _, over := range []bool{false, true} {
		news := []change{{Alarm: alarm, Over: over}}
		for _, r := range t.requests(letter{n.c.Name, n.c.Page, now, news}) {
			errs = append(errs, n.post(ctx, r))
		}
	}
	return errors.Join(errs...)
}
