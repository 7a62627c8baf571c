package ifma

import (
	"math/big"
	"math/bits"
	"unsafe"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fp"
)

const (
	limbBits = 52
	limbMask = 1<<limbBits - 1
)

// row is an element of the base field, times 2^416: limbs below 2^52, the number
// below 1.001 times the modulus.
type row [8]uint64

const rowBytes = 64

// toMont and fromMont change between Montgomery's form with 2^416 and gnark-crypto's
// with 2^384.
var (
	toMont   = powerOfTwo(32)
	fromMont = *new(fp.Element).Inverse(&toMont)
)

func powerOfTwo(n uint) (e fp.Element) {
	e.SetBigInt(new(big.Int).Lsh(big.NewInt(1), n))
	return e
}

// element is the row's value.
func (r *row) element() (e fp.Element) {
	e = r.reduced()
	e.Mul(&e, &fromMont)
	return e
}

// reduced is the row's number, below the modulus, as if it were in gnark-crypto's form.
func (r *row) reduced() (e fp.Element) {
	for i := range e {
		bit := 64 * i
		j, shift := bit/limbBits, bit%limbBits
		e[i] = r[j]>>shift | r[j+1]<<(limbBits-shift)
		if rest := 2*limbBits - shift; rest < 64 && j+2 < len(r) {
			e[i] |= r[j+2] << rest
		}
	}
	return belowModulus(e)
}

// belowModulus subtracts the modulus if need be: the number is below twice that.
func belowModulus(e fp.Element) fp.Element {
	less, borrow := e, uint64(0)
	q := modulusWords
	for i := range e {
		less[i], borrow = bits.Sub64(e[i], q[i], borrow)
	}
	if borrow == 0 {
		return less
	}
	return e
}

var modulusWords = func() (w [fp.Limbs]uint64) {
	p := fp.Modulus()
	for i := range w {
		w[i] = new(big.Int).Rsh(p, uint(64*i)).Uint64()
	}
	return w
}()

func rowOf(e *fp.Element) row {
	var x fp.Element
	x.Mul(e, &toMont)
	return limbsOf(&x)
}

// limbsOf cuts the words of an element, as they are, into limbs.
func limbsOf(x *fp.Element) (r row) {
	for j := range r {
		bit := limbBits * j
		i, shift := bit/64, bit%64
		r[j] = x[i] >> shift
		if i+1 < len(x) && shift > 0 {
			r[j] |= x[i+1] << (64 - shift)
		}
		r[j] &= limbMask
	}
	return r
}

// vector is eight rows in the kernels' order.
type vector [8][8]uint64

func (v *vector) lane(i int) (r row) {
	for j := range r {
		r[j] = v[j][i]
	}
	return r
}

func (v *vector) setLane(i int, r row) {
	for j := range r {
		v[j][i] = r[j]
	}
}

// turned is another vector with its lanes turned.
func (v *vector) turned(of *vector, by int) {
	for j := range v {
		for i := range v[j] {
			v[j][i] = of[j][(i+by)%8]
		}
	}
}

// at is the byte in the place of a pointer's.
func at[T any](p *T) *byte { return (*byte)(unsafe.Pointer(p)) }
