package bench

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fp"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/groth16"
)

const (
	g1Size = bls12381.SizeOfG1AffineUncompressed
	g2Size = bls12381.SizeOfG2AffineUncompressed
)

// stride is how many points a walk makes with one inversion.
const stride = 1 << 12

// coordinate is what the points of G1 and G2 are written in.
type coordinate[T any] interface {
	*T
	Mul(x, y *T) *T
	Sub(x, y *T) *T
	Square(x *T) *T
	Inverse(x *T) *T
	IsZero() bool
}

// walk makes different points of the subgroup at the price of an affine addition
// each: P+Q, P+2Q, P+3Q, … Both P and Q are drawn from the walk's name, so that the
// points of two walks are different ones, too.
type walk[T any, C coordinate[T]] struct {
	x, y           T   // where it stands
	stepX, stepY   []T // Q, 2Q, …, stride*Q
	dx, products   []T
	pointX, pointY []T
}

func newWalk[T any, C coordinate[T]]() *walk[T, C] {
	room := func() []T { return make([]T, stride) }
	return &walk[T, C]{stepX: room(), stepY: room(), dx: room(), products: room(), pointX: room(), pointY: room()}
}

// scalars gives the multiples of the generator that a walk begins with: P, and Q
// to stride*Q.
func scalars(name string) (p fr.Element, steps []fr.Element, err error) {
	drawn, err := fr.Hash([]byte(name), []byte("vigil bench points"), 2)
	if err != nil {
		return p, nil, err
	}
	steps = make([]fr.Element, stride)
	steps[0] = drawn[1]
	for i := 1; i < stride; i++ {
		steps[i].Add(&steps[i-1], &drawn[1])
	}
	return drawn[0], steps, nil
}

func walkG1(name string) (*walk[fp.Element, *fp.Element], error) {
	p, steps, err := scalars(name)
	if err != nil {
		return nil, err
	}
	_, _, g, _ := bls12381.Generators()
	points := bls12381.BatchScalarMultiplicationG1(&g, append(steps, p))
	w := newWalk[fp.Element]()
	for i := range stride {
		w.stepX[i], w.stepY[i] = points[i].X, points[i].Y
	}
	w.x, w.y = points[stride].X, points[stride].Y
	return w, nil
}

func walkG2(name string) (*walk[bls12381.E2, *bls12381.E2], error) {
	p, steps, err := scalars(name)
	if err != nil {
		return nil, err
	}
	_, _, _, g := bls12381.Generators()
	points := bls12381.BatchScalarMultiplicationG2(&g, append(steps, p))
	w := newWalk[bls12381.E2]()
	for i := range stride {
		w.stepX[i], w.stepY[i] = points[i].X, points[i].Y
	}
	w.x, w.y = points[stride].X, points[stride].Y
	return w, nil
}

// next makes the next points, as many as a stride. The differences of x are
// inverted together (Montgomery's trick), each as the inverse of the product of all
// up to it times the product of all before it.
func (w *walk[T, C]) next() error {
	for i := range stride {
		C(&w.dx[i]).Sub(&w.stepX[i], &w.x)
		w.products[i] = w.dx[i]
		if i > 0 {
			C(&w.products[i]).Mul(&w.products[i-1], &w.dx[i])
		}
	}
	var inverse T
	if C(&w.products[stride-1]).IsZero() {
		return errors.New("a step of the walk stands on its start") // one in 2^240
	}
	C(&inverse).Inverse(&w.products[stride-1])
	for i := stride - 1; i >= 0; i-- {
		one := inverse // of dx[i]
		if i > 0 {
			C(&one).Mul(&inverse, &w.products[i-1])
			C(&inverse).Mul(&inverse, &w.dx[i])
		}
		w.addStep(i, &one)
	}
	w.x, w.y = w.pointX[stride-1], w.pointY[stride-1]
	return nil
}

// addStep is the chord rule, given the inverse of the difference of x.
func (w *walk[T, C]) addStep(i int, inverse *T) {
	var slope T
	C(&slope).Sub(&w.stepY[i], &w.y)
	C(&slope).Mul(&slope, inverse)
	x, y := C(&w.pointX[i]), C(&w.pointY[i])
	x.Square(&slope)
	x.Sub(x, &w.x)
	x.Sub(x, &w.stepX[i])
	y.Sub(&w.x, x)
	y.Mul(y, &slope)
	y.Sub(y, &w.y)
}

// writePoints writes the next n points of a walk in a key file's form.
func writePoints[T any, C coordinate[T]](out io.Writer, w *walk[T, C], n int, encode func(b []byte, x, y *T) []byte) error {
	var b []byte
	for n > 0 {
		if err := w.next(); err != nil {
			return err
		}
		b = b[:0]
		for i := range min(n, stride) {
			b = encode(b, &w.pointX[i], &w.pointY[i])
		}
		if _, err := out.Write(b); err != nil {
			return err
		}
		n -= stride
	}
	return nil
}

func encodeG1(b []byte, x, y *fp.Element) []byte {
	raw := (&bls12381.G1Affine{X: *x, Y: *y}).RawBytes()
	return append(b, raw[:]...)
}

func encodeG2(b []byte, x, y *bls12381.E2) []byte {
	raw := (&bls12381.G2Affine{X: *x, Y: *y}).RawBytes()
	return append(b, raw[:]...)
}

func writeG1(out io.Writer, name string, n int) error {
	w, err := walkG1(name)
	if err != nil {
		return err
	}
	return writePoints(out, w, n, encodeG1)
}

func writeG2(out io.Writer, name string, n int) error {
	w, err := walkG2(name)
	if err != nil {
		return err
	}
	return writePoints(out, w, n, encodeG2)
}

// ArbitraryKey is a proving key of valid, different points that no setup made: as
// good as any to measure with, worth nothing to prove with.
type ArbitraryKey struct{ Lengths groth16.Lengths }

// WriteTo writes the key in bellperson's layout (groth16, params.rs).
func (k ArbitraryKey) WriteTo(to io.Writer) (int64, error) {
	out := &counted{to: bufio.NewWriterSize(to, 1<<20)}
	err := k.write(out)
	if err == nil {
		err = out.to.Flush()
	}
	if err != nil {
		return out.n, fmt.Errorf("write a key of arbitrary points: %w", err)
	}
	return out.n, nil
}

func (k ArbitraryKey) write(out io.Writer) error {
	for _, part := range []struct {
		name  string
		write func(io.Writer, string, int) error
		n     int
		count bool // the number of points stands before them
	}{
		{"alpha and beta in G1", writeG1, 2, false},
		{"beta and gamma in G2", writeG2, 2, false},
		{"delta in G1", writeG1, 1, false},
		{"delta in G2", writeG2, 1, false},
		{"inputs", writeG1, k.Lengths.IC, true},
		{"H", writeG1, k.Lengths.H, true},
		{"L", writeG1, k.Lengths.L, true},
		{"A", writeG1, k.Lengths.A, true},
		{"B in G1", writeG1, k.Lengths.B, true},
		{"B in G2", writeG2, k.Lengths.B, true},
	} {
		if part.count {
			if err := binary.Write(out, binary.BigEndian, uint32(part.n)); err != nil {
				return err
			}
		}
		if err := part.write(out, part.name, part.n); err != nil {
			return err
		}
	}
	return nil
}

// counted counts what is written.
type counted struct {
	to *bufio.Writer
	n  int64
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	c.n += int64(n)
	return n, err
}
