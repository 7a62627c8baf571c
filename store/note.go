package store

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/alive"
)

// Notebook is a vigil.Journal in the store. What is noted is kept in memory and
// written a moment later, many events in one transaction, so that no work
// waits for its history and the disk is not asked for each line of it. What a
// crash loses is the last moment; what the store writes itself is not among it.
type Notebook struct {
	store *Store
	log   *slog.Logger
	keep  atomic.Int64  // a time.Duration
	wake  chan struct{} // capacity 1
	stop  context.CancelFunc
	done  sync.WaitGroup

	mu    sync.Mutex // guards what follows
	notes []vigil.Event
	lost  int
	alive abi.ChainEpoch // the head, if it is not written yet; 0 if it is
}

const (
	// betweenWrites is how long events are gathered.
	betweenWrites = time.Second
	// mostNotes are kept when the disk does not take them; more are counted and lost.
	mostNotes = 4096
	// betweenSigns is how often it is written that the daemon is alive.
	betweenSigns = 10 * time.Second
	// betweenPrunings is how often what is old is deleted, and soon when it was
	// too much for once.
	betweenPrunings, soon = time.Hour, 5 * time.Second
	// lastWords is how long the last events may take to be written.
	lastWords = 30 * time.Second
)

// OpenNotebook begins to write, until Close. It also prunes the store: what
// happened longer ago than keep is deleted; with 0 none of it is.
func (s *Store) OpenNotebook(ctx context.Context, keep time.Duration, log *slog.Logger) *Notebook {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx)) // what ends the daemon is an event too
	n := &Notebook{store: s, log: log, wake: make(chan struct{}, 1), stop: stop}
	n.Keep(keep)
	n.done.Go(func() {
		_ = alive.Restarted(ctx, log, "journal", func(ctx context.Context) error { n.run(ctx); return nil })
	})
	return n
}

// Keep says how old events get from the next pruning on.
func (n *Notebook) Keep(keep time.Duration) { n.keep.Store(int64(keep)) }

// Kept is how old events get.
func (n *Notebook) Kept() time.Duration { return time.Duration(n.keep.Load()) }

// Note implements vigil.Journal.
func (n *Notebook) Note(e vigil.Event) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	n.mu.Lock()
	if len(n.notes) < mostNotes {
		n.notes = append(n.notes, e)
	} else {
		n.lost++
	}
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Alive notes that the daemon is alive at a head; it is written now and then.
func (n *Notebook) Alive(head abi.ChainEpoch) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.alive = head
}

// Close writes what was noted and ends. The store is closed after it.
func (n *Notebook) Close() {
	n.stop()
	n.done.Wait()
}

func (n *Notebook) run(ctx context.Context) {
	prune := time.NewTimer(0)
	defer prune.Stop()
	sign := time.NewTicker(betweenSigns)
	defer sign.Stop()
	said := false
	for {
		select {
		case <-ctx.Done():
			n.end(ctx)
			return
		case <-prune.C:
			prune.Reset(n.prune(ctx))
			continue
		case <-sign.C:
			_ = n.sign(ctx) // what is wrong with the disk is said of the events
			continue
		case <-n.wake:
		}
		select {
		case <-ctx.Done():
			continue
		case <-time.After(betweenWrites):
		}
		err := n.write(ctx)
		if err != nil && !said && ctx.Err() == nil {
			n.log.Warn("what happens cannot be written into the journal, so that vigil why will know less; work goes on", "error", err)
		}
		said = err != nil
	}
}

// end writes the last words.
func (n *Notebook) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	if err := errors.Join(n.write(ctx), n.sign(ctx)); err != nil {
		n.log.Warn("what happened last cannot be written into the journal", "error", err)
	}
}

// sign writes the head down that the daemon has seen.
func (n *Notebook) sign(ctx context.Context) error {
	n.mu.Lock()
	head := n.alive
	n.alive = 0
	n.mu.Unlock()
	if head == 0 {
		return nil
	}
	return n.store.SaveAlive(ctx, time.Now(), head)
}

// write writes what was noted. What cannot be written is kept for the next time.
func (n *Notebook) write(ctx context.Context) error {
	n.mu.Lock()
	notes, lost := n.notes, n.lost
	n.notes, n.lost = nil, 0
	n.mu.Unlock()
	if len(notes) == 0 {
		return nil
	}
	all := notes
	if lost > 0 {
		last := notes[len(notes)-1]
		all = append(notes[:len(notes):len(notes)], vigil.Event{Time: last.Time, Epoch: last.Epoch, Kind: vigil.EventLost, EventFacts: vigil.EventFacts{Number: lost}})
	}
	err := n.store.AddEvents(ctx, all...)
	if err == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.notes = append(notes, n.notes...)
	n.lost += lost
	if more := len(n.notes) - mostNotes; more > 0 {
		n.notes, n.lost = n.notes[:mostNotes], n.lost+more
	}
	return err
}

// prune deletes what is old, and says when it is to be done again.
func (n *Notebook) prune(ctx context.Context) time.Duration {
	var before time.Time
	if keep := n.Kept(); keep > 0 {
		before = time.Now().Add(-keep)
	}
	more, err := n.store.Prune(ctx, before)
	switch {
	case err != nil && ctx.Err() == nil:
		n.log.Warn("what is old cannot be deleted from the database, which grows until it can", "error", err)
	case more:
		return soon
	}
	return betweenPrunings
}
