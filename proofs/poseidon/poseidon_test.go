package poseidon_test

import (
	"fmt"
	"testing"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/poseidon"
)

// neptune src/poseidon.rs, test hash_values (strength standard): digests of
// 0, 1, ..., arity-1 as little-endian 64-bit limbs.
var neptuneVectors = map[int][4]uint64{
	2:  {0x2e203c369a02e7ff, 0xa6fba9339d05a69d, 0x739e0fd902efe161, 0x396508d75e76a56b},
	4:  {0x019814ff6662075d, 0xfb6b4605bf1327ec, 0x00db3c6579229399, 0x58a54b10a9e5848a},
	8:  {0x2a9934f56d38a5e6, 0x4b682e9d9cc4aed9, 0x1201004211677077, 0x2394611da3a5de55},
	11: {0xcee3bbc32b693163, 0x09f3dcd8ccb08fc1, 0x6ca537e232ebe87a, 0x0c0fc1b2e5227f28},
	16: {0x1291c74060266d37, 0x5b8dbc6d30680a6f, 0xc1c2fb5a6f871e63, 0x2d3ae2663381ae8a},
	24: {0xd7ef3569f585b321, 0xc3e779f6468815b1, 0x066f39bf783f3d9f, 0x63beb8831f11ae15},
	36: {0x4473606dfa4e8140, 0x75cd368df8a8ac3c, 0x540a30e03c10bbaa, 0x699303082a6e5d5f},
}

func counting(n int) []fr.Element {
	out := make([]fr.Element, n)
	for i := range out {
		out[i].SetUint64(uint64(i))
	}
	return out
}

func TestDigestsAreNeptunes(t *testing.T) {
	for arity, want := range neptuneVectors {
		got := poseidon.Hash(counting(arity)...)
		if got.Bits() != want {
			t.Errorf("arity %d: %x, want %x", arity, got.Bits(), want)
		}
	}
}

func TestConstantsHaveTheShapeOfTheCircuit(t *testing.T) {
	for arity := range neptuneVectors {
		c := poseidon.For(arity)
		if c.Width != arity+1 || len(c.MDS) != c.Width || len(c.PreSparse) != c.Width {
			t.Errorf("arity %d: width %d, matrices %d and %d", arity, c.Width, len(c.MDS), len(c.PreSparse))
		}
		if want := c.FullRounds*c.Width + c.PartialRounds; len(c.Compressed) != want {
			t.Errorf("arity %d: %d compressed constants, want %d", arity, len(c.Compressed), want)
		}
		if len(c.Sparse) != c.PartialRounds {
			t.Errorf("arity %d: %d sparse matrices, want %d", arity, len(c.Sparse), c.PartialRounds)
		}
	}
}

func TestHashingDoesNotAllocate(t *testing.T) {
	for _, arity := range []int{2, 8, 11, 36} {
		c, preimage := poseidon.For(arity), counting(arity)
		var digest fr.Element
		if n := testing.AllocsPerRun(10, func() { c.Hash(&digest, preimage) }); n != 0 {
			t.Errorf("arity %d: %v allocations", arity, n)
		}
	}
}

func TestAnUnknownArityIsAMistakeOfTheCaller(t *testing.T) {
	for name, call := range map[string]func(){
		"no such arity":            func() { poseidon.For(3) },
		"nothing to hash":          func() { poseidon.Hash() },
		"too short for this arity": func() { poseidon.For(8).Hash(new(fr.Element), counting(7)) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			call()
		})
	}
}

func BenchmarkHash(b *testing.B) {
	for _, arity := range []int{2, 8} {
		b.Run(map[int]string{2: "arity2", 8: "arity8"}[arity], func(b *testing.B) {
			c, preimage := poseidon.For(arity), counting(arity)
			var digest fr.Element
			for b.Loop() {
				c.Hash(&digest, preimage)
			}
		})
	}
}

func BenchmarkHashMany(b *testing.B) {
	c := poseidon.For(8)
	for _, n := range []int{64, 640} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			preimages, digests := counting(8*n), make([]fr.Element, n)
			for b.Loop() {
				c.HashMany(digests, preimages)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/hash")
		})
	}
}
