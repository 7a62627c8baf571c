package app

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/messager"
)

// seenLive has, for each setting that a running daemon takes over, another value and
// where the change is seen: what the value that is in use does, not what was read.
var seenLive = map[string]struct {
	set  string
	seen func(d *Daemon) any
}{
	"log.level":                           {`log.level = "debug"`, func(d *Daemon) any { return d.config.Log.Level.Level() }},
	"reading.at_once":                     {`reading.at_once = 7`, func(d *Daemon) any { return d.settings().Reading.AtOnce }}, // the scene has no storages to limit
	"reading.skip_percent":                {`reading.skip_percent = 9`, func(d *Daemon) any { return d.runner.Policy().SkipPercent }},
	"reading.rehearse":                    {`reading.rehearse = false`, func(d *Daemon) any { return d.settings().Reading.Rehearse }},
	"schedule.start_confidence":           {`schedule.start_confidence = 3`, func(d *Daemon) any { return d.alarmPolicy().StartConfidence }},
	"schedule.submit_confidence":          {`schedule.submit_confidence = 5`, func(d *Daemon) any { return d.alarmPolicy().SubmitConfidence }},
	"schedule.confidence":                 {`schedule.confidence = 9`, func(d *Daemon) any { return d.runner.Policy().Confidence }},
	"schedule.post_margin":                {`schedule.post_margin = 13`, func(d *Daemon) any { return d.alarmPolicy().PostMargin }},
	"recovery.alone":                      {`recovery.alone = false`, func(d *Daemon) any { return d.runner.Policy().RecoverAlone }},
	"recovery.max_sectors":                {`recovery.max_sectors = 100`, func(d *Daemon) any { return d.runner.Policy().DeclareSectors }},
	"recovery.max_partitions":             {`recovery.max_partitions = 100`, func(d *Daemon) any { return d.runner.Policy().DeclarePartitions }},
	"recovery.max_gas":                    {`recovery.max_gas = 100000000`, func(d *Daemon) any { return d.runner.Policy().DeclareGas }},
	"messager.max_fee":                    {`messager.max_fee = "6 FIL"`, func(d *Daemon) any { return fmt.Sprint(termsOf(d).MaxFee, d.settings().Wallet.Policy.MaxFee) }},
	"messager.max_window_post_gas_fee":    {`messager.max_window_post_gas_fee = "2 FIL"`, func(d *Daemon) any { return fmt.Sprint(termsOf(d).Budgets[vigil.KindPost]) }},
	"messager.max_recovery_gas_fee":       {`messager.max_recovery_gas_fee = "2 FIL"`, func(d *Daemon) any { return fmt.Sprint(termsOf(d).Budgets[vigil.KindRecover]) }},
	"messager.window_post_budget_per_day": {`messager.window_post_budget_per_day = "200 FIL"`, func(d *Daemon) any { return fmt.Sprint(termsOf(d).Budgets[vigil.KindPost]) }},
	"messager.recovery_budget_per_day":    {`messager.recovery_budget_per_day = "200 FIL"`, func(d *Daemon) any { return fmt.Sprint(termsOf(d).Budgets[vigil.KindRecover]) }},
	"messager.maximize_fee_cap":           {`messager.maximize_fee_cap = false`, func(d *Daemon) any { return termsOf(d).LowFeeCap }},
	"messager.gas_over_estimation":        {`messager.gas_over_estimation = 1.5`, func(d *Daemon) any { return termsOf(d).GasOverEstimation }},
	"messager.gas_over_premium":           {`messager.gas_over_premium = 1.5`, func(d *Daemon) any { return termsOf(d).GasOverPremium }},
	"messager.replace_after":              {`messager.replace_after = 7`, func(d *Daemon) any { return fmt.Sprint(termsOf(d).ReplaceAfter, d.alarmPolicy().ReplaceAfter) }},
	"messager.confidence":                 {`messager.confidence = 8`, func(d *Daemon) any { return termsOf(d).Confidence }},
	"messager.senders":                    {`messager.senders = ["t01001"]`, func(d *Daemon) any { return fmt.Sprint(termsOf(d).Preferred) }},
	"wallet.policy.max_fee":               {`wallet.policy.max_fee = "7 FIL"`, func(d *Daemon) any { return fmt.Sprint(d.settings().Wallet.Policy.MaxFee) }},
	"wallet.policy.max_value":             {`wallet.policy.max_value = "1 FIL"`, func(d *Daemon) any { return fmt.Sprint(d.settings().Wallet.Policy.MaxValue) }},
	"wallet.policy.methods":               {`wallet.policy.methods = [5]`, func(d *Daemon) any { return fmt.Sprint(d.settings().Wallet.Policy.Methods) }},
	"dashboard.hosts":                     {`dashboard.hosts = ["vigil.example"]`, func(d *Daemon) any { return askedAs("vigil.example", d) }},
	"data.journal_days":                   {`data.journal_days = 3`, func(d *Daemon) any { return d.journal.Kept() }},
	"alarms.name":                         {`alarms.name = "miner-1"`, func(d *Daemon) any { return d.notifications(d.settings()).Name }},
	"alarms.heartbeat_url":                {`alarms.heartbeat_url = "http://127.0.0.1:1/beat"`, func(d *Daemon) any { return d.notifications(d.settings()).Beat.URL }},
	"alarms.heartbeat_url_file":           {`alarms.heartbeat_url_file = "hook"`, func(d *Daemon) any { return d.notifications(d.settings()).Beat.URL }},
	"alarms.heartbeat_every":              {`alarms.heartbeat_every = "30s"`, func(d *Daemon) any { return d.settings().Alarms.HeartbeatEvery }},
	"notify[].format":                     {`notify = [{format = "slack", url = "http://127.0.0.1:1/"}]`, targetsOf},
	"notify[].url":                        {`notify = [{format = "json", url = "http://127.0.0.1:1/"}]`, targetsOf},
	"notify[].url_file":                   {`notify = [{format = "json", url_file = "hook"}]`, targetsOf},
	"notify[].token":                      {`notify = [{format = "pagerduty", token = "abc"}]`, targetsOf},
	"notify[].token_file":                 {`notify = [{format = "pagerduty", token_file = "hook"}]`, targetsOf},
	"notify[].urgent_only":                {`notify = [{format = "json", url = "http://127.0.0.1:1/", urgent_only = true}]`, targetsOf},
	"trace.otlp":                          {`trace.otlp = "http://127.0.0.1:1/"`, func(d *Daemon) any { return d.spans.Leads() }},
}

