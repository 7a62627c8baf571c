package ifma

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/consensys/gnark-crypto/ecc"
	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
)

func needKernels(t testing.TB) {
	t.Helper()
	if !Supported() {
		t.Skip("this CPU has no AVX-512 IFMA")
	}
}

// input is the same terms for the kernels and for gnark-crypto.
type input struct {
	g1      []bls12381.G1Affine
	g2      []bls12381.G2Affine
	scalars []fr.Element
}

func (in *input) terms(size int) Terms {
	var b []byte
	for i := range in.scalars {
		if size == g1.fileBytes {
			raw := in.g1[i].RawBytes()
			b = append(b, raw[:]...)
		} else {
			raw := in.g2[i].RawBytes()
			b = append(b, raw[:]...)
		}
	}
	return Terms{Points: b, Scalars: [][]fr.Element{in.scalars}}
}

// points are so many different ones, 7 to 7+n-1 times the generators.
func points(n int) ([]bls12381.G1Affine, []bls12381.G2Affine) {
	scalars := make([]fr.Element, n)
	for i := range scalars {
		scalars[i].SetUint64(uint64(7 + i))
	}
	_, _, p, q := bls12381.Generators()
	return bls12381.BatchScalarMultiplicationG1(&p, scalars), bls12381.BatchScalarMultiplicationG2(&q, scalars)
}

func randomScalars(rng *rand.Rand, n int) []fr.Element {
	v := make([]fr.Element, n)
	for i := range v {
		var b [32]byte
		for k := range b {
			b[k] = byte(rng.Uint32())
		}
		v[i].SetBytes(b[:])
	}
	return v
}

func small(x int64) (e fr.Element) { return *e.SetInt64(x) }

// inputs are those that are easy to get wrong.
func inputs(rng *rand.Rand, n int) map[string]input {
	p, q := points(n)
	of := func(scalar func(i int) fr.Element) input {
		v := make([]fr.Element, n)
		for i := range v {
			v[i] = scalar(i)
		}
		return input{p, q, v}
	}
	constant := func(e fr.Element) input { return of(func(int) fr.Element { return e }) }
	random := randomScalars(rng, n)
	half := new(big.Int).Rsh(fr.Modulus(), 1)
	var aboveHalf, belowHalf fr.Element
	belowHalf.SetBigInt(half)
	aboveHalf.SetBigInt(half.Add(half, big.NewInt(1)))
	same := input{make([]bls12381.G1Affine, n), make([]bls12381.G2Affine, n), random}
	opposite := input{make([]bls12381.G1Affine, n), make([]bls12381.G2Affine, n), make([]fr.Element, n)}
	for i := range n {
		same.g1[i], same.g2[i] = p[0], q[0]
		opposite.g1[i], opposite.g2[i] = p[i/2], q[i/2]
		if i%2 == 1 {
			opposite.g1[i].Neg(&p[i/2])
			opposite.g2[i].Neg(&q[i/2])
		}
		opposite.scalars[i] = random[i/2]
	}
	return map[string]input{
		"random scalars":              {p, q, random},
		"all zero":                    constant(small(0)),
		"all one":                     constant(small(1)),
		"all minus one":               constant(small(-1)),
		"all half the order":          constant(belowHalf),
		"all half the order, and one": constant(aboveHalf),
		"mostly zero and one":         of(func(i int) fr.Element { return [...]fr.Element{small(0), small(1), small(1), random[i]}[i%4] }),
		"plus and minus one":          of(func(i int) fr.Element { return small(int64(1 - i%2*2)) }),
		"powers of two":               of(func(i int) fr.Element { return powerOf(i % 255) }),
		"minus powers of two":         of(func(i int) fr.Element { e := powerOf(i % 255); return *e.Neg(&e) }),
		"few scalars":                 of(func(i int) fr.Element { return random[i%min(3, n)] }),
		"one point":                   same,
		"one point and one scalar":    {same.g1, same.g2, constant(random[0]).scalars},
		"opposite points":             opposite,
	}
}

func powerOf(k int) (e fr.Element) {
	return *e.SetBigInt(new(big.Int).Lsh(big.NewInt(1), uint(k)))
}

func compare(t *testing.T, s *Sums, in input) {
	t.Helper()
	var wantG1, haveG1 bls12381.G1Jac
	var wantG2, haveG2 bls12381.G2Jac
	wantG1.MultiExp(in.g1, in.scalars, ecc.MultiExpConfig{})
	wantG2.MultiExp(in.g2, in.scalars, ecc.MultiExpConfig{})
	sums1, sums2 := []bls12381.G1Jac{haveG1}, []bls12381.G2Jac{haveG2}
	if err := s.G1(t.Context(), sums1, in.terms(g1.fileBytes)); err != nil {
		t.Fatal(err)
	}
	if err := s.G2(t.Context(), sums2, in.terms(g2.fileBytes)); err != nil {
		t.Fatal(err)
	}
	if !sums1[0].Equal(&wantG1) {
		t.Error("another sum in G1")
	}
	if !sums2[0].Equal(&wantG2) {
		t.Error("another sum in G2")
	}
}

