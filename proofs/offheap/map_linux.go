package offheap

import (
	"fmt"
	"syscall"
)

// Map takes zeroed memory from the system, in huge pages where it has
// them: a transform strides over gigabytes.
func Map(size int) (b []byte, free func(), err error) {
	b, err = syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, nil, fmt.Errorf("take %d MiB: %w: %w", size>>20, ErrNoMemory, err)
	}
	_ = syscall.Madvise(b, syscall.MADV_HUGEPAGE) // only an advice
	return b, func() { _ = syscall.Munmap(b) }, nil
}
