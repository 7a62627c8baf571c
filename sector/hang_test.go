package sector_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/sector"
)

// mount is a storage over a folder whose files can be made to hang, to be slow
// or to be corrupt. It counts what is asked of it.
type mount struct {
	path string
	slow time.Duration // of every read
	// hangs says which files do not return while the mount hangs; nil: all.
	hangs func(name string) bool

	mu     sync.Mutex    // guards what follows
	gate   chan struct{} // while it is not nil and not closed, nothing returns
	under  int
	widest int // the most that were asked at a time
}

func (m *mount) storage() sector.Storage {
	return sector.Storage{Path: m.path, Open: func() (sector.Folder, error) {
		root, err := os.OpenRoot(m.path)
		if err != nil {
			return nil, err
		}
		return mounted{root, m}, nil
	}}
}

// hang lets nothing return until the function that it gives is called.
func (m *mount) hang() (release func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	gate := make(chan struct{})
	m.gate = gate
	return sync.OnceFunc(func() { close(gate) })
}

// ask is a question to the mount.
func (m *mount) ask(name string) {
	m.mu.Lock()
	m.under++
	m.widest = max(m.widest, m.under)
	gate := m.gate
	m.mu.Unlock()
	if gate != nil && (m.hangs == nil || m.hangs(name)) {
		<-gate
	}
	if m.slow > 0 {
		<-time.After(m.slow)
	}
	m.mu.Lock()
	m.under--
	m.mu.Unlock()
}

type mounted struct {
	*os.Root
	of *mount
}

func (m mounted) Open(name string) (fs.File, error) {
	m.of.ask(name)
	f, err := m.FS().Open(name)
	if err != nil {
		return nil, err
	}
	return mountedFile{f, name, m.of}, nil
}

func (m mounted) Stat(name string) (fs.FileInfo, error) {
	m.of.ask("")
	return m.Root.Stat(name)
}

type mountedFile struct {
	fs.File
	name string
	of   *mount
}

func (f mountedFile) ReadAt(p []byte, offset int64) (int, error) {
	f.of.ask(f.name)
	return f.File.(io.ReaderAt).ReadAt(p, offset)
}

func TestAReadThatHangsIsGivenUpAndNotBad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		request, _ := sector3(t)
		m := &mount{path: copied(t)}
		defer m.hang()()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := sector.NewReaderOf(m.storage()).Read(ctx, request)
		var bad *vigil.SectorError
		if !errors.Is(err, context.DeadlineExceeded) || errors.As(err, &bad) {
			t.Errorf("%v", err)
		}
	})
}

func TestAStorageThatHangsCostsItsTimeOnceAndIsReadAgainWhenItIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		request, want := sector3(t)
		m := &mount{path: copied(t)}
		reader := sector.NewReaderOf(m.storage())
		if _, err := reader.Read(t.Context(), request); err != nil {
			t.Fatal(err)
		}
		release := m.hang()
		defer release()
		began := time.Now()
		var wait sync.WaitGroup
		for range 2000 {
			wait.Go(func() {
				_, err := reader.Read(t.Context(), request)
				var bad *vigil.SectorError
				if err == nil || errors.As(err, &bad) || !strings.Contains(err.Error(), m.path) {
					t.Errorf("while it hangs: %v", err)
				}
			})
		}
		wait.Wait()
		if took := time.Since(began); took > 2*time.Minute {
			t.Errorf("2000 reads of a storage that hangs took %v", took)
		}
		m.mu.Lock()
		if m.widest > 128 {
			t.Errorf("%d reads hang", m.widest)
		}
		m.mu.Unlock()
		release()
		synctest.Wait() // those that hung come back
		if got, err := reader.Read(t.Context(), request); err != nil || !bytes.Equal(got, want) {
			t.Errorf("when it is back: %v", err)
		}
	})
}

