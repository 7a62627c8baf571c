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
