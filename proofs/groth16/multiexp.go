package groth16

import (
	"context"
	"fmt"
	"iter"
	"unsafe"

	"github.com/consensys/gnark-crypto/ecc"
	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/ifma"
	"github.com/vigil-post/vigil/proofs/offheap"
)

// Terms are points of a key and what they are multiplied by in each of the proofs
// that are made together: in proof j, the i-th point by Scalars[j][i].
//
// Points come as they lie in the key file, 96 bytes each in G1 and 192 in G2, so
// that a kernel can decode them on its way.
type Terms = ifma.Terms

// Multiexp sums multiples of points, nine tenths of the work of a proof.
//
// Points are of the subgroup and not infinity; a kernel need not check more than
// that each coordinate is below the modulus, and must not write to points or
// scalars. A call has at most some tens of millions of points. One call runs at a time; it
// may use as many goroutines as it likes. When ctx ends, a call returns ctx's
// error within a second and does not look at the terms any more.
type Multiexp interface {
	// G1 adds the terms' sum for proof j to sums[j].
	G1(ctx context.Context, sums []bls12381.G1Jac, terms ...Terms) error
	// G2 is the same in G2.
	G2(ctx context.Context, sums []bls12381.G2Jac, terms ...Terms) error
}

// defaultPiece fills the largest buckets that gnark-crypto uses; larger pieces
// are hardly faster and take more memory.
const defaultPiece = 192 << 20

// Portable is gnark-crypto's multi-exponentiation, for any CPU. It keeps its
// buffers from call to call until Close, so each run of a prover should have its
// own.
//
// gnark-crypto's sum cannot be interrupted. When ctx ends, the one under way is
// left behind with its buffers and ends by itself within seconds.
type Portable struct {
	Workers int // goroutines that compute; 0 means GOMAXPROCS
	Piece   int // bytes of points summed at a time, 0 means 192 MiB: 2^21 points in G1, 2^20 in G2

	points, scalars buffer
}

// buffer is memory for elements, or for anything of their size or a multiple.
type buffer struct {
	elements []fr.Element
	free     func()
}

// grow makes room for n elements; what was there is lost.
func (b *buffer) grow(n int) (err error) {
	if len(b.elements) >= n {
		return nil
	}
	b.close()
	b.elements, b.free, err = newVector(n)
	return err
}

func (b *buffer) close() {
	if b.free != nil {
		b.free()
	}
	*b = buffer{}
}

// Close gives the buffers up. No sum may be in progress, but those left behind.
func (m *Portable) Close() {
	m.points.close()
	m.scalars.close()
}

// G1 implements Multiexp.
func (m *Portable) G1(ctx context.Context, sums []bls12381.G1Jac, terms ...Terms) error {
	return sum(ctx, m, sums, terms, decodeAllG1, (*bls12381.G1Jac).MultiExp, (*bls12381.G1Jac).AddAssign)
}

// G2 implements Multiexp.
func (m *Portable) G2(ctx context.Context, sums []bls12381.G2Jac, terms ...Terms) error {
	return sum(ctx, m, sums, terms, decodeAllG2, (*bls12381.G2Jac).MultiExp, (*bls12381.G2Jac).AddAssign)
}

// sum decodes each piece of the terms once and sums it for each proof.
func sum[P, J any](
	ctx context.Context, m *Portable, sums []J, terms []Terms,
	decode func(points []P, raw []byte, workers int) error,
	multiply func(to *J, points []P, scalars []fr.Element, c ecc.MultiExpConfig) (*J, error),
	add func(to, part *J) *J,
) error {
	var p P
	size := int(unsafe.Sizeof(p)) // as many bytes as in the file
	for n, piece := range pieces(terms, size, m.Piece) {
		points, scalars, err := roomFor[P](m, n)
		if err != nil {
			return err
		}
		at := 0
		for _, t := range piece {
			here := points[at : at+len(t.Points)/size]
			if err := decode(here, t.Points, m.Workers); err != nil {
				return fmt.Errorf("decode: %w", err)
			}
			at += len(here)
		}
		for j := range sums {
			at := 0
			for _, t := range piece {
				at += copy(scalars[at:], t.Scalars[j])
			}
			part := new(J)
			err := m.abandonable(ctx, func() error {
				_, err := multiply(part, points, scalars, ecc.MultiExpConfig{NbTasks: workersOr(m.Workers)})
				return err
			})
			if err != nil {
				return err
			}
			add(&sums[j], part)
		}
	}
	return nil
}

// roomFor returns the buffers for n points.
func roomFor[P any](m *Portable, n int) ([]P, []fr.Element, error) {
	var p P
	if err := m.points.grow(n * int(unsafe.Sizeof(p)) / fr.Bytes); err != nil {
		return nil, nil, err
	}
	if err := m.scalars.grow(n); err != nil {
		return nil, nil, err
	}
	return unsafe.Slice((*P)(unsafe.Pointer(&m.points.elements[0])), n), m.scalars.elements[:n], nil
}

// pieces cuts terms into pieces of about equal numbers of points, at most limit
// bytes of them. It gives the number of points of each.
func pieces(terms []Terms, size, limit int) iter.Seq2[int, []Terms] {
	total := 0
	for _, t := range terms {
		total += len(t.Points) / size
	}
	if limit <= 0 {
		limit = defaultPiece
	}
	most := max(1, limit/size)
	return func(yield func(int, []Terms) bool) {
		for count := (total + most - 1) / most; count > 0; count-- {
			n := total / count
			var piece []Terms
			for left := n; left > 0; {
				var head Terms
				head, terms = split(terms, size, left)
				left -= len(head.Points) / size
				piece = append(piece, head)
			}
			if !yield(n, piece) {
				return
			}
			total -= n
		}
	}
}

// split takes up to n points off the front of the first terms.
func split(terms []Terms, size, n int) (head Terms, rest []Terms) {
	t := terms[0]
	if have := len(t.Points) / size; have <= n {
		return t, terms[1:]
	}
	head = Terms{Points: t.Points[:n*size]}
	tail := Terms{Points: t.Points[n*size:]}
	for _, s := range t.Scalars {
		head.Scalars = append(head.Scalars, s[:n])
		tail.Scalars = append(tail.Scalars, s[n:])
	}
	return head, append([]Terms{tail}, terms[1:]...)
}

// abandonable waits for work, or for the end of ctx: then the buffers stay with
// the work.
func (m *Portable) abandonable(ctx context.Context, work func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- offheap.Caught(work) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		left := Portable{points: m.points, scalars: m.scalars}
		m.points, m.scalars = buffer{}, buffer{}
		go func() {
			<-done
			left.Close()
		}()
		return ctx.Err()
	}
}
