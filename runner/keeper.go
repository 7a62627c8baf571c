package runner

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/alive"
)

// keeper writes what is read to the shelf that survives a restart, behind the reading
// and never in its way: a disk that crawls costs what it would have kept. Its mutex
// guards the queue.
type keeper struct {
	shelf vigil.VanillaShelf
	log   *slog.Logger

	mu    sync.Mutex
	queue []note
	bytes int           // of the proofs in the queue
	wake  chan struct{} // capacity 1
}

// note is what is to be done to the shelf: a proof is kept or, without one, a duty's
// are dropped or all those before an epoch.
type note struct {
	id     vigil.DutyID
	key    vigil.VanillaKey
	proof  vigil.VanillaProof
	before abi.ChainEpoch
}

// keeperMost is how many bytes wait for the disk at most: what comes on top is not kept.
const keeperMost = 64 << 20

func newKeeper(shelf vigil.VanillaShelf, log *slog.Logger) *keeper {
	if shelf == nil {
		return nil
	}
	return &keeper{shelf: shelf, log: log, wake: make(chan struct{}, 1)}
}

func (k *keeper) keep(id vigil.DutyID, key vigil.VanillaKey, proof vigil.VanillaProof) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.bytes+len(proof) > keeperMost {
		return
	}
	k.bytes += len(proof)
	k.add(note{id: id, key: key, proof: proof})
}

// drop gives up what is kept for a duty, and what was to be.
func (k *keeper) drop(id vigil.DutyID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.queue = slices.DeleteFunc(k.queue, func(n note) bool {
		if n.id != id || n.before > 0 {
			return false
		}
		k.bytes -= len(n.proof)
		return true
	})
	k.add(note{id: id})
}

func (k *keeper) dropBefore(epoch abi.ChainEpoch) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.queue = slices.DeleteFunc(k.queue, func(n note) bool { return n.before > 0 && n.before <= epoch })
	k.add(note{before: epoch})
}

// add puts a note at the end; mu is held.
func (k *keeper) add(n note) {
	k.queue = append(k.queue, n)
	offer(k.wake, struct{}{})
}

// next takes the first note.
func (k *keeper) next() (n note, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.queue) == 0 {
		return n, false
	}
	n, k.queue = k.queue[0], k.queue[1:]
	k.bytes -= len(n.proof)
	return n, true
}

// run works until ctx ends and all is written: what was read is there after the restart.
func (k *keeper) run(ctx context.Context) {
	said := false // that proofs cannot be kept
	for {
		n, ok := k.next()
		switch {
		case ok:
			err := alive.Caught(func() error { said = k.do(n, said); return nil })
			alive.LogPanic(k.log, "a bug kept a vanilla proof from being kept for a restart; please report it", err)
			continue
		case ctx.Err() != nil:
			return
		}
		select {
		case <-k.wake:
		case <-ctx.Done():
		}
	}
}

func (k *keeper) do(n note, said bool) bool {
	switch {
	case n.proof != nil:
		err := k.shelf.Keep(n.id, n.key, n.proof)
		if err != nil && !said {
			k.log.Warn("a vanilla proof cannot be kept for a restart; check the data folder's disk", "duty", n.id.String(), "error", err)
		}
		return err != nil
	case n.before > 0:
		if err := k.shelf.DropBefore(n.before); err != nil {
			k.log.Warn("vanilla proofs of past deadlines cannot be deleted", "error", err)
		}
	default:
		if err := k.shelf.Drop(n.id); err != nil {
			k.log.Warn("vanilla proofs that are no longer needed cannot be deleted", "duty", n.id.String(), "error", err)
		}
	}
	return said
}
