package ifma

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fp"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
)

// Terms are points, as they lie in a key file, and what they are multiplied by in
// each of some sums: in sum j, the i-th point by Scalars[j][i].
type Terms struct {
	Points  []byte
	Scalars [][]fr.Element
}

// ErrKernels is in every error that only a kernel can have made: this CPU, or what emulates
// it, is not to be trusted with them. Who has other arithmetic uses that.
var ErrKernels = errors.New("the CPU's vector unit computes something wrong (VIGIL_KERNELS=generic does without it)")

// What a point of a key may be, that is none to compute with.
var (
	ErrCoordinate = errors.New("coordinate is not below the field's modulus")
	ErrInfinity   = errors.New("point at infinity")
)

// chunkFor is how many of the terms make a chunk. Every chunk visits all buckets, each at the cost of
// an addition, so few are best; but they take memory, for one or, where there are more, for two.
func chunkFor(terms int) int {
	if terms <= mostAtOnce {
		return terms
	}
	return min(max(terms/4, mostAtOnce/2), mostAtOnce)
}

const mostAtOnce = 1 << 20

// Sums sums multiples of points. It keeps its memory from call to call, until Close.
// One call runs at a time.
type Sums struct {
	Workers int // goroutines that compute; 0 means GOMAXPROCS
	Chunk   int // points decoded at a time; 0: what suits the number of terms
	width   int // bits of a window; 0: what suits the number of terms

	memory room
}

// Close gives the memory up.
func (s *Sums) Close() { s.memory.close() }

