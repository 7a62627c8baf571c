//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package params

import (
	"io"
	"os"
)

// mapFile reads the file: slower and dearer than a mapping, and right.
func mapFile(f *os.File) (data []byte, unmap func() error, err error) {
	data, err = io.ReadAll(f)
	return data, func() error { return nil }, err
}
