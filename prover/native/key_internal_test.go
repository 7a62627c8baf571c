package native

import (
	"testing"

	"github.com/filecoin-project/go-state-types/abi"
)

func TestAKeyThatIsGoneIsUnmappedByTheLastWhoHoldsIt(t *testing.T) {
	n := New("keys", 1, 0)
	const form = abi.RegisteredPoStProof_StackedDrgWindow2KiBV1_1
	unmapped := 0
	opened := func() *key { return &key{unmap: func() error { unmapped++; return nil }} }
	k := opened()
	n.keys[form] = k
	for range 3 {
		if held, err := n.hold(form); held != k || err != nil {
			t.Fatal(held, err)
		}
	}
	n.release(k)
	n.forget(form, k) // one of the others found it damaged
	n.forget(form, k) // and so did the third
	n.keys[form] = opened()
	if n.release(k); unmapped != 0 {
		t.Error("it was unmapped while somebody read it")
	}
	if n.release(k); unmapped != 1 {
		t.Errorf("it was unmapped %d times, want once", unmapped)
	}
	if err := n.Close(); err != nil || unmapped != 2 {
		t.Errorf("at the end %d keys were unmapped, want both: %v", unmapped, err)
	}
}

func TestALineIsNarrowedToOneAndNoFurther(t *testing.T) {
	l := newLine(3)
	for range 3 {
		if err := l.enter(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []bool{true, true, false} {
		if l.narrow() != want {
			t.Errorf("with %d slots left it is narrowed: %t", l.slots(), !want)
		}
	}
	for range 3 {
		l.leave()
	}
	if l.free != 1 {
		t.Errorf("%d slots are free, want the one that is left", l.free)
	}
	if err := l.enter(t.Context(), 1); err != nil || l.narrow() {
		t.Errorf("a lone one narrows the line: %v", err)
	}
}
