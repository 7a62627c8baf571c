package bench

import (
	"context"
	"fmt"
	"io"
	"runtime"

	"github.com/consensys/gnark-crypto/ecc"
	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr/fft"

	"github.com/vigil-post/vigil/proofs/groth16"
)

// kernelPiece is the most points summed at a time: above, a sum is hardly faster.
const kernelPiece = 1 << 20

// Kernels is the work that no Groth16 proof under a key of these lengths can do
// without, bare and on gnark-crypto's kernels:
//
//   - a multi-exponentiation each of the lengths H, L and A in G1 and of length B in
//     G2, by random scalars, in pieces of 2^20 points where longer. Points are decoded
//     already, and the same ones serve all sums. Only zero knowledge needs the sum of
//     length B in G1, which ours do without;
//   - six transforms on the domain, four inverse and two forward, with gnark-crypto's
//     tables of roots ready made.
//
// Not counted, and so what a ratio above one is made of: the witness, decoding the
// key's points, gathering scalars, multiplying rows and the shift to the coset, the
// making of tables, the garbage collector. A prover may fall below one: by summing
// several of these together, as fewer and longer sums are cheaper by the point, or
// because some scalars of a real witness are zeros and ones.
type Kernels struct {
	sums    []int // in G1
	g1      []bls12381.G1Affine
	g2      []bls12381.G2Affine
	b       int // length of the sum in G2
	scalars []fr.Element
	values  []fr.Element
	domain  *fft.Domain
}

// NewKernels gets all ready.
func NewKernels(l groth16.Lengths) (*Kernels, error) {
	k := &Kernels{sums: []int{l.H, l.L, l.A}, b: l.B}
	longest := max(l.H, l.L, l.A)
	k.g1, k.g2 = make([]bls12381.G1Affine, min(longest, kernelPiece)), make([]bls12381.G2Affine, min(l.B, kernelPiece))
	k.scalars, k.values = make([]fr.Element, len(k.g1)), make([]fr.Element, l.H+1)
	if err := k.points(); err != nil {
		return nil, err
	}
	for _, v := range [][]fr.Element{k.scalars, k.values} {
		random(v)
	}
	k.domain = fft.NewDomain(uint64(len(k.values)), fft.WithCache())
	return k, nil
}

// random fills v with elements that look it: powers of a drawn one.
func random(v []fr.Element) {
	var x, at fr.Element
	x.MustSetRandom()
	at.MustSetRandom()
	for i := range v {
		v[i] = *at.Mul(&at, &x)
	}
}

func (k *Kernels) points() error {
	w1, err := walkG1("kernels")
	if err != nil {
		return err
	}
	for i := range k.g1 {
		if i%stride == 0 {
			if err := w1.next(); err != nil {
				return err
			}
		}
		k.g1[i] = bls12381.G1Affine{X: w1.pointX[i%stride], Y: w1.pointY[i%stride]}
	}
	w2, err := walkG2("kernels")
	if err != nil {
		return err
	}
	for i := range k.g2 {
		if i%stride == 0 {
			if err := w2.next(); err != nil {
				return err
			}
		}
		k.g2[i] = bls12381.G2Affine{X: w2.pointX[i%stride], Y: w2.pointY[i%stride]}
	}
	return nil
}

// Run does the work once.
func (k *Kernels) Run(ctx context.Context) error {
	tasks := ecc.MultiExpConfig{NbTasks: runtime.GOMAXPROCS(0)}
	var g1 bls12381.G1Jac
	for _, n := range k.sums {
		err := inPieces(ctx, n, func(n int) error {
			_, err := g1.MultiExp(k.g1[:n], k.scalars[:n], tasks)
			return err
		})
		if err != nil {
			return fmt.Errorf("sum in G1: %w", err)
		}
	}
	var g2 bls12381.G2Jac
	err := inPieces(ctx, k.b, func(n int) error {
		_, err := g2.MultiExp(k.g2[:n], k.scalars[:n], tasks)
		return err
	})
	if err != nil {
		return fmt.Errorf("sum in G2: %w", err)
	}
	for i := range 6 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if i%3 == 1 {
			k.domain.FFT(k.values, fft.DIT)
		} else {
			k.domain.FFTInverse(k.values, fft.DIF)
		}
	}
	return nil
}

func inPieces(ctx context.Context, n int, sum func(n int) error) error {
	for ; n > 0; n -= kernelPiece {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := sum(min(n, kernelPiece)); err != nil {
			return err
		}
	}
	return nil
}

// ServeKernels is the side that runs the bare kernels instead of a proof.
func ServeKernels(ctx context.Context, lengths string, in io.Reader, out io.Writer) error {
	l, err := parseLengths(lengths)
	if err != nil {
		return err
	}
	k, err := NewKernels(l)
	if err != nil {
		return err
	}
	return serve(ctx, in, out, k.Run)
}

const lengthsForm = "%d,%d,%d,%d" // H, L, A, B

func lengthsFlag(l groth16.Lengths) string { return fmt.Sprintf(lengthsForm, l.H, l.L, l.A, l.B) }

func parseLengths(s string) (l groth16.Lengths, err error) {
	if _, err := fmt.Sscanf(s, lengthsForm, &l.H, &l.L, &l.A, &l.B); err != nil || l.H < 1 || l.H&(l.H+1) != 0 || min(l.L, l.A, l.B) < 1 {
		return l, fmt.Errorf("%q are no lengths H,L,A,B of a key", s)
	}
	return l, nil
}
