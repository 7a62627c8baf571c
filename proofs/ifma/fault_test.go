package ifma

import (
	"errors"
	"testing"

	"github.com/vigil-post/vigil/proofs/offheap"
)

func TestAPanicInAWorkerFailsTheSumAlone(t *testing.T) {
	var bug *offheap.PanicError
	err := each(t.Context(), 3, 100, func(_, unit int) error {
		if unit == 50 {
			panic("a bug")
		}
		return nil
	})
	if !errors.As(err, &bug) || bug.Value != "a bug" || len(bug.Stack) == 0 {
		t.Error(err)
	}
}
