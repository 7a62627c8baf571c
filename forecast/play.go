package forecast

import (
	"container/heap"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// play is the work on all deadlines, as it would go on. Its times count from the
// beginning of the epoch now.
type play struct {
	pace Pace
	now  abi.ChainEpoch
	acts []*act
}

// act is a deadline in the play.
type act struct {
	play     *play
	miner    abi.ActorID
	deadline Deadline
	history  history
	start    abi.ChainEpoch
	read     time.Duration
	prove    time.Duration  // of all its proofs, if no other is in the way
	post     abi.ChainEpoch // that a message takes
	scaled   []string       // what was not measured at its size
	proofs   []*proof       // those that are to be made
}

// proof is a batch that waits for a prover or has one.
type proof struct {
	close time.Duration
	ready time.Duration // its sectors are read
	takes time.Duration
	done  time.Duration // filled in by the line
	waits time.Duration
}

func newPlay(miners []Miner, now abi.ChainEpoch, pace Pace, pick choice) *play {
	p := &play{pace: pace, now: now}
	for _, m := range miners {
		h := measure(m.History, pace.Epoch)
		for _, d := range m.Deadlines {
			if len(d.Batches) > 0 {
				p.acts = append(p.acts, p.act(m.ID, d, h, pick))
			}
		}
	}
	return p
}

func (p *play) act(miner abi.ActorID, d Deadline, h history, pick choice) *act {
	a := &act{play: p, miner: miner, deadline: d, history: h, start: d.Challenge + p.pace.Policy.StartConfidence}
	if h.posts == 0 {
		return a
	}
	a.post = h.post(pick, p.pace.Epoch)
	sectors := 0
	for _, b := range d.Batches {
		sectors += b.Sectors
	}
	reads, from := h.read(d.Index, sectors)
	a.read = pick(reads)
	a.scale("reading", from, sectors, "sectors")
	for _, b := range d.Batches {
		size := parts(h.form, b.Sectors)
		took, from := h.proofs.like(size)
		a.scale("proving", from, size, "partitions")
		if takes := pick(took); b.State == vigil.StateScheduled || b.State == vigil.StateMissed {
			a.proofs = append(a.proofs, &proof{close: p.at(d.Close), ready: p.at(a.begins(b)) + a.read, takes: takes})
		}
	}
	alone := slices.Clone(a.proofs)
	for i := range alone {
		alone[i] = &proof{close: 1 << 62, takes: alone[i].takes}
		a.prove = max(a.prove, alone[i].takes)
	}
	line(alone, p.pace.AtOnce)
	for _, l := range alone {
		a.prove = max(a.prove, l.done)
	}
	return a
}

// begins is when the reading for a batch begins, or began.
func (a *act) begins(b Batch) abi.ChainEpoch {
	if b.Began > 0 {
		return b.Began
	}
	return max(a.start, a.play.now)
}

func (a *act) scale(what string, from, to int, of string) {
	text := fmt.Sprintf("%s as of %d %s, scaled to %d", what, from, of, to)
	if from != to && !slices.Contains(a.scaled, text) {
		a.scaled = append(a.scaled, text)
	}
}

// at is the beginning of an epoch, epochOf the epoch of a time.
func (p *play) at(epoch abi.ChainEpoch) time.Duration {
	return time.Duration(epoch-p.now) * p.pace.Epoch
}

func (p *play) epochOf(t time.Duration) abi.ChainEpoch {
	n := t / max(1, p.pace.Epoch)
	if t < 0 && t%max(1, p.pace.Epoch) != 0 {
		n--
	}
	return p.now + abi.ChainEpoch(n)
}

func (p *play) run() {
	var all []*proof
	for _, a := range p.acts {
		all = append(all, a.proofs...)
	}
	line(all, p.pace.AtOnce)
}

// line lets so many provers work through the proofs.
func line(proofs []*proof, provers int) {
	proofs = slices.Clone(proofs)
	slices.SortStableFunc(proofs, func(a, b *proof) int { return int(min(1, max(-1, a.ready-b.ready))) })
	free := make(times, max(1, min(provers, len(proofs))))
	for i := range free {
		free[i] = -1 << 62
	}
	var waiting queue
	var t time.Duration = -1 << 62
	for next := 0; next < len(proofs) || len(waiting) > 0; {
		t = max(t, free[0])
		if len(waiting) == 0 {
			t = max(t, proofs[next].ready)
		}
		for next < len(proofs) && proofs[next].ready <= t {
			heap.Push(&waiting, proofs[next])
			next++
		}
		turn := heap.Pop(&waiting).(*proof)
		turn.waits, turn.done = t-turn.ready, t+turn.takes
		free[0] = max(t, min(turn.done, turn.close)) // at Close it is given up
		heap.Fix(&free, 0)
	}
}

// times is a heap of when provers are free, queue one of proofs by what closes first.
type (
	times []time.Duration
	queue []*proof
)

func (h times) Len() int           { return len(h) }
func (h times) Less(i, j int) bool { return h[i] < h[j] }
func (h times) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *times) Push(x any) { *h = append(*h, x.(time.Duration)) }

