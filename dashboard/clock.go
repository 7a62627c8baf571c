package dashboard

import (
	"fmt"
	"math"
	"strings"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// The dial has deadline 0 at the top and goes round as a clock does, once a
// proving period. What was closed in this period is thick and full, what comes
// is thin and pale and shows how its last occurrence ended.

const (
	dialOuter  = 170.0 // in the drawing's units; its middle is at 0, 0
	dialPast   = 118.0 // inner edges
	dialNext   = 146.0
	dialNumber = 184.0
	dialGap    = 0.006 // of a turn's radians, on each side of a wedge
)

// clockView is a miner's deadlines as a dial.
type clockView struct {
	Wedges []wedge
	Hand   string // the path of the hand, or nothing while no deadline is known
	Now    *cellView
	Says   string // what the dial shows, for those who do not see it
}

// wedge is one deadline on the dial.
type wedge struct {
	cellView
	Path             string
	SignX, SignY     string
	NumberX, NumberY string
	FaultX, FaultY   string
}

func viewClock(cells []cellView, m vigil.MinerStatus) clockView {
	v := clockView{Says: dialSentence(cells)}
	for i, c := range cells {
		inner := dialNext
		if c.Past || c.Phase != "" {
			inner = dialPast
		}
		from, to := turn(float64(i), len(cells)), turn(float64(i+1), len(cells))
		middle := (from + to) / 2
		w := wedge{cellView: c, Path: ring(inner, dialOuter, from+dialGap, to-dialGap)}
		w.SignX, w.SignY = place((inner+dialOuter)/2, middle)
		w.NumberX, w.NumberY = place(dialNumber, middle)
		w.FaultX, w.FaultY = place(inner-7, middle)
		v.Wedges = append(v.Wedges, w)
		if c.Index == m.Current.Index && m.Current.Count > 0 {
			v.Now = &cells[i]
		}
	}
	if c := m.Current; c.Count > 0 && c.Close > c.Open {
		v.Hand = hand(turnOf(c, m.Epoch))
	}
	return v
}

// turn is the angle of a place on the dial, clockwise from the top.
func turn(at float64, of int) float64 { return 2 * math.Pi * at / float64(of) }

// turnOf is the angle of an epoch in the current deadline.
func turnOf(current vigil.Deadline, epoch abi.ChainEpoch) float64 {
	done := float64(epoch-current.Open) / float64(current.Close-current.Open)
	return turn(float64(current.Index)+min(max(done, 0), 1), int(current.Count))
}

// place is a point of the drawing.
func place(radius, angle float64) (x, y string) {
	return decimal(radius * math.Sin(angle)), decimal(-radius * math.Cos(angle))
}

func decimal(v float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") }

// ring is the path of a piece of a ring.
func ring(inner, outer, from, to float64) string {
	point := func(radius, angle float64) string {
		x, y := place(radius, angle)
		return x + " " + y
	}
	return fmt.Sprintf("M%s A%g %g 0 0 1 %s L%s A%g %g 0 0 0 %sZ",
		point(outer, from), outer, outer, point(outer, to), point(inner, to), inner, inner, point(inner, from))
}

// hand points at now from inside the ring.
func hand(angle float64) string {
	tipX, tipY := place(dialPast-4, angle)
	leftX, leftY := place(dialPast-22, angle-0.07)
	rightX, rightY := place(dialPast-22, angle+0.07)
	return fmt.Sprintf("M%s %s L%s %s L%s %sZ", tipX, tipY, leftX, leftY, rightX, rightY)
}

// dialSentence says how many deadlines are in which state.
func dialSentence(cells []cellView) string {
	var words []string
	for _, m := range []mark{markMissed, markScheduled, markProved, markSubmitted, markConfirmed, markUpcoming, markEmpty} {
		n := 0
		for _, c := range cells {
			if c.Class == m.Class {
				n++
			}
		}
		if n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, m.Word))
		}
	}
	return fmt.Sprintf("%d deadlines: %s", len(cells), strings.Join(words, ", "))
}

// miniRing is one state's part of a small dial: an SVG circle whose length is
// the number of deadlines and whose dashes are those in the state.
type miniRing struct{ Class, Dashes string }

// viewMini makes the small dial. Neighbours in one state are one dash, so that a
// hundred dials are a light page.
func viewMini(cells []cellView) []miniRing {
	var rings []miniRing
	for _, m := range []mark{markEmpty, markUpcoming, markScheduled, markProved, markSubmitted, markConfirmed, markMissed} {
		if dashes := dashesOf(cells, m.Class); dashes != "" {
			rings = append(rings, miniRing{m.Class, dashes})
		}
	}
	return rings
}

// dashesOf are dash, gap, dash, gap, … of the cells in a state; nothing if none is.
func dashesOf(cells []cellView, class string) string {
	var runs []int // beginning with a dash, which may have no length
	in, any := true, false
	run := 0
	for _, c := range cells {
		if (c.Class == class) != in {
			runs, run, in = append(runs, run), 0, !in
		}
		any = any || c.Class == class
		run++
	}
	if !any {
		return ""
	}
	runs = append(runs, run)
	if len(runs)%2 == 1 {
		runs = append(runs, 0) // an odd list would be drawn twice, the second time inside out
	}
	return strings.Trim(fmt.Sprint(runs), "[]")
}
