//go:build linux || darwin

package store

import (
	"math"

	"golang.org/x/sys/unix"
)

// DiskFree is how many bytes the disk of a folder has left for this user. One that
// does not say is taken to have room: writing will tell.
func DiskFree(dir string) int64 {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return math.MaxInt64
	}
	return int64(s.Bavail) * int64(s.Bsize)
}
