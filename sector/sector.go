// Package sector finds a sector's files on the configured storages and makes
// its vanilla proof from them. It is the one code path that reads sectors: the
// proof it returns was checked against the sector's CommR on the way, so a
// check is a read, and a read is a check.
//
// A storage is a folder as lotus-miner, damocles and Curio lay it out:
//
//	sealed/s-t01000-7                                  the replica
//	cache/s-t01000-7/p_aux                             comm_c and comm_r_last
//	cache/s-t01000-7/sc-02-data-tree-r-last[-N].dat    the upper rows of its tree
//
// A sector's two halves may lie on different storages. A sector is called bad
// only on evidence; a storage that is not there, a read that fails or does not
// return says nothing about the sector.
package sector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/proofs/merkle"
	"github.com/vigil-post/vigil/proofs/post"
)

// Reader reads sectors from storages. It is a vigil.SectorReader.
type Reader struct {
	storages []string
	slots    chan struct{} // one for each read in progress, also one that hangs
}

// readsAtOnce bounds the reads in progress: a read from a mount that hangs
// cannot be ended, and keeps its goroutine until the mount comes back.
const readsAtOnce = 128

// NewReader reads from these folders; where several hold a sector's file, the
// first does.
func NewReader(storages ...string) *Reader {
	return &Reader{storages: storages, slots: make(chan struct{}, readsAtOnce)}
}

// Read implements vigil.SectorReader.
func (r *Reader) Read(ctx context.Context, request vigil.ReadRequest) (vigil.VanillaProof, error) {
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for other reads: %w", ctx.Err())
	}
	type answer struct {
		proof vigil.VanillaProof
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		defer func() { <-r.slots }()
		proof, err := r.read(ctx, request)
		answers <- answer{proof, err}
	}()
	select {
	case a := <-answers:
		return a.proof, a.err
	case <-ctx.Done():
		return nil, fmt.Errorf("the read did not return: %w", ctx.Err())
	}
}

func (r *Reader) read(ctx context.Context, request vigil.ReadRequest) (vigil.VanillaProof, error) {
	form, commR, err := formOf(request)
	if err != nil {
		return nil, err
	}
	number := request.Sector.Number
	leaves, err := form.Leaves(post.MaskRandomness(request.Randomness), uint64(number), request.Position)
	if err != nil {
		return nil, fmt.Errorf("sector %d: challenges: %w", number, err)
	}
	opened, err := r.open(request.Miner, number, form.Shape)
	if err != nil {
		return nil, err
	}
	defer opened.close()
	proof, err := form.Vanilla(ctx, post.Sector{Number: uint64(number), CommR: commR}, opened.files, leaves)
	if err != nil {
		return nil, opened.judge(number, err)
	}
	encoded, err := form.EncodeVanilla(proof)
	if err != nil {
		return nil, fmt.Errorf("sector %d: %w", number, err)
	}
	return encoded, nil
}

// formOf is the form of the proof, and the sector's CommR on chain.
func formOf(r vigil.ReadRequest) (post.Config, [32]byte, error) {
	size, err := r.ProofType.SectorSize()
	if err != nil {
		return post.Config{}, [32]byte{}, fmt.Errorf("proof type %d: %w", r.ProofType, err)
	}
	version := post.V1_1
	if vigil.Positional(r.ProofType) {
		version = post.V1
	}
	form, err := post.WindowConfig(uint64(size), version)
	if err != nil {
		return post.Config{}, [32]byte{}, err
	}
	commR, err := merkle.CommRFromCID(r.Sector.SealedCID.Bytes())
	if err != nil {
		return post.Config{}, [32]byte{}, fmt.Errorf("sector %d: sealed CID %s: %w", r.Sector.Number, r.Sector.SealedCID, err)
	}
	return form, commR, nil
}

// opened is a sector's files while they are read.
type opened struct {
	files  post.Files
	paths  map[string]string // by the names that defects use
	closes []io.Closer
}

func (o *opened) close() {
	for _, c := range o.closes {
		c.Close()
	}
}

// judge turns a defect into evidence against the sector, with the path at
// which it was found; any other error stays what it is.
func (o *opened) judge(number abi.SectorNumber, err error) error {
	var defect *merkle.DefectError
	if !errors.As(err, &defect) {
		return fmt.Errorf("sector %d: %w", number, err)
	}
	cause := err.Error()
	if path, known := o.paths[defect.File]; known {
		cause += " (" + path + ")"
	}
	return &vigil.SectorError{Sector: number, Cause: cause}
}

// open finds and opens a sector's files. One that is on no storage is nil.
func (r *Reader) open(miner abi.ActorID, number abi.SectorNumber, shape merkle.Shape) (*opened, error) {
	name := fmt.Sprintf("s-t0%d-%d", miner, number)
	o := &opened{paths: map[string]string{}}
	cache := func(file string) (merkle.File, error) {
		return r.openFile(o, file, filepath.Join("cache", name, file))
	}
	var err error
	if o.files.Replica, err = r.openFile(o, "replica", filepath.Join("sealed", name)); err != nil {
		o.close()
		return nil, fmt.Errorf("sector %d: %w", number, err)
	}
	if o.files.PAux, err = cache(merkle.PAuxFile); err != nil {
		o.close()
		return nil, fmt.Errorf("sector %d: %w", number, err)
	}
	for _, file := range shape.TreeFiles() {
		tree, err := cache(file)
		if err != nil {
			o.close()
			return nil, fmt.Errorf("sector %d: %w", number, err)
		}
		o.files.Trees = append(o.files.Trees, tree)
	}
	return o, nil
}

// openFile opens a file on the first storage that has it. It is nil, and so
// missing, only when every storage was there to be asked.
func (r *Reader) openFile(o *opened, called, path string) (merkle.File, error) {
	var absent error
	for _, storage := range r.storages {
		full := filepath.Join(storage, path)
		file, err := os.Open(full)
		if errors.Is(err, fs.ErrNotExist) {
			if _, err := os.Stat(storage); err != nil {
				absent = fmt.Errorf("storage %s is not there: %w", storage, err)
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		o.closes = append(o.closes, file)
		o.paths[called] = full
		info, err := file.Stat()
		if err != nil {
			return nil, err
		}
		return io.NewSectionReader(file, 0, info.Size()), nil
	}
	if absent != nil {
		return nil, absent
	}
	o.paths[called] = "on none of the storages: " + path
	return nil, nil
}
