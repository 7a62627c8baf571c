package native_test

import (
	"errors"
	"testing"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/prover/native"
)

// The network takes bytes that are no proof for a wrong one; that there is no key to
// judge with is something else.
func TestWhatIsNoProofIsToldFromWhatCannotBeJudged(t *testing.T) {
	r, proof := oracle(t, "window-2k-1.2.0-3", v11)
	n := open(t, keys(t), 1)
	for _, bytes := range [][]byte{nil, proof[:191], append(proof[:192:192], 0), make([]byte, len(proof))} {
		if valid, err := n.Verify(t.Context(), r.Statement, bytes); valid || !errors.Is(err, vigil.ErrMalformed) {
			t.Errorf("%d bytes: %v, %v", len(bytes), valid, err)
		}
	}
	if _, err := native.New(t.TempDir(), 1, 0).Verify(t.Context(), r.Statement, nil); err == nil || errors.Is(err, vigil.ErrMalformed) {
		t.Errorf("without a key: %v", err)
	}
	r.Statement.Sectors = nil
	if _, err := n.Verify(t.Context(), r.Statement, proof); err == nil || errors.Is(err, vigil.ErrMalformed) {
		t.Errorf("without a sector: %v", err)
	}
}
