//go:build unix

package app

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// giveTo gives a new file to the owner of the one that it is to take the place of:
// an administrator may change what the daemon's user must be able to read.
func giveTo(f *os.File, of fs.FileInfo) error {
	now, err := f.Stat()
	if err != nil {
		return err
	}
	have, ok1 := now.Sys().(*syscall.Stat_t)
	want, ok2 := of.Sys().(*syscall.Stat_t)
	if !ok1 || !ok2 || have.Uid == want.Uid && have.Gid == want.Gid {
		return nil
	}
	if err := f.Chown(int(want.Uid), int(want.Gid)); err != nil {
		return fmt.Errorf("the file belongs to user %d and group %d, and could not be left to them: do this as that user: %w", want.Uid, want.Gid, err)
	}
	return nil
}
