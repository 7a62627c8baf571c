package ifma

import (
	"context"
	"math/bits"
	"slices"
)

// jacobian is gnark-crypto's form of a sum of points A.
type jacobian[J, A any] interface {
	*J
	AddMixed(*A) *J
	AddAssign(*J) *J
	DoubleAssign() *J
}

// A window's sum is that of its buckets, each times its digit. They are dealt out to
// segments: segment s has the digits s+1, s+1+segments, s+1+2*segments and so on. With
//
//	run(s) = sum of its buckets
//	sum(s) = sum of its buckets, the k-th times k (from 0)
//
// the window's is segments * sum(s) + (s+1) * run(s), over all segments. Both are made
// by running sums from the last bucket to the first, for all segments of some windows in
// lock step so that they make batches, of buckets that lie side by side.
const segments = 128

// running are the sums of some windows' segments. References are 0 while nothing was added.
type running struct {
	refs, sums []uint32
}

// finish is sum j.
func finish[J, A any, P jacobian[J, A]](ctx context.Context, r *run, j int, point func([]row, bool) A) (J, error) {
	parts := make([]J, r.count)
	each1 := max(1, min(r.count/r.workers, r.batch/r.segments()))
	err := each(ctx, r.workers, (r.count+each1-1)/each1, func(worker, unit int) error {
		first := unit * each1
		n := min(each1, r.count-first)
		s, err := r.runningSums(ctx, worker, j, first, n)
		if err != nil {
			return err
		}
		for w := range n {
			from, to := w*r.segments(), (w+1)*r.segments()
			parts[first+w] = windowSum[J, A, P](&r.adders[worker], s.refs[from:to], s.sums[from:to], point)
		}
		return nil
	})
	var total J
	for w := r.count - 1; w >= 0; w-- {
		for range r.width {
			P(&total).DoubleAssign()
		}
		P(&total).AddAssign(&parts[w])
	}
	return total, err
}

func (r *run) segments() int { return min(segments, r.windows.buckets()) }

// runningSums are those of n windows' segments, whose points lie among the worker's
// results. With each bucket what run was before it is added to sum, so that both additions are of
// one batch.
func (r *run) runningSums(ctx context.Context, worker, j, first, n int) (running, error) {
	a := &r.adders[worker]
	count, length := n*r.segments(), r.windows.buckets()/r.segments()
	filled := r.filled[j][first*r.windows.buckets():]
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
		for i := range s.refs {
			w, segment := i/r.segments(), i%r.segments()
			p.add(&s.refs[i], refsAt+uint32(i), filled[w*r.windows.buckets()+k*r.segments()+segment])
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

// windowSum puts a window's segments together.
func windowSum[J, A any, P jacobian[J, A]](a *adder, refs, sums []uint32, point func([]row, bool) A) (total J) {
	var run J
	for _, ref := range sums {
		addRef[J, A, P](&total, a, ref, point)
	}
	for range bits.TrailingZeros(uint(len(sums))) {
		P(&total).DoubleAssign()
	}
	for _, ref := range slices.Backward(refs) {
		addRef[J, A, P](&run, a, ref, point)
		P(&total).AddAssign(&run)
	}
	return total
}

func addRef[J, A any, P jacobian[J, A]](to *J, a *adder, ref uint32, point func([]row, bool) A) {
	if ref != 0 {
		p := point(a.point(ref>>1), ref&1 == 1)
		P(to).AddMixed(&p)
	}
}
