package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/alive"
	"github.com/vigil-post/vigil/schedule"
)

// miner is the loop of one miner. Everything below the channels belongs to
// the loop's goroutine.
type miner struct {
	id     abi.ActorID
	shadow bool // somebody else posts for it
	cfg    Config
	board  *board
	log    *slog.Logger

	heads     chan vigil.Head // capacity 1, the latest
	nudge     chan struct{}   // capacity 1
	hurry     chan struct{}   // capacity 1: faulty sectors are wished to be read now
	rehearsed chan rehearsal  // roomy enough for one of each lead
	ended     chan *job       // a running job's last word; roomy enough that it never waits long

	head         vigil.Head
	since        abi.ChainEpoch // of the first head: what was challenged after it is this daemon's, whether it could be read or not
	epoch        time.Duration  // the length of one
	beat         uint64         // counts heads and ticks: a task is started once in each
	running      map[vigil.DutyID]*job
	started      map[vigil.DutyID]start
	vanilla      map[vigil.DutyID]*shelf     // vanilla proofs already read, while their duty is not proved
	keeper       *keeper                     // shared with the other miners
	retired      map[vigil.Deadline][]*shelf // of duties that others took the place of
	layout       layout
	sight        sight
	idle         map[abi.ChainEpoch]bool          // deadlines that closed unwatched, by Open, and missed nothing
	work         *work                            // shared with the other miners
	rehearsing   map[abi.ChainEpoch]uint64        // the deadline that is rehearsed with a lead, by that
	rehearseNext abi.ChainEpoch                   // no other is begun before
	rehearsals   map[uint64]vigil.RehearsalStatus // by deadline
	rehearsedBad []rehearsedBad
	hurried      abi.ChainEpoch // of the head when that was wished last
	problem      string         // of the latest look at the chain
	jobs         sync.WaitGroup
	lingering    alive.Pulse                // of tasks that were told to end
	turn         atomic.Pointer[time.Time]  // when the loop's present turn began; nil between two
	adjusted     atomic.Pointer[Adjustable] // for the next turn; nil: as it is
}

// job is a task in progress.
type job struct {
	task   schedule.Task
	cancel context.CancelCauseFunc
	began  abi.ChainEpoch
	ending *alive.Turn // since it was told to end; nil before
	err    error       // owned by the loop after the job has ended
}

// start remembers that a verb was started for a duty in a beat: what came to
// nothing, or changed nothing, waits for the next.
type start struct {
	verb schedule.Verb
	beat uint64
}

func newMiner(id abi.ActorID, cfg Config, b *board, w *work) *miner {
	shadow := slices.Contains(cfg.Shadow, id)
	if shadow {
		cfg.State = asOpened{cfg.State, cfg.Heads}
	}
	return &miner{
		id: id, shadow: shadow, cfg: cfg, board: b,
		log:        cfg.Log.With("miner", vigil.MinerAddress(id).String()),
		heads:      make(chan vigil.Head, 1),
		nudge:      make(chan struct{}, 1),
		hurry:      make(chan struct{}, 1),
		ended:      make(chan *job, 16),
		rehearsed:  make(chan rehearsal, len(schedule.RehearseLeads)),
		rehearsing: map[abi.ChainEpoch]uint64{},
		rehearsals: map[uint64]vigil.RehearsalStatus{},
		work:       w,
		running:    map[vigil.DutyID]*job{},
		started:    map[vigil.DutyID]start{},
		vanilla:    map[vigil.DutyID]*shelf{},
		retired:    map[vigil.Deadline][]*shelf{},
		idle:       map[abi.ChainEpoch]bool{},
	}
}

// run plans on every head, tick, nudge and completion until ctx ends, and
// waits for what it started.
func (m *miner) run(ctx context.Context, epoch time.Duration) {
	m.epoch = epoch
	m.recall(ctx)
	for {
		m.turn.Store(nil)
		select {
		case <-ctx.Done():
			m.stop()
			return
		case m.head = <-m.heads:
			m.beat++
			if m.since == 0 {
				m.since = cmp.Or(m.cfg.Before, m.head.Epoch)
			}
		case <-m.nudge:
		case <-m.hurry:
			m.hurried = m.head.Epoch
		case j := <-m.ended:
			m.finish(j)
		case r := <-m.rehearsed:
			if ctx.Err() == nil {
				m.guarded(func() { m.learn(r) })
			}
		}
		began := time.Now()
		m.turn.Store(&began)
		if a := m.adjusted.Load(); a != nil {
			m.cfg.Policy, m.cfg.NoRehearsals = a.Policy, a.NoRehearsals
		}
		m.collect()
		if m.head.Key != "" && ctx.Err() == nil {
			m.guarded(func() { m.plan(ctx, epoch) })
		}
	}
}

// guarded does a part of a turn. A bug that stops it ends neither the loop nor the process: what
// is running goes on, and the next head is looked at closely, from what is stored and on chain.
func (m *miner) guarded(work func()) {
	err := alive.Caught(func() error { work(); return nil })
	if err == nil {
		return
	}
	alive.LogPanic(m.log, "a bug stopped the planning, which is tried again at the next head; please report it", err)
	m.sight.head = vigil.Head{}
	m.blind(fmt.Errorf("a bug stopped the planning: %w", err))
}

// collect takes the completions that are there before the store is read: a
// duty is never planned from a row older than the end of its last job.
func (m *miner) collect() {
	for {
		select {
		case j := <-m.ended:
			m.finish(j)
		default:
			return
		}
	}
}

