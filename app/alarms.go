package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/alarm"
	"github.com/vigil-post/vigil/notify"
)

// alarms keeps since when alarms last. Its mutex guards the keeper.
type alarms struct {
	mu     sync.Mutex
	keeper alarm.Keeper
}

func (a *alarms) of(s vigil.Status, p alarm.Policy) []vigil.Alarm {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	return a.keeper.Keep(alarm.Of(s, p, now), now)
}

// alarmPolicy is what alarms need to know of how it is planned now, and of the configuration.
func (d *Daemon) alarmPolicy() alarm.Policy {
	planned := d.config.Schedule
	if _, over, _ := d.waits.now(); over {
		planned = d.runner.Policy()
	}
	return alarm.Policy{
		StartConfidence: planned.StartConfidence, SubmitConfidence: planned.SubmitConfidence,
		PostMargin: planned.PostMargin, ReplaceAfter: cmp.Or(d.settings().Messager.ReplaceAfter, 5),
	}
}

// judge adds to a status what the daemon knows of itself, and the alarms.
func (d *Daemon) judge(s vigil.Status) vigil.Status {
	s.Proving, s.Machine = d.meter.Proving(), d.machine.status()
	for _, p := range d.provers() {
		s.Proving.Fault, s.Proving.FaultAt = p.Fault, p.FaultAt
	}
	s.Machine.Database = d.meter.Database()
	if s.Starting == "" {
		s.Stuck = d.dog.stuck()
	}
	s.Alarms = d.alarms.of(s, d.alarmPolicy())
	return s
}

// left is how long it is until an epoch, by the clock since the last head.
func (d *Daemon) left(epoch abi.ChainEpoch) time.Duration {
	s := d.picture()
	return time.Duration(epoch-s.Head)*s.Delay - time.Since(s.HeadSeen)
}

// notifications are who is told of alarms as a configuration wants it.
func (d *Daemon) notifications(c Config) notify.Config {
	n := notify.Config{
		Status: d.Status, Miners: len(c.Miners), Targets: c.Alarms.Targets, Name: c.Alarms.name(), Page: d.Page(),
		Memory: filepath.Join(c.Data, "notified.json"), Log: d.log,
	}
	if c.Alarms.Heartbeat != "" {
		n.Beat = notify.Heartbeat{URL: string(c.Alarms.Heartbeat), Every: c.Alarms.HeartbeatEvery, Stopped: d.stopped}
	}
	return n
}

// stopped says why the daemon does not do its work now, or nothing: the
// heartbeat stands for heads that come and for plans that are made of them.
func (d *Daemon) stopped() string {
	s := d.picture()
	if s.Starting != "" {
		return "the start waits: " + s.Starting
	}
	if alarm.Silent(s, time.Now()) {
		return "no new chain head comes"
	}
	if len(s.Miners) < len(d.config.Miners) {
		return "not every miner has been planned for yet"
	}
	for _, m := range s.Miners {
		if m.Problem != "" {
			return fmt.Sprintf("miner %s cannot be planned for: %s", m.Miner, m.Problem)
		}
		if m.Epoch < s.Head-heartbeatLag {
			return fmt.Sprintf("miner %s was planned for at epoch %d last", m.Miner, m.Epoch)
		}
	}
	return ""
}

// heartbeatLag is how many epochs a miner's plan may be behind the head in a heartbeat.
const heartbeatLag abi.ChainEpoch = 5

// Alarms says who is told of alarms, and of the daemon's being alive.
type Alarms struct {
	Name           string // of this daemon; the host's if empty
	Targets        []notify.Target
	Heartbeat      Secret // the URL; none if empty
	HeartbeatEvery time.Duration
}

func (a Alarms) name() string {
	if a.Name != "" {
		return a.Name
	}
	host, err := os.Hostname()
	if err != nil {
		return "vigil"
	}
	return host
}

// TryNotifications tells everybody that a configuration names of an alarm that
// is none, and sends a heartbeat. say is told how each of them went.
func TryNotifications(ctx context.Context, c Config, say func(who string, err error)) error {
	if len(c.Alarms.Targets) == 0 && c.Alarms.Heartbeat == "" {
		return errors.New("the configuration names nobody to notify: add a [[notify]] with url and format, or heartbeat_url in [alarms]; docs/alarms.md has examples")
	}
	n := notify.New(notify.Config{Name: c.Alarms.name(), Beat: notify.Heartbeat{URL: string(c.Alarms.Heartbeat)}})
	var failed error
	note := func(who string, err error) {
		if say(who, err); err != nil {
			failed = errors.New("not all could be told")
		}
	}
	for i, t := range c.Alarms.Targets {
		note(fmt.Sprintf("notify[%d], %s", i, t), n.Test(ctx, t))
	}
	if c.Alarms.Heartbeat != "" {
		note("heartbeat", n.Sign(ctx))
	}
	return failed
}
