//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package native_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vigil-post/vigil/proofs/offheap"
)

// A key that rots while it is in use is said to be damaged, and a whole file in its place
// is used without a restart; one that is no key, or half of another one, is not, as long as
// the old one serves.
func TestAKeyThatRotsIsReplacedWithoutARestart(t *testing.T) {
	if testing.Short() {
		t.Skip("proves for seconds")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(keys(t))); err != nil {
		t.Fatal(err)
	}
	n := open(t, dir, 1)
	r, _ := oracle(t, "window-2k-1.2.0-3", v11)
	if err := n.Check(v11); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*0170db1f394b35d9*.params"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	put := func(content []byte) {
		t.Helper()
		fresh := filepath.Join(dir, "fresh")
		if err := errors.Join(os.WriteFile(fresh, content, 0o600), os.Rename(fresh, files[0])); err != nil {
			t.Fatal(err)
		}
	}
	put(whole)
	if _, err := n.Prove(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(files[0], os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(make([]byte, 4096), int64(len(whole)/2)); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Prove(t.Context(), r); err == nil || !strings.Contains(err.Error(), "fetch it again") {
		t.Errorf("with the rotten key: %v", err)
	}
	another := slices.Concat(whole[96:192], whole[:96], whole[192:]) // its first two points in each other's place
	for _, content := range [][]byte{whole, []byte("no key"), another} {
		put(content)
		proof, err := n.Prove(t.Context(), r)
		if err != nil {
			t.Fatalf("with a file of %d bytes in its place: %v", len(content), err)
		}
		if ok, err := n.Verify(t.Context(), r.Statement, proof); !ok || err != nil {
			t.Errorf("%v, %v", ok, err)
		}
	}
}

// A key that somebody cuts short under a running daemon costs the proofs that it is needed
// for, with what to do, and not the daemon; with a whole file in its place the next proof is made.
func TestAKeyThatIsCutShortCostsItsProofsAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("proves for seconds")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(keys(t))); err != nil {
		t.Fatal(err)
	}
	n := open(t, dir, 1)
	r, _ := oracle(t, "window-2k-1.2.0-3", v11)
	if err := n.Check(v11); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*0170db1f394b35d9*.params"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(files[0], int64(len(whole)/3)); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Prove(t.Context(), r); !errors.Is(err, offheap.ErrUnreadable) || !strings.Contains(err.Error(), "fetch it again") {
		t.Error(err)
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[0], whole, 0o600); err != nil {
		t.Fatal(err)
	}
	proof, err := n.Prove(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := n.Verify(t.Context(), r.Statement, proof); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
}
