package post

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vigil-post/vigil/proofs/merkle"
)

// OpenFiles opens a sealed replica and what a PoSt needs of its cache folder. A
// file that is not there is nil in the result and no error: which of them is
// missing is for [Config.Vanilla] to say. Any other failure is an error.
func OpenFiles(shape merkle.Shape, replica, cache string) (Files, io.Closer, error) {
	var open closers
	var failed error
	file := func(path string) merkle.File {
		f, err := openDisk(path)
		if err != nil {
			failed = errors.Join(failed, err)
		}
		if f == nil {
			return nil
		}
		open = append(open, f)
		return f
	}
	files := Files{Replica: file(replica), PAux: file(filepath.Join(cache, merkle.PAuxFile))}
	for _, name := range shape.TreeFiles() {
		files.Trees = append(files.Trees, file(filepath.Join(cache, name)))
	}
	if failed != nil {
		return Files{}, nil, errors.Join(failed, open.Close())
	}
	return files, open, nil
}

// diskFile is a merkle.File of the size that it had when it was opened.
type diskFile struct {
	*os.File
	size int64
}

func (f *diskFile) Size() int64 { return f.size }

// openDisk opens a file; one that is not there is nil.
func openDisk(path string) (*diskFile, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &diskFile{f, info.Size()}, nil
}

type closers []io.Closer

func (c closers) Close() error {
	var errs []error
	for _, one := range c {
		errs = append(errs, one.Close())
	}
	return errors.Join(errs...)
}