func termsOf(d *Daemon) messager.Terms { return d.courier.(withheld).courier.(ours).Terms() }

func targetsOf(d *Daemon) any {
	return fmt.Sprintf("%q", fmt.Sprint(deref(d.notifications(d.settings()).Targets)))
}

// deref shows targets with all that they have.
func deref[T any](list []T) (all []string) {
	for _, of := range list {
		v := reflect.ValueOf(of)
		for i := range v.NumField() {
			all = append(all, fmt.Sprint(v.Field(i)))
		}
	}
	return all
}

// askedAs is what the pages answer to who asks for them by a name.
func askedAs(host string, d *Daemon) int {
	r := httptest.NewRequest(http.MethodGet, "http://"+host+"/healthz", nil)
	w := httptest.NewRecorder()
	d.makePages().ServeHTTP(w, r)
	return w.Code
}

// everyKey are all settings that there are, with [] for a list's entries.
func everyKey() []string {
	var nodes fileNode
	var rest fileRest
	fill(reflect.ValueOf(&rest).Elem())
	index := regexp.MustCompile(`\[\d+\]`)
	var keys []string
	for key := range valuesOf([]fileNode{nodes}, rest, nil) {
		keys = append(keys, index.ReplaceAllString(key, "[]"))
	}
	slices.Sort(keys)
	return keys
}

// fill gives every list of tables an entry.
func fill(v reflect.Value) {
	switch {
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	}
}

