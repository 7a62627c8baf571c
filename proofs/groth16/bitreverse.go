package groth16

import (
	"context"
	"math/bits"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
	"github.com/consensys/gnark-crypto/utils"
)

// tileBits makes a tile of 2^tileBits rows of 2^tileBits elements fit the first
// cache.
const tileBits = 5

// bitReverse exchanges each element with the one whose number has its bits in
// reverse. Numbers are cut into hi, mid and lo: the elements of one mid are a
// tile, which goes to the tile of the reversed mid, so that memory is read and
// written in rows and not at random (Carter and Gatlin, "Towards an Optimal
// Bit-Reversal Permutation Program").
func bitReverse(ctx context.Context, v []fr.Element, workers int) error {
	k := bits.TrailingZeros(uint(len(v)))
	if k < 2*tileBits {
		utils.BitReverse(v)
		return nil
	}
	midBits := k - 2*tileBits
	return inParallel(1<<midBits, workers, func(start, end int) error {
		var one, other tile
		for mid := start; mid < end; mid++ {
			if mid%64 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			reversed := int(reverse(uint(mid), midBits))
			if mid > reversed {
				continue // done with the other
			}
			one.read(v, mid, k)
			if mid != reversed {
				other.read(v, reversed, k)
				other.write(v, mid, k)
			}
			one.write(v, reversed, k)
		}
		return nil
	})
}

type tile [1 << tileBits][1 << tileBits]fr.Element

func (t *tile) read(v []fr.Element, mid, k int) {
	for hi := range t {
		copy(t[hi][:], v[hi<<(k-tileBits)|mid<<tileBits:])
	}
}

func (t *tile) write(v []fr.Element, mid, k int) {
	for hi := range t {
		row := v[hi<<(k-tileBits)|mid<<tileBits:]
		from := reverse(uint(hi), tileBits)
		for lo := range t {
			row[lo] = t[reverse(uint(lo), tileBits)][from]
		}
	}
}

func reverse(n uint, width int) uint { return bits.Reverse(n) >> (bits.UintSize - width) }
