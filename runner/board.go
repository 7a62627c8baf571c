package runner

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/schedule"
)

// board is the picture that people are shown. Its mutex guards all of it.
type board struct {
	mu      sync.Mutex
	status  vigil.Status
	changed chan struct{} // closed and made anew at every change
	ahead   outlook
}

func (b *board) update(change func(*vigil.Status)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.status)
	close(b.changed)
	b.changed = make(chan struct{})
}

// miner changes one miner's part; its slices are replaced, never written to,
// because readers hold them.
func (b *board) miner(id abi.ActorID, change func(*vigil.MinerStatus)) {
	name := vigil.MinerAddress(id).String()
	b.update(func(s *vigil.Status) {
		miners := slices.Clone(s.Miners)
		i := slices.IndexFunc(miners, func(m vigil.MinerStatus) bool { return m.Miner == name })
		if i < 0 {
			i = len(miners)
			miners = append(miners, vigil.MinerStatus{Miner: name})
		}
		change(&miners[i])
		slices.SortFunc(miners, func(a, b vigil.MinerStatus) int { return cmp.Compare(a.Miner, b.Miner) })
		s.Miners = miners
	})
}

// Status implements vigil.StatusSource.
func (r *Runner) Status() vigil.Status {
	r.foresee()
	r.board.mu.Lock()
	defer r.board.mu.Unlock()
	return r.board.status
}

// Changed implements vigil.StatusSource.
func (r *Runner) Changed() <-chan struct{} {
	r.board.mu.Lock()
	defer r.board.mu.Unlock()
	return r.board.changed
}

// show puts the miner's picture on the board after a plan.
func (m *miner) show(view schedule.View, current vigil.Deadline) {
	part := vigil.MinerStatus{
		Miner: vigil.MinerAddress(m.id).String(), Epoch: view.Epoch, Current: current,
		Shadow: m.shadow, Duties: m.dutyLines(view), Bad: m.badSectors(view.Duties),
	}
	part.Rehearsals, part.Bad = m.rehearsalLines(part.Bad, current)
	if part.Covered = m.covered(); part.Covered > 0 && !m.head.Time.IsZero() {
		part.CoveredAt = m.head.Time.Add(-time.Duration(m.head.Epoch-part.Covered) * m.epoch)
	}
	part.Recoveries = m.recoveryLines(view, current)
	owed := m.owed(view, current)
	for i, partitions := range m.layout.deadlines {
		ahead := (i - int(current.Index) + len(m.layout.deadlines)) % len(m.layout.deadlines)
		part.Deadlines = append(part.Deadlines, deadlineLine(current.Plus(ahead), partitions, view))
	}
	m.board.miner(m.id, func(s *vigil.MinerStatus) {
		*s = part
		m.board.ahead.take(owed)
	})
}

// deadlineLine counts what the chain has in a deadline, and says how its
// latest occurrence with duties stands.
func deadlineLine(d vigil.Deadline, partitions []vigil.Partition, view schedule.View) vigil.DeadlineStatus {
	line := vigil.DeadlineStatus{Deadline: d, Partitions: len(partitions), Last: standing(d.Index, view.Duties)}
	for _, p := range partitions {
		live, _ := p.Live.Count() // the sets were counted when the view was made
		faulty, _ := p.Faulty.Count()
		recovering, _ := p.Recovering.Count()
		line.Sectors += live
		line.Faulty += faulty
		line.Recovering += recovering
	}
	for _, seen := range view.Deadlines {
		for _, p := range seen.Partitions {
			if seen.Open == d.Open && p.Posted {
				line.Posted++
			}
		}
	}
	return line
}

// standing is the least advanced state among the duties of a deadline's latest occurrence.
func standing(index uint64, duties []vigil.Duty) vigil.DutyState {
	order := []vigil.DutyState{vigil.StateMissed, vigil.StateScheduled, vigil.StateProved, vigil.StateShadowed, vigil.StateSubmitted, vigil.StateConfirmed}
	var open abi.ChainEpoch = -1
	worst := len(order)
	for _, d := range duties {
		if d.Deadline.Index != index || d.ID.Kind != vigil.KindPost || d.State == vigil.StateReplaced || d.ID.Open < open {
			continue
		}
		if d.ID.Open > open {
			open, worst = d.ID.Open, len(order)
		}
		worst = min(worst, slices.Index(order, d.State))
	}
	if worst == len(order) {
		return ""
	}
	return order[worst]
}

