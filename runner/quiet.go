package runner

import (
	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/schedule"
)

// Most of the time nothing is owed. Then a miner's picture is carried from head
// to head without a question to the node: its deadline is arithmetic, and what
// it depends on can only have changed if somebody acted or the chain was
// reorganised. The first sign of either leads to a close look. A node is so
// asked as often for a hundred miners as for one.

// sight is what the latest close look has read, and the head up to which it
// was carried.
type sight struct {
	head    vigil.Head
	looked  abi.ChainEpoch // of the close look
	current vigil.Deadline // as the chain gave it,
	checked abi.ChainEpoch // at this epoch
	doubted vigil.Deadline // as it gave it once, against arithmetic
	posted  []bitfield.BitField
	settled []bitfield.BitField
}

// deadline gives the current deadline if arithmetic is enough to know it: the
// chain has confirmed the one that is open.
func (s *sight) deadline(epoch abi.ChainEpoch) (vigil.Deadline, bool) {
	return s.current, s.current.Count > 0 && s.checked <= epoch && epoch < s.current.Close
}

// confirm takes the chain's word for the current deadline. One that is not
// what arithmetic gives is believed for as long as it is said: it is asked for
// again at the next head, and taken for good if it is the same.
func (s *sight) confirm(told, expected vigil.Deadline, epoch abi.ChainEpoch) {
	if told == expected || told == s.doubted {
		s.current, s.checked, s.doubted = told, epoch, vigil.Deadline{}
		return
	}
	s.doubted = told
}

// expected is the deadline that arithmetic gives for an epoch.
func (s *sight) expected(epoch abi.ChainEpoch) (vigil.Deadline, bool) {
	window := s.current.Close - s.current.Open
	if s.current.Count == 0 || window <= 0 || epoch < s.current.Open {
		return vigil.Deadline{}, false
	}
	return s.current.Plus(int((epoch - s.current.Open) / window)), true
}

// follows says that a head is the next one after what was seen, or the same.
func (s *sight) follows(head vigil.Head) bool {
	return s.head.Key != "" && (head.Key == s.head.Key || head.Parent == s.head.Key)
}

// carry makes the view out of what is known, and says whether that is enough:
// nothing is in progress, nothing would be begun, and nothing is waited for.
func (l *looker) carry() (bool, error) {
	var known bool
	l.current, known = l.sight.deadline(l.head.Epoch)
	if !known || !l.sight.follows(l.head) || l.layout.deadlines == nil || len(l.layout.stale) > 0 || len(l.running) > 0 {
		return false, nil
	}
	if err := l.readRows(); err != nil {
		return false, err
	}
	if l.unfinished() || l.news() || l.dawns() {
		return false, nil
	}
	l.carried, l.posted, l.settled = true, l.sight.posted, l.sight.settled
	if err := l.addOpen(); err != nil {
		return false, err
	}
	if l.awaited() {
		return false, nil
	}
	if err := l.addRecoveries(); err != nil {
		return false, err
	}
	return len(schedule.Plan(l.view, l.cfg.Policy)) == 0, nil
}

// unfinished says that a duty or a message is on its way, or that it can be
// told whether a recovery has brought its power back.
func (l *looker) unfinished() bool {
	for _, d := range l.view.Duties {
		if !d.State.Final() || schedule.AwaitsPower(d) && d.Deadline.Close+l.cfg.Policy.Confidence <= l.head.Epoch {
			return true
		}
	}
	for _, m := range l.view.Messages {
		if !m.State.Done() {
			return true
		}
	}
	return false
}

// news says that a deadline which nobody watched can be judged by now, and
// could not be when the chain was looked at last.
func (l *looker) news() bool {
	for _, d := range l.unwatched() {
		if ready := d.Close + l.cfg.Policy.Confidence + 1; ready <= l.head.Epoch && l.sight.looked < ready {
			return true
		}
	}
	return false
}

// dawns says that the next deadline is challenged, and that its partitions
// were not read since: they may owe more than when they were read last.
func (l *looker) dawns() bool {
	next := l.current.Plus(1)
	return next.Challenge <= l.head.Epoch && l.sight.looked < next.Challenge
}

// awaited says that a partition owes a proof that does not stand yet.
func (l *looker) awaited() bool {
	for _, d := range l.view.Deadlines {
		for _, p := range d.Partitions {
			if p.Due > 0 && !(p.Posted && p.Settled) {
				return true
			}
		}
	}
	return false
}
