package runner

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/forecast"
	"github.com/vigil-post/vigil/partition"
	"github.com/vigil-post/vigil/schedule"
)

// layout is all partitions of all deadlines as far as a plan or a page depends
// on them. All are read when the set of faulty sectors has changed; else a
// deadline is read while it can be worked on, when it has closed, and half a
// proving period later.
type layout struct {
	open       abi.ChainEpoch // of the deadline that was current
	faults     uint64         // how many sectors were faulty
	deadlines  [][]vigil.Partition
	due        [][]forecast.Due  // what each of them owes
	stale      map[uint64]bool   // deadlines to be read as soon as there is time
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
	carried bool // nothing is asked
}

// look tells how things are at the head: from what is known, if nothing can
// have happened, and else from the chain.
func (m *miner) look(ctx context.Context) (*looker, error) {
	l := m.looker(ctx)
	enough, err := l.carry()
	if err != nil {
		return nil, err
	}
	if !enough {
		if l, err = m.lookClosely(ctx); err != nil {
			return nil, err
		}
		m.sight.looked, m.sight.posted, m.sight.settled = m.head.Epoch, l.posted, l.settled
	}
	m.sight.head = m.head
	return l, nil
}

func (m *miner) looker(ctx context.Context) *looker {
	l := &looker{miner: m, ctx: ctx}
	l.view.Miner, l.view.Epoch, l.view.Hurried = m.id, m.head.Epoch, m.hurried
	l.view.Shadow = m.shadow
	return l
}