// Every setting is one or the other: a reload changes it and the change is seen, or it
// is told as needing a restart. What is taken over is given back as well.
func TestEverySettingIsLiveOrNeedsARestart(t *testing.T) {
	f, path, base := reloaded(t)
	d := f.daemon
	for key := range seenLive {
		if !slices.Contains(everyKey(), key) {
			t.Errorf("there is no setting %s", key)
		}
	}
	for _, key := range everyKey() {
		row, live := seenLive[key]
		if isLive(strings.ReplaceAll(key, "[]", "[0]")) != live {
			t.Errorf("%s: that it is live is %v, and that it is seen to be %v", key, !live, live)
		}
		if !live {
			continue
		}
		before := row.seen(d)
		write(t, path, row.set+"\n"+base)
		changes, err := d.Reload(t.Context())
		if err != nil || !slices.ContainsFunc(changes, func(c Change) bool { return strings.HasPrefix(key, strings.ReplaceAll(c.Key, "[0]", "[]")) }) {
			t.Errorf("%s: %v, %v", key, changes, err)
		}
		for _, c := range changes {
			if !c.Live {
				t.Errorf("%s: %s is told as needing a restart", key, c.Key)
			}
		}
		if after := row.seen(d); reflect.DeepEqual(before, after) {
			t.Errorf("%s: it is said to be changed, and is %v as before", key, after)
		}
		write(t, path, base)
		if _, err := d.Reload(t.Context()); err != nil || !reflect.DeepEqual(row.seen(d), before) {
			t.Errorf("%s: it does not go back to %v: %v, %v", key, before, row.seen(d), err)
		}
	}
	if c, err := Load(path); err != nil || len(d.Compare(c.Prints())) > 0 {
		t.Errorf("in the end %v, %v", d.Compare(c.Prints()), err)
	}
}

// reloaded is a scene whose daemon has its configuration from a file.
func reloaded(t *testing.T) (f *flock, path, base string) {
	t.Helper()
	f, _ = newScene(t, flockOf{sectors: 2})
	dir := t.TempDir()
	path = filepath.Join(dir, "vigil.toml")
	write(t, filepath.Join(dir, "hook"), "https://hooks.example/services/SECRET\n")
	base = fmt.Sprintf("node.url = %q\nminer = [{address = \"t01000\"}]\nstorage = [{path = %q}]\nproofs.parameters = %q\ndata.dir = %q\nwallet.remote = [{url = \"http://127.0.0.1:1\"}]\n",
		f.config.Nodes[0].URL, f.config.Storages[0], f.config.Storages[0], f.config.Data)
	write(t, path, base)
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	d := f.daemon
	d.config.file, d.config.Log, d.inUse = c.file, c.Log, maps.Clone(c.values)
	if _, err := d.Reload(t.Context()); err != nil { // the scene's own settings are others
		t.Fatal(err)
	}
	return f, path, base
}

// A heartbeat and spans go elsewhere from a reload on, without a restart.
func TestAReloadTellsOthers(t *testing.T) {
	var beats, traces atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/beat" {
			beats.Add(1)
		} else {
			traces.Add(1)
		}
	}))
	t.Cleanup(server.Close)
	f, path, base := reloaded(t)
	write(t, path, fmt.Sprintf("alarms.heartbeat_url = \"%s/beat\"\ntrace.otlp = %q\n%s", server.URL, server.URL, base))
	if _, err := f.daemon.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitFor(f, func() (bool, bool) {
		if err := f.chain.Advance(t.Context(), 1); err != nil { // no heart beats while the chain is silent
			t.Fatal(err)
		}
		return true, beats.Load() > 0
	})
	_, end := f.daemon.spans.Span(t.Context(), vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: 66}, "prove")
	end(nil)
	write(t, path, base)
	if _, err := f.daemon.Reload(t.Context()); err != nil { // what the collector was not told yet it is told before the way is given up
		t.Fatal(err)
	}
	if traces.Load() == 0 {
		t.Error("no span came to the collector")
	}
	if f.daemon.spans.Leads() {
		t.Error("spans still lead somewhere")
	}
}
