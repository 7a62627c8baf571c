package runner

import (
	"cmp"
	"fmt"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/schedule"
)

// recoveryLines tells of each deadline with faulty sectors, or whose power came
// back at its last occurrence, how its recovery stands.
func (m *miner) recoveryLines(view schedule.View, current vigil.Deadline) []vigil.RecoveryStatus {
	lines := []vigil.RecoveryStatus{}
	for i, partitions := range m.layout.deadlines {
		ahead := (i - int(current.Index) + len(m.layout.deadlines)) % len(m.layout.deadlines)
		d := current.Plus(ahead)
		if view.Epoch >= d.FaultCutoff {
			d = d.Plus(int(d.Count)) // what is declared next is for its next occurrence
		}
		line := vigil.RecoveryStatus{Deadline: d.Index, Cutoff: d.FaultCutoff, Unreadable: []vigil.BadSector{}}
		for _, p := range partitions {
			faulty, declared, err := m.countFaulty(p)
			if err != nil {
				line.Problem = err.Error()
			}
			line.Faulty, line.Declared = line.Faulty+faulty, line.Declared+declared
		}
		tellRecoveries(&line, view)
		if line.Faulty > 0 || line.Returned > 0 {
			lines = append(lines, line)
		}
	}
	return lines
}

// countFaulty counts the sectors of a partition that are faulty now, and those
// of them that are declared recovered.
func (m *miner) countFaulty(p vigil.Partition) (faulty, declared uint64, err error) {
	set, err := bitfield.IntersectBitField(p.Live, m.layout.faulty)
	if err != nil {
		return 0, 0, fmt.Errorf("partition %d: faulty sectors: %w", p.Index, err)
	}
	if faulty, err = set.Count(); err != nil || faulty == 0 {
		return faulty, 0, err
	}
	if set, err = bitfield.IntersectBitField(set, m.layout.recovering); err != nil {
		return faulty, 0, fmt.Errorf("partition %d: recovering sectors: %w", p.Index, err)
	}
	declared, err = set.Count()
	return faulty, declared, err
}

// tellRecoveries adds what the duties of a deadline's latest occurrences say:
// what came back at the last that is over, and what is in the way at the next.
func tellRecoveries(line *vigil.RecoveryStatus, view schedule.View) {
	over := abi.ChainEpoch(-1)
	for _, duty := range view.Duties {
		if duty.ID.Kind == vigil.KindRecover && duty.Deadline.Index == line.Deadline && duty.Returned != nil {
			over = max(over, duty.ID.Open)
		}
	}
	for _, duty := range view.Duties {
		switch {
		case duty.ID.Kind != vigil.KindRecover || duty.Deadline.Index != line.Deadline:
		case duty.Returned != nil && duty.ID.Open == over:
			line.Returned += uint64(*duty.Returned)
			line.Problem = cmp.Or(line.Problem, duty.Problem)
		case !duty.State.Final():
			line.Unreadable = append(line.Unreadable, duty.Skipped...)
			line.Problem = cmp.Or(duty.Problem, messageProblem(view, duty), line.Problem)
		}
	}
}

// messageProblem is what keeps the message of a duty from the chain.
func messageProblem(view schedule.View, duty vigil.Duty) string {
	for _, message := range view.Messages {
		if message.ID == duty.MessageID && !message.State.Done() {
			return message.Problem
		}
	}
	return ""
}