// lookClosely reads how things are at the head.
func (m *miner) lookClosely(ctx context.Context) (*looker, error) {
	m.sight.head = vigil.Head{} // what follows may fail half-way
	l := m.looker(ctx)
	for _, step := range []func() error{l.readDeadline, l.readRows, l.readFaults, l.readOpen, l.readStale, l.readPosted, l.addOpen, l.addPast, l.addRecoveries, l.addHistory} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// readPosted reads what is posted, now and as many epochs ago as the
// confidence asks for, if anything that can be posted is due.
func (l *looker) readPosted() (err error) {
	if owed, err := l.owed(); err != nil || !owed {
		return err
	}
	key := l.head.Key
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

// readDeadline asks the chain for the current deadline, once for each: in
// between it is arithmetic. The chain's word counts where the two differ.
func (l *looker) readDeadline() error {
	var known bool
	if l.current, known = l.sight.deadline(l.head.Epoch); known {
		return nil
	}
	told, err := l.cfg.State.Deadline(l.ctx, l.id, l.head.Key)
	if err != nil {
		return fmt.Errorf("read the current deadline: %w", err)
	}
	expected, ok := l.sight.expected(l.head.Epoch)
	if ok && expected != told && l.sight.doubted != told {
		l.log.Warn("the chain's current deadline is not the one that was computed; the chain's counts", "epoch", l.head.Epoch,
			"deadline", told.Index, "open", told.Open, "computed_deadline", expected.Index, "computed_open", expected.Open)
	}
	l.current = told
	l.sight.confirm(told, expected, l.head.Epoch)
	return nil
}

// ownTrouble is what keeps the daemon from looking that is none of the nodes'.
type ownTrouble struct{ error }

func (t *ownTrouble) Unwrap() error { return t.error }

// readRows reads the duties and messages of the last proving period.
func (l *looker) readRows() (err error) {
	since := l.current.Plus(-int(l.current.Count)).Open
	if l.view.Duties, err = l.cfg.Store.Duties(l.ctx, l.id, since); err != nil {
		return &ownTrouble{fmt.Errorf("read the duties: %w", err)}
	}
	if l.view.Messages, err = l.cfg.Messager.Messages(l.ctx, l.id, since); err != nil {
		return &ownTrouble{fmt.Errorf("read the messages: %w", err)}
	}
	return nil
}

// readFaults reads the faulty sectors, and sees which deadlines are to be read.
func (l *looker) readFaults() error {
	faulty, recovering, err := l.cfg.State.Faults(l.ctx, l.id, l.head.Key)
	if err != nil {
		return fmt.Errorf("read the faulty sectors: %w", err)
	}
	faults, err := faulty.Count()
	if err != nil {
		return fmt.Errorf("count the faulty sectors: %w", err)
	}
	if err := l.expireDeclared(recovering); err != nil {
		return err
	}
	l.layout.faulty, l.layout.recovering = faulty, recovering
	l.expire(faults)
	return nil
}

// expireDeclared notes the deadlines of sectors that were declared recovered, or
// are no more: what is shown and forecast of a deadline that only owes such
// sectors must not wait half a day for its next reading.
func (l *looker) expireDeclared(recovering bitfield.BitField) error {
	if l.layout.deadlines == nil {
		return nil
	}
	gone, err := bitfield.SubtractBitField(l.layout.recovering, recovering)
	if err != nil {
		return fmt.Errorf("compare the recovering sectors: %w", err)
	}
	come, err := bitfield.SubtractBitField(recovering, l.layout.recovering)
	if err != nil {
		return fmt.Errorf("compare the recovering sectors: %w", err)
	}
	changed, err := bitfield.MergeBitFields(gone, come)
	if err != nil {
		return fmt.Errorf("compare the recovering sectors: %w", err)
	}
	for i, partitions := range l.layout.deadlines {
		for _, p := range partitions {
			common, err := bitfield.IntersectBitField(p.Live, changed)
			if err != nil {
				return fmt.Errorf("partition %d: recovering sectors: %w", p.Index, err)
			}
			if none, _ := common.IsEmpty(); !none { // the set was read just now
				l.layout.stale[uint64(i)] = true
			}
		}
	}
	return nil
}

// expire notes which deadlines may have changed since they were read.
func (l *looker) expire(faults uint64) {
	closed, opposite := l.current.Plus(-1), l.current.Plus(int(l.current.Count)/2)
	known := l.layout.deadlines != nil && l.layout.faults == faults
	switch {
	case known && l.layout.open == l.current.Open:
	case known && l.layout.open == closed.Open:
		l.layout.stale[closed.Index], l.layout.stale[opposite.Index] = true, true
	default:
		if l.layout.deadlines == nil {
			l.layout.deadlines, l.layout.stale = make([][]vigil.Partition, l.current.Count), map[uint64]bool{}
			l.layout.due = make([][]forecast.Due, l.current.Count)
		}
		for i := range l.current.Count {
			l.layout.stale[i] = true
		}
	}
	l.layout.open, l.layout.faults = l.current.Open, faults
}

// readStale reads the deadlines that have changed, for no longer than a part of
// the time there is: a hundred miners' deadlines are thousands of questions,
// and those that can still be met do not wait for them. The rest is read at
// the next look.
func (l *looker) readStale() error {
	enough := time.Now().Add(staleTime)
	if end, ok := l.ctx.Deadline(); ok {
		enough = time.Now().Add(time.Until(end) / 4)
	}
	for n := range int(l.current.Count) { // the next ones first
		index := l.current.Plus(n).Index
		if !l.layout.stale[index] {
			continue
		}
		if time.Now().After(enough) {
			return nil
		}
		if err := l.readPartitions(index); err != nil {
			return err
		}
	}
	return nil
}

const staleTime = 5 * time.Second

func (l *looker) readPartitions(deadline uint64) error {
	partitions, err := l.cfg.State.Partitions(l.ctx, l.id, deadline, l.head.Key)
	if err != nil {
		return fmt.Errorf("read the partitions of deadline %d: %w", deadline, err)
	}
	if l.layout.due[deadline], err = forecast.DueOf(partitions); err != nil {
		return fmt.Errorf("deadline %d: %w", deadline, err)
	}
	l.layout.deadlines[deadline] = partitions
	delete(l.layout.stale, deadline)
	return nil
}

// readOpen reads the deadlines that can be worked on.
func (l *looker) readOpen() error {
	for _, d := range l.workable() {
		if err := l.readPartitions(d.Index); err != nil {
			return err
		}
	}
	return nil
}

// owed says whether a partition of the open deadline has a proof to give, given or not.
func (l *looker) owed() (bool, error) {
	for _, p := range l.layout.deadlines[l.current.Index] {
		if n, err := due(p); err != nil || n > 0 {
			return n > 0, err
		}
	}
	return false, nil
}

// workable gives the deadlines that can be worked on: the current one, and the
// next when it is challenged.
func (l *looker) workable() []vigil.Deadline {
	both := []vigil.Deadline{l.current, l.current.Plus(1)}
	return slices.DeleteFunc(both, func(d vigil.Deadline) bool { return l.head.Epoch < d.Challenge })
}

// addOpen adds the deadlines that can be worked on.
func (l *looker) addOpen() error {
	for _, d := range l.workable() {
		if err := l.add(d, l.layout.deadlines[d.Index]); err != nil {
			return err
		}
	}
	return nil
}

// addRecoveries adds the deadlines ahead that have faulty sectors, or
// declarations under way. One that was never read is left out: that nothing is
// known of its faulty sectors does not mean that they are declared.
func (l *looker) addRecoveries() error {
	under := map[abi.ChainEpoch]bool{}
	for _, duty := range l.view.Duties {
		under[duty.ID.Open] = under[duty.ID.Open] || (duty.ID.Kind == vigil.KindRecover && !duty.State.Final())
	}
	for n := 1; n < int(l.current.Count); n++ {
		d := l.current.Plus(n)
		unread := l.layout.stale[d.Index] && l.layout.deadlines[d.Index] == nil
		if unread || l.has(d.Open) {
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
	if d.IsOpen(l.head.Epoch) && len(partitions) > 0 && !l.carried {
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
		if e.Proven, err = proven(p); err != nil {
			return e, err
		}
		e.Idle, err = idle(p)
		return e, err
	}
	if e.Recovering, err = p.Recovering.Count(); err != nil {
		return e, fmt.Errorf("partition %d: count recovering sectors: %w", p.Index, err)
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
