package dashboard

import (
	"fmt"
	"slices"
	"strings"
	"time"

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
