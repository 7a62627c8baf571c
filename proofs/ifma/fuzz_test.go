package ifma

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fp"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr/fft"
)

// FuzzProduct multiplies numbers of any 48 bytes, which may be above the modulus.
func FuzzProduct(f *testing.F) {
	needKernels(f)
	w := newWorkspace(f)
	f.Add(make([]byte, 48), modulusBytes())
	f.Add(slices.Repeat([]byte{0xff}, 48), slices.Repeat([]byte{0xff}, 48))
	p := fp.Modulus()
	inverse := new(big.Int).ModInverse(new(big.Int).Lsh(big.NewInt(1), 416), p)
	var r room
	if err := r.reserve(3 * sizeVector); err != nil {
		f.Fatal(err)
	}
	v := take[vector](&r, 3)
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if len(a) > 48 || len(b) > 48 {
			t.Skip()
		}
		x, y := new(big.Int).SetBytes(a), new(big.Int).SetBytes(b)
		for lane := range 8 {
			v[0].setLane(lane, row(limbsOfInt(x)))
			v[1].setLane(lane, row(limbsOfInt(y)))
		}
		mulFp(&w[0], at(&v[2]), at(&v[0]), at(&v[1]))
		want := new(big.Int).Mul(x, y)
		want.Mul(want, inverse).Mod(want, p)
		for lane := range 8 {
			have := v[2].lane(lane)
			if got := have.int(); got.BitLen() > 382 || got.Mod(got, p).Cmp(want) != 0 {
				t.Fatalf("%x times %x in lane %d is %x", x, y, lane, got)
			}
		}
	})
}

// FuzzSums sums few points often: each byte of picks is a point, equal or opposite to
// others, with a scalar of a kind.
func FuzzSums(f *testing.F) {
	needKernels(f)
	f.Add([]byte("some points"), uint64(1), uint8(9), uint8(8))
	f.Add([]byte{0, 0, 64, 64, 128, 128, 192, 192, 1, 65, 129, 193}, uint64(2), uint8(5), uint8(3))
	p, q := points(16)
	s := &Sums{Workers: 1}
	f.Fuzz(func(t *testing.T, picks []byte, seed uint64, width, chunk uint8) {
		if len(picks) == 0 || len(picks) > 400 {
			t.Skip()
		}
		rng := rand.New(rand.NewPCG(seed, 0))
		s.width, s.Chunk = 5+int(width%8), 1+int(chunk)
		in := input{scalars: randomScalars(rng, len(picks))}
		for i, pick := range picks {
			a, b := p[pick%16], q[pick%16]
			if pick&16 != 0 {
				a.Neg(&a)
				b.Neg(&b)
			}
			in.g1, in.g2 = append(in.g1, a), append(in.g2, b)
			switch pick >> 5 {
			case 0:
				in.scalars[i] = small(0)
			case 1:
				in.scalars[i] = small(1)
			case 2:
				in.scalars[i] = small(-1)
			case 3:
				in.scalars[i] = in.scalars[i/2]
			case 4:
				in.scalars[i] = powerOf(int(seed+uint64(i)) % 255)
			}
		}
		compare(t, s, in)
	})
}

// FuzzDecode takes any bytes for a point: what the kernel refuses, and nothing else, is no
// pair of coordinates, and what it takes are they.
func FuzzDecode(f *testing.F) {
	needKernels(f)
	_, _, p, q := bls12381.Generators()
	raw1, raw2 := p.RawBytes(), q.RawBytes()
	f.Add(raw1[:], uint8(0))
	f.Add(raw2[:], uint8(5))
	f.Add(make([]byte, 192), uint8(3))
	f.Add(append(modulusBytes(), make([]byte, 48)...), uint8(7))
	w := newWorkspace(f)
	f.Fuzz(func(t *testing.T, b []byte, lane uint8) {
		c := &g1
		if len(b) == g2.fileBytes {
			c = &g2
		} else if len(b) != c.fileBytes {
			t.Skip()
		}
		good := raw1[:]
		if c == &g2 {
			good = raw2[:]
		}
		all := slices.Repeat(good, 8)
		copy(all[int(lane%8)*len(b):], b)
		rows := make([]row, 8*c.rows())
		bad := c.decode(&w[0], &all[0], at(&rows[0]), 1) != 0
		wrong := slices.Max(b) == 0
		for i := range c.rows() {
			var want fp.Element
			from := b[i*fp.Bytes : (i+1)*fp.Bytes]
			wrong = want.SetBytesCanonical(from) != nil || wrong
			to := i
			if c == &g2 {
				to ^= 1
			}
			r := rows[int(lane%8)*c.rows()+to]
			if !wrong && !bad && r.element() != want {
				t.Errorf("coordinate %d is another one", i)
			}
		}
		if bad != wrong {
			t.Errorf("refused: %t, wrong: %t", bad, wrong)
		}
	})
}

// FuzzTransform transforms any words below the modulus.
func FuzzTransform(f *testing.F) {
	needKernels(f)
	f.Add(slices.Repeat([]byte{0xff}, 64), uint64(1), uint8(6), uint64(1))
	f.Add([]byte{}, uint64(2), uint8(10), uint64(7))
	f.Fuzz(func(t *testing.T, fixed []byte, seed uint64, k uint8, base uint64) {
		n := 1 << (SmallestFFT + int(k%6))
		v := randomScalars(rand.New(rand.NewPCG(seed, 0)), n)
		for i := 0; i+32 <= len(fixed) && i/32 < n; i += 32 {
			v[i/32].SetBytes(fixed[i : i+32])
		}
		d, transform := fft.NewDomain(uint64(n)), &FFT{Workers: 1}
		scale := Scale{Factor: fr.NewElement(base ^ seed), Base: fr.NewElement(base)}
		want, have := slices.Clone(v), slices.Clone(v)
		d.FFTInverse(want, fft.DIF)
		scaled(want, scale)
		if err := transform.Inverse(t.Context(), have, scale); err != nil || !slices.Equal(have, want) {
			t.Fatal("another inverse transform", err)
		}
		d.FFT(want, fft.DIT)
		if err := transform.Forward(t.Context(), have); err != nil || !slices.Equal(have, want) {
			t.Fatal("another forward transform", err)
		}
	})
}
