package ifma

import (
	"runtime/debug"

	"github.com/vigil-post/vigil/proofs/offheap"
)

// contain is deferred in a worker: its panic, which would end the process, fails the sum.
func contain(fail func(error)) {
	if v := recover(); v != nil {
		fail(&offheap.PanicError{Value: v, Stack: debug.Stack()})
	}
}