func (s *Sums) workers() int {
	if s.Workers > 0 {
		return s.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// G1 adds the terms' sum j to sums[j]. When ctx ends, it returns ctx's error within
// a tenth of a second, and sums are as they were.
func (s *Sums) G1(ctx context.Context, sums []bls12381.G1Jac, terms ...Terms) error {
	return sum(ctx, s, &g1, sums, terms, pointG1)
}

// G2 is the same in G2.
func (s *Sums) G2(ctx context.Context, sums []bls12381.G2Jac, terms ...Terms) error {
	return sum(ctx, s, &g2, sums, terms, pointG2)
}

func sum[J, A any, P jacobian[J, A]](ctx context.Context, s *Sums, c *curve, sums []J, terms []Terms, point func([]row, bool) A) error {
	if !Supported() {
		return errors.New("this CPU has no AVX-512 IFMA")
	}
	total := 0
	for _, t := range terms {
		total += len(t.Points) / c.fileBytes
	}
	if total == 0 || len(sums) == 0 {
		return ctx.Err()
	}
	r, err := s.newRun(c, total, len(sums))
	if err != nil {
		return err
	}
	parts := newParts[J, A, P](r, len(sums), point)
	steps := r.steps(chunks(terms, c.fileBytes, r.chunk), func(worker, j int, s span, share int) error {
		return parts.finish(ctx, worker, j, s, share)
	})
	if err := inOrder(ctx, r.workers, steps.all...); err != nil {
		return err
	}
	for j := range sums {
		total := parts.total(j)
		P(&sums[j]).AddAssign(&total)
	}
	return nil
}

// chunks cuts terms into chunks of at most so many points.
func chunks(terms []Terms, size, most int) (all [][]Terms) {
	var chunk []Terms
	left := most
	for _, t := range terms {
		for n := len(t.Points) / size; n > 0; n = len(t.Points) / size {
			n = min(n, left)
			head := Terms{Points: t.Points[:n*size]}
			t.Points = t.Points[n*size:]
			rest := make([][]fr.Element, len(t.Scalars))
			for j, v := range t.Scalars {
				head.Scalars = append(head.Scalars, v[:n])
				rest[j] = v[n:]
			}
			t.Scalars = rest
			chunk, left = append(chunk, head), left-n
			if left == 0 {
				all, chunk, left = append(all, chunk), nil, most
			}
		}
	}
	if len(chunk) > 0 {
		all = append(all, chunk)
	}
	return all
}

// run is one call's memory, and how its numbers are cut.
//
// All points lie in slots of one size: the reserved ones, those of a chunk and of the next one, the
// buckets of each sum and window, and the results of each worker.
type run struct {
	*curve
	windows
	workers, chunk, chunks int

	slots   []byte
	points  [2]uint32 // first slot of the points of even chunks, and of odd ones
	buckets []uint32  // first slot of each sum's buckets
	filled  [][]uint32
	scalars scalars
	sorted  [2]sorted // of even steps, and of odd ones: see stages
	adders  []adder
	results []uint32   // first slot of each worker's results
	lists   []lists    // of each worker
	digits  [][]uint32 // of each worker, or of each window if those are fewer
}

// newRun takes the memory for sums of so many terms.
func (s *Sums) newRun(c *curve, terms, sums int) (*run, error) {
	r := s.plan(c, terms)
	var count room
	r.take(&count, sums)
	if err := s.memory.reserve(count.used); err != nil {
		return nil, err
	}
	r.take(&s.memory, sums)
	clear(r.filledAll())
	for w := range r.adders {
		r.adders[w].work.fill()
	}
	slot := &r.adders[0]
	c.dummies(slot.point(firstDummy>>1), slot.point(secondDummy>>1))
	return r, nil
}

func (r *run) filledAll() []uint32 {
	return r.filled[0][:len(r.filled)*len(r.filled[0])]
}

func (s *Sums) plan(c *curve, terms int) *run {
	width := s.width
	if width == 0 {
		width = widthFor(terms)
	}
	chunk := s.Chunk
	if chunk <= 0 {
		chunk = chunkFor(terms)
	}
	chunk = min(chunk, terms)
	return &run{curve: c, windows: newWindows(width), workers: s.workers(), chunk: chunk, chunks: (terms + chunk - 1) / chunk}
}

// Memory is what a call with so many terms, or fewer, takes, of either kind, for so many sums.
func (s *Sums) Memory(terms, sums int) int {
	most := 0
	for _, c := range []*curve{&g1, &g2} {
		for _, n := range []int{terms, min(terms, mostAtOnce)} {
			var count room
			s.plan(c, n).take(&count, sums)
			most = max(most, count.used)
		}
	}
	return most
}

// resultSlots are a worker's: the results of all levels of a stretch, which are fewer
// than its points, and those that fill the last group up. The running sums need less.
func (r *run) resultSlots() int { return r.stretch + group }

// take lays the memory out.
func (r *run) take(from *room, sums int) {
	all := r.count * r.windows.buckets()
	points := min(r.chunks, len(r.points))
	slots := reservedSlots + points*r.chunk + sums*all + r.workers*r.resultSlots()
	r.slots = take[byte](from, slots<<r.shift)
	next := uint32(reservedSlots)
	for i := range points {
		r.points[i] = next
		next += uint32(r.chunk)
	}
	r.buckets, r.results = nil, nil
	for range sums {
		r.buckets = append(r.buckets, next)
		next += uint32(all)
	}
	for range r.workers {
		r.results = append(r.results, next)
		next += uint32(r.resultSlots())
	}
	filled := take[uint32](from, sums*all)
	for j := range sums {
		if filled != nil {
			r.filled = append(r.filled, filled[j*all:(j+1)*all])
		}
	}
	for k := range r.scalars.words {
		r.scalars.words[k] = take[uint64](from, r.chunk)
	}
	for i := range min(r.chunks*sums, len(r.sorted)) {
		r.sorted[i].order = take[uint32](from, r.count*r.chunk)
		r.sorted[i].starts = take[uint32](from, r.count*(r.windows.buckets()+2))
		r.sorted[i].units = make([][]unit, r.count)
	}
	r.adders, r.lists, r.digits = nil, nil, nil
	groups := r.batch / group
	for range r.workers {
		a := adder{curve: r.curve, work: take[byte](from, sizeWorkspace), saved: take[byte](from, groups*r.saved), infinite: map[uint32]bool{}}
		refs := (groups + 1) * groupRefs // of a group more than a batch has: see forward in gen/add.go
		a.now.refs, a.was.refs = take[uint32](from, refs), take[uint32](from, refs)
		clear(a.now.refs)
		clear(a.was.refs)
		if len(r.slots) > 0 {
			a.base = &r.slots[0]
		}
		r.adders = append(r.adders, a)
		r.lists = append(r.lists, lists{refs: take[uint32](from, r.stretch), lengths: take[int32](from, r.stretch)})
	}
	for range min(r.workers, r.count) {
		r.digits = append(r.digits, take[uint32](from, r.chunk))
	}
}

// decodeSome decodes eight points at a time; those left over with seven of another
// group's, in a copy.
func (r *run) decodeSome(worker int, slot uint32, points []byte) error {
	a := &r.adders[worker]
	n := len(points) / r.fileBytes
	bad := uint64(0)
	to := a.point(slot)
	if n >= 8 {
		bad = r.decode(&a.work[0], &points[0], at(&to[0]), n/8)
	}
	if rest := points[n/8*8*r.fileBytes:]; len(rest) > 0 {
		var padded [8 * 192]byte
		for i := range 8 {
			copy(padded[i*r.fileBytes:(i+1)*r.fileBytes], rest)
		}
		copy(padded[:], rest)
		var rows [8 * 4]row
		bad |= r.decode(&a.work[0], &padded[0], at(&rows[0]), 1)
		for i := range len(rest) / r.fileBytes {
			copy(a.point(slot+uint32(n/8*8+i)), rows[i*r.rows():])
		}
	}
	if bad != 0 {
		return whatIsBad(points, r.fileBytes)
	}
	return nil
}

// whatIsBad finds the first point that the kernel complains of.
func whatIsBad(points []byte, size int) error {
	p := fp.Modulus().FillBytes(make([]byte, fp.Bytes))
	for i := range len(points) / size {
		point := points[i*size : (i+1)*size]
		if bytes.Count(point, []byte{0}) == size {
			return fmt.Errorf("point %d: %w", i, ErrInfinity)
		}
		for at := 0; at < size; at += fp.Bytes {
			if bytes.Compare(point[at:at+fp.Bytes], p) >= 0 {
				return fmt.Errorf("point %d: %w", i, ErrCoordinate)
			}
		}
	}
	return fmt.Errorf("a good point is called bad: %w", ErrKernels)
}
