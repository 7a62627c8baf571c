package poseidon

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
)

// TestRoundConstantsAreThoseOfTheReferenceScript compares with the output of
// the Poseidon authors' create_rcs_grain.sage for width 9 (in neptune's
// parameters folder): the first and last constants in full, all 585 by SHA-256
// of their 32 big-endian bytes each.
func TestRoundConstantsAreThoseOfTheReferenceScript(t *testing.T) {
	var all []byte
	for _, e := range roundConstants(9, FullRounds, 57) {
		b := e.Bytes()
		all = append(all, b[:]...)
	}
	if len(all) != 585*32 {
		t.Fatalf("%d constants, want 585", len(all)/32)
	}
	if got := hex.EncodeToString(all[:32]); got != "6ce90d12c4045fe08c3caddb776dd84ac52b4ae7e48cd49443984154f2f4c2f9" {
		t.Errorf("the first is %s", got)
	}
	if got := hex.EncodeToString(all[584*32:]); got != "3b3a75eb91b0f723bcc4ab7e449e4a011b8960063efe74670c05e545519d9a8c" {
		t.Errorf("the last is %s", got)
	}
	if sum := sha256.Sum256(all); hex.EncodeToString(sum[:]) != "53d16e2f1c0141cbfd5d8bfa4cb69abcbbd056d13a523f929a93e981434ee9f7" {
		t.Errorf("all have the digest %x", sum)
	}
}

// naive is the permutation as the Poseidon paper defines it (figure 2).
func naive(arity int, preimage []fr.Element) fr.Element {
	width, partial := arity+1, partialRounds[arity]
	keys, mds := roundConstants(width, FullRounds, partial), cauchy(width)
	state := make([]fr.Element, width)
	state[0].SetUint64(1<<arity - 1)
	copy(state[1:], preimage)
	for round := range FullRounds + partial {
		for i := range state {
			state[i].Add(&state[i], &keys[round*width+i])
			if i == 0 || round < FullRounds/2 || round >= FullRounds/2+partial {
				square := new(fr.Element).Square(&state[i])
				state[i].Mul(&state[i], square.Square(square))
			}
		}
		next := make([]fr.Element, width)
		for j := range next {
			for i := range state {
				next[j].Add(&next[j], new(fr.Element).Mul(&state[i], &mds[i][j]))
			}
		}
		state = next
	}
	return state[1]
}

// FuzzTheOptimisedFormEqualsTheNaiveOne hashes whatever it is given, modulo r.
func FuzzTheOptimisedFormEqualsTheNaiveOne(f *testing.F) {
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, 36*32))
	f.Add([]byte("a seed that is neither zero nor one"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, arity := range []int{2, 4, 8, 11} {
			preimage := make([]fr.Element, arity)
			for i := range preimage {
				preimage[i].SetBytes(data[min(32*i, len(data)):min(32*(i+1), len(data))])
			}
			want := naive(arity, preimage)
			if got := Hash(preimage...); got != want {
				t.Errorf("arity %d: %s, want %s", arity, &got, &want)
			}
			many := make([]fr.Element, 3)
			For(arity).hashLockstep(many, slices.Concat(preimage, preimage, preimage))
			if many[0] != want || many[2] != want {
				t.Errorf("arity %d, in lockstep: %v, want %s", arity, many, &want)
			}
		}
	})
}

// extreme are elements whose Montgomery representation stresses carries: 0, 1,
// r-1, and the representations r-1, 2^192-1 and the like.
func extreme() []fr.Element {
	var minusOne fr.Element
	one := fr.One()
	minusOne.Neg(&one)
	return []fr.Element{
		{}, one, minusOne,
		{0xffffffff00000000, 0x53bda402fffe5bfe, 0x3339d80809a1d805, 0x73eda753299d7d48},
		{^uint64(0), ^uint64(0), ^uint64(0), 0},
		{^uint64(0), ^uint64(0), ^uint64(0), 0x73eda753299d7d47},
		{0, 0, 0, 0x73eda753299d7d48},
		{1}, {0, 1},
	}
}

func TestInnerProductsOfExtremeElements(t *testing.T) {
	values := extreme()
	for _, length := range []int{1, 2, 3, 4, 5, 9, 12, 17, 37} {
		for _, x := range values {
			for _, y := range values {
				a, b := make([]fr.Element, length), make([]fr.Element, length)
				var want fr.Element
				for i := range a {
					a[i], b[i] = x, y
					if i%3 == 2 {
						b[i] = values[i%len(values)]
					}
					want.Add(&want, new(fr.Element).Mul(&a[i], &b[i]))
				}
				var got fr.Element
				if innerProduct(&got, a, b); got != want {
					t.Fatalf("%d times %v by %v: %v, want %v", length, x, y, got, want)
				}
			}
		}
	}
}

// TestManyHashesAreThoseOfEachOne covers every way to divide them into lanes.
func TestManyHashesAreThoseOfEachOne(t *testing.T) {
	values := extreme()
	for _, arity := range []int{2, 8} {
		c := For(arity)
		for _, n := range []int{0, 1, 7, 8, 23, 24, 25, 80, 127, 128, 129, 256, 300} {
			preimages, digests := make([]fr.Element, n*arity), make([]fr.Element, n)
			for i := range preimages {
				if preimages[i] = values[i%len(values)]; i%5 == 1 {
					preimages[i].SetUint64(uint64(i))
				}
			}
			c.HashMany(digests, preimages)
			for i, got := range digests {
				if want := Hash(preimages[i*arity : (i+1)*arity]...); got != want {
					t.Fatalf("arity %d: hash %d of %d: %s, want %s", arity, i, n, &got, &want)
				}
			}
			for i := range digests {
				digests[i].SetZero()
			}
			if n == 0 {
				continue
			}
			c.hashLockstep(digests, preimages) // also where the processor would not
			if want := Hash(preimages[(n-1)*arity:]...); digests[n-1] != want {
				t.Fatalf("arity %d: the last of %d in lockstep: %s, want %s", arity, n, &digests[n-1], &want)
			}
		}
	}
}
