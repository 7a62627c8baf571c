package ifma

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fp"
)

func modulusBytes() []byte { return fp.Modulus().FillBytes(make([]byte, fp.Bytes)) }

func newWorkspace(t testing.TB) workspace {
	t.Helper()
	var r room
	if err := r.reserve(sizeWorkspace); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	w := workspace(take[byte](&r, sizeWorkspace))
	w.fill()
	return w
}

func (r *row) int() *big.Int {
	n := new(big.Int)
	for j := len(r) - 1; j >= 0; j-- {
		n.Lsh(n, limbBits).Add(n, new(big.Int).SetUint64(r[j]))
	}
	return n
}

func TestRowsAreTheElementsTheyAreMadeOf(t *testing.T) {
	for _, e := range []fp.Element{{}, fp.One(), *new(fp.Element).SetInt64(-1), {^uint64(0), ^uint64(0), ^uint64(0), 1, 2, 3}} {
		r := rowOf(&e)
		if r.element() != e {
			t.Errorf("%v: %v", e, r.element())
		}
	}
	p := limbsOfInt(fp.Modulus())
	if r := row(p); r.reduced() != (fp.Element{}) {
		t.Error("the modulus is not zero")
	}
}

// factors are numbers at the ends of what a multiplication takes.
func factors(rng *rand.Rand) []*big.Int {
	p := fp.Modulus()
	var all []*big.Int
	for _, k := range []int64{0, 1, 2, 3, 4, 7, 8, 100, 300} {
		kp := new(big.Int).Mul(p, big.NewInt(k))
		for _, d := range []int64{-2, -1, 0, 1, 2} {
			if n := new(big.Int).Add(kp, big.NewInt(d)); n.Sign() >= 0 {
				all = append(all, n)
			}
		}
	}
	ones := new(big.Int).Lsh(big.NewInt(1), 389) // all limbs full
	all = append(all, ones.Sub(ones, big.NewInt(1)))
	for range 40 {
		b := make([]byte, 48)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		all = append(all, new(big.Int).SetBytes(b))
	}
	return all
}

func TestProductsAreRightAndWithinBounds(t *testing.T) {
	needKernels(t)
	w := newWorkspace(t)
	p := fp.Modulus()
	inverse := new(big.Int).ModInverse(new(big.Int).Lsh(big.NewInt(1), 416), p)
	bound := new(big.Int).Add(p, new(big.Int).Rsh(p, 17))
	all := factors(rand.New(rand.NewPCG(1, 2)))
	var r room
	if err := r.reserve(3 * sizeVector); err != nil {
		t.Fatal(err)
	}
	defer r.close()
	v := take[vector](&r, 3)
	for i, x := range all {
		for j := 0; j < len(all); j += 8 {
			for lane := range 8 {
				v[0].setLane(lane, row(limbsOfInt(x)))
				v[1].setLane(lane, row(limbsOfInt(all[(j+lane)%len(all)])))
			}
			mulFp(&w[0], at(&v[2]), at(&v[0]), at(&v[1]))
			for lane := range 8 {
				y := all[(j+lane)%len(all)]
				want := new(big.Int).Mul(x, y)
				want.Mul(want, inverse).Mod(want, p)
				got := v[2].lane(lane)
				have := got.int()
				for _, limb := range got {
					if limb > limbMask {
						t.Fatalf("%d: limb %x is not carried", i, limb)
					}
				}
				if have.Cmp(bound) > 0 {
					t.Fatalf("%x times %x is %x: too big", x, y, have)
				}
				if have.Mod(have, p).Cmp(want) != 0 {
					t.Fatalf("%x times %x is %x, not %x", x, y, have, want)
				}
			}
		}
	}
}
