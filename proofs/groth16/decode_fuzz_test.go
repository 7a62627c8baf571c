package groth16

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"testing"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
)

// Each decoder takes exactly the strings that its encoder makes, and allocates
// in proportion to what it is given, whatever a count in it says.

func FuzzParseProof(f *testing.F) {
	_, _, g1, g2 := bls12381.Generators()
	p := Proof{A: g1, B: g2, C: g1}
	good := p.Bytes()
	f.Add(good[:])
	for _, i := range []int{0, 48, 144} { // the flags of each point
		for _, flags := range []byte{0x20, 0x40, 0x80, 0xe0} {
			b := bytes.Clone(good[:])
			b[i] ^= flags
			f.Add(b)
		}
		infinity := bytes.Clone(good[:])
		clear(infinity[i : i+48])
		infinity[i] = 0xc0
		f.Add(infinity)
	}
	f.Add(good[:191])
	f.Add(bytes.Repeat([]byte{0xff}, 192))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseProof(b)
		if err != nil {
			return
		}
		if again := p.Bytes(); !bytes.Equal(again[:], b) {
			t.Fatalf("%x is taken for %x", b, again)
		}
		if err := errorOf(checkG1(&p.A), checkG2(&p.B), checkG1(&p.C)); err != nil {
			t.Fatalf("%x: %v", b, err)
		}
	})
}

// smallVK is a verifying key of n inputs, in the form of its file.
func smallVK(tb testing.TB, n int) []byte {
	_, _, g1, g2 := bls12381.Generators()
	k := VerifyingKey{IC: pointsG1(n)}
	k.AlphaG1, k.BetaG1, k.DeltaG1, k.BetaG2, k.GammaG2, k.DeltaG2 = g1, g1, g1, g2, g2, g2
	b, err := k.AppendBinary(nil)
	check(tb, err)
	return b
}

func FuzzParseVerifyingKey(f *testing.F) {
	good := smallVK(f, 3)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(append(bytes.Clone(good), 0))
	huge := bytes.Clone(good)
	binary.BigEndian.PutUint32(huge[vkHeadSize-4:], 0xffffffff)
	f.Add(huge)
	repeated := bytes.Clone(good)
	copy(repeated[vkHeadSize+g1Size:], good[vkHeadSize:vkHeadSize+g1Size])
	f.Add(repeated)
	f.Add(good[:vkHeadSize-4])
	f.Fuzz(func(t *testing.T, b []byte) {
		var k *VerifyingKey
		var err error
		if n := allocated(func() { k, err = ParseVerifyingKey(b) }); n > 1<<20+2*int64(len(b)) {
			t.Fatalf("%d bytes allocated for %d", n, len(b))
		}
		if err != nil {
			return
		}
		again, err := k.AppendBinary(nil)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x is taken for %x (%v)", b, again, err)
		}
		if _, err := k.Prepare(); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzParseProvingKey(f *testing.F) {
	good := smallVK(f, 2)
	for _, s := range new(ProvingKey).sections() {
		good = binary.BigEndian.AppendUint32(good, 1)
		good = append(good, make([]byte, s.size)...)
	}
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(append(bytes.Clone(good), 0))
	for at := range 6 { // the counts: of the inputs, and of each section after it
		huge := bytes.Clone(good)
		binary.BigEndian.PutUint32(huge[vkHeadSize-4:], 0xffffffff)
		if at > 0 {
			huge = bytes.Clone(good)
			binary.BigEndian.PutUint32(huge[vkHeadSize+2*g1Size+(at-1)*(4+g1Size):], 0xfffffff0)
		}
		f.Add(huge)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var k *ProvingKey
		var err error
		if n := allocated(func() { k, err = ParseProvingKey(b) }); n > 1<<20 {
			t.Fatalf("%d bytes allocated for %d", n, len(b))
		}
		if err != nil {
			return
		}
		var again bytes.Buffer
		if _, err := k.WriteTo(&again); err != nil || !bytes.Equal(again.Bytes(), b) {
			t.Fatalf("%x is taken for %x (%v)", b, again.Bytes(), err)
		}
		k.Lengths()
		if _, err := k.VerifyingKey(); err != nil {
			return // its inputs are not looked at before
		}
	})
}

// allocated is how many bytes a function allocates, with what other goroutines do.
func allocated(do func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

func errorOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
