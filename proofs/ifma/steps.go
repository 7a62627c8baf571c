package ifma

import (
	"fmt"

	"github.com/vigil-post/vigil/proofs/offheap"
)

// A step adds a chunk's points to the buckets of one sum:
//
//	cut       the scalars, into the form that digits are cut from
//	sort      references to the points by digit, in each window
//	decode    the points, in the first sum's step alone
//	fill      the buckets of each window
//
// and after the last one windows are finished: their buckets are summed. Filling is nearly all of
// the work. But no more workers can sort than there are windows, and the last units of any stage leave
// most workers without one. So what a step needs is made ready among the fillings of the step
// before it, in memory of its own, each long enough before it is needed for slow units to end.
type steps struct {
	*run
	chunks [][]piece
	finish func(worker, j int, s span, share int) error

	all      []*stage
	cutting  []*stage   // of each step
	sorting  [][]*stage // of each step and window
	decoding []*stage   // of each chunk
	filling  [][]*stage // of each step and window
}

// steps are those of a call; finish sums a share of the buckets of some of sum j's windows.
func (r *run) steps(chunks [][]Terms, finish func(worker, j int, s span, share int) error) *steps {
	s := &steps{run: r, finish: finish}
	for _, chunk := range chunks {
		s.chunks = append(s.chunks, piecesOf(chunk, r.fileBytes))
	}
	s.cut(0)
	s.sort(0)
	s.decode(0)
	n := len(chunks) * len(r.buckets)
	for k := range n {
		s.filling = append(s.filling, make([]*stage, r.count))
		for w := range r.count {
			s.fill(k, w)
			if k+1 == n {
				continue
			}
			switch w { // of fifteen or more
			case 1:
				s.cut(k + 1)
			case 3:
				s.sort(k + 1)
			case r.count / 2:
				s.decode(k + 1)
			}
		}
	}
	for k := n - len(r.buckets); k < n; k++ {
		s.close(k)
	}
	return s
}

func (s *steps) add(count func() int, work func(worker, unit int) error, after ...*stage) *stage {
	added := newStage(count, work, after...)
	s.all = append(s.all, added)
	return added
}

// Of step k: its chunk, its sum, and the memory of what is sorted for it.
func (s *steps) chunk(k int) int      { return k / len(s.buckets) }
func (s *steps) sum(k int) int        { return k % len(s.buckets) }
func (s *steps) sorted(k int) *sorted { return &s.run.sorted[k%len(s.run.sorted)] }

// inWindow is step k's stage for a window; none where there is no such step.
func inWindow(stages [][]*stage, k, window int) []*stage {
	if k < 0 {
		return nil
	}
	return stages[k][window : window+1 : window+1] // to be appended to
}

func (s *steps) cut(k int) {
	pieces, j := s.chunks[s.chunk(k)], s.sum(k)
	var read []*stage // what was cut before
	if k > 0 {
		read = s.sorting[k-1]
	}
	s.cutting = append(s.cutting, s.add(exactly(len(pieces)), func(_, i int) error {
		s.scalars.put(pieces[i].first, &s.windows, pieces[i].Scalars[j])
		return nil
	}, read...))
}

func (s *steps) sort(k int) {
	c := s.chunk(k)
	last := s.chunks[c][len(s.chunks[c])-1]
	n := last.first + len(last.Points)/s.fileBytes
	var windows []*stage
	for w := range s.count {
		read := inWindow(s.filling, k-len(s.run.sorted), w) // what was sorted there before
		windows = append(windows, s.add(exactly(1), func(worker, _ int) error {
			s.run.sort(worker, s.sorted(k), w, s.slot(c), n)
			return nil
		}, append(read, s.cutting[k])...))
	}
	s.sorting = append(s.sorting, windows)
}

// slot is the first of a chunk's points.
func (r *run) slot(chunk int) uint32 { return r.points[chunk%len(r.points)] }

func (s *steps) decode(k int) {
	if s.sum(k) > 0 {
		return
	}
	c := s.chunk(k)
	var read []*stage // the points that were there before
	if before := c - len(s.points); before >= 0 {
		for _, windows := range s.filling[before*len(s.buckets) : (before+1)*len(s.buckets)] {
			read = append(read, windows...)
		}
	}
	s.decoding = append(s.decoding, s.add(exactly(len(s.chunks[c])), func(worker, i int) error {
		p := s.chunks[c][i]
		if err := s.decodePiece(worker, s.slot(c), p); err != nil {
			return fmt.Errorf("decode, from point %d on: %w", c*s.run.chunk+p.first, err)
		}
		return nil
	}, read...))
}

func (s *steps) fill(k, w int) {
	sorted, j := s.sorted(k), s.sum(k)
	added := inWindow(s.filling, k-len(s.buckets), w) // to the same buckets before
	s.filling[k][w] = s.add(func() int { return len(sorted.units[w]) }, func(worker, i int) error {
		s.fillBuckets(worker, j, w, sorted, sorted.units[w][i])
		return s.adders[worker].wrong
	}, append(added, s.sorting[k][w], s.decoding[s.chunk(k)])...)
}

// close finishes the windows that step k has filled, for the last time.
func (s *steps) close(k int) {
	j := s.sum(k)
	for _, windows := range s.spans() {
		s.add(exactly(s.shares()), func(worker, share int) error {
			return s.finish(worker, j, windows, share)
		}, s.filling[k][windows.first:windows.end()]...)
	}
}

// piece is a few thousand of a chunk's terms.
type piece struct {
	Terms
	first int // its place in the chunk
}

const pointsAtOnce = 1 << 12

func piecesOf(chunk []Terms, size int) (all []piece) {
	first := 0
	for _, t := range chunk {
		n := len(t.Points) / size
		for from := 0; from < n; from += pointsAtOnce {
			to := min(n, from+pointsAtOnce)
			p := piece{Terms{Points: t.Points[from*size : to*size]}, first + from}
			for _, v := range t.Scalars {
				p.Scalars = append(p.Scalars, v[from:to])
			}
			all = append(all, p)
		}
		first += n
	}
	return all
}

func (r *run) decodePiece(worker int, to uint32, p piece) error {
	return offheap.Reading(p.Points, func() error { return r.decodeSome(worker, to+uint32(p.first), p.Points) })
}
