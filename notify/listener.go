package notify

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/vigil-post/vigil"
)

// change is what a target is told of one alarm.
type change struct {
	vigil.Alarm
	Over bool
	Left time.Duration // until By, where that is known
}

// key is what makes an alarm the same one as before.
type key struct{ Code, About string }

func keyOf(a vigil.Alarm) key { return key{a.Code, a.About} }

// listener is a target and how it stands with it. It belongs to one goroutine.
type listener struct {
	Target
	n    *Notifier
	name string // in the memory
	log  *slog.Logger

	told    map[key]vigil.Alarm
	seen    map[key]time.Time // when an alarm that was told was there last
	began   time.Time
	fresh   time.Time // when all was told last
	next    time.Time // it is left alone before
	pause   time.Duration
	problem string // of the last try
}

func (n *Notifier) listener(t Target) *listener {
	name := t.name()
	return &listener{
		Target: t, n: n, name: name, log: n.c.Log.With("format", t.Format, "host", t.host()),
		told: n.memory.of(name), seen: map[key]time.Time{}, began: time.Now(),
	}
}

// turn compares what is with what the target was told, and tells it the difference.
func (l *listener) turn(ctx context.Context, s vigil.Status) {
	now := time.Now()
	all := l.Format == Alertmanager && now.Sub(l.fresh) >= refresh
	news := l.news(s, now, all)
	if len(news) == 0 || now.Before(l.next) {
		return
	}
	var failed error
	for _, r := range l.requests(letter{l.n.c.Name, l.n.c.Page, now, news}) {
		if err := l.n.post(ctx, r); err != nil {
			failed = err
			continue // one that is refused holds up no other
		}
		l.learn(r.news)
	}
	if ctx.Err() != nil {
		return
	}
	if failed == nil && all {
		l.fresh = now
	}
	l.after(failed, now)
}

// news is what is to be told: what is new, what has become urgent and what is over, and where all is wanted also what lasts.
func (l *listener) news(s vigil.Status, now time.Time, all bool) []change {
	var news []change
	current := map[key]bool{}
	room, mildRoom := most-len(l.told), mild-len(l.told)
	for _, a := range s.Alarms {
		k := keyOf(a)
		before, known := l.told[k]
		if l.UrgentOnly && !a.Urgent && !known {
			continue
		}
		current[k], l.seen[k] = true, now
		switch {
		case known && (all || a.Urgent && !before.Urgent):
			news = append(news, change{Alarm: a, Left: left(a, s)})
		case !known && room > 0 && now.Sub(a.Since) >= holdOf(a, s) && (a.Urgent || mildRoom > 0):
			room, mildRoom = room-1, mildRoom-1
			news = append(news, change{Alarm: a, Left: left(a, s)})
		}
	}
	for k, a := range l.told {
		if !current[k] && l.over(k, s, now) {
			news = append(news, change{Alarm: a, Over: true})
		}
	}
	slices.SortStableFunc(news, byAge)
	l.forget(current)
	return news
}

// byAge puts what is over last, and the rest in the order in which it began.
func byAge(a, b change) int {
	if a.Over != b.Over {
		if a.Over {
			return 1
		}
		return -1
	}
	return a.Since.Compare(b.Since)
}

// hold is how long an alarm that is not urgent lasts until it is told, and is gone until
// it is over: what mends itself within two epochs, or comes back, is no news.
func hold(s vigil.Status) time.Duration { return max(2*s.Delay, 2*time.Second) }

// holdOf is how long an alarm lasts until it is told. An urgent one must be there when
// a plan was made of what is new: between a start, a head or a proof and what is done about
// it there is a moment in which nothing is done yet.
func holdOf(a vigil.Alarm, s vigil.Status) time.Duration {
	switch {
	case !a.Urgent:
		return hold(s)
	case s.Delay == 0: // the daemon has just started, and no node has answered yet
		return 15 * time.Second
	}
	return s.Delay / 2
}

// over says that an alarm that was told is so no more. After a start nothing is
// known yet, which is another thing.
func (l *listener) over(k key, s vigil.Status, now time.Time) bool {
	last, ok := l.seen[k]
	if !ok {
		last = l.began
	}
	return whole(s, l.n.c.Miners) && now.Sub(last) >= hold(s)
}

// whole says that every miner was looked at since the start.
func whole(s vigil.Status, miners int) bool {
	if s.HeadSeen.IsZero() || len(s.Miners) < miners {
		return false
	}
	return !slices.ContainsFunc(s.Miners, func(m vigil.MinerStatus) bool { return m.Epoch == 0 && m.Problem == "" })
}

func left(a vigil.Alarm, s vigil.Status) time.Duration {
	if a.By == 0 {
		return 0
	}
	return max(time.Duration(a.By-s.Head)*s.Delay, 0)
}

// learn notes what the target was told.
func (l *listener) learn(news []change) {
	for _, c := range news {
		if c.Over {
			delete(l.told, keyOf(c.Alarm))
			continue
		}
		l.told[keyOf(c.Alarm)] = c.Alarm
	}
	if err := l.n.memory.keep(l.name, l.told); err != nil {
		l.log.Warn("what was told of alarms cannot be written down: after a restart it is told again", "error", err)
	}
}

// forget drops what is known of alarms that are not there and were not told.
func (l *listener) forget(current map[key]bool) {
	for k := range l.seen {
		if _, told := l.told[k]; !told && !current[k] {
			delete(l.seen, k)
		}
	}
}

// after says how it went, once, and when to try again.
func (l *listener) after(failed error, now time.Time) {
	if failed == nil {
		if l.problem != "" {
			l.log.Info("alarms are told again")
		}
		l.problem, l.pause, l.next = "", 0, time.Time{}
		return
	}
	if l.problem != failed.Error() {
		l.problem = failed.Error()
		l.log.Error("alarms cannot be told; it is tried again", "error", failed)
	}
	l.pause = min(max(2*l.pause, firstPause), longestPause)
	l.next = now.Add(l.pause)
}
