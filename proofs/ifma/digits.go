package ifma

import (
	"math/bits"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
)

// windows is how a scalar is cut: into digits of width bits, from
// -2^(width-1) to 2^(width-1)-1. Of the scalars s and r-s the one below r/2 is taken, so
// that 254 bits are cut; adding 2^(width-1) at each window but the last makes every digit the
// bits of its window, less that.
//
// The last digit is not negative and at most 2^(width-1): r/2 < 2^253.9, so that
// it is where width*count is 255 or more, and widthFor takes care of the rest.
type windows struct {
	width, count int
	bias         [4]uint64
}

const scalarBits = 254

func newWindows(width int) windows {
	w := windows{width: width, count: (scalarBits + width) / width}
	for i := range w.count - 1 {
		bit := i*width + width - 1
		w.bias[bit/64] |= 1 << (bit % 64)
	}
	return w
}

// buckets is the number of digits' absolute values that a window can have.
func (w windows) buckets() int { return 1 << (w.width - 1) }

// widthFor is the width that makes the fewest additions for n terms: one for each
// term and window, and about two and a half for each bucket.
func widthFor(n int) int {
	best, least := 0, 0
	for width := 4; width <= 17; width++ {
		w := newWindows(width)
		cost := w.count * (n + 5*w.buckets()/2)
		if best == 0 || cost < least {
			best, least = width, cost
		}
	}
	return best
}

// scalars are numbers in the form that digits are cut from, word by word: words[k]
// has the k-th 64 bits of each, and the highest bit of the last whether the point is
// to be negated.
type scalars struct{ words [5][]uint64 }

const negated = 1 << 63

var orderWords, halfOrder = func() (order, half [4]uint64) {
	m := fr.Modulus()
	for i, word := range m.Bits() {
		if bits.UintSize == 64 {
			order[i] = uint64(word)
		} else {
			order[i/2] |= uint64(word) << (32 * (i % 2))
		}
	}
	for i := range half {
		half[i] = order[i] >> 1
		if i < 3 {
			half[i] |= order[i+1] << 63
		}
	}
	return order, half
}()

// put writes scalars to the places from first on.
func (s *scalars) put(first int, w *windows, from []fr.Element) {
	for i := range from {
		x := from[i].Bits()
		sign := uint64(0)
		if above(&x, &halfOrder) {
			var borrow uint64
			for k := range x {
				x[k], borrow = bits.Sub64(orderWords[k], x[k], borrow)
			}
			sign = negated
		}
		var carry uint64
		for k := range x {
			x[k], carry = bits.Add64(x[k], w.bias[k], carry)
			s.words[k][first+i] = x[k]
		}
		s.words[4][first+i] = sign
	}
}

func above(x, y *[4]uint64) bool {
	for k := len(x) - 1; k >= 0; k-- {
		if x[k] != y[k] {
			return x[k] > y[k]
		}
	}
	return false
}

// digits writes each scalar's digit in a window: its absolute value times two, plus
// one if the point is to be negated; and counts the absolute values.
func (s *scalars) digits(w *windows, window int, to, counts []uint32) {
	bit := window * w.width
	k, shift := bit/64, uint(bit%64)
	low, signs := s.words[k][:len(to)], s.words[4][:len(to)]
	high := low // of no use where the window does not reach the next word
	highShift := uint(64)
	if int(shift)+w.width > 64 && k < 3 {
		high, highShift = s.words[k+1][:len(to)], 64-shift
	}
	mask := uint64(1)<<w.width - 1
	bias := int64(w.buckets())
	if window == w.count-1 {
		bias, mask = 0, 1<<w.width-1
	}
	for i := range to {
		digit := int64((low[i]>>shift|high[i]<<highShift)&mask) - bias
		sign := digit >> 63
		size := uint32((digit ^ sign) - sign)
		to[i] = size<<1 | uint32(uint64(sign)>>63^signs[i]>>63)
		counts[size]++
	}
}
