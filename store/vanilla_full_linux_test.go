package store

import (
	"bytes"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vigil-post/vigil"
)

// What is written after a disk was full for a moment is not lost behind a record
// that was cut off.
func TestAVanillaProofThatDidNotFitSpoilsNoneAfterIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "vanilla")
	v, err := OpenVanilla(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	id := vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: 100}
	keep := func(n byte) error { return v.Keep(id, vigil.VanillaKey{n}, bytes.Repeat([]byte{n}, 100)) }
	if err := keep(1); err != nil {
		t.Fatal(err)
	}
	full(t, 200, func() {
		if keep(2) == nil {
			t.Error("it fitted")
		}
	})
	if err := keep(3); err != nil {
		t.Fatal(err)
	}
	kept, err := v.Kept(id)
	if err != nil || len(kept) != 2 || kept[vigil.VanillaKey{3}] == nil {
		t.Errorf("%d proofs are kept, want the first and the third; %v", len(kept), err)
	}
	if want := int64(2 * (vanillaRecord + 100)); v.size != want {
		t.Errorf("%d bytes are counted, want %d", v.size, want)
	}
}

// full does something while no file can grow beyond a size.
func full(t *testing.T, size uint64, do func()) {
	t.Helper()
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: size, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
			t.Fatal(err)
		}
	}()
	do()
}

// The database is beside it, and must not run out of disk for what can be read again.
func TestVanillaProofsLeaveTheDatabaseItsDisk(t *testing.T) {
	v, err := OpenVanilla(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	id := vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: 100}
	for _, c := range []struct {
		free int64
		kept int
	}{{vanillaSpares, 0}, {vanillaSpares + 1000, 1}} {
		v.free = func(string) int64 { return c.free }
		if err := v.Keep(id, vigil.VanillaKey{1}, bytes.Repeat([]byte{1}, 100)); err != nil {
			t.Fatal(err)
		}
		if kept, err := v.Kept(id); err != nil || len(kept) != c.kept {
			t.Errorf("%d bytes free: %d proofs are kept, want %d; %v", c.free, len(kept), c.kept, err)
		}
	}
}
