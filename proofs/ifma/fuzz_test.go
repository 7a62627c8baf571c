package ifma

import (
	"bytes"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fp"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr/fft"
)

// FuzzProduct multiplies numbers of the base field that are as large as the kernels ever have them,
// other ones in each lane.
func FuzzProduct(f *testing.F) {
	needKernels(f)
	w, v := newWorkspace(f), newVectors(f)
	f.Add(make([]byte, 48), modulusBytes())
	f.Add(slices.Repeat([]byte{0xff}, 48), slices.Repeat([]byte{0xff}, 48))
	f.Add(append([]byte{0x1f}, slices.Repeat([]byte{0xff}, 48)...), append([]byte{0x1f}, slices.Repeat([]byte{0xff}, 48)...))
	p := fp.Modulus()
	bound := new(big.Int).Add(p, new(big.Int).Rsh(p, 17))
	inverse := new(big.Int).ModInverse(new(big.Int).Lsh(big.NewInt(1), 416), p)
	f.Fuzz(func(t *testing.T, a, b []byte) {
		x, y := new(big.Int).SetBytes(a), new(big.Int).SetBytes(b)
		if x.BitLen() > 389 || y.BitLen() > 389 {
			t.Skip()
		}
		for lane := range 8 {
			v[0].setLane(lane, row(limbsOfInt(x)))
			v[1].setLane(lane, row(limbsOfInt(new(big.Int).Rsh(y, uint(lane)))))
		}
		mulFp(&w[0], at(&v[2]), at(&v[0]), at(&v[1]))
		for lane := range 8 {
			want := new(big.Int).Rsh(y, uint(lane))
			want.Mul(want, x).Mul(want, inverse).Mod(want, p)
			have := v[2].lane(lane)
			if got := have.int(); slices.Max(have[:]) > limbMask || got.Cmp(bound) > 0 || got.Mod(got, p).Cmp(want) != 0 {
				t.Fatalf("%x times %x in lane %d is %x", x, y, lane, have)
			}
		}
	})
}

// newVectors are three, in memory that kernels take.
func newVectors(f *testing.F) []vector {
	var r room
	if err := r.reserve(3 * sizeVector); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(r.close)
	return take[vector](&r, 3)
}

// FuzzScalarProduct does the same in the scalar field, whose second factor is below the modulus.
func FuzzScalarProduct(f *testing.F) {
	needKernels(f)
	v := newVectors(f)
	w := transformer{workspace: newWorkspace(f)}
	w.fill()
	q := fr.Modulus()
	f.Add(make([]byte, 32), q.Bytes())
	f.Add(append([]byte{0x0f}, slices.Repeat([]byte{0xff}, 32)...), new(big.Int).Sub(q, big.NewInt(1)).Bytes())
	bound := new(big.Int).Lsh(q, 1)
	inverse := new(big.Int).ModInverse(new(big.Int).Lsh(big.NewInt(1), 260), q)
	f.Fuzz(func(t *testing.T, a, b []byte) {
		x, y := new(big.Int).SetBytes(a), new(big.Int).SetBytes(b)
		if x.BitLen() > 260 || y.BitLen() > 260 {
			t.Skip()
		}
		y.Mod(y, q)
		for lane := range 8 {
			v[0].setLane(lane, row(limbsOfInt(new(big.Int).Rsh(x, uint(lane)))))
			v[1].setLane(lane, row(limbsOfInt(y)))
		}
		mulFr(&w.workspace[0], at(&v[2]), at(&v[0]), at(&v[1]))
		for lane := range 8 {
			want := new(big.Int).Rsh(x, uint(lane))
			want.Mul(want, y).Mul(want, inverse).Mod(want, q)
			have := v[2].lane(lane)
			clear(have[5:])
			if got := have.int(); slices.Max(have[:]) > limbMask || got.Cmp(bound) >= 0 || got.Mod(got, q).Cmp(want) != 0 {
				t.Fatalf("%x times %x in lane %d is %x", x, y, lane, have)
			}
		}
	})
}

