package dashboard

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/vigil-post/vigil"
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

// alarmView is something a human must look at.
type alarmView struct{ Where, Link, What string }

func viewHead(s vigil.Status, now time.Time) headView {
	v := headView{
		Network: cmp.Or(s.Network, "not known yet"),
		Version: s.Version,
		Epoch:   "–",
		Seen:    "no head yet",
		Delay:   duration(s.Delay),
		Problem: headProblem(s, now),
		Nav:     navigation("", moment{s, now}),
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
	if s.HeadSeen.IsZero() {
		return "no chain head has been seen yet"
	}
	silence := now.Sub(s.HeadSeen)
	if silence > 3*s.Delay && silence > 10*time.Second {
		return fmt.Sprintf("no new chain head for %s: what is shown below is as old", age(silence))
	}
	return ""
}

// viewAlarms lists what needs a human, the most general first.
func viewAlarms(s vigil.Status, now time.Time) []alarmView {
	var alarms []alarmView
	add := func(where, link, what string) { alarms = append(alarms, alarmView{where, link, what}) }
	if problem := headProblem(s, now); problem != "" {
		// The age stays out of it: an alarm that changes every second is read aloud every second.
		if s.HeadSeen.IsZero() {
			add("chain", "", "no chain head has been seen yet")
		} else {
			add("chain", "", fmt.Sprintf("no new chain head since epoch %d", s.Head))
		}
	}
	if s.Problem != "" {
		add("daemon", "", s.Problem)
	}
	for _, n := range s.Nodes {
		if n.State != vigil.NodeReady && n.State != vigil.NodeInUse || n.Why != "" {
			add(n.Node, "", string(n.State)+": "+n.Why)
		}
	}
	if u := s.Upgrade; u != nil && !u.Known {
		add("network", "", fmt.Sprintf("the upgrade %s at epoch %d brings rules that this Vigil does not know: update it before", u.Name, u.Epoch))
	}
	for _, m := range s.Miners {
		link := "#" + anchor(m.Miner)
		if m.Problem != "" {
			add(m.Miner, link, m.Problem)
		}
		for _, d := range m.Duties {
			if d.Row.State == vigil.StateMissed {
				add(m.Miner, link, missedSentence(d))
			}
		}
		if n := len(m.Bad); n > 0 {
			add(m.Miner, link, count(n, "sector")+" cannot be read")
		}
	}
	return alarms
}

func missedSentence(d vigil.DutyStatus) string {
	kind := "the proof of"
	if d.Kind == vigil.KindRecover {
		kind = "the recovery at"
	}
	sentence := fmt.Sprintf("%s deadline %d (epoch %d) was missed", kind, d.Deadline, d.Open)
	if d.Row.Reason != "" {
		sentence += ": " + strings.ReplaceAll(string(d.Row.Reason), "_", " ")
	}
	return sentence
}
