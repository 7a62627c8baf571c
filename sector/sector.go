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
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/proofs/merkle"
	"github.com/vigil-post/vigil/proofs/post"
)

// Reader reads sectors from storages. It is a vigil.SectorReader.
type Reader struct{ storages []*storage }

// NewReader reads from these folders; where several hold a sector's file, the
// first does.
func NewReader(storages ...string) *Reader {
	r := &Reader{}
	for _, path := range storages {
		r.storages = append(r.storages, &storage{path: path})
	}
	return r
}

// Read implements vigil.SectorReader.
func (r *Reader) Read(ctx context.Context, request vigil.ReadRequest) (vigil.VanillaProof, error) {
	form, commR, err := formOf(request)
	if err != nil {
		return nil, err
	}
	number := request.Sector.Number
	leaves, err := form.Leaves(post.MaskRandomness(request.Randomness), uint64(number), request.Position)
	if err != nil {
		return nil, fmt.Errorf("sector %d: challenges: %w", number, err)
	}
	opened, err := r.open(ctx, request.Miner, number, form.Shape)
	defer opened.close()
	if err != nil {
		return nil, fmt.Errorf("sector %d: %w", number, err)
	}
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
	files post.Files
	paths map[string]string // by the names that defects use
	open  []*file
}

// close gives the files up; a read that hangs keeps its own open.
func (o *opened) close() {
	for _, f := range o.open {
		f.opened.Close()
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

// open finds and opens a sector's files, and gives those that it opened with
// an error too. One that is on no storage is nil.
func (r *Reader) open(ctx context.Context, miner abi.ActorID, number abi.SectorNumber, shape merkle.Shape) (*opened, error) {
	name := fmt.Sprintf("s-t0%d-%d", miner, number)
	o := &opened{paths: map[string]string{}}
	var err error
	if o.files.Replica, err = r.openFile(ctx, o, "replica", filepath.Join("sealed", name)); err != nil {
		return o, err
	}
	cache := filepath.Join("cache", name)
	if o.files.PAux, err = r.openFile(ctx, o, merkle.PAuxFile, filepath.Join(cache, merkle.PAuxFile)); err != nil {
		return o, err
	}
	for _, name := range shape.TreeFiles() {
		tree, err := r.openFile(ctx, o, name, filepath.Join(cache, name))
		if err != nil {
			return o, err
		}
		o.files.Trees = append(o.files.Trees, tree)
	}
	return o, nil
}

// openFile opens a file on the first storage that has it. It is nil, and so
// missing, only when every storage was there to be asked.
func (r *Reader) openFile(ctx context.Context, o *opened, called, path string) (merkle.File, error) {
	var unknown error // of the first storage that could not be asked
	for _, s := range r.storages {
		f, err := s.open(ctx, path)
		if err == nil {
			o.open = append(o.open, f)
			o.paths[called] = f.path
			return f.reader(ctx), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			unknown = cmp.Or(unknown, err)
		}
	}
	if unknown != nil {
		return nil, unknown
	}
	o.paths[called] = path + " is on none of the storages"
	return nil, nil
}
