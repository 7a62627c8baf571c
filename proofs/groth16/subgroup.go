package groth16

import (
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"sync/atomic"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
)

// A point's own test costs two multiplications by the curve's parameter, so the
// 25,840 points of a 32 GiB key would take longer than fifty verifications. Sums
// of the points with random coefficients are tested in their stead.
//
// The curve's group has h r points with h = 3 * 11^2 * 10177^2 * 859267^2 * 52437899^2
// (draft-irtf-cfrg-pairing-friendly-curves, 4.2.1; h = (x-1)^2/3). A point outside
// the subgroup of order r keeps an order of at least 3 when the subgroup is
// divided out, h having no smaller factor; so its multiples by -1, 0 and 1 differ
// there, and of the three at most one brings a sum, whatever the others are, back
// into the subgroup. Each sum with coefficients drawn from {-1, 0, 1} overlooks bad
// points with a probability of at most 1/3, and all sums with 3^-84 < 2^-133.
const (
	trits        = 6                     // sums made together
	passes       = 14                    // times so many
	tritVectors  = 3 * 3 * 3 * 3 * 3 * 3 // 3^trits
	half         = (tritVectors - 1) / 2 // vectors are the numbers from -half to half
	batchAtLeast = 512                   // points; fewer are tested one by one
)

// checkSubgroup returns an error that names the first of the points, which are on
// the curve, outside the subgroup.
func checkSubgroup(points []bls12381.G1Affine, workers int) error {
	if len(points) >= batchAtLeast {
		ok, err := inSubgroupTogether(points, workers)
		if ok || err != nil {
			return err
		}
	}
	return inParallel(len(points), workers, func(start, end int) error {
		for i := start; i < end; i++ {
			if !points[i].IsInSubGroup() {
				return fmt.Errorf("point %d: %w", i, errSubgroup)
			}
		}
		return nil
	})
}

func inSubgroupTogether(points []bls12381.G1Affine, workers int) (bool, error) {
	var outside atomic.Bool
	err := inParallel(passes, workers, func(start, end int) error {
		for range end - start {
			sums, err := randomSums(points)
			if err != nil {
				return err
			}
			for i := range sums {
				if !sums[i].IsInSubGroup() {
					outside.Store(true)
				}
			}
		}
		return nil
	})
	return !outside.Load(), err
}

// randomSums adds the points up with coefficients -1, 0 and 1, in as many ways as
// there are trits. A point's coefficients in all of them are the digits of one
// number in balanced ternary; points with the same number are added first.
func randomSums(points []bls12381.G1Affine) (sums [trits]bls12381.G1Jac, err error) {
	var seed [32]byte
	if _, err := crand.Read(seed[:]); err != nil {
		return sums, fmt.Errorf("draw coefficients: %w", err)
	}
	random := rand.New(rand.NewChaCha8(seed))
	var buckets [half + 1]bls12381.G1Jac // zero values are infinity: Z is 0
	for i := range points {
		switch v := random.IntN(tritVectors) - half; {
		case v > 0:
			buckets[v].AddMixed(&points[i])
		case v < 0:
			var minus bls12381.G1Affine
			buckets[-v].AddMixed(minus.Neg(&points[i]))
		}
	}
	for v := 1; v <= half; v++ {
		for k, digits := 0, v; digits != 0; k, digits = k+1, (digits+1)/3 {
			switch digits % 3 {
			case 1:
				sums[k].AddAssign(&buckets[v])
			case 2: // -1, and the next digit takes one more
				sums[k].SubAssign(&buckets[v])
			}
		}
	}
	return sums, nil
}
