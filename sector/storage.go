package sector

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

const (
	// unansweredMost is how many requests in a row a storage may leave
	// unanswered before it counts as silent: then one request at a time goes
	// to it, to see whether it is back, and all others fail at once. A mount
	// that hangs must not cost every sector of a partition its time.
	unansweredMost = 8
	// lostMost bounds the requests that never came back: each holds a thread.
	lostMost = 128
)

// storage is a folder with sealed/ and cache/. What is asked of it may never
// return, as a read from a mount whose server is gone: then whoever asked goes
// on when its ctx ends, and the request is left to itself.
type storage struct {
	path string

	mu         sync.Mutex // guards what follows
	unanswered int        // requests given up since the last one that returned
	lost       int        // requests given up that have not returned
	probing    bool       // of a silent storage: the one request is under way
}

// request is one under way; the storage's mutex guards it.
type request struct {
	returned, lost, probe bool
}

// await asks a storage, and waits for the answer until ctx ends.
func await[T any](ctx context.Context, s *storage, ask func() (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	r, err := s.begin()
	if err != nil {
		return none, err
	}
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		value, err := ask()
		s.end(r)
		answers <- answer{value, err}
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		s.giveUp(r)
		return none, fmt.Errorf("storage %s did not answer: %w", s.path, ctx.Err())
	}
}

func (s *storage) begin() (*request, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	silent := s.unanswered >= unansweredMost
	if silent && s.probing || s.lost >= lostMost {
		return nil, fmt.Errorf("storage %s does not answer: %d reads have not returned", s.path, s.lost)
	}
	s.probing = s.probing || silent
	return &request{probe: silent}, nil
}

func (s *storage) end(r *request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.returned = true
	s.unanswered = 0
	if r.lost {
		s.lost--
	} else if r.probe {
		s.probing = false
	}
}

func (s *storage) giveUp(r *request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.returned {
		return
	}
	r.lost = true
	s.unanswered++
	s.lost++
	if r.probe {
		s.probing = false
	}
}

// open opens a file. One that is not there is fs.ErrNotExist only when the
// storage itself is: the folder of a disk that is not mounted has no sealed/
// and no cache/.
func (s *storage) open(ctx context.Context, path string) (*file, error) {
	full := filepath.Join(s.path, path)
	return await(ctx, s, func() (*file, error) {
		opened, err := os.Open(full)
		if errors.Is(err, fs.ErrNotExist) {
			if absent := s.absent(); absent != nil {
				return nil, absent
			}
		}
		if err != nil {
			return nil, err
		}
		info, err := opened.Stat()
		if err == nil {
			err = ctx.Err() // nobody waits for it any more
		}
		if err != nil {
			return nil, errors.Join(err, opened.Close())
		}
		return &file{path: full, size: info.Size(), opened: opened, on: s}, nil
	})
}

// absent says why a storage cannot be asked whether it has a file.
func (s *storage) absent() error {
	_, sealed := os.Stat(filepath.Join(s.path, "sealed"))
	_, cache := os.Stat(filepath.Join(s.path, "cache"))
	if sealed == nil || cache == nil {
		return nil
	}
	if _, err := os.Stat(s.path); err != nil {
		return fmt.Errorf("storage %s is not there: %v", s.path, errors.Unwrap(err))
	}
	return fmt.Errorf("storage %s has neither sealed nor cache: is its disk mounted?", s.path)
}

// file is an open file on a storage.
type file struct {
	path   string
	size   int64
	opened *os.File
	on     *storage
}

// reader gives the file to those who read without a ctx of their own.
func (f *file) reader(ctx context.Context) *reading { return &reading{f.size, f.readAt(ctx)} }

// readAt reads into a buffer of its own: one that is given up may come back
// and write when the caller's is long used for something else.
func (f *file) readAt(ctx context.Context) func(p []byte, offset int64) (int, error) {
	return func(p []byte, offset int64) (int, error) {
		data, err := await(ctx, f.on, func() ([]byte, error) {
			buf := make([]byte, len(p))
			n, err := f.opened.ReadAt(buf, offset)
			return buf[:n], err
		})
		return copy(p, data), err
	}
}

// reading is a merkle.File.
type reading struct {
	size   int64
	readAt func(p []byte, offset int64) (int, error)
}

// Size implements merkle.File.
func (r *reading) Size() int64 { return r.size }

// ReadAt implements merkle.File.
func (r *reading) ReadAt(p []byte, offset int64) (int, error) { return r.readAt(p, offset) }
