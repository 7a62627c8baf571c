//go:build unix

package app

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// An administrator who adds a storage must not take the file from the daemon's user.
func TestAFileThatIsAddedToKeepsItsOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	file := put(t, filepath.Join(t.TempDir(), "vigil.toml"), "")
	if err := os.Chown(file, 1234, 2345); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(file, []byte("# other\n")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if s := info.Sys().(*syscall.Stat_t); s.Uid != 1234 || s.Gid != 2345 || info.Mode().Perm() != 0o640 {
		t.Errorf("it belongs to %d:%d, %v", s.Uid, s.Gid, info.Mode())
	}
}
