package dashboard

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// when says how far a window is away, in epochs and in time.
func when(opens, closes, epoch abi.ChainEpoch, delay time.Duration) string {
	in := func(epochs abi.ChainEpoch) string {
		text := count(int(epochs), "epoch")
		if delay > 0 {
			text += " (" + duration(time.Duration(epochs)*delay) + ")"
		}
		return text
	}
	switch {
	case epoch < opens:
		return "opens in " + in(opens-epoch)
	case epoch < closes:
		return "closes in " + in(closes-epoch)
	}
	return "closed " + in(epoch-closes) + " ago"
}

// age is a duration in whole seconds, so that the page changes once a second at most.
func age(d time.Duration) string { return duration(max(d, 0).Truncate(time.Second)) }

// duration is a duration in its two largest units.
func duration(d time.Duration) string {
	switch {
	case d < time.Second && d%time.Second != 0:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return twoUnits(int(d.Minutes()), "min", int(d.Seconds())%60, "s")
	case d < 48*time.Hour:
		return twoUnits(int(d.Hours()), "h", int(d.Minutes())%60, "min")
	}
	return twoUnits(int(d.Hours())/24, "d", int(d.Hours())%24, "h")
}

// took is how long something took: as duration, with a tenth of a second where that counts.
func took(d time.Duration) string {
	if d >= time.Second && d < 10*time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return duration(d)
}

func twoUnits(large int, largeUnit string, small int, smallUnit string) string {
	if small == 0 {
		return fmt.Sprintf("%d %s", large, largeUnit)
	}
	return fmt.Sprintf("%d %s %d %s", large, largeUnit, small, smallUnit)
}

func count(n int, noun string) string { return fmt.Sprintf("%d %s", n, plural(n, noun)) }

func plural(n int, noun string) string {
	if n == 1 {
		return noun
	}
	if stem, ok := strings.CutSuffix(noun, "ty"); ok {
		return stem + "ties"
	}
	if stem, ok := strings.CutSuffix(noun, "ry"); ok {
		return stem + "ries"
	}
	return noun + "s"
}

func nonEmpty(words ...string) []string {
	return slices.DeleteFunc(words, func(w string) bool { return w == "" })
}

// anchor is a miner's name as an element's id: letters and digits only.
func anchor(miner string) string {
	return "miner-" + strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '-'
	}, miner)
}

func shortCID(cid string) string {
	if len(cid) <= 16 {
		return cid
	}
	return cid[:6] + "…" + cid[len(cid)-6:]
}

// A page names so many bad sectors of a duty or a miner; a broken disk can have thousands.
const mostSectors = 50

func firstSectors(bad []vigil.BadSector) []vigil.BadSector { return bad[:min(len(bad), mostSectors)] }

func restOfSectors(bad []vigil.BadSector) int { return len(bad) - len(firstSectors(bad)) }

// sentence begins with a capital letter and ends with a full stop.
func sentence(text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(text)
	if end, _ := utf8.DecodeLastRuneInString(text); !strings.ContainsRune(".!?", end) {
		text += "."
	}
	return string(unicode.ToUpper(first)) + text[size:]
}

// left is how much time there is until an epoch that is so far away.
func left(epochs abi.ChainEpoch, delay time.Duration) string {
	if epochs <= 0 {
		return "its time is over"
	}
	if delay <= 0 {
		return count(int(epochs), "epoch") + " left"
	}
	return duration(time.Duration(epochs)*delay) + " left"
}

// clockTime is a time as a machine reads it; the page's script turns what
// people see of it into the reader's own clock.
func clockTime(t time.Time) template.HTML {
	if t.IsZero() {
		return ""
	}
	t = t.UTC().Truncate(time.Second)
	return template.HTML(fmt.Sprintf(`<time datetime="%s">%s UTC</time>`, t.Format(time.RFC3339), t.Format("Jan 2 15:04")))
}

// Addresses of pages. A miner's name and a duty's are made of letters, digits and slashes.
func minerPath(miner string) string { return "/miners/" + miner }

func deadlinePath(miner string, index uint64) string {
	return fmt.Sprintf("/miners/%s/deadlines/%d", miner, index)
}

func partitionPath(miner string, deadline, index uint64) string {
	return fmt.Sprintf("%s/partitions/%d", deadlinePath(miner, deadline), index)
}

func dutyPath(duty string) string { return "/duties/" + duty }
