package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/vigil-post/vigil/proofs/groth16"
)

func TestSelftestSaysWhatIsWrongWithTheKernels(t *testing.T) {
	var out strings.Builder
	sayKernels(&out, groth16.Choice{Name: groth16.Generic, Problem: errors.New("they differ")})
	if have, want := out.String(), "kernels: gnark-crypto\nkernels: FAILED: they differ\n"; have != want {
		t.Errorf("%q, not %q", have, want)
	}
}
