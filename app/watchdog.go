package app

import (
	"log/slog"
	"time"

	"github.com/vigil-post/vigil"
)

// Daemons that hang are worse than those that end: systemd starts these again. Each loop that
// duties depend on shows that it comes round, and what has stood still for too long is said on
// the page, by an alarm and by /healthz, and keeps systemd's watchdog from being fed.

const (
	// longestTurn is how long a step of a loop may take before the daemon is better
	// started again: nothing that is done in one waits so long.
	longestTurn = 5 * time.Minute
	// longestSilence is the same for a proof: a piece of its work takes seconds, with several partitions half a minute, and a few
	// minutes on a machine that is far too busy.
	longestSilence = 10 * time.Minute
)

// watched is something that must come round.
type watched struct {
	loop    string
	busy    func() time.Time // since when it has been at one step; the zero time while it waits for work
	longest time.Duration
}

// watchdog looks after all of them.
type watchdog struct {
	loops []watched
	log   *slog.Logger
	said  map[vigil.StuckLoop]bool // for good's caller alone
}

// watchdog is that of a daemon that is wired.
func (d *Daemon) newWatchdog(with maths) *watchdog {
	w := &watchdog{log: d.log, said: map[vigil.StuckLoop]bool{}, loops: []watched{
		{"planning", d.runner.BusySince, longestTurn},
		{"chain heads", d.runner.HeadsBusySince, longestTurn},
		{"tasks that were told to end", d.runner.LingersSince, longestTurn},
		{"messages", d.courier.BusySince, longestTurn},
		{"database", d.store.BusySince, longestTurn},
	}}
	if p, ok := with.(interface{ SilentSince() time.Time }); ok {
		w.loops = append(w.loops, watched{"proofs", p.SilentSince, longestSilence})
	}
	return w
}

// stuck are the loops that hang.
func (w *watchdog) stuck() (stuck []vigil.StuckLoop) {
	for _, l := range w.loops {
		if since := l.busy(); !since.IsZero() && time.Since(since) >= l.longest {
			stuck = append(stuck, vigil.StuckLoop{Loop: l.loop, Since: since})
		}
	}
	return stuck
}

// good says whether all loops come round. What does not is logged once: after the restart
// that is all that is known of it.
func (w *watchdog) good() bool {
	stuck := w.stuck()
	for _, s := range stuck {
		if !w.said[s] {
			w.said[s] = true
			w.log.Error("a loop hangs; systemd's watchdog, if there is one, will start the daemon again, and nothing is lost by that", "loop", s.Loop, "since", s.Since)
		}
	}
	return len(stuck) == 0
}
