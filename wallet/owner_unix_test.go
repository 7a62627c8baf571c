//go:build unix

package wallet

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// An administrator who imports a key must not take the keystore from the daemon's user.
func TestAKeystoreKeepsItsOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	folder := t.TempDir()
	path := filepath.Join(folder, "keystore")
	if err := os.Chown(folder, 1234, 2345); err != nil {
		t.Fatal(err)
	}
	w, err := Create(path, "open", Options{WorkFactor: 1})
	if err != nil {
		t.Fatal(err)
	}
	belong := func(uid, gid uint32) {
		t.Helper()
		for _, file := range []string{path, path + ".lock"} {
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			if s := info.Sys().(*syscall.Stat_t); s.Uid != uid || s.Gid != gid || info.Mode().Perm() != 0o600 {
				t.Errorf("%s belongs to %d:%d, %v", file, s.Uid, s.Gid, info.Mode())
			}
		}
	}
	belong(1234, 2345)
	for _, file := range []string{path, path + ".lock"} {
		if err := os.Chown(file, 1111, 2222); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(path + ".lock"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.New(Secp256k1); err != nil {
		t.Fatal(err)
	}
	belong(1111, 2222)
}
