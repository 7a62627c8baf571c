package app

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/vigil-post/vigil"
)

// What systemd is told, where the daemon is a service of it: that it is ready,
// one line on how things stand, and that it is alive. Elsewhere nobody listens.

// tellSystemd says something if there is somebody to hear it. That it was not
// heard is no reason to do anything else.
func tellSystemd(lines ...string) {
	_, _ = daemon.SdNotify(false, strings.Join(lines, "\n"))
}

// tellSystemd says that the daemon is ready, and then how it stands, until it is told to stop.
func (d *Daemon) tellSystemd(ctx context.Context) {
	said := ""
	for {
		changed := d.Changed()
		if line := standing(d.Status()); line != said {
			tellSystemd(daemon.SdNotifyReady, "STATUS="+line)
			said = line
		}
		select {
		case <-ctx.Done():
			tellSystemd(daemon.SdNotifyStopping, "STATUS=stopping")
			return
		case <-changed:
		}
	}
}

// standing is one line for `systemctl status`.
func standing(s vigil.Status) string {
	if s.Head == 0 {
		return "no head yet"
	}
	words := []string{fmt.Sprintf("%s, epoch %d", s.Network, s.Head)}
	if s.Problem != "" {
		words = append(words, s.Problem)
	}
	for _, m := range s.Miners {
		words = append(words, minerStanding(m))
	}
	return oneLine(strings.Join(words, "; "))
}

// longestLine is how many bytes of a line systemd is told: it drops a message of more than 4096 whole.
const longestLine = 1024

// oneLine is a text that says nothing else to systemd, whatever a node has put into it:
// each line there is a message of its own.
func oneLine(text string) string {
	if len(text) > longestLine {
		text = text[:longestLine] + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, ""))
}

func minerStanding(m vigil.MinerStatus) string {
	if m.Problem != "" {
		return m.Miner + ": " + m.Problem
	}
	line := fmt.Sprintf("%s: deadline %d", m.Miner, m.Current.Index)
	if i := m.Current.Index; i < uint64(len(m.Deadlines)) {
		line += fmt.Sprintf(" (%d of %d posted)", m.Deadlines[i].Posted, m.Deadlines[i].Partitions)
	}
	return line
}

// feedWatchdog tells systemd's watchdog, if there is one, that all is well for
// as long as it is, until ctx ends.
func feedWatchdog(ctx context.Context, well func() bool) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval <= 0 {
		return
	}
	ticker := time.NewTicker(interval / 3)
	defer ticker.Stop()
	for {
		if well() {
			tellSystemd(daemon.SdNotifyWatchdog)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
