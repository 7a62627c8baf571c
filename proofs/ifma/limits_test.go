package ifma

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
)

func TestACancelledSumLeavesTheSumsAsTheyWere(t *testing.T) {
	needKernels(t)
	s := &Sums{Workers: 2, Chunk: 50}
	defer s.Close()
	terms := inputs(rand.New(rand.NewPCG(8, 1)), 300)["random scalars"].g1Terms()
	_, _, g, _ := bls12381.Generators()
	before := []bls12381.G1Jac{*new(bls12381.G1Jac).FromAffine(&g)}
	whole := slices.Clone(before)
	if err := s.G1(t.Context(), whole, terms); err != nil {
		t.Fatal(err)
	}
	for _, soon := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		if soon {
			go cancel() // whenever it comes, there is nothing between
		} else {
			cancel()
		}
		have := slices.Clone(before)
		err := s.G1(ctx, have, terms)
		switch {
		case err == nil && soon:
			if !have[0].Equal(&whole[0]) {
				t.Error("another sum")
			}
		case !errors.Is(err, context.Canceled):
			t.Error(err)
		case have[0] != before[0]:
			t.Error("a part was added")
		}
		cancel()
	}
}

func (in input) g1Terms() Terms { return in.terms(g1.fileBytes) }

func TestACancelledTransformEnds(t *testing.T) {
	needKernels(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	v := make([]fr.Element, 1<<10)
	f := new(FFT)
	if err := f.Inverse(ctx, v, Scale{fr.One(), fr.One()}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := f.Forward(ctx, v); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestMemoryIsWhatWasSaid(t *testing.T) {
	needKernels(t)
	in := inputs(rand.New(rand.NewPCG(9, 1)), 400)["random scalars"]
	for _, sums := range []int{1, 3} {
		s := &Sums{Workers: 2}
		for _, c := range []*curve{&g1, &g2} {
			terms := in.terms(c.fileBytes)
			for len(terms.Scalars) < sums {
				terms.Scalars = append(terms.Scalars, in.scalars)
			}
			var err error
			if c == &g1 {
				err = s.G1(t.Context(), make([]bls12381.G1Jac, sums), terms)
			} else {
				err = s.G2(t.Context(), make([]bls12381.G2Jac, sums), terms)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if have, said := len(s.memory.memory), s.Memory(400, sums); have != said {
			t.Errorf("%d bytes, said %d", have, said)
		}
		s.Close()
	}
}

// Two chunks and buckets are the memory: ten times the terms take no more.
func TestMemoryDoesNotGrowWithTheTerms(t *testing.T) {
	for workers, most := range map[int]int{4: 1100, 64: 1400} {
		s := &Sums{Workers: workers}
		if have := s.Memory(1<<27, 1); have > most<<20 || have > s.Memory(1<<24, 1) {
			t.Errorf("%d workers: %d MiB", workers, have>>20)
		}
	}
}

func TestSumsMadeTogetherAreThoseMadeAlone(t *testing.T) {
	needKernels(t)
	all := inputs(rand.New(rand.NewPCG(10, 1)), 150)
	first, second := all["random scalars"], all["mostly zero and one"]
	s := &Sums{Workers: 2, Chunk: 64}
	defer s.Close()
	terms := first.terms(g2.fileBytes)
	terms.Scalars = append(terms.Scalars, second.scalars)
	together := make([]bls12381.G2Jac, 2)
	if err := s.G2(t.Context(), together, terms); err != nil {
		t.Fatal(err)
	}
	for j, in := range []input{first, second} {
		alone := make([]bls12381.G2Jac, 1)
		if err := s.G2(t.Context(), alone, in.terms(g2.fileBytes)); err != nil {
			t.Fatal(err)
		}
		if !alone[0].Equal(&together[j]) {
			t.Errorf("sum %d is another one", j)
		}
	}
}

func TestDigitsAddUpToTheScalar(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 1))
	v := append(randomScalars(rng, 50), small(0), small(1), small(-1), small(2), powerOf(254), powerOf(253))
	for width := 5; width <= 17; width++ {
		w := newWindows(width)
		var s scalars
		for k := range s.words {
			s.words[k] = make([]uint64, len(v))
		}
		s.put(0, &w, v)
		sums := make([]fr.Element, len(v))
		for window := w.count - 1; window >= 0; window-- {
			digits, counts := make([]uint32, len(v)), make([]uint32, w.buckets()+1)
			s.digits(&w, window, digits, counts)
			for i, d := range digits {
				for range width {
					sums[i].Double(&sums[i])
				}
				digit := small(int64(d >> 1))
				if d&1 == 1 {
					digit.Neg(&digit)
				}
				sums[i].Add(&sums[i], &digit)
			}
		}
		if !slices.Equal(sums, v) {
			t.Errorf("width %d: other scalars", width)
		}
	}
}
