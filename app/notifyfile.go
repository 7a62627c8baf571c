package app

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/vigil-post/vigil/notify"
)

type fileAlarms struct {
	Name             string `toml:"name"`
	HeartbeatURL     string `toml:"heartbeat_url"`
	HeartbeatURLFile string `toml:"heartbeat_url_file"`
	HeartbeatEvery   string `toml:"heartbeat_every"`
}

type fileNotify struct {
	Format     string `toml:"format"`
	URL        string `toml:"url"`
	URLFile    string `toml:"url_file"`
	Token      string `toml:"token"`
	TokenFile  string `toml:"token_file"`
	UrgentOnly bool   `toml:"urgent_only"`
}

// pagerDutyURL is where PagerDuty takes events, in its service region of the US.
const pagerDutyURL = "https://events.pagerduty.com/v2/enqueue"

func (c *checker) alarms(f fileAlarms, list []fileNotify) Alarms {
	a := Alarms{Name: f.Name, HeartbeatEvery: c.heartbeatEvery(f.HeartbeatEvery)}
	if f.HeartbeatURL != "" || f.HeartbeatURLFile != "" {
		a.Heartbeat = Secret(c.secretURL("alarms.heartbeat_url", f.HeartbeatURL, f.HeartbeatURLFile))
	}
	for i, n := range list {
		a.Targets = append(a.Targets, c.target(fmt.Sprintf("notify[%d]", i), n))
	}
	return a
}

func (c *checker) heartbeatEvery(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil || d < 10*time.Second || d > time.Hour {
		c.wrong("alarms.heartbeat_every", `write it as "1m", from 10s to 1h; whoever waits for it should be told to wait for three`, "%q is no pace for a heartbeat", text)
	}
	return d
}

func (c *checker) target(key string, f fileNotify) notify.Target {
	t := notify.Target{Format: notify.Format(f.Format), Token: f.Token, UrgentOnly: f.UrgentOnly}
	if !slices.Contains(notify.Formats, t.Format) {
		var words []string
		for _, format := range notify.Formats {
			words = append(words, string(format))
		}
		c.wrong(key+".format", "use "+strings.Join(words, ", "), "%q is no format", f.Format)
		return t
	}
	if f.TokenFile != "" {
		if f.Token != "" {
			c.wrong(key+".token_file", "keep one of the two", "the token is given twice, in token and in token_file")
		}
		t.Token = string(c.secretFile(key+".token_file", f.TokenFile, "put the token there that the receiver gives out"))
	}
	if t.Format == notify.PagerDuty {
		if f.URL == "" && f.URLFile == "" {
			f.URL = pagerDutyURL
		}
		if t.Token == "" {
			c.wrong(key+".token_file", "put the integration key of a PagerDuty service (Events API v2) there", "PagerDuty needs a routing key")
		}
	}
	t.URL = c.secretURL(key+".url", f.URL, f.URLFile)
	return t
}

// secretURL is a URL of the file, or the first line of another one: those who know
// a webhook's URL can use it.
func (c *checker) secretURL(key, text, file string) string {
	if file != "" {
		if text != "" {
			c.wrong(key+"_file", "keep one of the two", "the URL is given twice, here and in a file")
		}
		text, key = string(c.secretFile(key+"_file", file, "put the URL there")), key+"_file"
		if text == "" {
			return ""
		}
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		c.wrong(key, `write it as "https://…", or put it into a file and name that`, "this is no URL of a web server") // it may be a secret
	}
	return text
}
