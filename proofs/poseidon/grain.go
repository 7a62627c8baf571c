package poseidon

import "github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

// grain is the 80-bit linear feedback shift register that Poseidon takes its
// round constants from (Poseidon paper, appendix E): bit 0 of the field is the
// oldest.
type grain struct {
	bits [80]byte
	at   int // index of the oldest bit in the ring
}

func newGrain(width, full, partial int) *grain {
	g := &grain{}
	n := 0
	put := func(value, size int) {
		for i := size - 1; i >= 0; i-- {
			g.bits[n] = byte(value >> i & 1)
			n++
		}
	}
	put(1, 2)        // a prime field
	put(1, 4)        // S-box x^alpha
	put(fr.Bits, 12) // field size
	put(width, 12)
	put(full, 10)
	put(partial, 10)
	put(1<<30-1, 30)
	for range 160 {
		g.step()
	}
	return g
}

func (g *grain) step() byte {
	old := func(i int) byte { return g.bits[(g.at+i)%80] }
	bit := old(62) ^ old(51) ^ old(38) ^ old(23) ^ old(13) ^ old(0)
	g.bits[g.at] = bit
	g.at = (g.at + 1) % 80
	return bit
}

// bit is self-shrinking: of each pair of steps the second counts, and only if
// the first is one.
func (g *grain) bit() byte {
	for {
		take, bit := g.step(), g.step()
		if take == 1 {
			return bit
		}
	}
}

// element draws integers of the field's size until one is below the modulus.
func (g *grain) element() fr.Element {
	for {
		var be [fr.Bytes]byte
		for i := fr.Bytes*8 - fr.Bits; i < fr.Bytes*8; i++ {
			be[i/8] |= g.bit() << (7 - i%8)
		}
		if e, err := fr.BigEndian.Element(&be); err == nil {
			return e
		}
	}
}

// roundConstants has width elements for each round, in the order of rounds.
func roundConstants(width, full, partial int) []fr.Element {
	g := newGrain(width, full, partial)
	out := make([]fr.Element, (full+partial)*width)
	for i := range out {
		out[i] = g.element()
	}
	return out
}
