package dashboard

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

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
}

// alarmView is something a human must look at.
type alarmView struct{ Where, Link, What string }

type minerView struct {
	Miner     string
	Anchor    string
	ReadAt    string
	Current   string // the open deadline in words
	Summary   string
	Worst     mark
	Cells     []cellView
	Legend    []mark
	Duties    []dutyView // the open ones and the latest that are over
	Earlier   []dutyView // those before
	Bad       []vigil.BadSector
	Problem   string
	Faulty    uint64
	Recovered uint64
	Sectors   uint64
}

// cellView is one of the 48.
type cellView struct {
	mark
	Index      uint64
	Phase      string // open, challenged or nothing
	PhaseWord  string
	When       string
	Partitions int
	Posted     int
	Sectors    uint64
	Faulty     uint64
	Recovering uint64
	Label      string // all of it in a sentence
}

type dutyView struct {
	mark
	ID         string
	Kind       string
	Deadline   uint64
	What       string // partitions 0, 1 or sectors 4, 5
	When       string
	Over       bool
	Running    string
	Message    string
	MessageCID string
	Skipped    []vigil.BadSector
	Problem    string
	Reason     vigil.Reason
}

func viewHead(s vigil.Status, now time.Time) headView {
	v := headView{
		Network: cmp.Or(s.Network, "not known yet"),
		Version: s.Version,
		Epoch:   "–",
		Seen:    "no head yet",
		Delay:   duration(s.Delay),
		Problem: headProblem(s, now),
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
	if alarm.Silent(s, now) {
		return fmt.Sprintf("no new chain head for %s: what is shown below is as old", age(now.Sub(s.HeadSeen)))
	}
	return ""
}

// viewAlarms shows the status's alarms; package alarm judges.
func viewAlarms(s vigil.Status, _ time.Time) []alarmView {
	var alarms []alarmView
	for _, a := range s.Alarms {
		v := alarmView{Where: a.About, What: a.What}
		if a.Miner != "" {
			v.Link = "#" + anchor(a.Miner)
		}
		alarms = append(alarms, v)
	}
	return alarms
}

func viewMiner(m vigil.MinerStatus, s vigil.Status) minerView {
	v := minerView{
		Miner:   m.Miner,
		Anchor:  anchor(m.Miner),
		ReadAt:  fmt.Sprintf("epoch %d", m.Epoch),
		Current: currentSentence(m, s.Delay),
		Legend:  legend,
		Bad:     m.Bad,
		Problem: m.Problem,
	}
	for _, d := range m.Deadlines {
		v.Cells = append(v.Cells, viewCell(d, m, s.Delay))
		v.Sectors += d.Sectors
		v.Faulty += d.Faulty
		v.Recovered += d.Recovering
	}
	for _, d := range m.Duties {
		duty := viewDuty(d, m.Epoch, s.Delay)
		if duty.Over && d.Row.State != vigil.StateMissed && len(v.Duties) >= mostDuties {
			v.Earlier = append(v.Earlier, duty)
			continue
		}
		v.Duties = append(v.Duties, duty)
	}
	v.Worst, v.Summary = summary(m, v.Sectors)
	return v
}

// A page shows so many duties at once; what is open or was missed always shows.
const mostDuties = 8

func currentSentence(m vigil.MinerStatus, delay time.Duration) string {
	if m.Current.Count == 0 {
		return "its deadlines have not been read yet"
	}
	return fmt.Sprintf("deadline %d of %d, %s", m.Current.Index, m.Current.Count, when(m.Current.Open, m.Current.Close, m.Epoch, delay))
}

// summary is a miner in a few words, with the mark that is most worth seeing.
func summary(m vigil.MinerStatus, sectors uint64) (mark, string) {
	states := map[vigil.DutyState]int{} // of the deadlines, each by its latest occurrence
	for _, d := range m.Deadlines {
		states[d.Last]++
	}
	open := states[vigil.StateScheduled] + states[vigil.StateProved] + states[vigil.StateSubmitted]
	parts := []string{count(int(sectors), "sector")}
	worst := markUpcoming
	if m.Problem != "" {
		worst = markMissed
		parts = append(parts, "a problem")
	}
	if n := states[vigil.StateConfirmed]; n > 0 {
		worst = worse(worst, markConfirmed)
		parts = append(parts, count(n, "deadline")+" confirmed")
	}
	if open > 0 {
		worst = worse(worst, markScheduled)
		parts = append(parts, fmt.Sprintf("%d in progress", open))
	}
	if n := states[vigil.StateMissed]; n > 0 {
		worst = markMissed
		parts = append(parts, fmt.Sprintf("%d missed", n))
	}
	if n := len(m.Bad); n > 0 {
		worst = markMissed
		parts = append(parts, count(n, "bad sector"))
	}
	return worst, strings.Join(parts, ", ")
}

// worse keeps a miss, whatever else is true.
func worse(worst, next mark) mark {
	if worst == markMissed {
		return worst
	}
	return next
}

func viewCell(d vigil.DeadlineStatus, m vigil.MinerStatus, delay time.Duration) cellView {
	v := cellView{
		mark:       cellMark(d, m),
		Index:      d.Deadline.Index,
		When:       when(d.Deadline.Open, d.Deadline.Close, m.Epoch, delay),
		Partitions: d.Partitions,
		Posted:     d.Posted,
		Sectors:    d.Sectors,
		Faulty:     d.Faulty,
		Recovering: d.Recovering,
	}
	v.Phase, v.PhaseWord = phase(d.Deadline, m.Epoch)
	v.Label = cellLabel(v)
	return v
}

func phase(d vigil.Deadline, epoch abi.ChainEpoch) (class, word string) {
	switch {
	case d.Count == 0:
		return "", ""
	case d.IsOpen(epoch):
		return "open", "open now"
	case d.Challenge <= epoch && epoch < d.Open:
		return "challenged", "challenged"
	}
	return "", ""
}

// cellMark is how the deadline stands: while it is challenged or open, its
// present occurrence; else how the last one ended.
func cellMark(d vigil.DeadlineStatus, m vigil.MinerStatus) mark {
	if d.Partitions == 0 && d.Sectors == 0 {
		return markEmpty
	}
	running, _ := phase(d.Deadline, m.Epoch)
	if running == "" || d.Last == vigil.StateMissed {
		return markOf(d.Last)
	}
	if d.Partitions > 0 && d.Posted >= d.Partitions && !d.Last.Final() {
		return markSubmitted
	}
	ofNow := func(duty vigil.DutyStatus) bool {
		return duty.Kind == vigil.KindPost && duty.Deadline == d.Deadline.Index && duty.Open == d.Deadline.Open
	}
	if slices.ContainsFunc(m.Duties, ofNow) {
		return markOf(d.Last)
	}
	return markScheduled
}

func cellLabel(v cellView) string {
	if v.Class == markEmpty.Class {
		return strings.Join(nonEmpty(fmt.Sprintf("deadline %d: no sectors", v.Index), v.PhaseWord), ", ")
	}
	parts := nonEmpty(
		fmt.Sprintf("deadline %d: %s", v.Index, v.Word),
		v.PhaseWord,
		count(v.Partitions, "partition"),
		count(int(v.Sectors), "sector"),
	)
	if v.Phase == "open" {
		parts = append(parts, fmt.Sprintf("%d of %d posted", v.Posted, v.Partitions))
	}
	if v.Faulty > 0 {
		parts = append(parts, fmt.Sprintf("%d faulty, %d of them recovering", v.Faulty, v.Recovering))
	}
	return strings.Join(append(parts, v.When), ", ")
}

func viewDuty(d vigil.DutyStatus, epoch abi.ChainEpoch, delay time.Duration) dutyView {
	v := dutyView{
		mark:       markOf(d.Row.State),
		ID:         d.Duty,
		Kind:       string(d.Kind),
		Deadline:   d.Deadline,
		What:       dutyWhat(d.Row, d.Kind),
		When:       when(d.Open, d.Close, epoch, delay),
		Over:       d.Row.State.Final(),
		Running:    d.Running,
		Message:    string(d.Message),
		MessageCID: d.MessageIs,
		Skipped:    d.Row.Skipped,
		Problem:    d.Row.Problem,
	}
	if d.Row.State == vigil.StateMissed { // until then it is why the duty would be missed if time ran out now
		v.Reason = d.Row.Reason
	}
	return v
}

// meaning explains a reason and says what to do about it.
func meaning(reason vigil.Reason) string {
	for _, r := range vigil.Reasons {
		if r.Reason == reason {
			return r.Meaning + " " + r.Advice
		}
	}
	return ""
}

func dutyWhat(d vigil.Duty, kind vigil.DutyKind) string {
	if kind == vigil.KindRecover {
		return "recover " + plural(len(d.Sectors), "sector") + " " + listOf(d.Sectors)
	}
	return plural(len(d.Partitions), "partition") + " " + listOf(d.Partitions)
}

// listOf names up to twelve numbers and counts the rest.
func listOf[T ~uint64](numbers []T) string {
	const most = 12
	var words []string
	for i, n := range numbers {
		if i == most {
			words = append(words, fmt.Sprintf("and %d more", len(numbers)-most))
			break
		}
		words = append(words, strconv.FormatUint(uint64(n), 10))
	}
	return strings.Join(words, ", ")
}
