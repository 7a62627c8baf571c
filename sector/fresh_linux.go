package sector

import (
	"os"

	"golang.org/x/sys/unix"
)

// forgetPages asks the system to forget what it keeps of a file in memory, so that
// the second look at what seems bad is one at the storage. Pages that somebody has
// mapped or changed stay, and a refusal changes nothing.
func forgetPages(f *os.File) {
	if raw, err := f.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.Fadvise(int(fd), 0, 0, unix.FADV_DONTNEED) })
	}
}
