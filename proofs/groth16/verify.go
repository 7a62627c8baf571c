package groth16

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/consensys/gnark-crypto/ecc"
	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
)

// ErrInputCount says that a proof was to be verified with more or fewer public
// inputs than its key has: the question is wrong, not the proof.
var ErrInputCount = errors.New("wrong number of public inputs")

type lines = [2][len(bls12381.LoopCounter) - 1]bls12381.LineEvaluationAff

// PreparedKey is a verifying key with the work done that is the same for every
// proof. It may be used concurrently.
type PreparedKey struct {
	ic        []bls12381.G1Affine
	alphaBeta bls12381.GT
	fixed     []lines // of -gamma and -delta
}

// Prepare does the work that is the same for every proof.
func (k *VerifyingKey) Prepare() (*PreparedKey, error) {
	ab, err := bls12381.Pair([]bls12381.G1Affine{k.AlphaG1}, []bls12381.G2Affine{k.BetaG2})
	if err != nil {
		return nil, fmt.Errorf("pair alpha with beta: %w", err)
	}
	var gamma, delta bls12381.G2Affine
	gamma.Neg(&k.GammaG2)
	delta.Neg(&k.DeltaG2)
	return &PreparedKey{
		ic:        k.IC,
		alphaBeta: ab,
		fixed:     []lines{bls12381.PrecomputeLines(gamma), bls12381.PrecomputeLines(delta)},
	}, nil
}

// Verify says whether the proof is one for the public inputs, which are given
// without the leading one. An error means that the question could not be asked.
func Verify(k *VerifyingKey, inputs []fr.Element, p *Proof) (bool, error) {
	pk, err := k.Prepare()
	if err != nil {
		return false, err
	}
	return pk.Verify(inputs, p)
}

// Inputs is the number of public inputs that a proof has, without the leading one.
func (k *PreparedKey) Inputs() int { return len(k.ic) - 1 }

// Verify says whether the proof is one for the public inputs, which are given
// without the leading one:
//
//	e(A, B) = e(alpha, beta) e(sum of inputs, gamma) e(C, delta)
func (k *PreparedKey) Verify(inputs []fr.Element, p *Proof) (bool, error) {
	if len(inputs) != k.Inputs() {
		return false, fmt.Errorf("%w: %d, the key has %d", ErrInputCount, len(inputs), k.Inputs())
	}
	scalars := make([]fr.Element, len(k.ic))
	scalars[0].SetOne()
	copy(scalars[1:], inputs)
	return k.holds([]bls12381.G1Affine{p.A}, []bls12381.G2Affine{p.B}, scalars, p.C, k.alphaBeta)
}

// VerifyBatch says whether every proof is one for its public inputs. It checks
// a random combination of them, with 128-bit coefficients: a batch with a
// wrong proof passes with a probability of 2^-128. One final exponentiation and
// one sum over the inputs serve all.
func (k *PreparedKey) VerifyBatch(inputs [][]fr.Element, proofs []Proof) (bool, error) {
	if len(inputs) != len(proofs) {
		return false, fmt.Errorf("%w: %d sets for %d proofs", ErrInputCount, len(inputs), len(proofs))
	}
	if len(proofs) == 0 {
		return false, errors.New("no proof to verify")
	}
	if len(proofs) == 1 {
		return k.Verify(inputs[0], &proofs[0])
	}
	zs, err := coefficients(len(proofs))
	if err != nil {
		return false, err
	}
	return k.verifyCombined(inputs, proofs, zs)
}

func (k *PreparedKey) verifyCombined(inputs [][]fr.Element, proofs []Proof, zs []fr.Element) (bool, error) {
	scalars := make([]fr.Element, len(k.ic))
	as, bs := make([]bls12381.G1Affine, len(proofs)), make([]bls12381.G2Affine, len(proofs))
	cs := make([]bls12381.G1Affine, len(proofs))
	for j := range proofs {
		if len(inputs[j]) != k.Inputs() {
			return false, fmt.Errorf("%w: %d in set %d, the key has %d", ErrInputCount, len(inputs[j]), j, k.Inputs())
		}
		z := zs[j].BigInt(new(big.Int))
		as[j].ScalarMultiplication(&proofs[j].A, z)
		bs[j], cs[j] = proofs[j].B, proofs[j].C
		scalars[0].Add(&scalars[0], &zs[j])
		for i := range inputs[j] {
			var t fr.Element
			scalars[i+1].Add(&scalars[i+1], t.Mul(&zs[j], &inputs[j][i]))
		}
	}
	var c bls12381.G1Affine
	if _, err := c.MultiExp(cs, zs, ecc.MultiExpConfig{}); err != nil {
		return false, fmt.Errorf("combine the points C: %w", err)
	}
	var ab bls12381.GT
	ab.Exp(k.alphaBeta, scalars[0].BigInt(new(big.Int)))
	return k.holds(as, bs, scalars, c, ab)
}

// holds says whether the product of e(as, bs) is
// want * e(sum of scalars, gamma) * e(c, delta).
func (k *PreparedKey) holds(as []bls12381.G1Affine, bs []bls12381.G2Affine, scalars []fr.Element, c bls12381.G1Affine, want bls12381.GT) (bool, error) {
	sum, err := sumInputs(k.ic, scalars)
	if err != nil {
		return false, fmt.Errorf("sum the inputs: %w", err)
	}
	left, err := bls12381.MillerLoop(as, bs)
	if err != nil {
		return false, fmt.Errorf("pair A with B: %w", err)
	}
	// MillerLoopFixedQ (gnark-crypto v0.22.0) spoils the lines it is given.
	right, err := bls12381.MillerLoopFixedQ([]bls12381.G1Affine{sum, c}, slices.Clone(k.fixed))
	if err != nil {
		return false, fmt.Errorf("pair the inputs and C: %w", err)
	}
	got := bls12381.FinalExponentiation(&left, &right)
	return got.Equal(&want), nil
}

// sumInputs is the sum of the points times their scalars. Most inputs of a PoSt
// are numbers of leaves, of a few digits: they are summed by themselves, because
// a sum is cut into buckets by its number of points, and few points with
// large scalars among them would cost all buckets of the upper digits.
func sumInputs(points []bls12381.G1Affine, scalars []fr.Element) (bls12381.G1Affine, error) {
	small, smallScalars := make([]bls12381.G1Affine, 0, len(points)), make([]fr.Element, 0, len(points))
	var large []bls12381.G1Affine
	var largeScalars []fr.Element
	for i := range scalars {
		if scalars[i].IsUint64() {
			small, smallScalars = append(small, points[i]), append(smallScalars, scalars[i])
		} else {
			large, largeScalars = append(large, points[i]), append(largeScalars, scalars[i])
		}
	}
	var a, b bls12381.G1Jac
	if _, err := a.MultiExp(small, smallScalars, ecc.MultiExpConfig{}); err != nil {
		return bls12381.G1Affine{}, err
	}
	if _, err := b.MultiExp(large, largeScalars, ecc.MultiExpConfig{}); err != nil {
		return bls12381.G1Affine{}, err
	}
	a.AddAssign(&b)
	var sum bls12381.G1Affine
	return *sum.FromJacobian(&a), nil
}

// coefficients draws n nonzero numbers of 128 bits.
func coefficients(n int) ([]fr.Element, error) {
	zs := make([]fr.Element, n)
	for i := range zs {
		var b [16]byte
		for zs[i].IsZero() {
			if _, err := rand.Read(b[:]); err != nil {
				return nil, fmt.Errorf("draw coefficients: %w", err)
			}
			zs[i].SetBytes(b[:])
		}
	}
	return zs, nil
}
