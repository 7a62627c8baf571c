package runner

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/partition"
	"github.com/vigil-post/vigil/schedule"
)

// addPast adds the deadlines that have closed with duties not settled. The
// state at a head is that of its parent: it tells how a deadline ended only
// when the parent is behind Close.
func (l *looker) addPast() error {
	unsettled := l.unsettled()
	if len(unsettled) == 0 {
		return nil
	}
	parent, err := l.cfg.Heads.At(l.ctx, l.head.Epoch-1, l.head.Key)
	if err != nil {
		return fmt.Errorf("find the parent tipset: %w", err)
	}
	for _, d := range unsettled {
		if parent.Epoch < d.Close {
			continue
		}
		if err := l.addClosed(d); err != nil {
			return err
		}
	}
	return nil
}

// historyPatience bounds what a look at old state may cost the present.
const historyPatience = 2 * time.Second

// addHistory adds the deadlines that closed while nobody watched. It never
// fails a look: a node made anew from a snapshot has no state of them, and the
// deadlines that can still be met do not depend on it.
func (l *looker) addHistory() error {
	present := l.ctx
	defer func() { l.ctx = present }()
	var cancel context.CancelFunc
	l.ctx, cancel = context.WithTimeout(present, historyPatience)
	defer cancel()
	unwatched := l.unwatched()
	if len(unwatched) == 0 {
		return nil
	}
	parent, err := l.cfg.Heads.At(l.ctx, l.head.Epoch-1, l.head.Key)
	if err != nil {
		l.log.Debug("cannot find the parent tipset", "error", err)
		return nil
	}
	for _, d := range unwatched {
		if parent.Epoch < d.Close+l.cfg.Policy.Confidence || l.has(d.Open) {
			continue
		}
		if err := l.addUnwatched(d); err != nil {
			l.log.Debug("cannot tell how a deadline ended that nobody watched", "deadline", d.Index, "open", d.Open, "error", err)
			return nil
		}
	}
	return nil
}

// unsettled gives the deadlines of the last period whose duties are not final,
// or whose recovered sectors' power nobody has looked after.
func (l *looker) unsettled() map[abi.ChainEpoch]vigil.Deadline {
	past := map[abi.ChainEpoch]vigil.Deadline{}
	period := l.current.Plus(int(l.current.Count)).Open - l.current.Open
	for _, duty := range l.view.Duties {
		d := duty.Deadline
		if (!duty.State.Final() || schedule.AwaitsPower(duty)) && d.Close <= l.head.Epoch && l.head.Epoch < d.Open+period {
			past[d.Open] = d
		}
	}
	return past
}

// unwatched gives the deadlines of the last period that closed after the newest with
// a row. Without one they are those that were challenged since this daemon runs: what
// is older than that, or than the first row, is not its own.
func (l *looker) unwatched() []vigil.Deadline {
	newest := abi.ChainEpoch(-1)
	for _, duty := range l.view.Duties {
		if duty.ID.Kind == vigil.KindPost && duty.ID.Open < l.current.Open {
			newest = max(newest, duty.ID.Open)
		}
	}
	var past []vigil.Deadline
	for n := 1; n < int(l.current.Count); n++ {
		d := l.current.Plus(-n)
		if d.Open <= newest || newest < 0 && d.Challenge < l.since {
			break
		}
		if !l.idle[d.Open] {
			past = append(past, d)
		}
	}
	maps.DeleteFunc(l.idle, func(open abi.ChainEpoch, _ bool) bool { return open <= newest })
	return past
}

// addClosed adds a deadline that has closed as the chain has it now.
func (l *looker) addClosed(d vigil.Deadline) error {
	partitions, err := l.cfg.State.Partitions(l.ctx, l.id, d.Index, l.head.Key)
	if err != nil {
		return fmt.Errorf("read the partitions of deadline %d: %w", d.Index, err)
	}
	return l.add(d, partitions)
}

// addUnwatched adds a deadline that closed while nobody watched, with what it
// owed when it opened; most owed nothing, and are not looked at again.
func (l *looker) addUnwatched(d vigil.Deadline) error {
	opening, err := l.cfg.Heads.At(l.ctx, d.Open, l.head.Key)
	if err != nil {
		return fmt.Errorf("find the tipset at which it opened: %w", err)
	}
	then, err := l.cfg.State.Partitions(l.ctx, l.id, d.Index, opening.Key)
	if err != nil {
		return fmt.Errorf("read its partitions when it opened: %w", err)
	}
	owed := make([]uint64, len(then))
	for i, p := range then {
		if owed[i], err = due(p); err != nil {
			return err
		}
	}
	if err := l.addClosed(d); err != nil {
		return err
	}
	added := l.view.Deadlines[len(l.view.Deadlines)-1].Partitions
	l.idle[d.Open] = true
	for i := range min(len(owed), len(added)) {
		added[i].Due = owed[i]
		l.idle[d.Open] = l.idle[d.Open] && (owed[i] == 0 || added[i].Proven)
	}
	return nil
}

// proven says that a partition of a closed deadline was not missed: what is
// missed loses every active sector.
func proven(p vigil.Partition) (bool, error) {
	idle, err := p.Active.IsEmpty()
	if err != nil {
		return false, fmt.Errorf("partition %d: active sectors: %w", p.Index, err)
	}
	gone, err := p.Live.IsEmpty()
	if err != nil {
		return false, fmt.Errorf("partition %d: live sectors: %w", p.Index, err)
	}
	return !idle || gone, nil
}

// idle lists a partition's sectors without power.
func idle(p vigil.Partition) ([]abi.SectorNumber, error) {
	set, err := bitfield.SubtractBitField(p.All, p.Active)
	if err != nil {
		return nil, fmt.Errorf("partition %d: sectors without power: %w", p.Index, err)
	}
	count, err := set.Count()
	if err != nil {
		return nil, fmt.Errorf("partition %d: count sectors without power: %w", p.Index, err)
	}
	return partition.Numbers(set, count)
}
