//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package params

import (
	"fmt"
	"os"
	"syscall"
)

// mapFile maps a file read-only and shared, so that several processes that
// prove with one key need its memory once.
func mapFile(f *os.File) (data []byte, unmap func() error, err error) {
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() || info.Size() == 0 || int64(int(info.Size())) != info.Size() {
		return nil, nil, fmt.Errorf("a file of %d bytes and mode %v cannot be mapped", info.Size(), info.Mode())
	}
	data, err = syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, nil, fmt.Errorf("map: %w", err)
	}
	return data, func() error { return syscall.Munmap(data) }, nil
}
