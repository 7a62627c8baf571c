package bench

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// dropCached asks the system to forget a file's pages. It keeps those that some
// process has mapped.
func dropCached(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return err
	}
	return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}

// diskRead is what the disk was read for this process so far.
func diskRead() *int64 {
	b, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return nil
	}
	var io struct{ rchar, wchar, syscr, syscw, read int64 }
	_, err = fmt.Sscanf(string(b), "rchar: %d\nwchar: %d\nsyscr: %d\nsyscw: %d\nread_bytes: %d", &io.rchar, &io.wchar, &io.syscr, &io.syscw, &io.read)
	if err != nil {
		return nil
	}
	return &io.read
}