// stop cancels what is running and waits for its end.
func (m *miner) stop() {
	for _, j := range m.running {
		j.cancel(errStopping)
	}
	done := make(chan struct{})
	go func() { m.jobs.Wait(); close(done) }()
	for {
		select {
		case j := <-m.ended:
			m.finish(j)
		case <-done:
			m.collect()
			return
		}
	}
}

// plan looks, plans, and makes what is running match the plan. When the chain
// cannot be read, what is running goes on.
func (m *miner) plan(ctx context.Context, epoch time.Duration) {
	reads, cancel := context.WithTimeout(ctx, max(epoch, 3*time.Second))
	defer cancel()
	seen, err := m.look(vigil.OneDecision(reads))
	if err != nil {
		if ctx.Err() == nil {
			m.blind(err)
		}
		return
	}
	if m.problem != "" {
		m.log.Info("the chain can be read again", "epoch", m.head.Epoch)
		m.cfg.Journal.Note(vigil.Event{Epoch: m.head.Epoch, Kind: vigil.EventSeeing, Miner: m.id})
		m.problem = ""
	}
	m.reconcile(ctx, epoch, schedule.Plan(seen.view, m.cfg.Policy))
	m.rehearse(ctx, seen.current, epoch)
	m.show(seen.view, seen.current)
}

// blind notes that the chain could not be read; it is said once until it changes.
func (m *miner) blind(err error) {
	if m.problem != err.Error() {
		m.log.Warn("cannot read the chain; asking again at the next head", "epoch", m.head.Epoch, "error", err)
		facts := vigil.EventFacts{Problem: err.Error()}
		if own := (*ownTrouble)(nil); errors.As(err, &own) {
			facts.About = vigil.AboutDatabase
		}
		m.cfg.Journal.Note(vigil.Event{Epoch: m.head.Epoch, Kind: vigil.EventBlind, Miner: m.id, EventFacts: facts})
	}
	m.problem = err.Error()
	m.board.miner(m.id, func(s *vigil.MinerStatus) { s.Problem = m.problem })
}

func (m *miner) reconcile(ctx context.Context, epoch time.Duration, tasks []schedule.Task) {
	planned := map[vigil.DutyID]bool{}
	for _, task := range tasks {
		id := task.Duty.ID
		planned[id] = true
		if j, busy := m.running[id]; busy {
			if j.task.Verb != task.Verb {
				m.end(j)
			}
			continue
		}
		if m.started[id] != (start{task.Verb, m.beat}) {
			m.start(ctx, task, epoch)
		}
	}
	for id, j := range m.running {
		if !planned[id] {
			m.end(j)
		}
	}
	maps.DeleteFunc(m.retired, func(d vigil.Deadline, _ []*shelf) bool { return d.Close <= m.head.Epoch })
	for id, s := range m.started {
		if !planned[id] && s.beat < m.beat {
			delete(m.started, id)
			delete(m.vanilla, id)
		}
	}
}

// end tells a job to end, which is watched: what does not end holds its duty up.
func (m *miner) end(j *job) {
	j.cancel(errUnplanned)
	if j.ending == nil {
		j.ending = m.lingering.Begin()
	}
}

// start runs a task in a goroutine of its own. There is at most one a duty.
func (m *miner) start(ctx context.Context, task schedule.Task, epoch time.Duration) {
	ctx, cancel := context.WithCancelCause(vigil.OneDecision(ctx))
	j := &job{task: task, cancel: cancel, began: m.head.Epoch}
	id := task.Duty.ID
	m.running[id] = j
	m.started[id] = start{task.Verb, m.beat}
	a := action{id: m.id, shadow: m.shadow, cfg: m.cfg, head: m.head, began: time.Now(), epoch: epoch, work: m.work, duty: task.Duty, log: m.log.With("duty", id.String())}
	if id.Kind == vigil.KindPost {
		a.shelf = m.shelf(id, task.Duty.Deadline)
	}
	if task.Verb == schedule.Retire {
		m.retired[task.Duty.Deadline] = append(m.retired[task.Duty.Deadline], a.shelf)
	}
	m.jobs.Go(func() {
		defer func() { m.ended <- j }()
		defer cancel(nil)
		err := alive.Caught(func() error {
			a.begins(task)
			ctx, end := m.cfg.span(ctx, id, string(task.Verb))
			j.err = a.do(ctx, task)
			end(j.err)
			a.ends(ctx, task, j.err)
			return nil
		})
		alive.LogPanic(a.log, "a bug stopped what is noted of a task; please report it", err)
	})
}

// finish takes an ended job off the list.
func (m *miner) finish(j *job) {
	delete(m.running, j.task.Duty.ID)
	if j.ending != nil {
		j.ending.End()
	}
}

// do carries the task out and writes down what stopped it. A panic ends the
// task, not the other miners' work.
func (a *action) do(ctx context.Context, task schedule.Task) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: panic: %v", task.Verb, p)
			a.log.Error("a bug stopped the task; please report it", "verb", task.Verb, "panic", p, "stack", string(debug.Stack()))
		}
		switch {
		case err == nil:
		case ctx.Err() == nil:
			a.fail(ctx, task.Verb, err)
		case task.Verb == schedule.Prove && errors.Is(stopped(ctx), errUnplanned):
			a.outrun(ctx)
		}
	}()
	switch task.Verb {
	case schedule.Prove:
		a.begun()
		return a.prove(ctx)
	case schedule.Submit:
		return a.submit(ctx, task)
	case schedule.Recover:
		return a.recover(ctx, task)
	case schedule.Return:
		return a.returned(ctx, task)
	default:
		return a.settle(ctx, task)
	}
}
