package dashboard

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// dutyView is a duty as a line of a table shows it.
type dutyView struct {
	mark
	ID         string
	Link       string
	Kind       string
	Deadline   uint64
	What       string // partitions 0, 1 or sectors 4, 5
	When       string
	Open       abi.ChainEpoch
	Closes     time.Time
	Over       bool
	Running    string
	Message    string
	MessageCID string
	Skipped    []vigil.BadSector
	Problem    string
	Reason     vigil.Reason
}

func viewDuty(d vigil.DutyStatus, epoch abi.ChainEpoch, at moment) dutyView {
	v := dutyView{
		mark:       markOf(d.Row.State),
		ID:         d.Duty,
		Link:       dutyPath(d.Duty),
		Kind:       string(d.Kind),
		Deadline:   d.Deadline,
		What:       dutyWhat(d.Row, d.Kind),
		When:       when(d.Open, d.Close, epoch, at.Delay),
		Open:       d.Open,
		Closes:     at.at(d.Close),
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
