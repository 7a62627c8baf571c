//go:build unix

package wallet

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// giveTo leaves a file to the owner of another: an administrator who changes a
// keystore must not take it, or its lock, from the daemon's user.
func giveTo(f *os.File, of fs.FileInfo) error {
	mine, err := f.Stat()
	if err != nil {
		return err
	}
	is, ok := mine.Sys().(*syscall.Stat_t)
	owner, known := of.Sys().(*syscall.Stat_t)
	if !ok || !known || is.Uid == owner.Uid && is.Gid == owner.Gid {
		return nil
	}
	if err := f.Chown(int(owner.Uid), int(owner.Gid)); err != nil {
		return fmt.Errorf("%s belongs to user %d and group %d, and could not be left to them: do this as that user: %w", of.Name(), owner.Uid, owner.Gid, err)
	}
	return nil
}
