package main

import (
	"fmt"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// The colours are the terminal's own sixteen, so that they suit its theme.
var (
	bold    = lipgloss.NewStyle().Bold(true)
	faint   = lipgloss.NewStyle().Faint(true)
	inverse = lipgloss.NewStyle().Reverse(true).Bold(true)
	green   = lipgloss.NewStyle().Foreground(lipgloss.Color("2"))
	red     = lipgloss.NewStyle().Foreground(lipgloss.Color("1")).Bold(true)
	yellow  = lipgloss.NewStyle().Foreground(lipgloss.Color("3"))
	blue    = lipgloss.NewStyle().Foreground(lipgloss.Color("4"))
	magenta = lipgloss.NewStyle().Foreground(lipgloss.Color("5"))
)

// draw is the whole screen as text; no line is wider than it, and there are
// not more of them than fit.
func draw(p picture, width, height int, now time.Time) string {
	if width < 20 || height < 5 {
		return "vigil devnet"
	}
	lines := []string{title(p, now), counters(p)}
	if p.status.Problem != "" {
		lines = append(lines, red.Render("! "+p.status.Problem))
	}
	budget := height - 8 - len(p.news) // what miners may take
	for i, m := range p.status.Miners {
		part := miner(m, now)
		if len(lines)+len(part) > max(budget, 9) {
			lines = append(lines, faint.Render(fmt.Sprintf("… and %d more miners on the dashboard", len(p.status.Miners)-i)))
			break
		}
		lines = append(lines, part...)
	}
	lines = append(lines, "", legend())
	if n := len(p.news); n > 0 {
		lines = append(lines, "")
		for _, sentence := range p.news[max(0, n-5):] {
			lines = append(lines, bold.Render(sentence))
		}
	}
	lines = append(lines, "", faint.Render("log"))
	room := max(0, height-len(lines)-1)
	for _, line := range p.log[max(0, len(p.log)-room):] {
		lines = append(lines, faint.Render(shorten(line)))
	}
	cut := lipgloss.NewStyle().MaxWidth(width)
	for i := range lines {
		lines[i] = cut.Render(lines[i])
	}
	return strings.Join(lines[:min(len(lines), height)], "\n")
}

func title(p picture, now time.Time) string {
	seen := "no head yet"
	if !p.status.HeadSeen.IsZero() {
		seen = fmt.Sprintf("epoch %d", p.status.Head)
		if silence := now.Sub(p.status.HeadSeen); silence > 10*time.Second && silence > 3*p.status.Delay {
			seen += red.Render(fmt.Sprintf(" no new head for %s", silence.Round(time.Second)))
		}
	}
	line := bold.Render("vigil devnet") + "  " + seen
	if p.page != "" {
		line += "  " + blue.Render(p.page)
	}
	return line + faint.Render("  q ends")
}

func counters(p picture) string {
	t := p.stats.Total
	line := fmt.Sprintf("this proving period: %d partitions due, ", t.PartitionsDue)
	line += green.Render(fmt.Sprintf("%d confirmed", t.PartitionsConfirmed)) + ", "
	missed, wrong := fmt.Sprintf("%d missed", t.PartitionsMissed), fmt.Sprintf("%d wrong", t.ProofsInvalid)
	if t.PartitionsMissed > 0 {
		missed = red.Render(missed)
	}
	if t.ProofsInvalid > 0 {
		wrong = red.Render(wrong)
	}
	return line + fmt.Sprintf("%s; %d proofs judged, %s; %d sectors skipped", missed, t.ProofsChecked, wrong, t.SectorsSkipped)
}

func miner(m vigil.MinerStatus, now time.Time) []string {
	head := bold.Render(m.Miner)
	if m.Current.Count > 0 {
		head += fmt.Sprintf("  deadline %d of %d closes in %d epochs", m.Current.Index, m.Current.Count, m.Current.Close-m.Epoch)
	}
	if n := len(m.Bad); n > 0 {
		head += red.Render(fmt.Sprintf("  %d sectors cannot be read", n))
	}
	lines := []string{"", head, strip(m)}
	if m.Covered > 0 {
		lines = append(lines, faint.Render(coverage(m, now)))
	}
	if m.Problem != "" {
		lines = append(lines, red.Render("! "+m.Problem))
	}
	const most = 6
	for _, d := range m.Duties[:min(len(m.Duties), most)] {
		lines = append(lines, dutyLine(d))
	}
	return lines
}

// strip is the miner's deadlines, a sign each.
func strip(m vigil.MinerStatus) string {
	var b strings.Builder
	for i, d := range m.Deadlines {
		if i > 0 && i%12 == 0 {
			b.WriteString(" ")
		}
		sign, style := cell(d, m.Epoch)
		if d.Deadline.IsOpen(m.Epoch) {
			style = style.Reverse(true)
		}
		b.WriteString(style.Render(sign))
	}
	return b.String()
}

func cell(d vigil.DeadlineStatus, epoch abi.ChainEpoch) (string, lipgloss.Style) {
	if d.Partitions == 0 && d.Sectors == 0 {
		return "·", faint
	}
	// While its window runs, a confirmation of the last one says nothing any more.
	running := d.Deadline.Challenge <= epoch && epoch < d.Deadline.Close
	if running && d.Last == vigil.StateConfirmed && d.Posted < d.Partitions {
		return "…", yellow
	}
	return sign(d.Last)
}

func sign(s vigil.DutyState) (string, lipgloss.Style) {
	switch s {
	case vigil.StateScheduled:
		return "…", yellow
	case vigil.StateProved:
		return "◐", blue
	case vigil.StateSubmitted:
		return "↑", magenta
	case vigil.StateConfirmed:
		return "✓", green
	case vigil.StateMissed:
		return "✕", red
	case vigil.StateReplaced:
		return "⇢", faint
	case vigil.StateShadowed:
		return "◌", blue
	}
	return "○", faint
}

func legend() string {
	parts := []string{faint.Render("· no sectors  ○ upcoming")}
	for _, s := range []vigil.DutyState{vigil.StateScheduled, vigil.StateProved, vigil.StateSubmitted, vigil.StateConfirmed, vigil.StateMissed} {
		text, style := sign(s)
		parts = append(parts, style.Render(text)+faint.Render(" "+string(s)))
	}
	return strings.Join(parts, "  ") + "  " + inverse.Render(" ") + faint.Render(" open now")
}

func dutyLine(d vigil.DutyStatus) string {
	text, style := sign(d.Row.State)
	line := fmt.Sprintf("  %s %-9s deadline %-2d", style.Render(text), d.Row.State, d.Deadline)
	if d.Kind == vigil.KindRecover {
		line += fmt.Sprintf("  recovery of %d sectors", len(d.Row.Sectors))
	} else {
		line += fmt.Sprintf("  partitions %v", d.Row.Partitions)
	}
	if d.Message != "" {
		line += "  message " + string(d.Message)
	}
	if n := len(d.Row.Skipped); n > 0 {
		line += yellow.Render(fmt.Sprintf("  %d skipped", n))
	}
	if d.Running != "" {
		line += "  " + bold.Render(d.Running)
	}
	if d.Row.Problem != "" {
		line += "  " + yellow.Render(d.Row.Problem)
	}
	if d.Row.State == vigil.StateMissed {
		line += "  " + red.Render(string(d.Row.Reason))
	}
	return line
}

// shorten takes the date off a line of the log: on a screen the time is enough.
func shorten(line string) string {
	if rest, ok := strings.CutPrefix(line, "time="); ok {
		if _, clock, ok := strings.Cut(rest, "T"); ok && len(clock) > 8 {
			if _, after, ok := strings.Cut(clock, " "); ok {
				return clock[:8] + " " + after
			}
		}
	}
	return line
}
