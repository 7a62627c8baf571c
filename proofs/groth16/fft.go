package groth16

import (
	"context"
	"math/big"
	"math/bits"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr/fft"
	"github.com/consensys/gnark-crypto/utils"

	"github.com/vigil-post/vigil/proofs/ifma"
)

// FFT transforms vectors of 2^k values in place. The root of unity is
// bellperson's: 7^((r-1)/2^32), squared down to the size. When ctx ends, a call
// returns its error within a second and leaves the vector in any state.
type FFT interface {
	// Inverse turns values on the domain, in natural order, into
	// coefficients in bit-reversed order, and multiplies coefficient i by
	// scale.Factor*scale.Base^i: with a base other than one, the forward transform
	// leads to the values on a coset.
	Inverse(ctx context.Context, v []fr.Element, scale Scale) error
	// Forward turns coefficients in bit-reversed order into values on the
	// domain in natural order.
	Forward(ctx context.Context, v []fr.Element) error
}

// Scale is what coefficients are multiplied by on their way.
type Scale = ifma.Scale

// unscaled leaves coefficients as they are.
var unscaled = Scale{Factor: fr.One(), Base: fr.One()}

// defaultBlock is a transform whose tables (128 bytes an element) are small
// beside the vectors of the sizes where memory matters.
const defaultBlock = 1 << 18

// PortableFFT is gnark-crypto's transform, for any CPU. Vectors larger than a
// block are transformed level by level until blocks are left, so that tables of
// roots are needed for a block only: gnark-crypto's own would take four times
// the memory of the vector.
type PortableFFT struct {
	Workers int // goroutines that compute; 0 means GOMAXPROCS
	Block   int // elements of a block; 0 means 2^18
}

func (f *PortableFFT) block(n int) int {
	if f.Block > 0 {
		return min(f.Block, n)
	}
	return min(defaultBlock, n)
}

// Inverse implements FFT. It decimates in frequency.
func (f *PortableFFT) Inverse(ctx context.Context, v []fr.Element, scale Scale) error {
	if err := f.inverse(ctx, v); err != nil || scale == unscaled {
		return err
	}
	return newPowers(len(v), scale.Base, scale.Factor).scale(ctx, v, f.Workers)
}

func (f *PortableFFT) inverse(ctx context.Context, v []fr.Element) error {
	block := f.block(len(v))
	for half := len(v) / 2; half >= block; half /= 2 {
		w, err := fr.Generator(uint64(2 * half))
		if err != nil {
			return err
		}
		w.Inverse(&w)
		var scale fr.Element // of the level: together they divide by the number of blocks
		scale.SetOne()
		scale.Halve()
		err = f.level(ctx, v, half, w, scale, func(a, b, roots, t fr.Vector) {
			t.Sub(a, b)
			a.Add(a, b)
			for i := range a {
				a[i].Halve()
			}
			b.Mul(t, roots)
		})
		if err != nil {
			return err
		}
	}
	return f.blocks(ctx, v, block, func(d *fft.Domain, v []fr.Element, tasks int) {
		d.FFTInverse(v, fft.DIF, fft.WithNbTasks(tasks))
	})
}

// Forward implements FFT. It decimates in time.
func (f *PortableFFT) Forward(ctx context.Context, v []fr.Element) error {
	block := f.block(len(v))
	err := f.blocks(ctx, v, block, func(d *fft.Domain, v []fr.Element, tasks int) {
		d.FFT(v, fft.DIT, fft.WithNbTasks(tasks))
	})
	if err != nil {
		return err
	}
	for half := block; half < len(v); half *= 2 {
		w, err := fr.Generator(uint64(2 * half))
		if err != nil {
			return err
		}
		err = f.level(ctx, v, half, w, fr.One(), func(a, b, roots, t fr.Vector) {
			t.Mul(b, roots)
			b.Sub(a, t)
			a.Add(a, t)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// blocks transforms each block by itself. A single one is shared by all workers.
func (f *PortableFFT) blocks(ctx context.Context, v []fr.Element, block int, transform func(d *fft.Domain, v []fr.Element, tasks int)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	domain := fft.NewDomain(uint64(block), fft.WithCache())
	if len(v) == block {
		transform(domain, v, workersOr(f.Workers))
		return nil
	}
	return inParallel(len(v)/block, f.Workers, func(start, end int) error {
		for i := start; i < end; i++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			transform(domain, v[i*block:(i+1)*block], 1)
		}
		return nil
	})
}

// butterflyRow is as many butterflies as fit the first cache, with their roots.
const butterflyRow = 1 << 8

// level does the butterflies of one level: elements j and j+half of every stretch
// of 2*half elements, with the root scale*w^j.
func (f *PortableFFT) level(ctx context.Context, v []fr.Element, half int, w, scale fr.Element, butterflies func(a, b, roots, t fr.Vector)) error {
	row := min(butterflyRow, half)
	first := naturalPowers(row, w, scale)
	step := *new(fr.Element).Exp(w, big.NewInt(int64(row)))
	perStretch := half / row
	return inParallel(len(v)/2/row, f.Workers, func(start, end int) error {
		roots, t := make(fr.Vector, row), make(fr.Vector, row)
		var at fr.Element // w^j
		for i := start; i < end; i++ {
			stretch, n := i/perStretch, i%perStretch
			switch {
			case i == start:
				at.Exp(step, big.NewInt(int64(n)))
			case n == 0:
				at.SetOne()
			default:
				at.Mul(&at, &step)
			}
			if i%1024 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			roots.ScalarMul(first, &at)
			j := stretch*2*half + n*row
			butterflies(v[j:j+row], v[j+half:j+half+row], roots, t)
		}
		return nil
	})
}

func naturalPowers(n int, g, factor fr.Element) fr.Vector {
	v := make(fr.Vector, n)
	v[0] = factor
	for i := 1; i < len(v); i++ {
		v[i].Mul(&v[i-1], &g)
	}
	return v
}

// powers multiplies a bit-reversed vector of coefficients by the powers of a
// number: coefficient i by factor*g^i. With n = hi<<s | lo, the reverse of n is
// rev(hi) + rev(lo)<<(k-s), so two tables of about 2^(k/2) make every power in
// the order in which the vector lies in memory.
type powers struct {
	lo, hi fr.Vector
}

func newPowers(size int, g, factor fr.Element) powers {
	k := bits.TrailingZeros(uint(size))
	s := k / 2
	step := g // g^(2^(k-s))
	for range k - s {
		step.Square(&step)
	}
	p := powers{lo: naturalPowers(1<<s, step, fr.One()), hi: naturalPowers(1<<(k-s), g, factor)}
	utils.BitReverse(p.lo)
	utils.BitReverse(p.hi)
	return p
}

func (p powers) scale(ctx context.Context, v []fr.Element, workers int) error {
	return inParallel(len(p.hi), workers, func(start, end int) error {
		row := make(fr.Vector, len(p.lo))
		for i := start; i < end; i++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			row.ScalarMul(p.lo, &p.hi[i])
			part := fr.Vector(v[i*len(row) : (i+1)*len(row)])
			part.Mul(part, row)
		}
		return nil
	})
}
