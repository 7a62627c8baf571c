package runner

import (
	"context"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/schedule"
)

// work is the reading for posts that is going on for any miner. Rehearsals wait
// while there is any; so does the reading for recoveries, but not for long: of many
// miners one reads for a post at any time.
type work struct {
	recoveries turns // of deadlines whose faulty sectors are read

	mu   sync.Mutex // guards what follows
	busy int
	rest chan struct{} // closed when busy falls to 0; nil while it is
}

// begin notes that a post's sectors are being read, until the function that it gives is called.
func (w *work) begin() (end func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy++; w.busy == 1 {
		w.rest = make(chan struct{})
	}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.busy--; w.busy == 0 {
			close(w.rest)
			w.rest = nil
		}
	}
}

// pause waits while posts' sectors are read, but no longer than patience; 0 is to
// the end.
func (w *work) pause(ctx context.Context, patience time.Duration) error {
	var enough <-chan time.Time
	if patience > 0 {
		enough = time.After(patience)
	}
	for {
		w.mu.Lock()
		rest := w.rest
		w.mu.Unlock()
		if rest == nil {
			return ctx.Err()
		}
		select {
		case <-rest:
		case <-enough:
			return ctx.Err()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// behind gives sectors their turn so many at a time, and none while a post's are
// read but those that have waited as long as patience, if it is not 0.
func (a *action) behind(atOnce int, patience time.Duration) func(context.Context) (func(), error) {
	places := make(chan struct{}, atOnce)
	return func(ctx context.Context) (func(), error) {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if err := a.work.pause(ctx, patience); err != nil {
			<-places
			return nil, err
		}
		return func() { <-places }, nil
	}
}

// rehearsedAtOnce is how many sectors of a rehearsal are read at a time, of all
// storages together: so few that a proof that begins meanwhile finds the disks
// almost idle, but as many as are done in half the time, at half a second each.
func rehearsedAtOnce(sectors int, left time.Duration) int {
	const each = time.Second / 2
	return min(max(4, int(2*each*time.Duration(sectors)/max(left, time.Second))), 256)
}

// rehearsal is the outcome of one.
type rehearsal struct {
	lead     abi.ChainEpoch
	deadline vigil.Deadline
	epoch    abi.ChainEpoch
	status   vigil.RehearsalStatus
	late     int // sectors that were not read before the deadline's challenge
	err      error
}

// rehearse begins the next rehearsals that are due: one for each lead, so that one
// that is far ahead and slow keeps no near one waiting.
func (m *miner) rehearse(ctx context.Context, current vigil.Deadline, epoch time.Duration) {
	if m.cfg.NoRehearsals || m.head.Epoch < m.rehearseNext {
		return
	}
	wanted := func(index uint64) bool {
		return len(m.layout.deadlines[index]) > 0 && !m.layout.stale[index] && !slices.Contains(slices.Collect(maps.Values(m.rehearsing)), index)
	}
	last := func(index uint64) abi.ChainEpoch {
		if s, ok := m.rehearsals[index]; ok {
			return s.Epoch
		}
		return -1
	}
	for _, lead := range schedule.RehearseLeads {
		if _, busy := m.rehearsing[lead]; busy {
			continue
		}
		if d, due := schedule.Rehearsal(lead, current, m.head.Epoch, wanted, last); due {
			m.rehearsing[lead] = d.Index
			m.startRehearsal(ctx, lead, d, epoch)
		}
	}
}

// startRehearsal lets a deadline be rehearsed beside everything else.
func (m *miner) startRehearsal(ctx context.Context, lead abi.ChainEpoch, d vigil.Deadline, epoch time.Duration) {
	a := action{id: m.id, cfg: m.cfg, head: m.head, epoch: epoch, work: m.work, log: m.log, duty: vigil.Duty{Deadline: d}}
	partitions, before := m.layout.deadlines[d.Index], m.rehearsals[d.Index].Whole
	left := time.Duration(schedule.RehearsalEnd(lead, d, m.head.Epoch)-m.head.Epoch) * epoch
	m.jobs.Go(func() {
		r := rehearsal{lead: lead, deadline: d, epoch: a.head.Epoch}
		defer func() {
			if p := recover(); p != nil { // it must not end what proofs need
				r.err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
			m.rehearsed <- r
		}()
		r.status, r.late, r.err = a.rehearse(vigil.OneDecision(ctx), partitions, left)
		if r.status.Whole = before; r.status.Unchecked == 0 {
			r.status.Whole = r.status.Epoch
		}
		if r.err == nil {
			a.remember(ctx, r.status)
		}
	})
}

// remember writes a rehearsal down. Without it a restart reads the sectors anew.
func (a *action) remember(ctx context.Context, s vigil.RehearsalStatus) {
	if a.cfg.Rehearsals == nil {
		return
	}
	if err := a.cfg.Rehearsals.SaveRehearsal(ctx, a.id, s); err != nil && ctx.Err() == nil {
		a.log.Warn("a rehearsal cannot be written down; after a restart it is made anew", "deadline", s.Deadline, "error", err)
	}
}

// recall takes over what was rehearsed before the start.
func (m *miner) recall(ctx context.Context) {
	if m.cfg.Rehearsals == nil || m.cfg.NoRehearsals {
		return
	}
	list, err := m.cfg.Rehearsals.Rehearsals(ctx, m.id)
	if err != nil {
		m.log.Warn("what was rehearsed before cannot be read; the sectors are read anew", "error", err)
		return
	}
	for _, s := range list {
		m.rehearsals[s.Deadline] = s
		for _, bad := range s.Bad {
			m.rehearsedBad = append(m.rehearsedBad, rehearsedBad{s.Deadline, bad})
		}
	}
}

// learn takes in the outcome of a rehearsal.
func (m *miner) learn(r rehearsal) {
	delete(m.rehearsing, r.lead)
	if r.err != nil {
		m.log.Warn("a rehearsal came to nothing; it is tried again", "deadline", r.deadline.Index, "error", r.err)
		m.rehearseNext = r.epoch + 5
		return
	}
	m.rehearsals[r.deadline.Index] = r.status
	known := m.rehearsedBad
	m.rehearsedBad = slices.DeleteFunc(slices.Clone(known), func(b rehearsedBad) bool { return b.deadline == r.deadline.Index })
	for _, bad := range r.status.Bad {
		b := rehearsedBad{r.deadline.Index, bad}
		m.rehearsedBad = append(m.rehearsedBad, b)
		if !slices.Contains(known, b) {
			m.log.Error("a sector will be skipped at its next deadline if it is not mended", "sector", bad.Number, "cause", bad.Cause,
				"deadline", r.deadline.Index, "challenge", r.deadline.Challenge, "epoch", m.head.Epoch)
		}
	}
	if n := r.status.Unchecked - r.late; n > 0 {
		m.log.Error("sectors could not be read in a rehearsal: is a storage gone?", "sectors", n, "problem", r.status.Problem,
			"deadline", r.deadline.Index, "challenge", r.deadline.Challenge, "epoch", m.head.Epoch)
	}
	if r.late > 0 {
		m.log.Warn("a rehearsal was not done in its time: the storages are slow, or posts' sectors were read meanwhile",
			"sectors", r.late, "deadline", r.deadline.Index, "challenge", r.deadline.Challenge, "epoch", m.head.Epoch)
	}
	m.log.Info("rehearsed", "deadline", r.deadline.Index, "sectors", r.status.Sectors, "bad", len(r.status.Bad), "unchecked", r.status.Unchecked,
		"read", r.status.ReadTime.Round(time.Millisecond), "opens", r.deadline.Open, "epoch", r.epoch)
}

// rehearsedBad is a sector that a rehearsal found bad.
type rehearsedBad struct {
	deadline uint64
	vigil.BadSector
}

// rehearse reads what the deadline's next proofs will cover, for random challenges.
// late is how many sectors there was no time for in what is left.
func (a *action) rehearse(ctx context.Context, partitions []vigil.Partition, left time.Duration) (status vigil.RehearsalStatus, late int, err error) {
	d := a.duty.Deadline
	status = vigil.RehearsalStatus{Deadline: d.Index, Epoch: a.head.Epoch, Bad: []vigil.BadSector{}}
	s, err := a.trial(ctx, partitions, nil)
	if err != nil {
		return status, 0, err
	}
	began := time.Now()
	r, err := a.pass(ctx, s, left, a.behind(rehearsedAtOnce(len(s.Sectors), left), 0))
	if err != nil {
		return status, 0, err
	}
	status.Sectors, status.Bad = len(s.Sectors), append(status.Bad, r.bad...)
	status.Unchecked, status.ReadTime = len(r.unchecked)+len(r.late), time.Since(began)
	switch {
	case len(r.unchecked) > 0:
		status.Problem = fmt.Sprintf("sector %d: %s", r.unchecked[0].Number, r.unchecked[0].Cause)
	case len(r.late) > 0:
		status.Problem = fmt.Sprintf("%d sectors were not read in time: the storages are slow, or posts' sectors were read meanwhile", len(r.late))
	}
	return status, len(r.late), nil
}
