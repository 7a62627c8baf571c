//go:build !linux

package groth16

import "unsafe"

// mapMemory takes the memory from the heap.
func mapMemory(size int) (b []byte, free func(), err error) {
	words := make([]uint64, size/8)
	return unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), size), func() {}, nil
}
