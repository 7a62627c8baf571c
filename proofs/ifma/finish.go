package ifma

import (
	"context"
	"math/bits"
)

// jacobian is gnark-crypto's form of a sum of points A.
type jacobian[J, A any] interface {
	*J
	AddMixed(*A) *J
	AddAssign(*J) *J
	DoubleAssign() *J
}

// A window's sum is that of its buckets, each times its digit. It is cut into
// segments of length buckets each: segment s has the digits s*length+1 to
// (s+1)*length. With
//
//	run(s) = sum of its buckets
//	sum(s) = sum of its buckets, the k-th times k (from 1)
//
// the window's is sum(s) + length * s * run(s), over all segments. Both are made
// by running sums from the last bucket to the first, for many segments in lock step
// so that they make batches.
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
			parts[first+w] = windowSum[J, A, P](&r.adders[worker], s.refs[from:to], s.sums[from:to], r.windows.buckets()/r.segments(), point)
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
// results.
func (r *run) runningSums(ctx context.Context, worker, j, first, n int) (s running, err error) {
	a := &r.adders[worker]
	count, length := n*r.segments(), r.windows.buckets()/r.segments()
	home := r.results[worker] // of refs, then of sums, then of what the kernels write
	s = running{make([]uint32, count), make([]uint32, count)}
	targets := make([]int, 0, count)
	addAll := func(to []uint32, home uint32, second func(i int) uint32) {
		targets = targets[:0]
		results := r.results[worker] + uint32(2*count)
		a.start(results)
		for i := range to {
			ref := second(i)
			switch {
			case ref == 0:
			case to[i] == 0:
				copy(a.point(home+uint32(i)), a.point(ref>>1))
				to[i] = (home+uint32(i))<<1 | ref&1
			default:
				targets = append(targets, i)
				a.add(to[i], ref)
			}
		}
		a.flush()
		for k, i := range targets {
			from := results + uint32(k)
			if a.infinite[from] {
				to[i] = 0
				continue
			}
			copy(a.point(home+uint32(i)), a.point(from))
			to[i] = (home + uint32(i)) << 1
		}
		clear(a.infinite)
	}
	for k := length - 1; k >= 0; k-- {
		if err := ctx.Err(); err != nil {
			return s, err
		}
		filled := r.filled[j][first*r.windows.buckets():]
		addAll(s.refs, home, func(i int) uint32 { return filled[i*length+k] })
		addAll(s.sums, home+uint32(count), func(i int) uint32 { return s.refs[i] })
	}
	return s, a.wrong
}

// windowSum puts a window's segments together.
func windowSum[J, A any, P jacobian[J, A]](a *adder, refs, sums []uint32, length int, point func([]row, bool) A) (total J) {
	var run, weighted J
	for s := len(refs) - 1; s > 0; s-- {
		addRef[J, A, P](&run, a, refs[s], point)
		P(&weighted).AddAssign(&run)
	}
	for range bits.TrailingZeros(uint(length)) {
		P(&weighted).DoubleAssign()
	}
	total = weighted
	for _, ref := range sums {
		addRef[J, A, P](&total, a, ref, point)
	}
	return total
}

func addRef[J, A any, P jacobian[J, A]](to *J, a *adder, ref uint32, point func([]row, bool) A) {
	if ref != 0 {
		p := point(a.point(ref>>1), ref&1 == 1)
		P(to).AddMixed(&p)
	}
}
