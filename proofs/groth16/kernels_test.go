package groth16

import (
	"errors"
	"testing"

	"github.com/vigil-post/vigil/proofs/ifma"
)

func TestKernelsAreChosen(t *testing.T) {
	wrong := errors.New("wrong")
	right := func() error { return nil }
	for _, c := range []struct {
		sentence, wish string
		supported      bool
		test           func() error
		name           string
		problem        bool
	}{
		{"the fastest that are right", "", true, right, IFMA, false},
		{"the same by name", "auto", true, right, IFMA, false},
		{"no others where the CPU has none", "", false, nil, Generic, false},
		{"no others where they are not wanted", "generic", true, nil, Generic, false},
		{"wrong ones are not used, and that is said", "", true, func() error { return wrong }, Generic, true},
		{"a word that means nothing is said", "fast", true, nil, Generic, true},
	} {
		have := choose(c.wish, c.supported, c.test)
		if have.Name != c.name || (have.Problem != nil) != c.problem {
			t.Errorf("%s: %+v", c.sentence, have)
		}
	}
}

func TestTheKernelsHereAreRight(t *testing.T) {
	if have := Kernels(); have.Problem != nil {
		t.Error(have.Problem)
	}
}

func TestBothKernelsMakeTheSameProof(t *testing.T) {
	if !ifma.Supported() {
		t.Skip("this CPU has gnark-crypto's only")
	}
	n := toy(40)
	k, _ := n.key(t)
	for _, nonZK := range []bool{false, true} {
		want := prove(t, Prover{Rand: ones{}, NonZK: nonZK, Multiexp: &Portable{}, FFT: &PortableFFT{}}, k, n.assign(2))
		for _, chunk := range []int{0, 7, 100} {
			sums := &ifma.Sums{Workers: 2}
			p := Prover{Rand: ones{}, NonZK: nonZK, Chunk: chunk, Multiexp: sums, FFT: &ifma.FFT{}}
			if have := prove(t, p, k, n.assign(2)); have != want {
				t.Errorf("chunks of %d wires, without zero knowledge %t: another proof", chunk, nonZK)
			}
			sums.Close()
		}
	}
}
