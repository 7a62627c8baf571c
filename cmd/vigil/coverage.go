package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/app"
)

// coverage says since when the daemon has read every sector of a miner in its rehearsals.
func coverage(m vigil.MinerStatus, now time.Time) string {
	switch {
	case m.Covered == 0:
		return "not every sector was read in a rehearsal yet"
	case m.CoveredAt.IsZero():
		return fmt.Sprintf("every sector was read since epoch %d", m.Covered)
	}
	ago := max(0, now.Sub(m.CoveredAt))
	return fmt.Sprintf("every sector was read in the last %s, since %s", hours(ago), m.CoveredAt.Local().Format("Mon 2 Jan 15:04"))
}

// hours rounds up: what was read within them was.
func hours(d time.Duration) string {
	if d < time.Hour {
		return fmt.Sprintf("%d min", (d+time.Minute-1)/time.Minute)
	}
	return fmt.Sprintf("%d h", (d+time.Hour-1)/time.Hour)
}

// printCoverage adds what the daemon of a configuration has read, if one runs: it is
// said beside what was asked for, so nothing is said where it cannot be known.
func printCoverage(ctx context.Context, out io.Writer, config string) {
	place, err := app.Locate(config)
	if err != nil || place.URL == "" {
		return
	}
	s, err := askStatus(ctx, place.URL)
	if err != nil {
		return
	}
	for _, m := range s.Miners {
		fmt.Fprintf(out, "%s: %s (the daemon's rehearsals)\n", m.Miner, coverage(m, time.Now()))
	}
}

// askStatus asks a daemon how it stands.
func askStatus(ctx context.Context, at string) (s vigil.Status, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at+"/api/status", nil)
	if err != nil {
		return s, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return s, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return s, fmt.Errorf("the daemon at %s answers %s", at, answer.Status)
	}
	return s, json.NewDecoder(answer.Body).Decode(&s)
}
