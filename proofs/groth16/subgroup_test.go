package groth16

import (
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fp"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
)

// pointsG1 are n points of the subgroup.
func pointsG1(n int) []bls12381.G1Affine {
	_, _, g, _ := bls12381.Generators()
	scalars := make([]fr.Element, n)
	for i := range scalars {
		scalars[i].SetUint64(uint64(i) + 1)
	}
	return bls12381.BatchScalarMultiplicationG1(&g, scalars)
}

// ofOrder is a point of the curve with a small order, a factor of the cofactor.
func ofOrder(t testing.TB, n int64) bls12381.G1Affine {
	t.Helper()
	// The cofactor is 3 m^2, and no point's order is beyond 3 m r.
	times := big.NewInt(11 * 10177 * 859267 * 52437899)
	times.Mul(times, big.NewInt(3)).Div(times, big.NewInt(n)).Mul(times, fr.Modulus())
	for x := uint64(1); ; x++ {
		p := bls12381.GeneratePointNotInG1(fp.NewElement(x))
		// Not ScalarMultiplication, which is for the subgroup.
		var q bls12381.G1Jac
		for i := times.BitLen() - 1; i >= 0; i-- {
			q.DoubleAssign()
			if times.Bit(i) == 1 {
				q.AddAssign(&p)
			}
		}
		if !q.Z.IsZero() {
			var a bls12381.G1Affine
			return *a.FromJacobian(&q)
		}
	}
}

func TestPointsOutsideTheSubgroupAreFoundAmongMany(t *testing.T) {
	_, _, _, _ = bls12381.Generators()
	good := pointsG1(batchAtLeast + 1)
	if err := checkSubgroup(good, 2); err != nil {
		t.Fatalf("good points: %v", err)
	}
	three := ofOrder(t, 3)
	var threeThree bls12381.G1Jac
	threeThree.FromAffine(&three)
	threeThree.DoubleAssign().AddMixed(&three)
	if !threeThree.Z.IsZero() {
		t.Fatal("the point of order 3 has another")
	}
	var minusThree, mixed bls12381.G1Affine
	minusThree.Neg(&three)
	mixed.Add(&three, &good[7])
	for what, bad := range map[string][]bls12381.G1Affine{
		"a point of order 3":                      {three},
		"a point of order 11":                     {ofOrder(t, 11)},
		"a point of order 10177":                  {ofOrder(t, 10177)},
		"a good point plus one of order 3":        {mixed},
		"two that cancel out":                     {three, minusThree},
		"three that cancel out":                   {three, three, three},
		"a random point of the curve, off it all": {randomOutside(11)},
	} {
		for _, at := range []int{0, len(good) / 2, len(good) - len(bad)} {
			points := slices.Clone(good)
			copy(points[at:], bad)
			if ok, err := inSubgroupTogether(points, 2); ok || err != nil {
				t.Errorf("%s at %d: %v, %v", what, at, ok, err)
			}
			err := checkSubgroup(points, 1)
			if !errors.Is(err, errSubgroup) || !strings.HasPrefix(err.Error(), "point "+big.NewInt(int64(at)).String()+":") {
				t.Errorf("%s at %d: %v", what, at, err)
			}
		}
	}
}

func randomOutside(x uint64) bls12381.G1Affine {
	p := bls12381.GeneratePointNotInG1(fp.NewElement(x))
	var a bls12381.G1Affine
	return *a.FromJacobian(&p)
}

// One sum overlooks a point of order 3 one time in three, no more and, as the
// digits are uniform, no less: so the six sums and fourteen passes are what they
// are said to be.
func TestARandomSumOverlooksABadPointOneTimeInThree(t *testing.T) {
	points := pointsG1(3)
	points[1] = ofOrder(t, 3)
	const rounds = 300
	overlooked, together := [trits]int{}, 0
	for range rounds {
		sums, err := randomSums(points)
		check(t, err)
		all := true
		for k := range sums {
			if sums[k].IsInSubGroup() {
				overlooked[k]++
			} else {
				all = false
			}
		}
		if all {
			together++
		}
	}
	for k, n := range overlooked {
		// 100 expected, with a deviation of 8.2.
		if n < 50 || n > 150 {
			t.Errorf("sum %d overlooked it %d times in %d", k, n, rounds)
		}
	}
	// One in 729 expected.
	if together > 8 {
		t.Errorf("all sums overlooked it together %d times in %d", together, rounds)
	}
}

func TestARandomSumIsOfThePoints(t *testing.T) {
	// With one point a sum is the point, its negative or infinity, and the six
	// are independent.
	points := pointsG1(1)
	var minus bls12381.G1Affine
	minus.Neg(&points[0])
	seen := map[[trits]int]bool{}
	for range 200 {
		sums, err := randomSums(points)
		check(t, err)
		var key [trits]int
		for k := range sums {
			var a bls12381.G1Affine
			switch a.FromJacobian(&sums[k]); {
			case a.Equal(&points[0]):
				key[k] = 1
			case a.Equal(&minus):
				key[k] = -1
			case !a.IsInfinity():
				t.Fatalf("sum %d is another point", k)
			}
		}
		seen[key] = true
	}
	if len(seen) < 120 {
		t.Errorf("%d different combinations in 200, of 729", len(seen))
	}
}

func BenchmarkSubgroupCheck(b *testing.B) {
	points := pointsG1(25_840)
	b.Run("together", func(b *testing.B) {
		for b.Loop() {
			check(b, checkSubgroup(points, 0))
		}
	})
	b.Run("one by one", func(b *testing.B) {
		for b.Loop() {
			check(b, inParallel(len(points), 0, func(start, end int) error {
				for i := start; i < end; i++ {
					if !points[i].IsInSubGroup() {
						return errSubgroup
					}
				}
				return nil
			}))
		}
	})
}