// shownDuties is how many duties that are over the page keeps.
const shownDuties = 12

// dutyLines lists the duties in progress and those just over, newest first.
func (m *miner) dutyLines(view schedule.View) []vigil.DutyStatus {
	rows := slices.Clone(view.Duties)
	slices.SortStableFunc(rows, func(a, b vigil.Duty) int { return cmp.Compare(b.ID.Open, a.ID.Open) })
	var lines []vigil.DutyStatus
	over := 0
	for _, row := range rows {
		if row.State.Final() {
			if over++; over > shownDuties {
				continue
			}
		}
		line := vigil.DutyStatus{
			Duty: row.ID.String(), Kind: row.ID.Kind, Deadline: row.Deadline.Index,
			Open: row.Deadline.Open, Close: row.Deadline.Close, Row: row,
		}
		if j, busy := m.running[row.ID]; busy {
			line.Running = string(j.task.Verb)
		}
		for _, message := range view.Messages {
			if message.Duty == row.ID {
				line.Message, line.MessageProblem = message.State, message.Problem
				line.MessageIs, line.FeeCap, line.Sent = "", abi.TokenAmount{}, 0
				if n := len(message.Attempts); n > 0 {
					newest := message.Attempts[n-1]
					line.MessageIs, line.FeeCap, line.Sent = newest.CID.String(), newest.Signed.Gas.FeeCap, message.Attempts[0].Epoch
				}
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// badSectors lists the sectors that cannot be proved now, by the newest word
// on each: those that unfinished duties leave out, and those of finished ones
// that the chain still has as faulty and undeclared.
func (m *miner) badSectors(duties []vigil.Duty) []vigil.BadSector {
	newest := map[abi.SectorNumber]vigil.Duty{}
	causes := map[abi.SectorNumber]vigil.BadSector{}
	for _, d := range duties {
		for _, bad := range d.Skipped {
			if known, ok := newest[bad.Number]; !ok || known.Tried <= d.Tried {
				newest[bad.Number], causes[bad.Number] = d, bad
			}
		}
	}
	bad := []vigil.BadSector{}
	for number, d := range newest {
		faulty, _ := m.layout.faulty.IsSet(uint64(number)) // read and counted in this very look
		recovering, _ := m.layout.recovering.IsSet(uint64(number))
		if !recovering && (faulty || !d.State.Final()) {
			bad = append(bad, causes[number])
		}
	}
	slices.SortFunc(bad, func(a, b vigil.BadSector) int { return cmp.Compare(a.Number, b.Number) })
	return bad
}

// rehearsalLines lists the rehearsals by deadline, and adds the sectors that they
// found bad to those that are known. Of a deadline that was open and has closed since,
// the proof has the last word.
func (m *miner) rehearsalLines(bad []vigil.BadSector, current vigil.Deadline) ([]vigil.RehearsalStatus, []vigil.BadSector) {
	var lines []vigil.RehearsalStatus
	for _, index := range slices.Sorted(maps.Keys(m.rehearsals)) {
		lines = append(lines, m.rehearsals[index])
	}
	for _, found := range m.rehearsedBad {
		ahead := (int(found.deadline) - int(current.Index) + int(current.Count)) % int(current.Count)
		closed := current.Plus(ahead - int(current.Count))
		if m.rehearsals[found.deadline].Epoch >= closed.Open && !slices.ContainsFunc(bad, func(b vigil.BadSector) bool { return b.Number == found.Number }) {
			bad = append(bad, found.BadSector)
		}
	}
	slices.SortFunc(bad, func(a, b vigil.BadSector) int { return cmp.Compare(a.Number, b.Number) })
	return lines, bad
}

// covered is when the rehearsal began that is the oldest of all deadlines' latest
// that left no sector unread, or 0 while one has none.
func (m *miner) covered() abi.ChainEpoch {
	var oldest abi.ChainEpoch
	for i, partitions := range m.layout.deadlines {
		if len(partitions) == 0 {
			continue
		}
		whole := m.rehearsals[uint64(i)].Whole
		if whole == 0 {
			return 0
		}
		if oldest == 0 || whole < oldest {
			oldest = whole
		}
	}
	return oldest
}