// Pop implements heap.Interface.
func (h *times) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].close < q[j].close || q[i].close == q[j].close && q[i].ready < q[j].ready
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *queue) Push(x any) { *q = append(*q, x.(*proof)) }

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// finish is when the last batch of the deadline is on chain.
func (a *act) finish() abi.ChainEpoch {
	p := a.play
	first := a.deadline.Open + p.pace.Policy.SubmitConfidence
	var last abi.ChainEpoch
	for _, made := range a.proofs { // what is late should be there at any moment
		last = max(last, max(p.epochOf(made.done), p.now, first)+a.post)
	}
	for _, b := range a.deadline.Batches {
		switch {
		case b.State == vigil.StateProved:
			last = max(last, max(p.now, first)+a.post)
		case b.State == vigil.StateSubmitted:
			last = max(last, p.now+1, b.Took.Submitted+a.post)
		case b.State == vigil.StateConfirmed:
			last = max(last, b.Took.Included)
		}
	}
	return last
}

func (a *act) expected() Expected {
	e := Expected{Miner: vigil.MinerAddress(a.miner).String(), Deadline: a.deadline.Deadline, Done: true}
	for _, b := range a.deadline.Batches {
		e.Partitions += b.Partitions
		e.Sectors += b.Sectors
		e.Done = e.Done && b.State == vigil.StateConfirmed
	}
	if a.history.posts == 0 {
		return e
	}
	finish := a.finish()
	e.Forecast = &vigil.Forecast{
		Start: a.start, Read: a.read, Prove: a.prove, Post: time.Duration(a.post) * a.play.pace.Epoch,
		Finish: finish, Fits: finish < a.deadline.Close,
	}
	return e
}

// why says what a forecast rests on, and what is in the way.
func (a *act) why(slow abi.ChainEpoch) string {
	said := []string{fmt.Sprintf("from %d posts", a.history.posts)}
	if a.history.posts == 1 {
		said[0] = "from one post"
	}
	said = append(said, a.scaled...)
	finish := a.finish()
	switch {
	case finish >= a.deadline.Close:
		said = append(said, a.obstacle())
	case slow >= a.deadline.Close:
		said = append(said, "it is tight: at the pace of the slowest tenth it does not fit")
	}
	return strings.Join(said, "; ")
}

// obstacle names the longest of what keeps a deadline from being met.
func (a *act) obstacle() string {
	there := a.play.at(a.deadline.Close) - a.play.at(a.start)
	var waits time.Duration
	for _, made := range a.proofs {
		waits = max(waits, made.waits)
	}
	round := func(d time.Duration) time.Duration {
		if d < 10*time.Second { // on a devnet
			return d.Round(10 * time.Millisecond)
		}
		return d.Round(time.Second)
	}
	switch {
	case a.read >= there:
		return fmt.Sprintf("its sectors alone take %v to read, and there are %v: spread them over more disks", round(a.read), round(there))
	case a.read+a.prove >= there:
		return fmt.Sprintf("its proofs take %v after %v of reading, and there are %v", round(a.prove), round(a.read), round(there))
	case waits > 0:
		return fmt.Sprintf("its proofs wait up to %v for those of other deadlines", round(waits))
	}
	return "work on it began, or begins, too late"
}
