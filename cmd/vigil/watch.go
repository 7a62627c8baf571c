package main

import (
	"context"
	"fmt"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/devnet"
)

const (
	period = abi.ChainEpoch(2880) // a proving period
	window = abi.ChainEpoch(60)   // a deadline
	// A deadline that closes so long after the daemon came up was seen by it
	// from its challenge on.
	warmUp = window + 20
)

// found is what came of some proving periods, for scripts.
type found struct {
	Periods             int     `json:"periods"`
	Deadlines           uint64  `json:"deadlines"`
	PartitionsDue       uint64  `json:"partitions_due"`
	PartitionsConfirmed uint64  `json:"partitions_confirmed"`
	PartitionsMissed    uint64  `json:"partitions_missed"`
	SectorsSkipped      uint64  `json:"sectors_skipped"`
	ProofsMade          uint64  `json:"proofs_made"`
	ProofsInvalid       uint64  `json:"proofs_invalid"`
	Seconds             float64 `json:"seconds"`
}

func (f *found) add(t devnet.Tally) {
	f.Periods++
	f.Deadlines += t.Deadlines
	f.PartitionsDue += t.PartitionsDue
	f.PartitionsConfirmed += t.PartitionsConfirmed
	f.PartitionsMissed += t.PartitionsMissed
	f.SectorsSkipped += t.SectorsSkipped
	f.ProofsInvalid += t.ProofsInvalid
}

func (f *found) failed() bool { return f.PartitionsMissed > 0 || f.ProofsInvalid > 0 }

// judgingChain is what the watcher needs of a devnet.Network.
type judgingChain interface {
	Stats() devnet.Stats
	Mark()
	Miners() []address.Address
	Deadlines(ctx context.Context, miner address.Address) ([]devnet.DeadlineView, error)
}

// watchedDaemon is what the watcher needs of an app.Daemon.
type watchedDaemon interface {
	Status() vigil.Status
	Page() string
	ProofsMade() uint64
}

// watcher says in sentences what happens on the chain and in the daemon. It is
// the chain's judgement that it counts, not the daemon's.
type watcher struct {
	chain  judgingChain
	daemon watchedDaemon
	say    func(string)
	began  time.Time // of the program

	known   map[string]bool // duties that were confirmed before
	first   bool            // a post was confirmed since the start
	invalid uint64          // wrong proofs that were said since the last mark
	period  int             // which proving period is counted; 0 before the first
	from    abi.ChainEpoch  // where it began
}

func newWatcher(chain judgingChain, daemon watchedDaemon, began time.Time, say func(string)) *watcher {
	return &watcher{chain: chain, daemon: daemon, say: say, began: began, known: map[string]bool{}}
}

// watch looks until ctx ends or so many whole proving periods have passed; 0 is no limit.
func (w *watcher) watch(ctx context.Context, periods int) (found, error) {
	result := found{}
	made := uint64(0)
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	up := abi.ChainEpoch(-1) // when the daemon had its first picture of every miner
	if page := w.daemon.Page(); page != "" {
		w.say("the dashboard is at " + page)
	}
	for {
		select {
		case <-ctx.Done():
			return result, ctx.Err()
		case <-look.C:
		}
		status, stats := w.daemon.Status(), w.chain.Stats()
		w.wrongProofs(stats)
		if up >= 0 {
			w.confirmed(status)
		}
		switch {
		case up < 0 && ready(status, len(stats.Miners)):
			up = stats.Epoch
			w.remember(status)
		case up < 0:
		case w.period == 0 && stats.Epoch >= up+warmUp && w.midDeadline(ctx, stats.Epoch):
			result.ProofsInvalid = stats.Total.ProofsInvalid // a wrong proof counts, whenever it was
			w.next(stats.Epoch)
			made = w.daemon.ProofsMade()
		case w.period > 0 && stats.Epoch >= w.from+period:
			w.report(stats.Total)
			result.add(stats.Total)
			result.ProofsMade = w.daemon.ProofsMade() - made
			result.Seconds = time.Since(w.began).Round(100 * time.Millisecond).Seconds()
			if periods > 0 && w.period >= periods {
				return result, nil
			}
			w.next(w.from + period)
		}
	}
}

// next begins to count a proving period.
func (w *watcher) next(from abi.ChainEpoch) {
	w.chain.Mark()
	w.invalid = 0
	w.from = from
	w.period++
}

// midDeadline says that the epoch is about in the middle of the first miner's
// deadline: a count that begins and ends there has exactly the deadlines of a
// period, whatever the moment it is read.
func (w *watcher) midDeadline(ctx context.Context, epoch abi.ChainEpoch) bool {
	miners := w.chain.Miners()
	if len(miners) == 0 {
		return true
	}
	deadlines, err := w.chain.Deadlines(ctx, miners[0])
	if err != nil {
		return false
	}
	for _, d := range deadlines {
		if d.Current {
			into := epoch - d.Open
			return into >= window/3 && into < window/2
		}
	}
	return false
}

func (w *watcher) report(t devnet.Tally) {
	outcome := "none missed"
	if t.PartitionsMissed > 0 {
		outcome = fmt.Sprintf("%d MISSED", t.PartitionsMissed)
	}
	w.say(fmt.Sprintf("proving period %d: %d of %d partitions confirmed, %s", w.period, t.PartitionsConfirmed, t.PartitionsDue, outcome))
}

// confirmed says when the first post since the start was confirmed.
func (w *watcher) confirmed(s vigil.Status) {
	if w.first {
		return
	}
	for _, m := range s.Miners {
		for _, d := range m.Duties {
			if d.Kind == vigil.KindPost && d.Row.State == vigil.StateConfirmed && !w.known[d.Duty] {
				w.first = true
				w.say(fmt.Sprintf("first Window PoSt confirmed on chain, %s after the start: %s, deadline %d, %d partition(s)",
					time.Since(w.began).Round(100*time.Millisecond), m.Miner, d.Deadline, len(d.Row.Partitions)))
				return
			}
		}
	}
}

// remember takes note of what was confirmed before this start.
func (w *watcher) remember(s vigil.Status) {
	for _, m := range s.Miners {
		for _, d := range m.Duties {
			if d.Row.State == vigil.StateConfirmed {
				w.known[d.Duty] = true
			}
		}
	}
}

// wrongProofs shouts about every proof that the chain took and that proves nothing.
func (w *watcher) wrongProofs(s devnet.Stats) {
	if n := s.Total.ProofsInvalid; n > w.invalid {
		w.say(fmt.Sprintf("WRONG PROOF: the chain took %d proof(s) that the verifier refuses", n-w.invalid))
		w.invalid = n
	}
}

func ready(s vigil.Status, miners int) bool {
	n := 0
	for _, m := range s.Miners {
		if m.Current.Count > 0 {
			n++
		}
	}
	return n >= miners
}
