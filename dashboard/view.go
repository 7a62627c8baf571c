package dashboard

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/alarm"
)

// What follows turns a vigil.Status into the words of the page. It is pure:
// the same status at the same time gives the same page.

// mark is a state as the page shows it: a word and a sign, so that no state
// is told by colour alone, and a class for the colour.
type mark struct{ Class, Sign, Word string }

var (
	markEmpty     = mark{"empty", "·", "no sectors"}
	markUpcoming  = mark{"upcoming", "", "upcoming"}
	markScheduled = mark{"scheduled", "…", "scheduled"}
	markProved    = mark{"proved", "◐", "proved"}
	markSubmitted = mark{"submitted", "↑", "submitted"}
	markConfirmed = mark{"confirmed", "✓", "confirmed"}
	markMissed    = mark{"missed", "✕", "missed"}
	markReplaced  = mark{"replaced", "⇢", "replaced"}
	markShadowed  = mark{"proved", "◌", "shadowed"}
)

// legend is the order in which the states are explained.
var legend = []mark{markEmpty, markUpcoming, markScheduled, markProved, markSubmitted, markConfirmed, markMissed}

func markOf(state vigil.DutyState) mark {
	switch state {
	case vigil.StateScheduled:
		return markScheduled
	case vigil.StateProved:
		return markProved
	case vigil.StateSubmitted:
		return markSubmitted
	case vigil.StateConfirmed:
		return markConfirmed
	case vigil.StateMissed:
		return markMissed
	case vigil.StateReplaced:
		return markReplaced
	case vigil.StateShadowed:
		return markShadowed
	}
	return markUpcoming
}

// headView is the line at the top.
type headView struct {
	Network, Version string
	Epoch            string
	Seen             string // how long ago the head was learnt of
	Delay            string
	Problem          string // why nothing below can be trusted, or nothing
	Nav              []link // to the pages that follow along
}

func viewHead(s vigil.Status, now time.Time) headView {
	v := headView{
		Network: cmp.Or(s.Network, "not known yet"),
		Version: s.Version,
		Epoch:   "–",
		Seen:    "no head yet",
		Problem: headProblem(s, now),
		Nav:     navigation("", moment{s, now}),
	}
	if s.Delay > 0 {
		v.Delay = duration(s.Delay)
	}
	if !s.HeadSeen.IsZero() {
		v.Epoch = strconv.FormatInt(int64(s.Head), 10)
		v.Seen = "seen " + age(now.Sub(s.HeadSeen)) + " ago"
	}
	return v
}

// headProblem says that the chain has been silent for more than three epochs
// and more than ten seconds, so that what is shown may be old; or nothing.
func headProblem(s vigil.Status, now time.Time) string {
	if s.Starting != "" {
		return "The daemon has not begun its work: " + s.Starting
	}
	if s.HeadSeen.IsZero() {
		return "no chain head has been seen yet"
	}
	if alarm.Silent(s, now) {
		return fmt.Sprintf("no new chain head for %s: what is shown below is as old", age(now.Sub(s.HeadSeen)))
	}
	return ""
}
