package ifma

import (
	"math/big"
	"unsafe"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fp"
)

// workspace is a worker's memory for kernels: their constants and intermediate
// values. It begins at a multiple of 64 bytes.
type workspace []byte

// constant is a place in a workspace for n numbers of eight bytes.
func (w workspace) constant(offset, n int) []uint64 {
	return unsafe.Slice((*uint64)(unsafe.Pointer(&w[offset])), n)
}

// estimate is 2^52 divided by a bit more than the modulus's highest limb: see reduce in gen/add.go.
const estimate = 1 << 52 / 106516

// fill writes the constants.
func (w workspace) fill() {
	p := fp.Modulus()
	times := func(k int64) *big.Int { return new(big.Int).Mul(big.NewInt(k), p) }
	for offset, k := range map[int]int64{offP: 1, offP2: 2, offP3: 3, offP4: 4, offP7: 7} {
		copy(w.constant(offset, 8), limbsOfInt(times(k)))
	}
	one := new(big.Int).Lsh(big.NewInt(1), limbBits)
	inv := new(big.Int).ModInverse(p, one)
	w.constant(offInv, 1)[0] = inv.Sub(one, inv).Uint64()
	w.constant(offMask, 1)[0] = limbMask
	w.constant(offEst, 1)[0] = estimate
	w.constant(offOne, 1)[0] = 1
	w.fillDecoding(p)
	for k := range 8 {
		for j, limb := range limbsOfInt(times(int64(k))) {
			w.constant(offTable+64*j, 8)[k] = limb
		}
	}
}

// fillDecoding writes what the decoding of big-endian coordinates needs.
func (w workspace) fillDecoding(p *big.Int) {
	for j := range 8 {
		first := limbBits * j / 8
		w.constant(offShift, 8)[j] = uint64(limbBits * j % 8)
		for i := range 8 {
			from := byte(63) // zero there
			if first+i < fp.Bytes {
				from = byte(fp.Bytes - 1 - first - i)
			}
			w[offOrder+8*j+i] = from
		}
	}
	square := new(big.Int).Lsh(big.NewInt(1), 2*8*limbBits)
	for j, limb := range limbsOfInt(square.Mod(square, p)) {
		for lane := range 8 {
			w.constant(offR2+64*j, 8)[lane] = limb
		}
	}
}

func limbsOfInt(n *big.Int) []uint64 {
	limbs := make([]uint64, 8)
	for j := range limbs {
		limb := new(big.Int).Rsh(n, uint(limbBits*j))
		limbs[j] = limb.And(limb, big.NewInt(limbMask)).Uint64()
	}
	return limbs
}

func (w workspace) chain(i int) *vector { return (*vector)(unsafe.Pointer(&w[offAcc+i*sizeVector])) }

// lanes are five vectors for what is done lane by lane, where kernels keep intermediate
// values between their calls no longer.
func (w workspace) lanes() *[5]vector { return (*[5]vector)(unsafe.Pointer(&w[offSlots])) }
