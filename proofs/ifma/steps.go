package ifma

import (
	"fmt"
	"slices"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

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
// before it, in memory of its own, and windows are finished while others are being filled.
type steps struct {
	*run
	chunks [][]piece
	finish func(worker, j int, s span, share int) error

	all     []*stage
	cutting *stage     // the latest
	sorting []*stage   // the latest, of each window
	decoded *stage     // the latest
	filling [][]*stage // of each step and window
}

// stages are those of all steps; finish sums a share of the buckets of some of sum j's windows.
func (r *run) stages(chunks [][]Terms, finish func(worker, j int, s span, share int) error) []*stage {
	s := steps{run: r, finish: finish, sorting: make([]*stage, r.count)}
	for _, chunk := range chunks {
		s.chunks = append(s.chunks, piecesOf(chunk, r.fileBytes))
	}
	s.cut(0)
	s.sort(0)
	s.decode(0)
	n := len(chunks) * len(r.buckets)
	for k := range n {
		var last []span // to be finished
		if k+len(r.buckets) >= n {
			last = r.spans()
		}
		s.filling = append(s.filling, make([]*stage, r.count))
		for w := range r.count {
			s.fill(k, w)
			if len(last) > 0 && last[0].end()+1 < w {
				s.finishSpan(k, last[0])
				last = last[1:]
			}
			if k+1 == n {
				continue
			}
			switch w { // of fifteen or more
			case 0:
				s.cut(k + 1)
			case 1:
				s.sort(k + 1)
			case r.count / 2:
				s.decode(k + 1)
			}
		}
		for _, of := range last {
			s.finishSpan(k, of)
		}
	}
	return s.all
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

// filled is what fills a window's buckets in step k; none where there is no such step.
func (s *steps) filled(k, window int) []*stage {
	if k < 0 {
		return nil
	}
	return s.filling[k][window : window+1]
}

func (s *steps) cut(k int) {
	pieces, j := s.chunks[s.chunk(k)], s.sum(k)
	var read []*stage // what was cut before
	if k > 0 {
		read = slices.Clone(s.sorting)
	}
	s.cutting = s.add(exactly(len(pieces)), func(_, i int) error {
		s.scalars.put(pieces[i].first, &s.windows, pieces[i].scalars[j])
		return nil
	}, read...)
}

func (s *steps) sort(k int) {
	c := s.chunk(k)
	last := s.chunks[c][len(s.chunks[c])-1]
	n := last.first + len(last.points)/s.fileBytes
	for w := range s.sorting {
		after := append([]*stage{s.cutting}, s.filled(k-len(s.run.sorted), w)...)
		s.sorting[w] = s.add(exactly(1), func(worker, _ int) error {
			s.run.sort(worker, s.sorted(k), w, s.slot(c), n)
			return nil
		}, after...)
	}
}

// slot is the first of a chunk's points.
func (r *run) slot(chunk int) uint32 { return r.points[chunk%len(r.points)] }

func (s *steps) decode(k int) {
	if s.sum(k) > 0 {
		return
	}
	c := s.chunk(k)
	var read []*stage // the points that were there before
	for before := (c - len(s.points)) * len(s.buckets); before >= 0 && s.chunk(before) == c-len(s.points); before++ {
		read = append(read, s.filling[before]...)
	}
	s.decoded = s.add(exactly(len(s.chunks[c])), func(worker, i int) error {
		return s.decodePiece(worker, s.slot(c), s.chunks[c][i])
	}, read...)
}

func (s *steps) fill(k, w int) {
	sorted, j := s.sorted(k), s.sum(k)
	after := append([]*stage{s.sorting[w], s.decoded}, s.filled(k-len(s.buckets), w)...)
	s.filling[k][w] = s.add(func() int { return len(sorted.units[w]) }, func(worker, i int) error {
		s.fillBuckets(worker, j, sorted, sorted.units[w][i])
		return s.adders[worker].wrong
	}, after...)
}

func (s *steps) finishSpan(k int, of span) {
	j := s.sum(k)
	s.add(exactly(s.shares()), func(worker, share int) error {
		return s.finish(worker, j, of, share)
	}, s.filling[k][of.first:of.end()]...)
}

// piece is a few thousand of a chunk's points.
type piece struct {
	points  []byte
	scalars [][]fr.Element
	first   int // its place in the chunk
}

const pointsAtOnce = 1 << 12

func piecesOf(chunk []Terms, size int) (all []piece) {
	first := 0
	for _, t := range chunk {
		n := len(t.Points) / size
		for from := 0; from < n; from += pointsAtOnce {
			to := min(n, from+pointsAtOnce)
			p := piece{points: t.Points[from*size : to*size], first: first + from}
			for _, v := range t.Scalars {
				p.scalars = append(p.scalars, v[from:to])
			}
			all = append(all, p)
		}
		first += n
	}
	return all
}

func (r *run) decodePiece(worker int, to uint32, p piece) error {
	err := offheap.Reading(p.points, func() error { return r.decodeSome(worker, to+uint32(p.first), p.points) })
	if err != nil {
		return fmt.Errorf("decode, from point %d on: %w", p.first, err)
	}
	return nil
}
