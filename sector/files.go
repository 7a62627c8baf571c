package sector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/proofs/merkle"
	"github.com/vigil-post/vigil/proofs/post"
)

// read makes the proof of one copy. A *defective is evidence against the copy.
func (r *Reader) read(ctx context.Context, w wanted, c copyOf, v *visit) (vigil.VanillaProof, error) {
	o := &opened{wanted: w, copy: c, visit: v, ctx: ctx, paths: map[string]string{}}
	defer o.close()
	if err := o.open(); err != nil {
		return nil, err
	}
	pAux, err := merkle.ReadPAux(o.files.PAux)
	if err != nil {
		return nil, o.judge(err)
	}
	// Of two kinds the right one is known by 64 bytes.
	if commR := merkle.NodeBytes(pAux.CommR()); commR != w.commR {
		return nil, o.judge(&merkle.DefectError{
			Defect: merkle.DefectCommR, File: merkle.PAuxFile, Detail: fmt.Sprintf("comm_r is %x, on chain %x", commR, w.commR),
		})
	}
	o.files.PAux = bytes.NewReader(pAux.Bytes())
	proof, err := w.form.Vanilla(ctx, w.sector(), o.files, w.leaves)
	if err != nil {
		return nil, o.judge(err)
	}
	return w.form.EncodeVanilla(proof)
}

// opened is a copy's files while they are read.
type opened struct {
	wanted wanted
	copy   copyOf
	visit  *visit
	ctx    context.Context // of the read that it is part of
	files  post.Files
	paths  map[string]string // by the names that defects use
	held   []io.Closer
}

func (o *opened) close() {
	for _, c := range o.held {
		c.Close() // nothing was written
	}
}

// judge turns a defect into evidence, with the path at which it was found, and sees
// to it that the next read of the files is of the storage and not of a copy in
// memory; any other error stays what it is.
func (o *opened) judge(err error) error {
	var defect *merkle.DefectError
	if !errors.As(err, &defect) {
		return err
	}
	for _, held := range o.held {
		if f, ok := held.(*os.File); ok {
			forgetPages(f)
		}
	}
	return &defective{defect, o.paths[defect.File]}
}

// open opens the files. One that is not there is nil.
func (o *opened) open() error {
	replica, err := o.folder(o.copy.replica)
	if err != nil {
		return err
	}
	cache := replica
	if o.copy.cache != o.copy.replica {
		if cache, err = o.folder(o.copy.cache); err != nil {
			return err
		}
	}
	f, name := folders[o.copy.kind], o.wanted.name
	inCache := o.below(o.copy.cache, cache, path.Join(f.cache, name))
	if o.files.PAux, err = o.file(inCache, merkle.PAuxFile, merkle.PAuxFile); err != nil {
		return err
	}
	if o.files.Replica, err = o.file(place{o.copy.replica, replica, replica, f.replica, f.replica}, "replica", name); err != nil {
		return err
	}
	for _, tree := range o.wanted.form.Shape.TreeFiles() {
		opened, err := o.file(inCache, tree, tree)
		if err != nil {
			return err
		}
		o.files.Trees = append(o.files.Trees, opened)
	}
	return nil
}

func (o *opened) folder(s *storage) (Folder, error) {
	if s == nil {
		return nil, nil
	}
	o.visit.at.Store(s)
	folder, err := s.open()
	if err != nil {
		return nil, err
	}
	o.held = append(o.held, folder)
	o.visit.moved()
	return folder, nil
}

// place is a folder of a storage.
type place struct {
	on     *storage // nil: it is on none
	root   Folder   // of the storage
	in     Folder   // where files are opened: below root, or root itself
	prefix string   // of their names there
	dir    string   // of their names in root
}

// below goes to a folder of a storage, if it is there and that saves steps.
func (o *opened) below(s *storage, root Folder, dir string) place {
	p := place{s, root, root, dir, dir}
	if through, ok := root.(subFolder); ok {
		if below, err := through.Sub(dir); err == nil {
			o.held = append(o.held, below)
			p.in, p.prefix = below, ""
		}
		o.visit.moved()
	}
	return p
}

// file opens a file of a storage. It is nil, and so missing, only when the
// storage is there without it.
func (o *opened) file(p place, called, name string) (merkle.File, error) {
	full := path.Join(p.dir, name)
	s := p.on
	if s == nil {
		o.paths[called] = full + " is on none of the storages"
		return nil, nil
	}
	if err := o.ctx.Err(); err != nil {
		return nil, err // nobody waits for it any more
	}
	o.paths[called] = path.Join(s.Path, full)
	o.visit.at.Store(s)
	f, err := p.in.Open(path.Join(p.prefix, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, s.isStorage(p.root)
	}
	if err != nil {
		return nil, s.explain(full, err)
	}
	o.held = append(o.held, f)
	o.visit.moved()
	info, err := f.Stat()
	if err != nil {
		return nil, s.explain(full, err)
	}
	at, ok := f.(io.ReaderAt)
	if !ok || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", o.paths[called])
	}
	return &file{at: at, size: info.Size(), on: s, of: o}, nil
}

// file is a merkle.File on a storage, of the size that it had when it was opened.
type file struct {
	at   io.ReaderAt
	size int64
	on   *storage
	of   *opened
}

// Size implements merkle.File.
func (f *file) Size() int64 { return f.size }

// ReadAt implements merkle.File.
func (f *file) ReadAt(p []byte, offset int64) (int, error) {
	if err := f.of.ctx.Err(); err != nil {
		return 0, err
	}
	f.of.visit.at.Store(f.on)
	n, err := f.at.ReadAt(p, offset)
	f.of.visit.moved()
	return n, err
}
