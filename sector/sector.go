// Package sector finds a sector's files on the configured storages and makes
// its vanilla proof from them. It is the one code path that reads sectors: the
// proof it returns was checked against the sector's CommR on the way, so a
// check is a read, and a read is a check.
//
// A storage is a folder as lotus-miner, Curio, Venus and damocles lay it out:
//
//	sealed/s-t01000-7                                  the replica
//	cache/s-t01000-7/p_aux                             comm_c and comm_r_last
//	cache/s-t01000-7/sc-02-data-tree-r-last[-N].dat    the upper rows of its tree
//	update/s-t01000-7                                  the replica with a deal snapped into it
//	update-cache/s-t01000-7/…                          p_aux and tree of that one
//
// A sector's two halves may lie on different storages, and a sector may lie on
// several: which copy is right, and whether the update counts, is for the CommR
// on chain to say, not for the files' presence. A sector is called bad only
// when every copy has been looked at and none serves; a storage that is not
// there, a read that fails or does not return says nothing about the sector.
//
// Each storage has a gate (gate.go) that lets so many reads through at a time as
// serve it best, and only a probe while it does not answer.
package sector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/proofs/merkle"
	"github.com/vigil-post/vigil/proofs/post"
)

// Reader reads sectors from storages. It is a vigil.SectorReader. Its fields
// may be set before its first use.
type Reader struct {
	// Patience is how long a read may stand still before the storage counts
	// as not answering; 0 means 30 seconds, which a disk that spins up needs.
	Patience time.Duration
	// AtOnce is the most sectors read from a storage at a time; 0 means 128.
	// How many it is between 1 and that is found by trying.
	AtOnce int

	limit    atomic.Int64 // in place of AtOnce, if it is set
	storages []*storage
	searches chan struct{} // has one for each search whose questions are not all answered

	mu    sync.Mutex // guards what follows
	known map[string]copyOf
	hung  map[hungRead]time.Time // when a read was given up that has not returned
}

// Limit changes AtOnce of a reader that is in use.
func (r *Reader) Limit(atOnce int) { r.limit.Store(int64(atOnce)) }

// NewReader reads from these folders.
func NewReader(paths ...string) *Reader {
	storages := make([]Storage, len(paths))
	for i, path := range paths {
		storages[i] = Storage{Path: path}
	}
	return NewReaderOf(storages...)
}

// NewReaderOf reads from these storages.
func NewReaderOf(storages ...Storage) *Reader {
	r := &Reader{known: map[string]copyOf{}, hung: map[hungRead]time.Time{}, searches: make(chan struct{}, max(64, questionsMost/max(1, len(storages))))}
	for _, s := range storages {
		if s.Open == nil {
			s.Open = openRoot(s.Path)
		}
		r.storages = append(r.storages, &storage{Storage: s, reader: r})
	}
	return r
}

// questionsMost bounds the questions for a sector's place that wait at the
// storages: thousands of sectors are asked for at once, of a hundred storages.
const questionsMost = 20_000

func (r *Reader) patience() time.Duration { return cmp.Or(r.Patience, 30*time.Second) }

// Read implements vigil.SectorReader.
func (r *Reader) Read(ctx context.Context, request vigil.ReadRequest) (vigil.VanillaProof, error) {
	w, err := wantedBy(request)
	if err != nil {
		return nil, err
	}
	if known, ok := r.remembered(w.name); ok {
		if proof, err := r.attempt(ctx, w, known); err == nil {
			return proof, nil
		}
		// It may have been moved, or there may be another copy.
	}
	proof, err := r.search(ctx, w)
	var bad *vigil.SectorError
	if err != nil && !errors.As(err, &bad) {
		err = fmt.Errorf("sector %d: %w", w.number, err)
	}
	return proof, err
}

// Recheck implements vigil.SectorReader.
func (r *Reader) Recheck(request vigil.ReadRequest, proof vigil.VanillaProof) error {
	w, err := wantedBy(request)
	if err != nil {
		return err
	}
	decoded, err := w.form.DecodeVanilla(proof)
	if err != nil {
		return fmt.Errorf("sector %d: %w", w.number, err)
	}
	return w.form.VerifyVanilla(decoded, w.sector(), w.leaves)
}

// wanted is a request in the terms of package post.
type wanted struct {
	form   post.Config
	number abi.SectorNumber
	name   string // of its files: s-t01000-7
	commR  [32]byte
	leaves []uint64
}

func (w wanted) sector() post.Sector { return post.Sector{Number: uint64(w.number), CommR: w.commR} }

// Name is what the files of a sector are called in every storage.
func Name(miner abi.ActorID, number abi.SectorNumber) string {
	return fmt.Sprintf("s-t0%d-%d", miner, number)
}

func wantedBy(r vigil.ReadRequest) (wanted, error) {
	number := r.Sector.Number
	w := wanted{number: number, name: Name(r.Miner, number)}
	size, err := r.ProofType.SectorSize()
	if err != nil {
		return w, fmt.Errorf("proof type %d: %w", r.ProofType, err)
	}
	version := post.V1_1
	if vigil.Positional(r.ProofType) {
		version = post.V1
	}
	if w.form, err = post.WindowConfig(uint64(size), version); err != nil {
		return w, err
	}
	if w.commR, err = merkle.CommRFromCID(r.Sector.SealedCID.Bytes()); err != nil {
		return w, fmt.Errorf("sector %d: sealed CID %s: %w", number, r.Sector.SealedCID, err)
	}
	if w.leaves, err = w.form.Leaves(post.MaskRandomness(r.Randomness), uint64(number), r.Position); err != nil {
		return w, fmt.Errorf("sector %d: challenges: %w", number, err)
	}
	return w, nil
}

func (r *Reader) remembered(name string) (copyOf, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, ok := r.known[name]
	return c, ok
}

func (r *Reader) remember(name string, c copyOf) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known[name] = c
}

// hungRead is a read of one copy of a sector: another copy may lie on a storage that answers.
type hungRead struct {
	name string
	of   copyOf
}

// hungAgain is after what time a sector is read again of which a read has not
// returned. On a disk that dies each try would hang one thread more; on a mount that
// was made anew the old read will never return.
const hungAgain = 10 * time.Minute

// hangs says that a read of a copy has not returned and is not to be tried again yet.
func (r *Reader) hangs(h hungRead) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.hung[h]
	return ok && time.Since(at) < hungAgain
}

func (r *Reader) stands(h hungRead) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hung[h] = time.Now()
}

func (r *Reader) returns(h hungRead) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.hung, h)
}
