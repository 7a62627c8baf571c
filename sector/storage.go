package sector

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sync/atomic"
)

// Folder is an opened storage. Its files must be io.ReaderAt.
type Folder interface {
	fs.FS
	io.Closer
}

// Storage is a place where sectors are.
type Storage struct {
	Path string // shown to people
	// Open opens it for the reading of one sector, so that a storage that is
	// unmounted meanwhile is not held, and one that was mounted meanwhile is
	// seen. Nil opens the folder at Path, out of which nothing leads.
	Open func() (Folder, error)
}

// subFolder is a Folder that opens a folder below it: on a mount behind a network
// each step from folder to folder is a question.
type subFolder interface {
	Sub(name string) (Folder, error)
}

// root is a folder of the file system.
type root struct {
	fs.FS
	*os.Root
}

// Open is that of the FS, which refuses what leads out.
func (r root) Open(name string) (fs.File, error) { return r.FS.Open(name) }

// Sub implements subFolder.
func (r root) Sub(name string) (Folder, error) {
	below, err := r.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	return root{below.FS(), below}, nil
}

// openRoot opens a folder, for reading only.
func openRoot(path string) func() (Folder, error) {
	return func() (Folder, error) {
		r, err := os.OpenRoot(path)
		if err != nil {
			return nil, err
		}
		return root{r.FS(), r}, nil
	}
}

// storage is a Storage with its gates.
type storage struct {
	Storage
	reader *Reader
	names  gate                   // for questions which files are there
	data   gate                   // for the reading of sectors
	absent atomic.Pointer[string] // why it is not there, as the latest look found; nil if it is
}

// open opens the storage; what is wrong with it is said in words.
func (s *storage) open() (Folder, error) {
	folder, err := s.Open()
	if err == nil {
		if s.absent.Load() != nil {
			_ = s.isStorage(folder) // notes whether it is back
		}
		return folder, nil
	}
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return nil, s.note(fmt.Errorf("storage %s is not there: %w", s.Path, err))
}

// note keeps what a look found, for Status: a storage that fails at once costs no
// time, so that its gate knows nothing of it.
func (s *storage) note(absent error) error {
	if absent == nil {
		s.absent.Store(nil)
		return nil
	}
	why := absent.Error()
	s.absent.Store(&why)
	return absent
}

// kind is one of the two forms a sector can have in a storage.
type kind int

const (
	asSealed kind = iota
	asUpdated
	kinds
)

// replica and cache are the folders of a kind.
var folders = [kinds]struct{ replica, cache string }{
	asSealed:  {"sealed", "cache"},
	asUpdated: {"update", "update-cache"},
}

// isStorage says why a folder cannot be asked whether it has a file: the folder
// of a disk that is not mounted is there and empty.
func (s *storage) isStorage(folder Folder) error {
	var failed error
	for _, f := range folders {
		for _, name := range []string{f.replica, f.cache} {
			info, err := fs.Stat(folder, name)
			if err == nil && info.IsDir() {
				return s.note(nil)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				failed = err
			}
		}
	}
	if failed != nil {
		return fmt.Errorf("storage %s: %w", s.Path, failed)
	}
	return s.note(fmt.Errorf("storage %s has neither sealed nor cache: is its disk mounted?", s.Path))
}

// has says whether a file is there.
func (s *storage) has(folder Folder, name string) (bool, error) {
	_, err := fs.Stat(folder, name)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	}
	return false, s.explain(name, err)
}

// explain says what the system's word for a refusal means here.
func (s *storage) explain(name string, err error) error {
	full := path.Join(s.Path, name)
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	if err.Error() == "path escapes from parent" { // of os.Root; it has no name
		return fmt.Errorf("%s is a link that leads out of the storage, or behind one: add the storage that it leads into, or mount that in the link's place", full)
	}
	return fmt.Errorf("%s: %w", full, err)
}
