package app

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/alive"
)

// Each loop in turn hangs: it is named, since when, and said once; when it goes on, all is well.
func TestALoopThatHangsIsNamedUntilItGoesOn(t *testing.T) {
	for _, loop := range []string{"planning", "messages", "proofs"} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			w := &watchdog{log: slog.New(slog.NewTextHandler(&log, nil)), said: map[vigil.StuckLoop]bool{}}
			pulses := map[string]*alive.Pulse{}
			for _, name := range []string{"planning", "messages", "proofs"} {
				pulses[name] = &alive.Pulse{}
				w.loops = append(w.loops, watched{name, pulses[name].BusySince, longestTurn})
			}
			time.Sleep(time.Hour) // nobody has anything to do
			if !w.good() {
				t.Error("waiting for work is no hanging")
			}
			began := time.Now()
			turn := pulses[loop].Begin()
			time.Sleep(longestTurn - time.Nanosecond)
			if !w.good() {
				t.Errorf("%s: it is said too early", loop)
			}
			time.Sleep(time.Nanosecond)
			if stuck := w.stuck(); len(stuck) != 1 || stuck[0] != (vigil.StuckLoop{Loop: loop, Since: began}) || w.good() || w.good() {
				t.Errorf("%s: %v", loop, stuck)
			}
			if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "level=ERROR") || !strings.Contains(text, loop) {
				t.Error(text)
			}
			turn.Goes()
			if !w.good() {
				t.Errorf("%s: it goes on", loop)
			}
			turn.End()
		})
	}
}

func TestNoLoopHangsAndFeedsTheWatchdog(t *testing.T) {
	systemd := listenAsSystemd(t)
	w := &watchdog{log: slog.New(slog.DiscardHandler), said: map[vigil.StuckLoop]bool{}}
	for _, name := range []string{"planning", "chain heads", "tasks that were told to end", "messages", "database", "proofs"} {
		long := time.Now().Add(-time.Hour)
		w.loops = []watched{{name, func() time.Time { return long }, longestTurn}}
		t.Setenv("WATCHDOG_USEC", "3000")
		ctx, cancel := context.WithCancel(t.Context())
		looked := 0
		feedWatchdog(ctx, func() bool {
			if looked++; looked == 3 {
				cancel()
			}
			return w.good()
		})
		tellSystemd("STATUS=" + name)
		if said := systemd.next(); said != "STATUS="+name {
			t.Errorf("the watchdog was fed while %s hung: %q", name, said)
		}
	}
}
