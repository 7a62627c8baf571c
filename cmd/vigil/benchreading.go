package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/ipfs/go-cid"
	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/proofs/merkle"
	"github.com/vigil-post/vigil/proofs/post"
	"github.com/vigil-post/vigil/sector"
)

func benchReadingCommand() *cli.Command {
	return &cli.Command{
		Name:  "reading",
		Usage: "read a partition of sparse 32 GiB sectors as the daemon does, beside bare parallel preads of the same bytes",
		Description: "Writes sectors of zeros, which take no room, on several disks that are made up: each serves so many reads at a time, and\n" +
			"takes its time for each. Prints a line of JSON: the daemon's time to read and verify all sectors, the time of the bare preads,\n" +
			"their ratio, and the most memory that was in use.",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "sectors", Usage: "`N` sectors: a partition has 2349", Value: 2349},
			&cli.IntFlag{Name: "disks", Usage: "on `N` disks", Value: 8},
			&cli.IntFlag{Name: "arms", Usage: "each of which serves `N` reads at a time", Value: 1},
			&cli.DurationFlag{Name: "seek", Usage: "and takes `TIME` for one", Value: 8 * time.Millisecond},
			&cli.StringFlag{Name: "dir", Usage: "write the sectors below `DIR` (default: a temporary folder); they are removed"},
		},
		OnUsageError: onUsageError,
		Action:       does(benchReading),
	}
}

// benchReadingResult is a line of JSON. Times are of all sectors.
type benchReadingResult struct {
	Name     string  `json:"name"`
	Sectors  int     `json:"sectors"`
	Disks    int     `json:"disks"`
	Arms     int     `json:"arms"`
	SeekMS   float64 `json:"seek_ms"`
	Reads    float64 `json:"reads"` // of a sector
	Bytes    float64 `json:"bytes"` // of a sector
	Ours     float64 `json:"ours_s"`
	Bare     float64 `json:"bare_s"`
	Ratio    float64 `json:"ratio"`
	AtOnce   []int   `json:"at_once"`    // what was found to be best for each disk
	Vanilla  int     `json:"vanilla"`    // bytes of a sector's vanilla proof
	Memory   float64 `json:"memory_mib"` // the most in use while reading, the vanilla proofs of all sectors with it
	Baseline float64 `json:"baseline_mib"`
}

func benchReading(ctx context.Context, c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	b := readingBench{sectors: c.Int("sectors"), seek: c.Duration("seek"), arms: c.Int("arms")}
	if b.sectors < 1 || c.Int("disks") < 1 || b.arms < 1 || b.seek < 0 {
		return &usageError{"--sectors, --disks and --arms are 1 or more, --seek is not below 0"}
	}
	dir, err := os.MkdirTemp(c.String("dir"), "vigil-reading-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for i := range c.Int("disks") {
		b.disks = append(b.disks, &madeUpDisk{path: filepath.Join(dir, fmt.Sprint(i)), arms: make(chan struct{}, b.arms), reads: map[string][]madeUpRead{}})
	}
	if err := b.write(); err != nil {
		return err
	}
	fmt.Fprintf(c.Root().ErrWriter, "%d sectors on %d disks\n", b.sectors, len(b.disks))
	result, err := b.run(ctx)
	if err != nil {
		return err
	}
	return writeJSON(c.Root().Writer, result)
}

// readingBench measures the reading of sectors.
type readingBench struct {
	sectors  int
	arms     int
	seek     time.Duration
	disks    []*madeUpDisk
	requests []vigil.ReadRequest
}

const readingMiner = 1000

func (b *readingBench) write() error {
	shape, err := merkle.ShapeOf(32 << 30)
	if err != nil {
		return err
	}
	for i, d := range b.disks {
		var numbers []uint64
		for n := i; n < b.sectors; n += len(b.disks) {
			numbers = append(numbers, uint64(n))
		}
		made, err := post.WriteFauxZeros(d.path, shape, readingMiner, numbers...)
		if err != nil {
			return err
		}
		for _, s := range made {
			_, sealed, err := cid.CidFromBytes(merkle.CommRToCID(s.CommR))
			if err != nil {
				return err
			}
			b.requests = append(b.requests, vigil.ReadRequest{
				Miner: readingMiner, ProofType: abi.RegisteredPoStProof_StackedDrgWindow32GiBV1_1, Randomness: [32]byte{7},
				Sector: vigil.Sector{Number: abi.SectorNumber(s.Number), SealedCID: sealed},
			})
		}
	}
	return nil
}

