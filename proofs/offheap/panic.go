package offheap

import (
	"fmt"
	"runtime/debug"
)

// PanicError is a panic that was made an error of.
type PanicError struct {
	Value any
	Stack []byte // of the goroutine that panicked
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("a bug stopped the computation, please report it: panic: %v", e.Value)
}

// Caught does work, and makes a *PanicError of a panic in it: one in a goroutine that nobody
// else watches would end the process. What work was about must not be used afterwards.
func Caught(work func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return work()
}
