package ifma

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/consensys/gnark-crypto/ecc"
	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
)

// compareOn sums with other batches and stretches than a curve has. The sums begin at
// a point, to see that they are added to.
func compareOn(t *testing.T, s *Sums, c1, c2 *curve, in input) {
	t.Helper()
	_, _, p, q := bls12381.Generators()
	var want1, have1 bls12381.G1Jac
	var want2, have2 bls12381.G2Jac
	have1.FromAffine(&p)
	have2.FromAffine(&q)
	if _, err := want1.MultiExp(in.g1, in.scalars, ecc.MultiExpConfig{}); err != nil {
		t.Fatal(err)
	}
	if _, err := want2.MultiExp(in.g2, in.scalars, ecc.MultiExpConfig{}); err != nil {
		t.Fatal(err)
	}
	want1.AddMixed(&p)
	want2.AddMixed(&q)
	sums1, sums2 := []bls12381.G1Jac{have1}, []bls12381.G2Jac{have2}
	if err := sum(t.Context(), s, c1, sums1, []Terms{in.terms(g1.fileBytes)}, pointG1); err != nil {
		t.Fatal(err)
	}
	if err := sum(t.Context(), s, c2, sums2, []Terms{in.terms(g2.fileBytes)}, pointG2); err != nil {
		t.Fatal(err)
	}
	if !sums1[0].Equal(&want1) {
		t.Error("another sum in G1")
	}
	if !sums2[0].Equal(&want2) {
		t.Error("another sum in G2")
	}
}

// Each story is points by their number, negated where it is negative, one a chunk or
// some: a bucket meets the point that it is, the one that it is not to be, and
// itself after it was infinity.
func TestBucketsMeetTheirPointsAgain(t *testing.T) {
	needKernels(t)
	p, q := points(4)
	for _, story := range [][]int{
		{1, 1}, {1, -1}, {1, -1, 1}, {1, -1, -1}, {1, 1, -1, -1}, {1, 1, -1, -1, 2}, {1, 1, 1, 1}, {-1, 1, -1, 1, 1},
		{1, 2, -2, -1}, {1, 2, -1, -2, 3}, {1, 1, 2, -1, -1, -2}, {1, -1, 2, -2, 3, -3}, {1, 1, -1, -1, 1, 1, -1, -1},
		{1, -1, 1, -1, 1, -1, 1, -1, 1}, {1, 1, 1, 1, -1, -1, -1, -1}, {1, 2, 3, 1, 2, 3, -3, -2, -1, -3, -2, -1},
	} {
		var in input
		for _, n := range story {
			a, b := p[max(n, -n)], q[max(n, -n)]
			if n < 0 {
				a.Neg(&a)
				b.Neg(&b)
			}
			in.g1, in.g2 = append(in.g1, a), append(in.g2, b)
		}
		for chunk := 1; chunk <= len(story); chunk++ {
			for _, scalar := range []fr.Element{small(1), small(-1), small(2), powerOf(200)} {
				in.scalars = make([]fr.Element, len(story))
				for i := range story {
					in.scalars[i] = scalar
				}
				s := &Sums{Workers: 1, Chunk: chunk, width: 5}
				t.Run(fmt.Sprintf("%v by %s, chunks of %d", story, scalar.String(), chunk), func(t *testing.T) { compareOn(t, s, &g1, &g2, in) })
				s.Close()
			}
		}
	}
}

// Lists as long as a stretch, about as long, and about twice; batches that are just
// full, and one more. Points meet themselves and their negatives in every batch.
func TestListsAboutAsLongAsAStretch(t *testing.T) {
	needKernels(t)
	c1, c2 := g1, g2
	c1.stretch, c2.stretch = 512, 512 // as few as the running sums take
	c1.batch, c2.batch = 128, 128
	const most = 1600
	p, q := walkG1(most), walkG2(most)
	for i := range p {
		switch i % 37 {
		case 5:
			p[i], q[i] = p[i-1], q[i-1]
		case 20:
			p[i].Neg(&p[i-1])
			q[i].Neg(&q[i-1])
		}
	}
	for _, n := range []int{255, 256, 257, 288, 510, 511, 512, 513, 1021, 1022, 1023, 1024, 1025, 1533, 1534, 1535, most} {
		in := input{p[:n], q[:n], make([]fr.Element, n)}
		for kind, scalar := range map[string]func(i int) fr.Element{
			"ones":        func(int) fr.Element { return small(1) },
			"one and two": func(i int) fr.Element { return small(1 + int64(i*5/n%2)) },
		} {
			for i := range in.scalars {
				in.scalars[i] = scalar(i)
			}
			for _, chunk := range []int{0, n/2 + 1} {
				t.Run(fmt.Sprintf("%d %s, chunk %d", n, kind, chunk), func(t *testing.T) {
					s := &Sums{Workers: 2, Chunk: chunk}
					defer s.Close()
					compareOn(t, s, &c1, &c2, in)
				})
			}
		}
	}
}

func TestSumsOfSeveralProofsAtOnce(t *testing.T) {
	needKernels(t)
	all := inputs(rand.New(rand.NewPCG(12, 1)), 200)
	var wait sync.WaitGroup
	for name, in := range all {
		var want bls12381.G1Jac
		if _, err := want.MultiExp(in.g1, in.scalars, ecc.MultiExpConfig{}); err != nil {
			t.Fatal(err)
		}
		terms := in.terms(g1.fileBytes)
		wait.Go(func() {
			s := &Sums{Workers: 2, Chunk: 70}
			defer s.Close()
			for range 3 {
				have := make([]bls12381.G1Jac, 1)
				if err := s.G1(context.Background(), have, terms); err != nil {
					t.Error(err)
				} else if !have[0].Equal(&want) {
					t.Errorf("%s: another sum", name)
				}
			}
		})
	}
	wait.Wait()
}

// Small multiples of one point by scalars whose digits are of one segment, whose
// running sums are often equal to the next bucket, opposite to it, or infinity.
func TestRunningSumsMeetInfinity(t *testing.T) {
	needKernels(t)
	rng := rand.New(rand.NewPCG(13, 1))
	_, _, g, h := bls12381.Generators()
	multiples := []fr.Element{small(1), small(2), small(3), small(4), small(-1), small(-2), small(-3), small(-4)}
	p, q := bls12381.BatchScalarMultiplicationG1(&g, multiples), bls12381.BatchScalarMultiplicationG2(&h, multiples)
	alone, many := &Sums{Workers: 1, width: 11}, &Sums{Workers: 16, width: 11} // eight buckets a segment, and two
	defer alone.Close()
	defer many.Close()
	for round := range 40 {
		var in input
		for range 2 + rng.IntN(8) {
			k := rng.IntN(len(p))
			in.g1, in.g2, in.scalars = append(in.g1, p[k]), append(in.g2, q[k]), append(in.scalars, small(1+segmentsOfShare*rng.Int64N(8)))
		}
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			compareOn(t, alone, &g1, &g2, in)
			compareOn(t, many, &g1, &g2, in)
		})
	}
}
