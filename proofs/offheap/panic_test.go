package offheap

import (
	"errors"
	"testing"
)

func TestAPanicIsAnErrorWithItsStack(t *testing.T) {
	var bug *PanicError
	if err := Caught(func() error { panic("a bug") }); !errors.As(err, &bug) || bug.Value != "a bug" || len(bug.Stack) == 0 {
		t.Error(err)
	}
	other := errors.New("other")
	if err := Caught(func() error { return other }); err != other {
		t.Error(err)
	}
	if err := Caught(func() error { return nil }); err != nil {
		t.Error(err)
	}
}