// FuzzAdditions adds lists of points up that are small multiples of one, so that points
// meet themselves, their negatives and infinity. Each byte of picks is a point, half of
// them with rows as large as kernels leave them, and a sign; endOfList begins a new list.
func FuzzAdditions(f *testing.F) {
	needKernels(f)
	f.Add([]byte{1, 2, 3, endOfList, 1, 1, endOfList, 1, 0x81, endOfList, 1, 0x41, 5, 0x85}, uint64(1))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0x80, endOfList, 3, endOfList, endOfList, 7, 0x88, 0x40, 0xc0}, uint64(77))
	_, _, p, q := bls12381.Generators()
	f.Fuzz(func(t *testing.T, picks []byte, seed uint64) {
		if len(picks) > 1<<12 {
			t.Skip()
		}
		multiples := make([]fr.Element, picked)
		for i := range multiples {
			multiples[i] = fr.NewElement(seed)
			multiples[i].Mul(&multiples[i], ptr(fr.NewElement(uint64(i+1))))
			if multiples[i].IsZero() {
				t.Skip()
			}
		}
		p := bls12381.BatchScalarMultiplicationG1(&p, multiples)
		q := bls12381.BatchScalarMultiplicationG2(&q, multiples)
		addLists(t, &g1, picks, func(i int, to []row) { putG1(to, &p[i]) }, func(of []byte, rows []row, flipped bool) bool {
			var want bls12381.G1Jac
			for _, pick := range of {
				point := p[pick%picked]
				if pick&0x80 != 0 {
					point.Neg(&point)
				}
				want.AddMixed(&point)
			}
			if rows == nil {
				return want.Z.IsZero()
			}
			have := pointG1(rows, flipped)
			return want.Equal(new(bls12381.G1Jac).FromAffine(&have)) && !have.IsInfinity()
		})
		addLists(t, &g2, picks, func(i int, to []row) { putG2(to, &q[i]) }, func(of []byte, rows []row, flipped bool) bool {
			var want bls12381.G2Jac
			for _, pick := range of {
				point := q[pick%picked]
				if pick&0x80 != 0 {
					point.Neg(&point)
				}
				want.AddMixed(&point)
			}
			if rows == nil {
				return want.Z.IsZero()
			}
			have := pointG2(rows, flipped)
			return want.Equal(new(bls12381.G2Jac).FromAffine(&have)) && !have.IsInfinity()
		})
	})
}

const (
	picked    = 64 // multiples of a point
	endOfList = 0xff
)

func ptr[T any](v T) *T { return &v }

// addLists adds the lists up that picks are of, and asks of each list and its sum whether
// it is right. Infinity has no rows.
func addLists(t *testing.T, c *curve, picks []byte, put func(i int, to []row), right func(of []byte, rows []row, flipped bool) bool) {
	t.Helper()
	s := &Sums{Workers: 1}
	defer s.Close()
	r, err := s.newRun(c, 2*picked, 1)
	if err != nil {
		t.Fatal(err)
	}
	a := &r.adders[0]
	for i := range 2 * picked {
		rows := a.point(r.slot(0) + uint32(i))
		if put(i%picked, rows); i >= picked {
			stretched(rows)
		}
	}
	l := lists{refs: r.lists[0].refs[:0], lengths: r.lists[0].lengths[:0]}
	each := bytes.Split(picks, []byte{endOfList})
	for _, list := range each {
		for _, pick := range list {
			l.refs = append(l.refs, (r.slot(0)+uint32(pick&0x7f))<<1|uint32(pick>>7))
		}
		l.lengths = append(l.lengths, int32(len(list)))
	}
	a.sum(&l, r.results[0])
	if a.wrong != nil {
		t.Fatal(a.wrong)
	}
	at := 0
	for i, list := range each {
		var rows []row
		flipped := false
		if l.lengths[i] > 0 {
			rows, flipped = a.point(l.refs[at]>>1), l.refs[at]&1 == 1
			at++
		}
		if !right(list, rows, flipped) {
			t.Fatalf("list %d in %s: another sum of %x", i, c.name, list)
		}
	}
}

// FuzzSums sums few points often: each byte of picks is a point, equal or opposite to
// others, with a scalar of a kind.
func FuzzSums(f *testing.F) {
	needKernels(f)
	f.Add([]byte("some points"), uint64(1), uint8(9), uint8(8))
	f.Add([]byte{0, 0, 64, 64, 128, 128, 192, 192, 1, 65, 129, 193}, uint64(2), uint8(5), uint8(3))
	p, q := points(16)
	s := new(Sums)
	f.Fuzz(func(t *testing.T, picks []byte, seed uint64, width, chunk uint8) {
		if len(picks) == 0 || len(picks) > 400 {
			t.Skip()
		}
		rng := rand.New(rand.NewPCG(seed, 0))
		s.width, s.Workers, s.Chunk = 5+int(width%8), 1<<(width/8%7), 1+int(chunk)
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
