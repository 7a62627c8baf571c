package check

import (
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
)

func rules(t *testing.T) map[string]rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.ParseFile("../prometheus/vigil.rules.yml", false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.Default())
	for _, err := range errs {
		t.Error(err)
	}
	if groups == nil {
		t.FailNow()
	}
	all := map[string]rulefmt.Rule{}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			all[r.Alert+r.Record] = r
		}
	}
	return all
}

// Prometheus takes the rules, and each says how bad it is and what to do.
func TestTheRulesAreUnderstood(t *testing.T) {
	for name, r := range rules(t) {
		if r.Alert != "" && (r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "") {
			t.Errorf("%s has no severity, summary or description", name)
		}
	}
}

// Each rule fires when it should and not before.
func TestTheRulesFire(t *testing.T) {
	all := rules(t)
	played := map[string]bool{}
	for _, c := range []struct {
		alert, sentence, load string
		at                    time.Duration
		fires                 int
	}{
		{"VigilUrgent", "an urgent alarm", `vigil_alarms{code="not-started",urgent="yes"} 0 0 1`, 2 * time.Minute, 1},
		{"VigilUrgent", "another one", `vigil_alarms{code="node-lag",urgent="no"} 1 1 1`, 2 * time.Minute, 0},
		{"VigilAttention", "one that is not urgent", `vigil_alarms{code="node-lag",urgent="no"} 1 1 1`, 2 * time.Minute, 1},
		{"VigilDown", "it does not answer", `up{job="vigil"} 1 0 0`, 2 * time.Minute, 1},
		{"VigilDown", "it answers", `up{job="vigil"} 1 1 1`, 2 * time.Minute, 0},
		{"VigilAbsent", "nobody scrapes it", `up{job="other"} 1 1 1`, 2 * time.Minute, 1},
		{"VigilAbsent", "somebody does", `up{job="vigil"} 0 0 0`, 2 * time.Minute, 0},
		{"VigilHeadSilent", "five epochs without a head", "vigil_head_age_seconds 10 80 150\nvigil_epoch_seconds 30 30 30", 2 * time.Minute, 1},
		{"VigilHeadSilent", "three null rounds", "vigil_head_age_seconds 10 80 110\nvigil_epoch_seconds 30 30 30", 2 * time.Minute, 0},
		{"VigilRestarts", "it is started again and again", `process_start_time_seconds{job="vigil"} 1+60x20`, 20 * time.Minute, 1},
		{"VigilRestarts", "it was started once", `process_start_time_seconds{job="vigil"} 1 1 60+0x18`, 20 * time.Minute, 0},
		{"VigilDeadlineMissed", "a deadline is missed", `vigil_duty_outcomes_total{miner="f01000",kind="post",outcome="missed",reason="not_sent"} 0x10 1x10`, 20 * time.Minute, 1},
		{"VigilDeadlineMissed", "one was missed long ago", `vigil_duty_outcomes_total{miner="f01000",kind="post",outcome="missed",reason="not_sent"} 1x60`, time.Hour, 0},
		{"VigilDeadlineMissed", "a recovery is missed", `vigil_duty_outcomes_total{miner="f01000",kind="recover",outcome="missed",reason="unreadable"} 0x10 1x10`, 20 * time.Minute, 0},
		{"VigilTightFinish", "it becomes tight", `vigil:duty_time_to_close_seconds:p05{stage="included"} 250x10`, 5 * time.Minute, 1},
		{"VigilTightFinish", "there is time", `vigil:duty_time_to_close_seconds:p05{stage="included"} 900x10`, 5 * time.Minute, 0},
		{"vigil:duty_time_to_close_seconds:p05", "two posts", `vigil_duty_time_to_close_seconds_bucket{stage="included",le="300"} 0x5 1x20` + "\n" +
			`vigil_duty_time_to_close_seconds_bucket{stage="included",le="+Inf"} 0x5 2x20`, 20 * time.Minute, 1},
		{"vigil:rpc_failures:share", "some calls fail", `vigil_rpc_failures_total{node="a",method="x"} 0+1x20` + "\n" + `vigil_rpc_duration_seconds_count{node="a",method="x"} 0+4x20`, 20 * time.Minute, 1},
		{"VigilNodeFails", "a quarter of the calls", `vigil:rpc_failures:share{node="a"} 0.25x20`, 20 * time.Minute, 1},
		{"VigilNodeFails", "a tenth", `vigil:rpc_failures:share{node="a"} 0.1x20`, 20 * time.Minute, 0},
		{"VigilSectorsFaulty", "there are more faulty sectors", "vigil_faulty_sectors{miner=\"f01000\"} 0x60 3x60\nvigil_recovering_sectors{miner=\"f01000\"} 0x120", 2 * time.Hour, 1},
		{"VigilSectorsFaulty", "they are declared", "vigil_faulty_sectors{miner=\"f01000\"} 0x60 3x60\nvigil_recovering_sectors{miner=\"f01000\"} 3x120", 2 * time.Hour, 0},
		{"VigilFeesRise", "ten times a week ago", "vigil_message_fees_fil_total{miner=\"f01000\",kind=\"post\"} 0+0.001x11520 11.521+0.01x1440", 9 * 24 * time.Hour, 1},
		{"VigilFeesRise", "as a week ago", "vigil_message_fees_fil_total{miner=\"f01000\",kind=\"post\"} 0+0.001x12960", 9 * 24 * time.Hour, 0},
	} {
		played[c.alert] = true
		storage := promqltest.LoadedStorage(t, "load 1m\n  "+strings.ReplaceAll(c.load, "\n", "\n  "))
		engine := promqltest.NewTestEngine(t, false, 5*time.Minute, 10_000_000)
		query, err := engine.NewInstantQuery(t.Context(), storage, nil, all[c.alert].Expr, time.Unix(0, 0).Add(c.at))
		if err != nil {
			t.Fatalf("%s: %v", c.alert, err)
		}
		result := query.Exec(t.Context())
		if vector, ok := result.Value.(promql.Vector); result.Err != nil || !ok || len(vector) != c.fires {
			t.Errorf("%s, %s: %v (%v), want %d", c.alert, c.sentence, result.Value, result.Err, c.fires)
		}
		query.Close()
		if err := storage.Close(); err != nil {
			t.Error(err)
		}
	}
	for name := range all {
		if !played[name] {
			t.Errorf("%s is not played", name)
		}
	}
}

// Prometheus understands every question of the Grafana dashboard.
func TestTheDashboardIsUnderstood(t *testing.T) {
	text, err := os.ReadFile("../grafana/vigil.json")
	if err != nil {
		t.Fatal(err)
	}
	var board any
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	asked := 0
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if expr, ok := v["expr"].(string); ok {
				asked++
				if _, err := parser.NewParser(parser.Options{}).ParseExpr(expr); err != nil {
					t.Errorf("%s: %v", expr, err)
				}
			}
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(board)
	if asked < 30 {
		t.Errorf("it asks %d questions only", asked)
	}
}
