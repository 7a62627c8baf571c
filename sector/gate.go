package sector

import (
	"context"
	"errors"
	"fmt"
	"path"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// silentAfter is how many visits in a row may be given up before a storage
	// counts as silent: then one visit at a time goes to it, to see whether it
	// is back, and all others fail at once. A mount that hangs must not cost
	// every sector of a partition its time.
	silentAfter = 4
	// lostMany is how many visits may not have come back before the others go
	// one by one: a disk that dies hangs at some places and serves at others. When as
	// many have returned since the last was given up, they go side by side again: those
	// of a mount that was made anew never come back. Beyond lostMost each that is given
	// up closes the gate for hungAgain: it holds a thread and what it has read.
	lostMany = 64
	lostMost = 4 * lostMany
)

// errSilent says that a storage does not answer: nothing is known of what it has.
var errSilent = errors.New("does not answer")

// errStill says that it is this very read that does not answer.
var errStill = errors.New("a read has stood still")

// gate lets visits to a storage through: so many at a time as serve it best
// (pace), and while it is silent one. A visit may never return, as a read from a
// mount whose server is gone: then whoever waits for it goes on, and the visit is
// left to itself.
type gate struct {
	mu         sync.Mutex // guards what follows
	pace       pace
	most       int             // places there may be, as the latest visit said
	under      int             // visits that hold a place
	waiting    []chan struct{} // those who wait for a place, first come first served
	unanswered int             // visits given up since the last one that returned
	lost       int             // visits given up that have not returned
	lostAt     time.Time       // when the last was given up
	served     int             // visits that returned since then
	probing    bool            // while silent: the one visit is under way
	visits     uint64          // that returned
	took       time.Duration   // of a visit, smoothed
	spent      time.Duration   // in all visits that returned
}

// visit is one under way. The gate's mutex guards how it ended.
type visit struct {
	began                 time.Time
	probe, returned, lost bool
	alive                 atomic.Int64             // when it was last seen to move, in nanoseconds since began
	at                    *atomic.Pointer[storage] // where a read is, for the one who waits to name it
}

// moved notes that the storage has answered something.
func (v *visit) moved() { v.alive.Store(int64(time.Since(v.began))) }

// still is for how long nothing has moved.
func (v *visit) still() time.Duration { return time.Since(v.began) - time.Duration(v.alive.Load()) }

// enter waits for a place. most is the most places there may be.
func (g *gate) enter(ctx context.Context, most int) (*visit, error) {
	for {
		v, wait, err := g.tryEnter(most)
		if v != nil || err != nil {
			return v, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			g.leaveQueue(wait)
			return nil, fmt.Errorf("no time was left to read it: %w", ctx.Err())
		}
	}
}

func (g *gate) tryEnter(most int) (*visit, <-chan struct{}, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	silent := g.unanswered >= silentAfter
	if silent && g.probing || g.shut() {
		return nil, nil, errSilent // with nothing in it that changes from one try to the next
	}
	g.most = most
	if !silent && g.under >= g.places() {
		wait := make(chan struct{})
		g.waiting = append(g.waiting, wait)
		return nil, wait, nil
	}
	g.under++
	g.probing = g.probing || silent
	return &visit{began: time.Now(), probe: silent}, nil, nil
}

// shut says that too many visits have not returned for another to be risked now.
// The caller holds the mutex.
func (g *gate) shut() bool { return g.lost >= lostMost && time.Since(g.lostAt) < hungAgain }

// places are how many visits there may be at a time. The caller holds the mutex.
func (g *gate) places() int {
	if g.lost >= lostMany && g.served < lostMany {
		return 1
	}
	return min(g.pace.places(), g.most)
}

// leaveQueue gives up waiting; who was called meanwhile calls the next.
func (g *gate) leaveQueue(wait <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, w := range g.waiting {
		if w == wait {
			g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
			return
		}
	}
	g.fill()
}

// fill wakes as many as there are places. The caller holds the mutex.
func (g *gate) fill() { g.call(max(0, g.places()-g.under)) }

// call wakes so many of those who wait. The caller holds the mutex.
func (g *gate) call(n int) {
	n = min(n, len(g.waiting))
	for _, w := range g.waiting[:n] {
		close(w)
	}
	g.waiting = g.waiting[n:]
}

// end is for a visit that has returned, given up or not.
func (g *gate) end(v *visit) {
	g.mu.Lock()
	defer g.mu.Unlock()
	v.returned = true
	g.unanswered = 0
	defer g.fill()
	if v.lost {
		g.lost--
		return
	}
	g.free(v)
	g.visits++
	g.served++
	took := time.Since(v.began)
	g.took += (took - g.took) / 8
	g.spent += took
	g.pace.finished(time.Now(), len(g.waiting) > 0)
}

// giveUp is for a visit that has stood still for too long.
func (g *gate) giveUp(v *visit) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if v.returned {
		return
	}
	v.lost = true
	g.lost++
	g.lostAt, g.served = time.Now(), 0
	g.free(v)
	if g.unanswered++; g.unanswered >= silentAfter {
		g.call(len(g.waiting)) // to be told
	} else {
		g.fill()
	}
}

// free gives a visit's place back. The caller holds the mutex.
func (g *gate) free(v *visit) {
	g.under--
	if v.probe {
		g.probing = false
	}
}

// pass lets do through the gate, and waits for it until ctx ends or nothing has
// moved for so long as patience. A visit that is not waited for any more keeps its
// place until then.
func pass[T any](ctx context.Context, g *gate, most int, patience time.Duration, do func(*visit) (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	v, err := g.enter(ctx, most)
	if err != nil {
		return none, err
	}
	var value T
	done, hung := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		defer g.end(v)
		value, err = caught(do, v)
	}()
	go func() {
		if !v.outlast(done, patience) {
			g.giveUp(v)
			close(hung)
		}
	}()
	select {
	case <-done:
		return value, err
	case <-hung:
		return none, fmt.Errorf("%w: %w for %v", errSilent, errStill, patience)
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// caught turns a panic into an error: a bug in the reading of one sector must not
// end what proves all others. It is no evidence against the sector.
func caught[T any](do func(*visit) (T, error), v *visit) (value T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a bug stopped the read, please report it: %v, at %s", p, panicked())
		}
	}()
	return do(v)
}

// panicked says where the panic arose that is being recovered.
func panicked() string {
	var callers [32]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(0, callers[:])])
	for inPanic := false; ; {
		frame, more := frames.Next()
		if inPanic && !strings.HasPrefix(frame.Function, "runtime.") || !more {
			return fmt.Sprintf("%s:%d", path.Base(frame.File), frame.Line)
		}
		inPanic = inPanic || frame.Function == "runtime.gopanic"
	}
}

// outlast says whether a visit is done before it has stood still for so long as patience.
func (v *visit) outlast(done <-chan struct{}, patience time.Duration) bool {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case <-done:
			return true
		case <-timer.C:
			still := v.still()
			if still >= patience {
				return false
			}
			timer.Reset(patience - still)
		}
	}
}
