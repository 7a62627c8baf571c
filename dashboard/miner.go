package dashboard

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/vigil-post/vigil"
)

type minerView struct {
	Miner     string
	Link      string
	ReadAt    string
	Current   string // the open deadline in words
	Summary   string
	Worst     mark
	Clock     clockView
	Cells     []cellView
	Next      []cellView // those with sectors that come next
	Legend    []mark
	Duties    []dutyView // the open ones and the latest that are over
	Earlier   []dutyView // those before
	Bad       []vigil.BadSector
	Problem   string
	Faulty    uint64
	Recovered uint64
	Sectors   uint64
	Covered   time.Time // since when every sector was read
	Status    vigil.MinerStatus
	moment    moment
}

// minerPage is one miner: the dial, what is being done, and what is wrong.
func (d *dashboard) minerPage(r *http.Request, at moment) (sight, error) {
	m, err := at.miner(r.PathValue("miner"))
	if err != nil {
		return sight{}, err
	}
	alarms := piece{"alarms", "alarms", alarmsOf(at, m.Miner)}
	return sight{title: m.Miner, pieces: append([]piece{alarms}, minerPieces(viewMiner(m, at))...)}, nil
}

// minerPieces are the parts of a miner's page; each is there only when it has something to say.
func minerPieces(v minerView) []piece {
	v.Clock = viewClock(v.Cells, v.Status)
	pieces := []piece{{"miner", "miner", v}, {"duties", "miner-duties", v}}
	add := func(n int, id, template string) {
		if n > 0 {
			pieces = append(pieces, piece{id, template, v})
		}
	}
	add(len(v.Bad), "bad", "miner-bad")
	add(len(v.Status.Recoveries), "recoveries", "miner-recoveries")
	add(len(v.Status.Audits), "audits", "miner-audits")
	add(len(v.Status.Rehearsals), "rehearsals", "miner-rehearsals")
	add(len(v.Cells), "deadlines", "miner-deadlines")
	return pieces
}

func viewMiner(m vigil.MinerStatus, at moment) minerView {
	v := minerView{
		Miner:   m.Miner,
		Link:    minerPath(m.Miner),
		ReadAt:  fmt.Sprintf("epoch %d", m.Epoch),
		Current: currentSentence(m, at.Delay),
		Legend:  legend,
		Bad:     m.Bad,
		Problem: m.Problem,
		Status:  m,
		moment:  at,
	}
	if m.Covered > 0 {
		v.Covered = at.at(m.Covered)
	}
	for _, d := range m.Deadlines {
		v.Cells = append(v.Cells, viewCell(d, m, at))
		v.Sectors += d.Sectors
		v.Faulty += d.Faulty
		v.Recovered += d.Recovering
	}
	for _, d := range m.Duties {
		duty := viewDuty(d, m.Epoch, at)
		if duty.Over && d.Row.State != vigil.StateMissed && len(v.Duties) >= mostDuties {
			v.Earlier = append(v.Earlier, duty)
			continue
		}
		v.Duties = append(v.Duties, duty)
	}
	v.Worst, v.Summary = summary(m, v.Sectors)
	v.Next = nextCells(v.Cells, m)
	return v
}

// A page shows so many duties at once; what is open or was missed always shows.
const mostDuties = 8

// nextCells are the deadlines with sectors that open next, the soonest first.
func nextCells(cells []cellView, m vigil.MinerStatus) []cellView {
	const most = 4
	var next []cellView
	for i := range cells {
		c := cells[(int(m.Current.Index)+1+i)%len(cells)]
		if c.Class != markEmpty.Class && c.Phase != "open" && len(next) < most {
			next = append(next, c)
		}
	}
	return next
}

// Anchor is the id of the miner's part of the overview.
func (v minerView) Anchor() string { return anchor(v.Miner) }

// Mini is the small dial.
func (v minerView) Mini() []miniRing { return viewMini(v.Cells) }

// Angle is where now is on the small dial, in degrees; nothing while no deadline is known.
func (v minerView) Angle() string {
	c := v.Status.Current
	if c.Count == 0 || c.Close <= c.Open {
		return ""
	}
	return decimal(turnOf(c, v.Status.Epoch) * 180 / math.Pi)
}

// WhatNow are the duties of the deadline that is open.
func (v minerView) WhatNow() []dutyView {
	return slices.DeleteFunc(slices.Clone(v.Duties), func(d dutyView) bool {
		return d.Open != v.Status.Current.Open || d.Kind != string(vigil.KindPost)
	})
}

// Until is when a post can be disputed no more.
func (v minerView) Until(a vigil.AuditStatus) time.Time { return v.moment.at(a.Until) }

// Cutoff is when it is too late to declare a deadline's sectors recovered.
func (v minerView) Cutoff(r vigil.RecoveryStatus) time.Time { return v.moment.at(r.Cutoff) }

// Began is when a rehearsal was.
func (v minerView) Began(r vigil.RehearsalStatus) time.Time { return v.moment.at(r.Epoch) }

// Deadline leads to a deadline's page.
func (v minerView) Deadline(index uint64) string { return deadlinePath(v.Miner, index) }

// Duty leads to a duty's page.
func (v minerView) Duty(id string) string { return dutyPath(id) }

func currentSentence(m vigil.MinerStatus, delay time.Duration) string {
	if m.Current.Count == 0 {
		return "its deadlines have not been read yet"
	}
	if m.Shadow {
		return fmt.Sprintf("in shadow: somebody else posts, nothing is signed or sent; deadline %d of %d, %s", m.Current.Index, m.Current.Count, when(m.Current.Open, m.Current.Close, m.Epoch, delay))
	}
	return fmt.Sprintf("deadline %d of %d, %s", m.Current.Index, m.Current.Count, when(m.Current.Open, m.Current.Close, m.Epoch, delay))
}

// What a miner is, all in all.
var (
	minerQuiet   = mark{"upcoming", "", "nothing is due yet"}
	minerGood    = mark{"confirmed", "✓", "all is well"}
	minerBusy    = mark{"scheduled", "…", "work in progress"}
	minerTrouble = mark{"missed", "✕", "trouble"}
)

// summary is a miner in a few words, with the mark that is most worth seeing.
func summary(m vigil.MinerStatus, sectors uint64) (mark, string) {
	states := map[vigil.DutyState]int{} // of the deadlines, each by its latest occurrence
	for _, d := range m.Deadlines {
		states[d.Last]++
	}
	open := states[vigil.StateScheduled] + states[vigil.StateProved] + states[vigil.StateSubmitted]
	worst, parts := minerQuiet, []string{count(int(sectors), "sector")}
	note := func(n int, as mark, text string) {
		if n > 0 {
			worst, parts = as, append(parts, text)
		}
	}
	note(states[vigil.StateConfirmed], minerGood, count(states[vigil.StateConfirmed], "deadline")+" confirmed")
	note(states[vigil.StateShadowed], minerGood, count(states[vigil.StateShadowed], "deadline")+" in shadow")
	note(open, minerBusy, fmt.Sprintf("%d in progress", open))
	note(states[vigil.StateMissed], minerTrouble, fmt.Sprintf("%d missed", states[vigil.StateMissed]))
	note(len(m.Bad), minerTrouble, count(len(m.Bad), "bad sector"))
	if m.Problem != "" {
		worst = minerTrouble
	}
	return worst, strings.Join(parts, ", ")
}
