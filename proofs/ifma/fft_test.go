package ifma

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr/fft"
	"github.com/consensys/gnark-crypto/utils"
)

func vectors(rng *rand.Rand, n int) map[string][]fr.Element {
	fill := func(e fr.Element) []fr.Element {
		v := make([]fr.Element, n)
		for i := range v {
			v[i] = e
		}
		return v
	}
	single := make([]fr.Element, n)
	single[n/3] = small(-1)
	return map[string][]fr.Element{
		"random": randomScalars(rng, n), "zeros": fill(small(0)), "ones": fill(small(1)), "minus ones": fill(small(-1)),
		"one value": single, "full words": fill(fr.Element{^uint64(0), ^uint64(0), ^uint64(0), 0x73eda753299d7d47}),
	}
}

func TestTransformsAreGnarkCryptos(t *testing.T) {
	needKernels(t)
	for _, k := range []int{6, 7, 9, 10, 11, 12, 13} {
		d := fft.NewDomain(1 << k)
		for name, v := range vectors(rand.New(rand.NewPCG(uint64(k), 2)), 1<<k) {
			t.Run(fmt.Sprintf("2^%d/%s", k, name), func(t *testing.T) {
				f := &FFT{Workers: 1 + k%3}
				compareFFT(t, f, d, v)
			})
		}
	}
}

func TestRowsAreCutInTwoAgain(t *testing.T) {
	needKernels(t)
	for k := 9; k <= 14; k++ {
		d := fft.NewDomain(1 << k)
		compareFFT(t, &FFT{Workers: 2, longest: 4}, d, randomScalars(rand.New(rand.NewPCG(uint64(k), 3)), 1<<k))
	}
}

func compareFFT(t *testing.T, f *FFT, d *fft.Domain, v []fr.Element) {
	t.Helper()
	scale := Scale{Factor: small(-5), Base: d.Generator}
	for range 3 {
		scale.Base.Square(&scale.Base).Add(&scale.Base, &scale.Factor)
	}
	for _, s := range []Scale{{fr.One(), fr.One()}, {small(3), fr.One()}, scale} {
		want, have := slices.Clone(v), slices.Clone(v)
		d.FFTInverse(want, fft.DIF)
		scaled(want, s)
		if err := f.Inverse(t.Context(), have, s); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(have, want) {
			t.Fatal("another inverse transform")
		}
	}
	want, have := slices.Clone(v), slices.Clone(v)
	d.FFT(want, fft.DIT)
	if err := f.Forward(t.Context(), have); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(have, want) {
		t.Fatal("another forward transform")
	}
}

// scaled multiplies coefficients, in bit-reversed order.
func scaled(v []fr.Element, s Scale) {
	factors := make([]fr.Element, len(v))
	at := s.Factor
	for i := range factors {
		factors[i] = at
		at.Mul(&at, &s.Base)
	}
	utils.BitReverse(factors)
	(*fr.Vector)(&v).Mul(v, factors)
}

func BenchmarkFFT(b *testing.B) {
	needKernels(b)
	for _, log := range []int{18, 20, 22} {
		v := randomScalars(rand.New(rand.NewPCG(1, 1)), 1<<log)
		w := slices.Clone(v)
		d := fft.NewDomain(1<<log, fft.WithCache())
		f := new(FFT)
		one := Scale{fr.One(), fr.One()}
		b.Run(fmt.Sprintf("2^%d/inverse", log), func(b *testing.B) {
			beside(b, func() {
				if err := f.Inverse(b.Context(), v, one); err != nil {
					b.Fatal(err)
				}
			}, func() { d.FFTInverse(w, fft.DIF) })
		})
		b.Run(fmt.Sprintf("2^%d/forward", log), func(b *testing.B) {
			beside(b, func() {
				if err := f.Forward(b.Context(), v); err != nil {
					b.Fatal(err)
				}
			}, func() { d.FFT(w, fft.DIT) })
		})
	}
}
