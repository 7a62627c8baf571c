package bench

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"

	"github.com/vigil-post/vigil/proofs/groth16"
)

// PassesResult compares several partitions proved in one pass over the key with one.
type PassesResult struct {
	Name       string  `json:"name"`
	Partitions int     `json:"partitions"`
	OneCPU     float64 `json:"one_cpu_s"`
	OneWall    float64 `json:"one_wall_s"`
	AllCPU     float64 `json:"all_cpu_s"`
	AllWall    float64 `json:"all_wall_s"`
	RatioCPU   float64 `json:"ratio_cpu"` // all to one
	// KeyBytes are those of the key's points that a proof needs; OneRead and
	// AllRead the ones handed to the kernels for one partition and for all.
	KeyBytes int64 `json:"key_bytes"`
	OneRead  int64 `json:"one_key_bytes_read"`
	AllRead  int64 `json:"all_key_bytes_read"`
	// AllDisk is what the system read from the disk for all partitions, the file's
	// pages having been dropped from its cache before; null where it does not say.
	AllDisk *int64 `json:"all_disk_bytes_read"`
	Repeats int    `json:"repeats"`
	Machine
}

// Passes measures the proof of several partitions of a row in one pass, in this
// process and taking turns with the proof of one.
func (s Store) Passes(ctx context.Context, r Row, partitions, repeats int) (_ PassesResult, err error) {
	sums, done := groth16.Fastest(0)
	defer done()
	kernel := &counting{kernel: sums}
	result := PassesResult{Name: r.Name, Partitions: partitions, Repeats: repeats, Machine: ThisMachine()}
	var provers [2]*prover
	for i, n := range []int{1, partitions} {
		args, err := s.proveArgs(ctx, r, n)
		if err != nil {
			return result, err
		}
		if i == 0 {
			if err := s.diskFor(ctx, r, partitions, &result); err != nil {
				return result, err
			}
		}
		if provers[i], err = openProver(args, groth16.Prover{Multiexp: kernel}); err != nil {
			return result, err
		}
		defer func() { err = errors.Join(err, provers[i].close()) }()
		if err := provers[i].warm(ctx, args); err != nil {
			return result, err
		}
	}
	l, err := r.lengths()
	if err != nil {
		return result, err
	}
	result.KeyBytes = g1Size*int64(l.H+l.L+l.A) + g2Size*int64(l.B)
	for i := range repeats {
		one, read, err := kernel.counted(func() error { return provers[0].prove(ctx) })
		if err != nil {
			return result, err
		}
		result.OneRead = read
		all, read, err := kernel.counted(func() error { return provers[1].prove(ctx) })
		if err != nil {
			return result, err
		}
		result.AllRead = read
		if i == 0 || one.CPU < result.OneCPU {
			result.OneCPU, result.OneWall = one.CPU, one.Wall
		}
		if i == 0 || all.CPU < result.AllCPU {
			result.AllCPU, result.AllWall = all.CPU, all.Wall
		}
	}
	result.RatioCPU = result.AllCPU / result.OneCPU
	return result, nil
}

// diskFor proves all partitions once with a file that is not in the system's cache.
func (s Store) diskFor(ctx context.Context, r Row, partitions int, to *PassesResult) error {
	args, err := s.proveArgs(ctx, r, partitions)
	if err != nil {
		return err
	}
	if err := dropCached(args.Params); errors.Is(err, errors.ErrUnsupported) {
		return nil
	} else if err != nil {
		return fmt.Errorf("drop %s from the cache: %w", args.Params, err)
	}
	before := diskRead()
	p, err := openProver(args, groth16.Prover{})
	if err != nil {
		return err
	}
	err = p.prove(ctx)
	if after := diskRead(); before != nil && after != nil {
		n := *after - *before
		to.AllDisk = &n
	}
	return errors.Join(err, p.close())
}

// counting counts the bytes of the key that a kernel is handed.
type counting struct {
	kernel groth16.Multiexp
	bytes  atomic.Int64
}

func (c *counting) counted(work func() error) (Timing, int64, error) {
	before := c.bytes.Load()
	t, err := timed(work)
	return t, c.bytes.Load() - before, err
}

func (c *counting) count(terms []groth16.Terms) {
	for _, t := range terms {
		c.bytes.Add(int64(len(t.Points)))
	}
}

// G1 implements groth16.Multiexp.
func (c *counting) G1(ctx context.Context, sums []bls12381.G1Jac, terms ...groth16.Terms) error {
	c.count(terms)
	return c.kernel.G1(ctx, sums, terms...)
}

// G2 implements groth16.Multiexp.
func (c *counting) G2(ctx context.Context, sums []bls12381.G2Jac, terms ...groth16.Terms) error {
	c.count(terms)
	return c.kernel.G2(ctx, sums, terms...)
}
