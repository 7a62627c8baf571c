package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// Restart says whether the daemon may be stopped for a while, and until when it
// has to be back.
type Restart struct {
	Safe   bool           `json:"safe"`
	Head   abi.ChainEpoch `json:"head"`
	For    abi.ChainEpoch `json:"for_epochs"`      // how long it would be off
	Until  abi.ChainEpoch `json:"until"`           // the epoch at which it is needed next; 0 if that is not known
	After  abi.ChainEpoch `json:"after,omitempty"` // it may be safe from this epoch on, if it is not now
	Why    []string       `json:"why"`             // what it would be needed for, the most urgent first
	Answer string         `json:"answer"`          // in a sentence
}

// need is something that the daemon has to be there for.
type need struct {
	from abi.ChainEpoch // at this epoch at the latest
	to   abi.ChainEpoch // and until then, as far as it can be told
	why  string
}

// CanRestart judges from a status whether a daemon may be off for so many epochs:
// nothing that is being worked on would be lost, and nothing that is owed would
// wait for it. What is stored (proofs, signed messages) is not lost.
func CanRestart(s vigil.Status, off abi.ChainEpoch) Restart {
	r := Restart{Head: s.Head, For: off, Why: []string{}}
	if why := unknown(s); why != "" {
		r.Why = append(r.Why, why)
		r.Answer = "It is not known whether it is safe to restart: " + strings.TrimSuffix(why, ".") + "."
		return r
	}
	var needs []need
	for _, m := range s.Miners {
		needs = append(needs, minerNeeds(m, s.Head)...)
	}
	slices.SortStableFunc(needs, func(a, b need) int { return cmp.Compare(a.from, b.from) })
	r.judge(needs, s)
	return r
}

// chainSilent is package alarm's code for a chain that tells of no new head.
const chainSilent = "no-head"

// unknown says why a status does not tell what is owed now, or nothing. An old
// picture is none: more has become due since than it shows.
func unknown(s vigil.Status) string {
	if s.Head == 0 || len(s.Miners) == 0 || slices.ContainsFunc(s.Miners, func(m vigil.MinerStatus) bool { return m.Current.Count == 0 }) {
		return "the daemon has not read yet what its miners owe"
	}
	for _, a := range s.Alarms {
		if a.Code == chainSilent && a.Urgent {
			return a.What
		}
	}
	for _, m := range s.Miners {
		if m.Problem != "" {
			return fmt.Sprintf("the state of %s was read at epoch %d last: %s", m.Miner, m.Epoch, m.Problem)
		}
	}
	return ""
}

func (r *Restart) judge(needs []need, s vigil.Status) {
	end := s.Head + r.For
	for _, n := range needs {
		if n.from < end {
			r.Why = append(r.Why, n.why)
		}
	}
	if len(needs) > 0 {
		r.Until = max(needs[0].from, s.Head)
	}
	switch {
	case len(r.Why) > 0:
		r.Answer = fmt.Sprintf("Not now: %s. ", r.Why[0])
		if r.After = gap(needs, s.Head, r.For); r.After > 0 {
			r.Answer += fmt.Sprintf("It may be safe after epoch %d, in %s.", r.After, span(r.After-s.Head, s.Delay))
		} else {
			r.Answer += fmt.Sprintf("There are no %s in the coming proving period in which it is not needed.", span(r.For, s.Delay))
		}
	case len(needs) == 0:
		r.Safe, r.Answer = true, "It is safe to restart: no miner owes anything in the coming proving period."
	default:
		r.Safe = true
		r.Answer = fmt.Sprintf("It is safe to restart until epoch %d, for %s: then %s.", r.Until, span(r.Until-s.Head, s.Delay), needs[0].why)
	}
}

// gap is the first epoch from which on nothing needs the daemon for as long as it
// would be off, as far as it can be told; 0 if there is none. The needs are by their beginnings.
func gap(needs []need, head, off abi.ChainEpoch) abi.ChainEpoch {
	at := head
	for _, n := range needs {
		if n.from >= at+off {
			return at
		}
		at = max(at, n.to)
	}
	if at >= head+day-off {
		return 0
	}
	return at
}

// day is how far ahead deadlines are known: a proving period.
const day = 2880

// minerNeeds lists what a miner needs its daemon for.
func minerNeeds(m vigil.MinerStatus, head abi.ChainEpoch) []need {
	var needs []need
	busy := map[abi.ChainEpoch]bool{} // deadlines with a duty, by Open
	for _, d := range m.Duties {
		if d.Kind == vigil.KindPost {
			busy[d.Open] = true
		}
		if n, ok := dutyNeed(d, head); ok {
			needs = append(needs, n)
		}
	}
	for _, d := range m.Deadlines {
		if n, ok := deadlineNeed(m.Miner, d, head); ok && !busy[d.Deadline.Open] {
			needs = append(needs, n)
		}
	}
	return needs
}

// readAgain is after how many epochs a reading that is going on is asked about again.
const readAgain = 6

// dutyNeed is what a duty under way needs.
func dutyNeed(d vigil.DutyStatus, head abi.ChainEpoch) (need, bool) {
	deadline := d.Row.Deadline
	switch {
	case d.Row.State.Final() || head >= d.Close:
		return need{}, false
	case d.Kind == vigil.KindRecover:
		if d.Running == "" {
			return need{deadline.FaultCutoff - lateBelow, deadline.FaultCutoff, fmt.Sprintf("the recovery %s is to be on chain before epoch %d", d.Duty, deadline.FaultCutoff)}, deadline.FaultCutoff > head
		}
		return need{head, head + readAgain, fmt.Sprintf("faulty sectors are read for %s", d.Duty)}, true
	case d.Row.State == vigil.StateScheduled:
		return need{head, max(deadline.Open+lateBelow, head+1), fmt.Sprintf("%s is being worked on, and what is not stored of it would be done again", d.Duty)}, true
	case d.Row.State == vigil.StateProved:
		return need{max(deadline.Open, head), max(deadline.Open+lateBelow, head+1), fmt.Sprintf("the proof of %s is to be sent when its deadline opens, at epoch %d", d.Duty, deadline.Open)}, true
	case d.Message == vigil.MessageIncluded || d.Message == vigil.MessageConfirmed:
		return need{d.Close - lateBelow, d.Close, fmt.Sprintf("%s closes at epoch %d, and a reorg could still take its post back", d.Duty, d.Close)}, true
	}
	return need{d.Close - 2*lateBelow, d.Close, fmt.Sprintf("the message of %s may have to be replaced before epoch %d", d.Duty, d.Close)}, true
}

// deadlineNeed is what the next occurrence of a deadline needs, if it owes anything.
func deadlineNeed(miner string, d vigil.DeadlineStatus, head abi.ChainEpoch) (need, bool) {
	at := d.Deadline
	owes := d.Sectors > d.Faulty || d.Recovering > 0
	if !owes || head >= at.Close || at.IsOpen(head) && d.Posted >= d.Partitions {
		return need{}, false
	}
	start := at.Challenge
	if d.Forecast != nil && d.Forecast.Start > 0 {
		start = d.Forecast.Start
	}
	why := fmt.Sprintf("the work on %s deadline %d begins", miner, at.Index)
	if start <= head {
		why = fmt.Sprintf("%s deadline %d closes at epoch %d and nothing is posted or stored for it yet", miner, at.Index, at.Close)
	}
	return need{max(start, head), at.Open + lateBelow, why}, true
}
