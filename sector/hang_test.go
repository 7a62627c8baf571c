//go:build unix

package sector_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/sector"
)

// hanging is a storage whose replica never answers: opening a pipe waits for
// one who writes. release lets it go.
func hanging(t *testing.T) (dir string, release func()) {
	t.Helper()
	dir = copied(t)
	pipe := filepath.Join(dir, replica)
	remove(t, pipe)
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Skipf("no pipes here: %v", err)
	}
	release = sync.OnceFunc(func() {
		if f, err := os.OpenFile(pipe, os.O_RDWR, 0); err == nil {
			t.Cleanup(func() { f.Close() })
		}
	})
	t.Cleanup(release)
	return dir, release
}

func TestAReadThatHangsIsGivenUpAndNotBad(t *testing.T) {
	request, _ := sector3(t)
	dir, _ := hanging(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := sector.NewReader(dir).Read(ctx, request)
	var bad *vigil.SectorError
	if !errors.Is(err, context.DeadlineExceeded) || errors.As(err, &bad) {
		t.Errorf("%v", err)
	}
}

func TestAStorageThatHangsCostsItsTimeOnceAndIsReadAgainWhenItIsBack(t *testing.T) {
	request, want := sector3(t)
	dir, release := hanging(t)
	reader := sector.NewReader(dir, storage)
	var wait sync.WaitGroup
	for range 32 { // more than enough: one whose time is over before it begins tells nothing
		wait.Go(func() {
			short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if _, err := reader.Read(short, request); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("while it hangs: %v", err)
			}
		})
	}
	wait.Wait()
	// One goes to see whether it is back; meanwhile all others pass it by.
	probe, stop := context.WithCancel(t.Context())
	defer stop()
	outcomes := make(chan error, 5)
	next := func() error {
		select {
		case err := <-outcomes:
			return err
		case <-time.After(30 * time.Second):
			t.Fatal("a read waits for the storage that hangs")
			return nil
		}
	}
	for range 5 {
		go func() {
			_, err := reader.Read(probe, request)
			outcomes <- err
		}()
	}
	for range 4 {
		if err := next(); err != nil {
			t.Errorf("past the storage that hangs: %v", err)
		}
	}
	stop()
	if err := next(); !errors.Is(err, context.Canceled) {
		t.Errorf("the one that asks it: %v", err)
	}
	release()
	remove(t, filepath.Join(dir, replica))
	data, err := os.ReadFile(filepath.Join(storage, replica))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, replica), data)
	if got, err := reader.Read(t.Context(), request); err != nil || !bytes.Equal(got, want) {
		t.Errorf("when it is back: %v", err)
	}
}