func TestAStorageThatHangsDelaysNoSectorOnAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		request, want := sector3(t)
		m := &mount{path: t.TempDir()}
		defer m.hang()()
		m.path = copied(t)
		remove(t, m.path+"/"+replica) // it lies on the other alone
		reader := sector.NewReaderOf(m.storage(), sector.Storage{Path: storage})
		began := time.Now()
		for range 3 {
			if got, err := reader.Read(t.Context(), request); err != nil || !bytes.Equal(got, want) {
				t.Errorf("past the storage that hangs: %v", err)
			}
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("it waited %v", took)
		}
	})
}

func TestASlowStorageIsNotSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		request, want := sector3(t)
		m := &mount{path: copied(t), slow: 20 * time.Second}
		if got, err := sector.NewReaderOf(m.storage()).Read(t.Context(), request); err != nil || !bytes.Equal(got, want) {
			t.Error(err)
		}
	})
}

// A disk that dies hangs at some places and serves at others: what can be read is.
func TestSectorsBesideThoseThatHangAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		m := &mount{path: dir}
		reader := sector.NewReaderOf(m.storage())
		var requests []vigil.ReadRequest
		for n := range uint64(150) {
			requests = append(requests, faux(t, dir, n+1, 1))
		}
		m.hangs = func(name string) bool { // of every third sector
			var miner, number int
			_, err := fmt.Sscanf(path.Base(name), "s-t0%d-%d", &miner, &number)
			return err == nil && strings.HasPrefix(name, "sealed/") && number%3 == 0
		}
		release := m.hang()
		defer release()
		read := make([]bool, len(requests))
		for range 20 { // as heads come
			var wait sync.WaitGroup
			for i, request := range requests {
				if read[i] {
					continue
				}
				wait.Go(func() {
					_, err := reader.Read(t.Context(), request)
					var bad *vigil.SectorError
					if errors.As(err, &bad) {
						t.Errorf("%v", err)
					}
					read[i] = err == nil
				})
			}
			wait.Wait()
		}
		for i, ok := range read {
			if want := (i+1)%3 != 0; ok != want {
				t.Errorf("sector %d was read: %v", i+1, ok)
			}
		}
	})
}

func TestWithoutAStorageNoSectorIsBad(t *testing.T) {
	request, _ := sector3(t)
	_, err := sector.NewReader().Read(t.Context(), request)
	var bad *vigil.SectorError
	if err == nil || errors.As(err, &bad) {
		t.Errorf("%v", err)
	}
}

// A copy whose storage hangs says nothing of the copy on another.
func TestACopyIsReadWhileAReadOfAnotherHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		request, want := sector3(t)
		first, second := &mount{path: copied(t)}, &mount{path: copied(t)}
		aside := t.TempDir() + "/replica"
		if err := os.Rename(second.path+"/"+replica, aside); err != nil {
			t.Fatal(err)
		}
		reader := sector.NewReaderOf(first.storage(), second.storage())
		if _, err := reader.Read(t.Context(), request); err != nil { // of the first, which is remembered
			t.Fatal(err)
		}
		if err := os.Rename(aside, second.path+"/"+replica); err != nil {
			t.Fatal(err)
		}
		defer first.hang()()
		if got, err := reader.Read(t.Context(), request); err != nil || !bytes.Equal(got, want) {
			t.Errorf("the copy on the storage that answers: %v", err)
		}
	})
}

// A file that trips a bug must not end the daemon.
func TestAPanicInAReadIsAnErrorAndNoEvidence(t *testing.T) {
	request, _ := sector3(t)
	path := copied(t)
	opened := 0
	reader := sector.NewReaderOf(sector.Storage{Path: path, Open: func() (sector.Folder, error) {
		if opened++; opened > 1 {
			panic("index out of range")
		}
		return (&mount{path: path}).storage().Open()
	}})
	_, err := reader.Read(t.Context(), request)
	var bad *vigil.SectorError
	if err == nil || errors.As(err, &bad) || !strings.Contains(err.Error(), "a bug") {
		t.Errorf("%v", err)
	}
}
