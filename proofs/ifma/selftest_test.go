package ifma

import (
	"strings"
	"testing"
	"unsafe"
)

// A CPU or an emulator that computes something wrong must not end the process: the
// self-test says so, and gnark-crypto computes.
func TestTheSelfTestSurvivesWrongKernels(t *testing.T) {
	needKernels(t)
	zeroChains := func(w, _, _, _ *byte, _ int) {
		for i := range 2 {
			*workspaceAt(w).chain(i) = vector{}
		}
	}
	nothing := func(_, _, _, _ *byte, _ int) {}
	for _, c := range []*curve{&g1, &g2} {
		right := *c
		for name, spoil := range map[string]func(){
			"decoding complains of good points": func() { c.decode = func(_, _, _ *byte, _ int) uint64 { return 1 } },
			"decoding writes nothing":           func() { c.decode = func(_, _, _ *byte, _ int) uint64 { return 0 } },
			"products are zero":                 func() { c.forward = zeroChains },
			"products are not made":             func() { c.forward = nothing },
			"sums are not made":                 func() { c.backward = func(_, _, _, _ *byte, _ int, _, _ *byte) {} },
		} {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				defer func() { *c = right }()
				spoil()
				err := SelfTest()
				if err == nil || !strings.Contains(err.Error(), c.name) {
					t.Error(err)
				}
			})
		}
	}
}

func workspaceAt(w *byte) workspace { return unsafe.Slice(w, sizeWorkspace) }
