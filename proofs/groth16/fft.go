package groth16

import (
	"math/bits"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr/fft"
	"github.com/consensys/gnark-crypto/utils"
)

// FFT transforms vectors of 2^k values in place. The root of unity is
// bellperson's: 7^((r-1)/2^32), squared down to the size.
type FFT interface {
	// Inverse turns values on the domain, in natural order, into
	// coefficients in bit-reversed order.
	Inverse(v []fr.Element)
	// Forward turns coefficients in bit-reversed order into values on the
	// domain in natural order.
	Forward(v []fr.Element)
}

// defaultTables is the largest domain for which the roots are kept by default.
// They take 128 bytes a row and save a fifth of the time; above, memory is
// dearer.
const defaultTables = 1 << 20

// PortableFFT is gnark-crypto's transform, for any CPU. It keeps the tables of
// the last size used and must not be used concurrently.
type PortableFFT struct {
	Workers int // goroutines that compute; 0 means GOMAXPROCS
	Tables  int // largest domain for which the roots are kept; 0 means 2^20

	domain *fft.Domain
}

// Inverse implements FFT.
func (f *PortableFFT) Inverse(v []fr.Element) {
	f.size(len(v)).FFTInverse(v, fft.DIF, fft.WithNbTasks(workersOr(f.Workers)))
}

// Forward implements FFT.
func (f *PortableFFT) Forward(v []fr.Element) {
	f.size(len(v)).FFT(v, fft.DIT, fft.WithNbTasks(workersOr(f.Workers)))
}

func (f *PortableFFT) size(n int) *fft.Domain {
	if f.domain != nil && f.domain.Cardinality == uint64(n) {
		return f.domain
	}
	tables := f.Tables
	if tables == 0 {
		tables = defaultTables
	}
	if n <= tables {
		f.domain = fft.NewDomain(uint64(n), fft.WithCache())
	} else {
		f.domain = fft.NewDomain(uint64(n), fft.WithoutPrecompute())
	}
	return f.domain
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
	one := fr.One()
	return powers{lo: reversedPowers(s, step, one), hi: reversedPowers(k-s, g, factor)}
}

// reversedPowers are factor*g^i for i < 2^k, in bit-reversed order.
func reversedPowers(k int, g, factor fr.Element) fr.Vector {
	v := make(fr.Vector, 1<<k)
	v[0] = factor
	for i := 1; i < len(v); i++ {
		v[i].Mul(&v[i-1], &g)
	}
	utils.BitReverse(v)
	return v
}

func (p powers) scale(v []fr.Element, workers int) {
	_ = inParallel(len(p.hi), workers, func(start, end int) error {
		row := make(fr.Vector, len(p.lo))
		for i := start; i < end; i++ {
			row.ScalarMul(p.lo, &p.hi[i])
			part := fr.Vector(v[i*len(row) : (i+1)*len(row)])
			part.Mul(part, row)
		}
		return nil
	})
}