func TestSumsAreGnarkCryptos(t *testing.T) {
	needKernels(t)
	for _, n := range []int{1, 2, 7, 8, 9, 33, 500} {
		seed := uint64(n)
		for name, in := range inputs(rand.New(rand.NewPCG(seed, 1)), n) {
			t.Run(fmt.Sprintf("%s/%d", name, n), func(t *testing.T) {
				s := &Sums{Workers: 1 + n%3}
				defer s.Close()
				compare(t, s, in)
			})
		}
	}
}

func TestEveryWidthAndChunkMakesTheSameSum(t *testing.T) {
	needKernels(t)
	const n = 700
	all := inputs(rand.New(rand.NewPCG(5, 1)), n)
	for width := 5; width <= 17; width++ {
		s := &Sums{Workers: 2, width: width, Chunk: 64 + 37*(width%5)}
		for _, name := range []string{"random scalars", "opposite points"} {
			t.Run(fmt.Sprintf("%d/%s", width, name), func(t *testing.T) { compare(t, s, all[name]) })
		}
		s.Close()
	}
}

// More workers than windows, which then finish windows in shares, and fewer; a chunk, two, and many.
func TestManyWorkersMakeTheSameSums(t *testing.T) {
	needKernels(t)
	const n = 600
	all := inputs(rand.New(rand.NewPCG(6, 1)), n)
	mixed := all["mostly zero and one"]
	for _, workers := range []int{2, 8, 16, 64} {
		for _, chunk := range []int{n, n / 2, 41} {
			s := &Sums{Workers: workers, width: 12, Chunk: chunk}
			for _, name := range []string{"random scalars", "opposite points", "few scalars"} {
				t.Run(fmt.Sprintf("%d workers, chunks of %d, %s", workers, chunk, name), func(t *testing.T) {
					in := all[name]
					compare(t, s, in)
					terms := in.terms(g1.fileBytes)
					terms.Scalars = append(terms.Scalars, mixed.scalars, in.scalars)
					have := make([]bls12381.G1Jac, 3)
					if err := s.G1(t.Context(), have, terms); err != nil {
						t.Fatal(err)
					}
					for j, v := range terms.Scalars {
						var want bls12381.G1Jac
						if _, err := want.MultiExp(in.g1, v, ecc.MultiExpConfig{}); err != nil {
							t.Fatal(err)
						}
						if !have[j].Equal(&want) {
							t.Errorf("sum %d of three is another one", j)
						}
					}
				})
			}
			s.Close()
		}
	}
}

func TestAListLongerThanAStretchIsCutInPieces(t *testing.T) {
	needKernels(t)
	const n = 1<<15 + 1<<14 + 5 // the stretch in G1, and more
	in := input{g1: walkG1(n), scalars: make([]fr.Element, n)}
	for i := range in.scalars {
		in.scalars[i] = small(1)
	}
	s := &Sums{Workers: 2}
	defer s.Close()
	var want bls12381.G1Jac
	want.MultiExp(in.g1, in.scalars, ecc.MultiExpConfig{})
	have := make([]bls12381.G1Jac, 1)
	if err := s.G1(t.Context(), have, in.terms(g1.fileBytes)); err != nil {
		t.Fatal(err)
	}
	if !have[0].Equal(&want) {
		t.Error("another sum")
	}
}

func TestBytesThatAreNoPointAreRefused(t *testing.T) {
	needKernels(t)
	s := &Sums{Workers: 1}
	defer s.Close()
	in := inputs(rand.New(rand.NewPCG(3, 1)), 21)["random scalars"]
	modulus := func(b []byte) { copy(b, modulusBytes()) }
	for name, spoil := range map[string]func(b []byte){
		"the modulus":       modulus,
		"above the modulus": func(b []byte) { modulus(b); b[47]++ },
		"flags":             func(b []byte) { b[0] |= 0x40 },
		"all bits": func(b []byte) {
			for i := range 48 {
				b[i] = 0xff
			}
		},
	} {
		for _, i := range []int{0, 7, 8, 15, 16, 20} {
			for _, c := range []*curve{&g1, &g2} {
				for at := 0; at < c.fileBytes; at += 48 {
					terms := in.terms(c.fileBytes)
					spoil(terms.Points[i*c.fileBytes+at:])
					if err := sumOf(s, c, terms); !errors.Is(err, ErrCoordinate) {
						t.Errorf("%s in %s, point %d, coordinate %d: %v", name, c.name, i, at/48, err)
					}
				}
			}
		}
	}
	for i := range 21 {
		for _, c := range []*curve{&g1, &g2} {
			terms := in.terms(c.fileBytes)
			clear(terms.Points[i*c.fileBytes : (i+1)*c.fileBytes])
			if err := sumOf(s, c, terms); !errors.Is(err, ErrInfinity) {
				t.Errorf("infinity in %s, point %d: %v", c.name, i, err)
			}
		}
	}
}

func sumOf(s *Sums, c *curve, terms Terms) error {
	if c == &g1 {
		return s.G1(context.Background(), make([]bls12381.G1Jac, 1), terms)
	}
	return s.G2(context.Background(), make([]bls12381.G2Jac, 1), terms)
}

func TestTheSelfTestPasses(t *testing.T) {
	needKernels(t)
	if err := SelfTest(); err != nil {
		t.Error(err)
	}
}
