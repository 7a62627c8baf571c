package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/vigil-post/vigil"
)

// letter is what a target is told, in no format yet.
type letter struct {
	from string // the daemon's name
	page string
	at   time.Time
	news []change
}

// request is a POST, and the news that the target has when it succeeds.
type request struct {
	url   string
	token string
	body  any
	news  []change
}

// requests writes a letter as the target takes it.
func (t Target) requests(l letter) []request {
	switch t.Format {
	case Alertmanager:
		return []request{{alertsURL(t.URL), t.Token, alerts(l), l.news}}
	case PagerDuty:
		var list []request
		for _, c := range l.news {
			list = append(list, request{t.URL, "", pagerDutyEvent(t.Token, l, c), []change{c}})
		}
		return list
	case Slack:
		return []request{{t.URL, t.Token, map[string]string{"text": slackText(l)}, l.news}}
	}
	return []request{{t.URL, t.Token, plain(l), l.news}}
}

// alertsPath is where Alertmanager's API version 2 takes alerts
// (prometheus/alertmanager, api/v2/openapi.yaml: postAlerts).
const alertsPath = "/api/v2/alerts"

func alertsURL(base string) string {
	if strings.HasSuffix(base, alertsPath) {
		return base
	}
	return strings.TrimRight(base, "/") + alertsPath
}

// alert is a postableAlert.
type alert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// alerts are told with an end, so that they are over when Vigil is: that it is gone
// is for the heartbeat to say. Labels make the alert's identity, so what may change of an
// alarm is an annotation; but for the severity, by which people route: of an alarm that
// becomes urgent, the milder alert is not told again and ends.
func alerts(l letter) []alert {
	var list []alert
	for _, c := range l.news {
		a := alert{
			Labels:      map[string]string{"alertname": "Vigil " + c.Code, "code": c.Code, "about": c.About, "instance": l.from, "job": "vigil", "severity": severity(c.Alarm)},
			Annotations: map[string]string{"summary": c.What, "description": c.Remedy},
			StartsAt:    c.Since, EndsAt: l.at.Add(lasts), GeneratorURL: l.page,
		}
		if c.Miner != "" {
			a.Labels["miner"] = c.Miner
		}
		if text := leftText(c); text != "" {
			a.Annotations["left"] = text
		}
		if c.Over {
			a.EndsAt = l.at
		}
		list = append(list, a)
	}
	return list
}

func severity(a vigil.Alarm) string {
	if a.Urgent {
		return "critical"
	}
	return "warning"
}

// leftText says until when it can be helped.
func leftText(c change) string {
	if c.By == 0 || c.Over {
		return ""
	}
	return fmt.Sprintf("%s left, until epoch %d", c.Left.Round(time.Second), c.By)
}

// pagerDutyEvent is an event of PagerDuty's Events API v2
// (developer.pagerduty.com, "PD-CEF": dedup_key has 255 characters at most, summary 1024).
func pagerDutyEvent(key string, l letter, c change) map[string]any {
	event := map[string]any{"routing_key": key, "event_action": "resolve", "dedup_key": dedup(l.from, c.Alarm)}
	if c.Over {
		return event
	}
	details := map[string]any{"remedy": c.Remedy, "since": c.Since.UTC().Format(time.RFC3339)}
	if text := leftText(c); text != "" {
		details["left"] = text
	}
	event["event_action"] = "trigger"
	event["client"], event["client_url"] = "Vigil", l.page
	event["payload"] = map[string]any{
		"summary": short(c.About+": "+c.What, 1024), "source": l.from, "severity": severity(c.Alarm), "timestamp": c.Since.UTC().Format(time.RFC3339),
		"component": c.About, "group": c.Miner, "class": c.Code, "custom_details": details,
	}
	return event
}

func dedup(from string, a vigil.Alarm) string {
	text := strings.Join([]string{"vigil", from, a.Code, a.About}, "/")
	if len(text) <= 255 {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	return "vigil/" + hex.EncodeToString(sum[:])
}

// short cuts a text that is longer than its receiver takes.
func short(text string, most int) string {
	letters := []rune(text)
	if len(letters) <= most {
		return text
	}
	return string(letters[:most-1]) + "…"
}

// slackLines is how many alarms one message tells in words.
const slackLines = 20

// slackText is an incoming webhook's text, in which &, < and > are written as
// entities (docs.slack.dev, "Formatting message text").
func slackText(l letter) string {
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	lines := []string{"*Vigil* on " + escape.Replace(l.from)}
	for i, c := range l.news {
		if i == slackLines {
			lines = append(lines, fmt.Sprintf("… and %d more", len(l.news)-slackLines))
			break
		}
		lines = append(lines, slackLine(c, escape))
	}
	if l.page != "" {
		lines = append(lines, "<"+l.page+"|dashboard>")
	}
	return strings.Join(lines, "\n")
}

func slackLine(c change, escape *strings.Replacer) string {
	what := "*" + escape.Replace(c.About) + "*: " + escape.Replace(short(c.What, 1000))
	switch {
	case c.Over:
		return ":white_check_mark: over: " + what
	case c.Urgent:
		what = ":rotating_light: " + what
	default:
		what = ":warning: " + what
	}
	if text := leftText(c); text != "" {
		what += " _(" + text + ")_"
	}
	return what + "\n>" + escape.Replace(c.Remedy)
}

// plain is our own format: docs/alarms.md describes it.
func plain(l letter) any {
	type entry struct {
		vigil.Alarm
		Status string  `json:"status"`
		Left   float64 `json:"left_seconds,omitempty"`
	}
	list := []entry{}
	for _, c := range l.news {
		e := entry{Alarm: c.Alarm, Status: "firing", Left: c.Left.Seconds()}
		if c.Over {
			e.Status = "over"
		}
		list = append(list, e)
	}
	return struct {
		Version int       `json:"version"`
		Name    string    `json:"name"`
		Page    string    `json:"page,omitempty"`
		Time    time.Time `json:"time"`
		Alarms  []entry   `json:"alarms"`
	}{1, l.from, l.page, l.at, list}
}

// host is a target's place as the log may show it.
func (t Target) host() string {
	u, err := url.Parse(t.URL)
	if err != nil {
		return ""
	}
	return u.Host
}
