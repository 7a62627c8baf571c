package ifma

import (
	"context"
	"math/bits"
	"slices"
)

// A window's sum is that of its buckets, each times its digit. They are dealt out to
// segments: segment s has the digits s+1, s+1+segments, s+1+2*segments and so on. With
//
//	run(s) = sum of its buckets
//	sum(s) = sum of its buckets, the k-th times k (from 0)
//
// the window's is segments * sum(s) + (s+1) * run(s), over all segments. Both are made
// by running sums from the last bucket to the first, for the segments of a share, and of some windows where workers
// are few, in lock step so that they make batches, of buckets that lie side by side.
const segmentsOfShare = 128

// shares is how many workers finish a window at a time: the last windows leave nothing else
// to do. Each share costs some additions of its own.
func (r *run) shares() int {
	n := 1
	for n < 8 && 8*n <= r.workers && 2*n*segmentsOfShare <= r.windows.buckets() {
		n *= 2
	}
	return n
}

// ofShare is the number of segments.
func (r *run) ofShare() int { return min(segmentsOfShare, r.windows.buckets()) }

func (r *run) segments() int { return r.shares() * r.ofShare() }

// span are windows in a row that are finished in lock step.
type span struct{ first, n int }

func (s span) end() int { return s.first + s.n }

// spans are as long as leaves one for each worker.
func (r *run) spans() (all []span) {
	n := max(1, min(r.count/r.workers, r.batch/r.ofShare()))
	for first := 0; first < r.count; first += n {
		all = append(all, span{first, min(n, r.count-first)})
	}
	return all
}

// jacobian is gnark-crypto's form of a sum of points A.
type jacobian[J, A any] interface {
	*J
	AddMixed(*A) *J
	AddAssign(*J) *J
	DoubleAssign() *J
}

// parts are what sums are put together from: of each sum, of each window and
// share.
type parts[J, A any, P jacobian[J, A]] struct {
	run   *run
	point func([]row, bool) A
	of    [][]J
}

func newParts[J, A any, P jacobian[J, A]](r *run, sums int, point func([]row, bool) A) *parts[J, A, P] {
	p := &parts[J, A, P]{run: r, point: point}
	for range sums {
		p.of = append(p.of, make([]J, r.count*r.shares()))
	}
	return p
}

// finish sums a share of some windows of sum j, whose buckets are full.
func (p *parts[J, A, P]) finish(ctx context.Context, worker, j int, of span, share int) error {
	r := p.run
	s, err := r.runningSums(ctx, worker, j, of, share)
	if err != nil {
		return err
	}
	n := r.ofShare()
	for w := range of.n {
		p.of[j][(of.first+w)*r.shares()+share] = p.sum(&r.adders[worker], s.refs[w*n:(w+1)*n], s.sums[w*n:(w+1)*n], share*n)
	}
	return nil
}

// sum puts the segments of a window's share together, where there are so many before it.
func (p *parts[J, A, P]) sum(a *adder, refs, sums []uint32, before int) (total J) {
	var run, all J
	for _, ref := range sums {
		p.add(&total, a, ref)
	}
	for range bits.TrailingZeros(uint(p.run.segments())) {
		P(&total).DoubleAssign()
	}
	for _, ref := range slices.Backward(refs) {
		p.add(&run, a, ref)
		P(&total).AddAssign(&run)
	}
	for bit := bits.Len(uint(before)); bit > 0; bit-- {
		P(&all).DoubleAssign()
		if before>>(bit-1)&1 == 1 {
			P(&all).AddAssign(&run)
		}
	}
	P(&total).AddAssign(&all)
	return total
}

func (p *parts[J, A, P]) add(to *J, a *adder, ref uint32) {
	if ref != 0 {
		q := p.point(a.point(ref>>1), ref&1 == 1)
		P(to).AddMixed(&q)
	}
}

// total is sum j.
func (p *parts[J, A, P]) total(j int) (total J) {
	shares := p.run.shares()
	for w := p.run.count - 1; w >= 0; w-- {
		for range p.run.width {
			P(&total).DoubleAssign()
		}
		for share := range shares {
			P(&total).AddAssign(&p.of[j][w*shares+share])
		}
	}
	return total
}

// running are the sums of some windows' segments. References are 0 while nothing was added.
type running struct {
	refs, sums []uint32
}

// runningSums are those of some windows' share, whose points lie among the worker's
// results. With each bucket what run was before it is added to sum, so that both additions are of
// one batch.
func (r *run) runningSums(ctx context.Context, worker, j int, of span, share int) (running, error) {
	a, buckets := &r.adders[worker], r.windows.buckets()
	count, length := of.n*r.ofShare(), buckets/r.segments()
	filled := r.filled[j][of.first*buckets:]
	s := running{make([]uint32, count), make([]uint32, count)}
	refsAt := r.results[worker] // of refs' points, then of those of sums, then of what the kernels write
	sumsAt := refsAt + uint32(count)
	p := pending{adder: a, results: sumsAt + uint32(count)}
	for k := length - 1; k >= 0; k-- {
		if err := ctx.Err(); err != nil {
			return s, err
		}
		a.start(p.results)
		for i := range s.sums {
			p.add(&s.sums[i], sumsAt+uint32(i), s.refs[i])
		}
		first := k*r.segments() + share*r.ofShare()
		for i := range s.refs {
			w, segment := i/r.ofShare(), i%r.ofShare()
			p.add(&s.refs[i], refsAt+uint32(i), filled[w*buckets+first+segment])
		}
		p.settle()
	}
	return s, a.wrong
}

// pending are references whose points are added to, and where the sums are to lie.
type pending struct {
	*adder
	results uint32 // first slot that the kernels write to
	refs    []*uint32
	slots   []uint32
}

// add adds a point to another one, in its slot, when settle is called.
func (p *pending) add(to *uint32, slot, ref uint32) {
	switch {
	case ref == 0:
	case *to == 0:
		copy(p.point(slot), p.point(ref>>1))
		*to = slot<<1 | ref&1
	default:
		p.adder.add(*to, ref)
		p.refs, p.slots = append(p.refs, to), append(p.slots, slot)
	}
}

func (p *pending) settle() {
	p.flush()
	for k, ref := range p.refs {
		from := p.results + uint32(k)
		if p.infinite[from] {
			*ref = 0
			continue
		}
		copy(p.point(p.slots[k]), p.point(from))
		*ref = p.slots[k] << 1
	}
	p.refs, p.slots = p.refs[:0], p.slots[:0]
	clear(p.infinite)
}
