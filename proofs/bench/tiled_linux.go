package bench

import (
	"errors"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapTiles gives vectors of the given sizes, the i-th made of the i-th tile of the
// file over and over.
func mapTiles(name string, tile int, sizes []int) (vectors [][]byte, unmap func() error, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	var undo []func() error
	unmap = func() error {
		var errs []error
		for _, f := range undo {
			errs = append(errs, f())
		}
		return errors.Join(errs...)
	}
	for i, size := range sizes {
		reserved := uintptr((size + tile - 1) / tile * tile)
		// An inaccessible mapping holds the place; the tiles are then put over it.
		at, err := unix.MmapPtr(-1, 0, nil, reserved, unix.PROT_NONE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
		if err != nil {
			return nil, nil, errors.Join(err, unmap())
		}
		undo = append(undo, func() error { return unix.MunmapPtr(at, reserved) })
		for from := uintptr(0); from < reserved; from += uintptr(tile) {
			_, err := unix.MmapPtr(int(f.Fd()), int64(i*tile), unsafe.Add(at, from), uintptr(tile), unix.PROT_READ, unix.MAP_SHARED|unix.MAP_FIXED)
			if err != nil {
				return nil, nil, errors.Join(err, unmap())
			}
		}
		vectors = append(vectors, unsafe.Slice((*byte)(at), size))
	}
	return vectors, unmap, nil
}
