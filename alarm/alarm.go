// Package alarm says what somebody should do something about, before power is
// lost where that can be foreseen. [Of] is a pure function of what the daemon
// knows and of the clock: an alarm lasts for as long as what it tells is so,
// and needs nobody to raise or to clear it. Codes are its kinds.
package alarm

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// Policy is what the daemon means to do by when, as far as alarms depend on it.
type Policy struct {
	StartConfidence  abi.ChainEpoch // after Challenge, work starts
	SubmitConfidence abi.ChainEpoch // after Open, a proof is sent
	PostMargin       abi.ChainEpoch // before Close, a proof should be there
	ReplaceAfter     abi.ChainEpoch // without inclusion, the fee is raised
}

const (
	// grace is how many epochs late something is that should have begun.
	grace abi.ChainEpoch = 3
	// late is how long after Open what is not on chain is urgent, whatever the
	// cause: a third of the window is over.
	late abi.ChainEpoch = 20
	// lag is how many epochs behind the others a node is said to be.
	lag abi.ChainEpoch = 3
)

// Of gives the alarms of a status at a time, the most urgent first. Their
// Since is not set: see Keeper.
func Of(s vigil.Status, p Policy, now time.Time) []vigil.Alarm {
	j := &judge{status: s, policy: p, now: now}
	j.chain()
	for _, m := range s.Miners {
		before := len(j.list)
		j.miner(m)
		if m.Shadow {
			calm(j.list[before:])
		}
	}
	j.machine()
	slices.SortStableFunc(j.list, byUrgency)
	return j.list
}

// calm takes the urgency from what is about a miner in shadow: no power of it
// hangs on us. A proof of others that can be disputed stays what it is.
func calm(list []vigil.Alarm) {
	for i, a := range list {
		if a.Code != ProofDisputable {
			list[i].Urgent, list[i].What = false, a.What+" (in shadow: somebody else posts)"
		}
	}
}

func byUrgency(a, b vigil.Alarm) int {
	if a.Urgent != b.Urgent {
		if a.Urgent {
			return -1
		}
		return 1
	}
	by := func(epoch abi.ChainEpoch) abi.ChainEpoch { return cmp.Or(epoch, 1<<62) }
	return cmp.Or(cmp.Compare(by(a.By), by(b.By)), cmp.Compare(a.Code, b.Code), cmp.Compare(a.About, b.About))
}

// judge collects alarms.
type judge struct {
	status vigil.Status
	policy Policy
	now    time.Time
	list   []vigil.Alarm
}

// raise adds an alarm, with the remedy of its code if it has no better one.
func (j *judge) raise(a vigil.Alarm) {
	a.Remedy = cmp.Or(a.Remedy, explained(a.Code).Remedy)
	j.list = append(j.list, a)
}

// epochs is how many epochs something may take; no fewer than a second has, for
// on a development network an epoch is less than any machine needs.
func (j *judge) epochs(n abi.ChainEpoch) abi.ChainEpoch {
	if j.status.Delay <= 0 {
		return n
	}
	return max(n, abi.ChainEpoch(time.Second/j.status.Delay))
}

// nextLoss is the epoch at which the earliest proof that is owed has to be
// there; 0 if none is in sight. What all proofs depend on is to be mended by then.
func (j *judge) nextLoss() abi.ChainEpoch {
	var next abi.ChainEpoch
	for _, m := range j.status.Miners {
		if m.Shadow {
			continue // it is not ours to lose
		}
		for _, d := range m.Deadlines {
			by := d.Deadline.Close - j.policy.PostMargin
			done := d.Last == vigil.StateConfirmed && d.Deadline.IsOpen(j.status.Head)
			if owes(d) && !done && by > j.status.Head && (next == 0 || by < next) {
				next = by
			}
		}
	}
	return next
}

// owes says that a deadline has sectors that must be proved.
func owes(d vigil.DeadlineStatus) bool { return d.Sectors+d.Recovering > d.Faulty }

// Keeper remembers since when alarms last. The zero Keeper is ready; it is
// for one goroutine at a time.
type Keeper struct{ since map[Key]time.Time }

// Key is what makes an alarm the same one as before.
type Key struct{ Code, About string }

// KeyOf is the key of an alarm.
func KeyOf(a vigil.Alarm) Key { return Key{a.Code, a.About} }

// Keep sets the Since of alarms: of those that the last call had too it stays.
func (k *Keeper) Keep(alarms []vigil.Alarm, now time.Time) []vigil.Alarm {
	since := make(map[Key]time.Time, len(alarms))
	for i, a := range alarms {
		began, known := k.since[KeyOf(a)]
		if !known {
			began = now
		}
		since[KeyOf(a)], alarms[i].Since = began, began
	}
	k.since = since
	return alarms
}

// some names up to three bad sectors, each with its cause, and counts the rest.
func some(bad []vigil.BadSector) string {
	const most = 3
	text := ""
	for i, b := range bad {
		if i == most {
			return text + fmt.Sprintf(" and %d more", len(bad)-most)
		}
		if i > 0 {
			text += "; "
		}
		text += fmt.Sprintf("%d (%s)", b.Number, b.Cause)
	}
	return text
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
