package runner

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/partition"
	"github.com/vigil-post/vigil/schedule"
)

// layout is all partitions of all deadlines, as they were when the current
// deadline or the set of faulty sectors last changed: in between, nothing
// changes that a plan or a page depends on.
type layout struct {
	open       abi.ChainEpoch // of the deadline that was current
	faults     uint64         // how many sectors were faulty
	deadlines  [][]vigil.Partition
	faulty     bitfield.BitField // now
	recovering bitfield.BitField
}

// looker reads one View, at one tipset.
type looker struct {
	*miner
	ctx     context.Context // of this look alone
	view    schedule.View
	current vigil.Deadline
	posted  []bitfield.BitField
	settled []bitfield.BitField
}

// look reads how things are at the head.
func (m *miner) look(ctx context.Context) (*looker, error) {
	l := &looker{miner: m, ctx: ctx}
	l.view.Miner, l.view.Epoch = m.id, m.head.Epoch
	for _, step := range []func() error{l.readChain, l.readRows, l.readLayout, l.addOpen, l.addPast, l.addRecoveries, l.addHistory} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// readChain reads the current deadline and what is posted, now and as many
// epochs ago as the confidence asks for.
func (l *looker) readChain() (err error) {
	key := l.head.Key
	if l.current, err = l.cfg.State.Deadline(l.ctx, l.id, key); err != nil {
		return fmt.Errorf("read the current deadline: %w", err)
	}
	if l.posted, err = l.cfg.State.Posted(l.ctx, l.id, key); err != nil {
		return fmt.Errorf("read what is posted: %w", err)
	}
	before, err := l.cfg.Heads.At(l.ctx, max(0, l.head.Epoch-l.cfg.Policy.Confidence), key)
	if err != nil {
		return fmt.Errorf("find the tipset %d epochs ago: %w", l.cfg.Policy.Confidence, err)
	}
	if before.Epoch < l.current.Open {
		l.settled = nil // nothing can be settled that early, and the bits there are of the day before
		return nil
	}
	if l.settled, err = l.cfg.State.Posted(l.ctx, l.id, before.Key); err != nil {
		return fmt.Errorf("read what was posted at epoch %d: %w", before.Epoch, err)
	}
	return nil
}

// readRows reads the duties and messages of the last proving period.
func (l *looker) readRows() (err error) {
	since := l.current.Plus(-int(l.current.Count)).Open
	if l.view.Duties, err = l.cfg.Store.Duties(l.ctx, l.id, since); err != nil {
		return fmt.Errorf("read the duties: %w", err)
	}
	if l.view.Messages, err = l.cfg.Messager.Messages(l.ctx, l.id, since); err != nil {
		return fmt.Errorf("read the messages: %w", err)
	}
	return nil
}

// readLayout reads the faulty sectors, and all partitions when something may
// have changed in them.
func (l *looker) readLayout() error {
	faulty, recovering, err := l.cfg.State.Faults(l.ctx, l.id, l.head.Key)
	if err != nil {
		return fmt.Errorf("read the faulty sectors: %w", err)
	}
	faults, err := faulty.Count()
	if err != nil {
		return fmt.Errorf("count the faulty sectors: %w", err)
	}
	l.layout.faulty, l.layout.recovering = faulty, recovering
	if l.layout.deadlines != nil && l.layout.open == l.current.Open && l.layout.faults == faults {
		return nil
	}
	all := make([][]vigil.Partition, l.current.Count)
	for i := range all {
		if all[i], err = l.cfg.State.Partitions(l.ctx, l.id, uint64(i), l.head.Key); err != nil {
			return fmt.Errorf("read the partitions of deadline %d: %w", i, err)
		}
	}
	l.layout.open, l.layout.faults, l.layout.deadlines = l.current.Open, faults, all
	return nil
}

// addOpen adds the deadlines that can be worked on: the current one, and the
// next when it is challenged.
func (l *looker) addOpen() error {
	for _, d := range []vigil.Deadline{l.current, l.current.Plus(1)} {
		if l.head.Epoch < d.Challenge {
			continue
		}
		partitions, err := l.cfg.State.Partitions(l.ctx, l.id, d.Index, l.head.Key)
		if err != nil {
			return fmt.Errorf("read the partitions of deadline %d: %w", d.Index, err)
		}
		l.layout.deadlines[d.Index] = partitions
		if err := l.add(d, partitions); err != nil {
			return err
		}
	}
	return nil
}

// addRecoveries adds the deadlines ahead that have faulty sectors, or
// declarations under way.
func (l *looker) addRecoveries() error {
	under := map[abi.ChainEpoch]bool{}
	for _, duty := range l.view.Duties {
		under[duty.ID.Open] = under[duty.ID.Open] || (duty.ID.Kind == vigil.KindRecover && !duty.State.Final())
	}
	for n := 1; n < int(l.current.Count); n++ {
		d := l.current.Plus(n)
		if l.has(d.Open) {
			continue
		}
		faulty, err := l.anyRecoverable(d.Index)
		if err != nil {
			return err
		}
		if !faulty && !under[d.Open] {
			continue
		}
		if err := l.add(d, l.layout.deadlines[d.Index]); err != nil {
			return err
		}
	}
	return nil
}

func (l *looker) anyRecoverable(deadline uint64) (bool, error) {
	for _, p := range l.layout.deadlines[deadline] {
		sectors, err := l.recoverable(p)
		if err != nil || len(sectors) > 0 {
			return len(sectors) > 0, err
		}
	}
	return false, nil
}

// recoverable lists a partition's sectors that are faulty now with no
// recovery declared.
func (l *looker) recoverable(p vigil.Partition) ([]abi.SectorNumber, error) {
	set, err := bitfield.IntersectBitField(p.Live, l.layout.faulty)
	if err != nil {
		return nil, fmt.Errorf("partition %d: faulty sectors: %w", p.Index, err)
	}
	if set, err = bitfield.SubtractBitField(set, l.layout.recovering); err != nil {
		return nil, fmt.Errorf("partition %d: recovering sectors: %w", p.Index, err)
	}
	count, err := set.Count()
	if err != nil {
		return nil, fmt.Errorf("partition %d: count faulty sectors: %w", p.Index, err)
	}
	return partition.Numbers(set, count)
}

func (l *looker) has(open abi.ChainEpoch) bool {
	for _, d := range l.view.Deadlines {
		if d.Open == open {
			return true
		}
	}
	return false
}

// add puts a deadline into the view.
func (l *looker) add(d vigil.Deadline, partitions []vigil.Partition) error {
	deadline := schedule.Deadline{Deadline: d}
	for _, p := range partitions {
		entry, err := l.entry(d, p)
		if err != nil {
			return fmt.Errorf("deadline %d: %w", d.Index, err)
		}
		deadline.Partitions = append(deadline.Partitions, entry)
	}
	if d.IsOpen(l.head.Epoch) && len(partitions) > 0 {
		deadline.Commit = l.commit(d)
	}
	l.view.Deadlines = append(l.view.Deadlines, deadline)
	return nil
}

func (l *looker) entry(d vigil.Deadline, p vigil.Partition) (e schedule.Partition, err error) {
	e.Index = p.Index
	if e.Recoverable, err = l.recoverable(p); err != nil {
		return e, err
	}
	if d.Close <= l.head.Epoch {
		e.Proven, err = proven(p)
		return e, err
	}
	if e.Due, err = due(p); err != nil {
		return e, err
	}
	if d.IsOpen(l.head.Epoch) {
		e.Posted = holds(l.posted, d.Index, p.Index)
		e.Settled = holds(l.settled, d.Index, p.Index)
	}
	return e, nil
}

// due counts the sectors that a partition's next proof covers.
func due(p vigil.Partition) (uint64, error) {
	set, err := partition.Due(p)
	if err != nil {
		return 0, err
	}
	n, err := set.Count()
	if err != nil {
		return 0, fmt.Errorf("partition %d: count what is due: %w", p.Index, err)
	}
	return n, nil
}

func holds(sets []bitfield.BitField, deadline, partition uint64) bool {
	if deadline >= uint64(len(sets)) {
		return false
	}
	held, err := sets[deadline].IsSet(partition)
	return err == nil && held
}

// commit gives the randomness a post of the deadline is tied to, or nothing
// while it cannot be drawn: then no message is called doomed.
func (l *looker) commit(d vigil.Deadline) string {
	randomness, err := l.cfg.Randomness.Commit(l.ctx, d.Challenge, l.head.Key)
	if err != nil {
		return ""
	}
	return hex.EncodeToString(randomness[:8])
}
