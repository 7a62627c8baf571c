package dashboard

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// cellView is one of the 48.
type cellView struct {
	mark
	Index      uint64
	Phase      string // open, challenged or nothing
	PhaseWord  string
	Past       bool // it was closed in this proving period
	When       string
	Opens      time.Time
	Closes     time.Time
	Partitions int
	Posted     int
	Sectors    uint64
	Faulty     uint64
	Recovering uint64
	Label      string // all of it in a sentence
	Link       string
	Forecast   *vigil.Forecast
}

func viewCell(d vigil.DeadlineStatus, m vigil.MinerStatus, at moment) cellView {
	v := cellView{
		mark:       cellMark(d, m),
		Index:      d.Deadline.Index,
		When:       when(d.Deadline.Open, d.Deadline.Close, m.Epoch, at.Delay),
		Opens:      at.at(d.Deadline.Open),
		Closes:     at.at(d.Deadline.Close),
		Partitions: d.Partitions,
		Posted:     d.Posted,
		Sectors:    d.Sectors,
		Faulty:     d.Faulty,
		Recovering: d.Recovering,
		Link:       deadlinePath(m.Miner, d.Deadline.Index),
		Forecast:   d.Forecast,
	}
	v.Phase, v.PhaseWord = phase(d.Deadline, m.Epoch)
	v.Past = v.Phase == "" && d.Deadline.Index < m.Current.Index
	v.Label = cellLabel(v)
	return v
}

// Brief is what the middle of the dial says of the present deadline.
func (v cellView) Brief() string {
	if i := strings.Index(v.When, "("); i >= 0 { // the time is enough there
		verb, _, _ := strings.Cut(v.When, " in ")
		return verb + " in " + strings.Trim(v.When[i:], "()")
	}
	return v.When
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
