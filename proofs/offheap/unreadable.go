package offheap

import (
	"errors"
	"runtime/debug"
	"unsafe"
)

// ErrUnreadable says that a mapped file's bytes could not be had.
var ErrUnreadable = errors.New("the file was cut short while it was in use, or its disk cannot be read")

// Reading calls read, which reads from b in this goroutine, and b may be a mapped
// file. Where the file does not reach any more, or its disk fails, the system would
// end the process; here read ends, and ErrUnreadable is returned. It may have been
// anywhere then, so that it must hold no lock. Kernels in assembly end in the same way.
func Reading(b []byte, read func() error) (err error) {
	before := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(before)
		if fault := recover(); fault != nil {
			if !isIn(fault, b) {
				panic(fault)
			}
			err = ErrUnreadable
		}
	}()
	return read()
}

// isIn says whether a panic is a fault at an address of b.
func isIn(fault any, b []byte) bool {
	at, ok := fault.(interface{ Addr() uintptr })
	return ok && len(b) > 0 && at.Addr()-uintptr(unsafe.Pointer(&b[0])) < uintptr(len(b))
}
