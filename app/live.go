package app

import (
	"context"
	"slices"
	"strings"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/crypto"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/messager"
	"github.com/vigil-post/vigil/notify"
	"github.com/vigil-post/vigil/runner"
	"github.com/vigil-post/vigil/sector"
	"github.com/vigil-post/vigil/wallet"
)

// What a running daemon takes over of a configuration that has changed. Whoever needs a
// setting now and then asks for the one in use (settings); the others are told.

// live are the settings and tables that a running daemon can take over, and held those
// among them that it cannot. What is not live is held by something that is made once,
// at the start.
var (
	live = []string{
		"alarms.", "dashboard.hosts", "data.journal_days", "log.level", "messager.", "notify[", "reading.", "recovery.", "schedule.", "trace.",
		"wallet.policy.max_fee", "wallet.policy.max_value", "wallet.policy.methods",
	}
	held = []string{"messager.sophon."}
)

func isLive(key string) bool { return within(key, live) && !within(key, held) }

// within says that a key is one of those, or in one of the tables.
func within(key string, keys []string) bool {
	return slices.ContainsFunc(keys, func(l string) bool {
		return key == l || strings.HasSuffix(l, ".") && strings.HasPrefix(key, l) || strings.HasSuffix(l, "[") && strings.HasPrefix(key, l)
	})
}

// with is the configuration with the live settings of another.
func (c Config) with(o Config) Config {
	c.Reading, c.Schedule, c.Alarms, c.Trace, c.Journal = o.Reading, o.Schedule, o.Alarms, o.Trace, o.Journal
	c.Dashboard.Hosts = o.Dashboard.Hosts
	sophon := c.Messager.Sophon
	c.Messager = o.Messager
	c.Messager.Sophon = sophon
	receivers := c.Wallet.Policy.Receivers // the miners among them are those that the daemon was started with
	c.Wallet.Policy = o.Wallet.Policy
	c.Wallet.Policy.Receivers = receivers
	return c
}

// settings are those in use.
func (d *Daemon) settings() Config { return *d.used.Load() }

// takeOver brings the live settings of a configuration into use: all of them, or with
// an error none.
func (d *Daemon) takeOver(ctx context.Context, c Config) error {
	before := d.settings()
	now := before.with(c)
	way, err := d.openWay(ctx, now)
	if err != nil {
		return err
	}
	if err := d.courier.adjust(now.Messager); err != nil {
		d.closeWay(ctx, way) // it was not used
		return err
	}
	d.used.Store(&now) // from here on nothing fails
	d.config.Log.Level.Set(c.Log.Level.Level())
	if reader, ok := d.sectors.(*sector.Reader); ok {
		reader.Limit(now.Reading.AtOnce)
	}
	d.runner.Adjust(runner.Adjustable{Policy: now.Schedule, NoRehearsals: !now.Reading.Rehearse})
	d.journal.Keep(now.Journal)
	if before.Trace != now.Trace || before.Alarms.name() != now.Alarms.name() {
		d.closeWay(ctx, d.spans.Take(way))
	}
	if !sameAlarms(before.Alarms, now.Alarms) {
		d.front.tellOthers(d.notifications(now))
	}
	return nil
}

func sameAlarms(a, b Alarms) bool {
	return a.name() == b.name() && a.Heartbeat == b.Heartbeat && a.HeartbeatEvery == b.HeartbeatEvery && slices.Equal(a.Targets, b.Targets)
}

// tellOthers lets others be told of alarms from now on.
func (f *front) tellOthers(c notify.Config) {
	select {
	case <-f.tells: // somebody's turn that had not come yet
	default:
	}
	f.tells <- c // only a reload writes, one at a time
}

// terms are what messages may cost and when they are done, as our messager takes it.
func (m Messager) terms() messager.Terms {
	return messager.Terms{
		Confidence: m.Confidence, ReplaceAfter: m.ReplaceAfter, MaxFee: m.MaxFee, LowFeeCap: m.LowFeeCap,
		Budgets:           map[vigil.DutyKind]messager.Budget{vigil.KindPost: m.WindowPost, vigil.KindRecover: m.Recovery},
		GasOverEstimation: m.GasOverEstimation, GasOverPremium: m.GasOverPremium, Preferred: m.Senders,
	}
}

// guarded are keys behind the policy in use.
type guarded struct {
	sources []wallet.Source
	policy  func() wallet.Policy
}

func (g guarded) guard() wallet.Guard { return wallet.Guard{Policy: g.policy(), Sources: g.sources} }

// Has implements vigil.Signer.
func (g guarded) Has(ctx context.Context, key address.Address) (bool, error) {
	return g.guard().Has(ctx, key)
}

// Sign implements vigil.Signer.
func (g guarded) Sign(ctx context.Context, m vigil.SignedMessage) (crypto.Signature, error) {
	return g.guard().Sign(ctx, m)
}
