package ifma

import (
	"unsafe"

	"github.com/vigil-post/vigil/proofs/offheap"
)

// room is one stretch of memory from the system, of which parts are taken, in
// multiples of 64 bytes.
type room struct {
	memory []byte
	free   func()
	used   int
}

func align(n int) int { return (n + 63) &^ 63 }

// reserve makes room for so many bytes, of which none is taken. What was there is lost.
func (r *room) reserve(size int) error {
	r.used = 0
	if size <= len(r.memory) {
		return nil
	}
	r.close()
	memory, free, err := offheap.Map(size)
	if err != nil {
		return err
	}
	r.memory, r.free = memory, free
	return nil
}

func (r *room) close() {
	if r.free != nil {
		r.free()
	}
	*r = room{}
}

// take takes n elements. With room that has no memory yet it only counts.
func take[T any](r *room, n int) []T {
	var t T
	from := r.used
	r.used += align(n * int(unsafe.Sizeof(t)))
	if r.memory == nil || n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&r.memory[from])), n)
}
