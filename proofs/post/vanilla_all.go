package post

import (
	"context"
	"fmt"
	"io"

	"github.com/vigil-post/vigil/proofs/offheap"
)

// Opener opens a sector's files for [Config.VanillaAll]. A file that is not
// there is nil; the closer is closed when the sector has been read, and may be
// nil where the error is not. It is called concurrently.
type Opener func(ctx context.Context, sector Sector) (Files, io.Closer, error)

// VanillaAll makes the vanilla proofs of a statement's sectors, in the order of
// the statement, with at most limit sectors under way at a time: as many as the
// disks below can serve at once. Each sector has a proof or an error, which
// names the sector, and by a *merkle.DefectError the file and the cause where
// the sector is known to be bad.
//
// A sector whose storage hangs keeps its place among the limit and delays no
// other. When ctx ends VanillaAll returns at once; what was not finished has
// ctx's error, and a read that hangs is left to itself: its goroutine closes the
// files if it ever comes back.
func (c Config) VanillaAll(ctx context.Context, randomness [32]byte, sectors []Sector, open Opener, limit int) ([]*VanillaProof, []error) {
	proofs, errs := make([]*VanillaProof, len(sectors)), make([]error, len(sectors))
	type result struct {
		at    int
		proof *VanillaProof
		err   error
	}
	waiting, results := make(chan int, len(sectors)), make(chan result, len(sectors))
	for i := range sectors {
		waiting <- i
	}
	close(waiting)
	for range min(max(limit, 1), len(sectors)) {
		go func() {
			for i := range waiting {
				r := result{at: i}
				r.err = offheap.Caught(func() (err error) {
					r.proof, err = c.vanillaAt(ctx, randomness, sectors[i], i, open)
					return err
				})
				results <- r
			}
		}()
	}
	keep := func(r result) { proofs[r.at], errs[r.at] = r.proof, r.err }
	for range sectors {
		select {
		case r := <-results:
			keep(r)
			continue
		case <-ctx.Done():
		}
		for len(results) > 0 {
			keep(<-results)
		}
		for i := range sectors {
			if proofs[i] == nil && errs[i] == nil {
				errs[i] = fmt.Errorf("sector %d: not finished: %w", sectors[i].Number, ctx.Err())
			}
		}
		break
	}
	return proofs, errs
}

// vanillaAt makes the vanilla proof of the sector at a place in the statement.
func (c Config) vanillaAt(ctx context.Context, randomness [32]byte, sector Sector, position int, open Opener) (*VanillaProof, error) {
	proof, err := func() (*VanillaProof, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		leaves, err := c.Leaves(randomness, sector.Number, position)
		if err != nil {
			return nil, err
		}
		files, closer, err := open(ctx, sector)
		if err != nil {
			return nil, err
		}
		defer closer.Close()
		return c.Vanilla(ctx, sector, files, leaves)
	}()
	if err != nil {
		return nil, fmt.Errorf("sector %d: %w", sector.Number, err)
	}
	return proof, nil
}
