//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package offheap

import (
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"testing"
)

// page is as long as any system's, so that it is one or some.
const page = 64 << 10

// shrunk is a mapped file of two pages of which one is left.
func shrunk(t *testing.T) []byte {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(2 * page); err != nil {
		t.Fatal(err)
	}
	b, err := syscall.Mmap(int(f.Fd()), 0, 2*page, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(b) })
	if err := f.Truncate(page); err != nil {
		t.Fatal(err)
	}
	return b
}

var sink byte

func TestAFaultInAMappedFileIsAnError(t *testing.T) {
	b := shrunk(t)
	for _, at := range []int{page, page + 1, 2*page - 1} {
		if err := Reading(b, func() error { sink = b[at]; return nil }); !errors.Is(err, ErrUnreadable) {
			t.Errorf("byte %d: %v", at, err)
		}
	}
	other := errors.New("other")
	if err := Reading(b, func() error { sink = b[page-1]; return other }); err != other {
		t.Error(err)
	}
	if debug.SetPanicOnFault(false) {
		t.Error("faults elsewhere do not end the process any more")
	}
}

func TestOtherPanicsAreNoErrorsOfTheFile(t *testing.T) {
	b := shrunk(t)
	for name, read := range map[string]func() error{
		"an index":           func() error { sink = b[len(b):][0]; return nil },
		"a nil pointer":      func() error { sink = *(*byte)(nil); return nil },
		"another page":       func() error { sink = b[page]; return nil },
		"something of ours":  func() error { panic("ours") },
		"an error with more": func() error { panic(errors.New("ours")) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			t.Errorf("%s: %v", name, Reading(b[:page], read))
		}()
	}
}