func (b *readingBench) run(ctx context.Context) (r benchReadingResult, err error) {
	r = benchReadingResult{Name: "reading-32GiB", Sectors: b.sectors, Disks: len(b.disks), Arms: b.arms, SeekMS: float64(b.seek) / 1e6}
	// Once without seeking, to write down what is read.
	if _, _, err = b.ours(ctx); err != nil {
		return r, err
	}
	for _, d := range b.disks {
		for _, list := range d.reads {
			for _, one := range list {
				r.Reads++
				r.Bytes += float64(one.length)
			}
		}
		d.recorded, d.seek = true, b.seek
	}
	r.Reads, r.Bytes = r.Reads/float64(b.sectors), r.Bytes/float64(b.sectors)
	debug.FreeOSMemory() // what the first time needed
	r.Baseline = inUse()
	peak := watchMemory()
	began := time.Now()
	reader, proofs, err := b.ours(ctx)
	r.Ours, r.Memory = time.Since(began).Seconds(), peak()
	if err != nil {
		return r, err
	}
	r.Vanilla = len(proofs[0])
	for _, s := range reader.Status() {
		r.AtOnce = append(r.AtOnce, s.AtOnce)
	}
	began = time.Now()
	if err = b.bare(ctx); err != nil {
		return r, err
	}
	r.Bare = time.Since(began).Seconds()
	r.Ratio = r.Ours / r.Bare
	return r, nil
}

// ours reads all sectors as the daemon does: all at once, and the reader says
// how many that is.
func (b *readingBench) ours(ctx context.Context) (*sector.Reader, []vigil.VanillaProof, error) {
	var storages []sector.Storage
	for _, d := range b.disks {
		storages = append(storages, d.storage())
	}
	reader := sector.NewReaderOf(storages...)
	proofs, errs := make([]vigil.VanillaProof, len(b.requests)), make([]error, len(b.requests))
	var all sync.WaitGroup
	for i, request := range b.requests {
		all.Go(func() { proofs[i], errs[i] = reader.Read(ctx, request) })
	}
	all.Wait()
	return reader, proofs, errors.Join(errs...)
}

// bareAtOnce is how many bare reads go to a disk at a time.
const bareAtOnce = 32

// bare reads the same bytes of the same files, and does nothing with them.
func (b *readingBench) bare(ctx context.Context) error {
	var all sync.WaitGroup
	errs := make(chan error, len(b.disks)*bareAtOnce)
	for _, d := range b.disks {
		work := make(chan string, len(d.reads))
		for file := range d.reads {
			work <- file
		}
		close(work)
		for range bareAtOnce {
			all.Go(func() {
				for file := range work {
					if err := d.preads(ctx, file); err != nil {
						errs <- err
						return
					}
				}
			})
		}
	}
	all.Wait()
	close(errs)
	return <-errs
}

// madeUpDisk is a folder that takes its time.
type madeUpDisk struct {
	path string
	arms chan struct{}
	seek time.Duration

	mu       sync.Mutex // guards what follows
	recorded bool
	reads    map[string][]madeUpRead // by file
}

// madeUpRead is one pread.
type madeUpRead struct {
	offset int64
	length int
}

func (d *madeUpDisk) storage() sector.Storage {
	return sector.Storage{Path: d.path, Open: func() (sector.Folder, error) {
		root, err := os.OpenRoot(d.path)
		if err != nil {
			return nil, err
		}
		return madeUpFolder{root, d}, nil
	}}
}

// turn waits for an arm, and for its seek.
func (d *madeUpDisk) turn() {
	if d.seek > 0 {
		d.arms <- struct{}{}
		<-time.After(d.seek)
		<-d.arms
	}
}

func (d *madeUpDisk) preads(ctx context.Context, file string) error {
	f, err := os.Open(filepath.Join(d.path, file))
	if err != nil {
		return err
	}
	defer f.Close()
	for _, one := range d.reads[file] {
		if err := ctx.Err(); err != nil {
			return err
		}
		d.turn()
		if _, err := f.ReadAt(make([]byte, one.length), one.offset); err != nil {
			return err
		}
	}
	return nil
}

type madeUpFolder struct {
	*os.Root
	disk *madeUpDisk
}

// Open opens a file of the disk.
func (f madeUpFolder) Open(name string) (fs.File, error) {
	file, err := f.FS().Open(name)
	if err != nil {
		return nil, err
	}
	return madeUpFile{file, name, f.disk}, nil
}

type madeUpFile struct {
	fs.File
	name string
	disk *madeUpDisk
}

// ReadAt reads when it is its turn.
func (f madeUpFile) ReadAt(p []byte, offset int64) (int, error) {
	f.disk.turn()
	f.disk.mu.Lock()
	if !f.disk.recorded {
		f.disk.reads[f.name] = append(f.disk.reads[f.name], madeUpRead{offset, len(p)})
	}
	f.disk.mu.Unlock()
	return f.File.(io.ReaderAt).ReadAt(p, offset)
}

// inUse is the memory that the Go runtime holds and has not given back, in MiB.
func inUse() float64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return float64(samples[0].Value.Uint64()-samples[1].Value.Uint64()) / (1 << 20)
}

// watchMemory looks at inUse until the function that it gives is called, which gives the most that was seen.
func watchMemory() func() float64 {
	stop, most := make(chan struct{}), make(chan float64)
	go func() {
		highest := inUse()
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				highest = max(highest, inUse())
			case <-stop:
				most <- max(highest, inUse())
				return
			}
		}
	}()
	return func() float64 {
		close(stop)
		return <-most
	}
}
