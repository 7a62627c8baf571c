package native

import (
	"testing"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/proofs/offheap"
)

// Whoever asked catches the bug and goes on, and so must the proofs behind it.
func TestABugInAProofsTurnKeepsNoSlot(t *testing.T) {
	n := New("keys", 1, 0)
	m := making{request: vigil.ProveRequest{Begun: func() { panic("a bug") }}}
	if err := offheap.Caught(func() error { _, err := n.inTurn(t.Context(), m); return err }); err == nil {
		t.Error("nothing was caught")
	}
	if n.line.free != 1 {
		t.Errorf("%d slots are free after a bug, want 1", n.line.free)
	}
}

// The kernel says 0 when memory is shortest: a proof that took that for "not known" would be
// made as large as can be, and cost the process.
func TestThatNoMemoryIsLeftIsNoReasonToTakeMost(t *testing.T) {
	for _, c := range []struct {
		available int64
		known     bool
		want      int64
	}{{0, false, 0}, {0, true, 1}, {1 << 30, true, 1 << 30}} {
		if got := room(c.available, c.known); got != c.want {
			t.Errorf("%d bytes, known %t: a proof reckons with %d, want %d", c.available, c.known, got, c.want)
		}
	}
}
