package bench

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vigil-post/vigil/proofs/merkle"
	"github.com/vigil-post/vigil/proofs/post"
)

// Vanilla measures the vanilla proofs of sparse 32 GiB sectors: our reads against the
// bare preads of the same bytes, and against filecoin-proofs on the same files.
//
// Files that hold nothing come from the system's memory in microseconds, so that
// there hashing is all that is left of the time. What a disk would make of it is
// measured with a delay before each read, ours and the bare ones alike, on some of
// the sectors.
type Vanilla struct {
	Dir     string // an empty folder for the sectors
	Sectors int
	Limit   int           // sectors read at a time
	Seek    time.Duration // of the disk that is made up
	Oracle  string        // the oracle's program, or ""
	Say     func(format string, args ...any)
}

// VanillaResult is a line of JSON.
type VanillaResult struct {
	Name      string  `json:"name"`
	Sectors   int     `json:"sectors"`
	AtATime   int     `json:"at_a_time"`
	Reads     float64 `json:"reads"`      // of a sector
	BareReads int     `json:"bare_reads"` // of a sector: what no implementation avoids
	Bytes     float64 `json:"bytes"`      // of a sector
	// Times are of all sectors, with the files opened and closed.
	Ours       Timing  `json:"ours"`
	Bare       Timing  `json:"bare"`
	Bellperson *Timing `json:"filecoin_proofs"`
	RatioReads float64 `json:"ratio_reads"`
	// RatioCPU is our CPU time to filecoin-proofs', RatioWall the same of the clock.
	RatioCPU  *float64 `json:"ratio_cpu"`
	RatioWall *float64 `json:"ratio_wall"`
	// On a disk with a seek time, on so many sectors:
	SeekMS      float64 `json:"seek_ms"`
	SeekSectors int     `json:"seek_sectors"`
	OursSeek    Timing  `json:"ours_on_disk"`
	BareSeek    Timing  `json:"bare_on_disk"`
	RatioDisk   float64 `json:"ratio_on_disk"` // of the clock
	Machine
}

const (
	vanillaMiner = 1000
	// bareReads are the reads of a 32 GiB sector that cannot be fewer: the pieces
	// of the replica of 10 challenges, some nodes above each of them, the roots of 8
	// tree files, and p_aux.
	bareReads = 10 + 10 + 8 + 1
	// seekSectors bounds the sectors that are read with a delay.
	seekSectors = 200
)

// Run writes the sectors, measures and removes nothing.
func (v Vanilla) Run(ctx context.Context) (VanillaResult, error) {
	form, err := post.WindowConfig(32<<30, post.V1_1)
	if err != nil {
		return VanillaResult{}, err
	}
	v.say("writing %d sparse sectors", v.Sectors)
	numbers := make([]uint64, v.Sectors)
	for i := range numbers {
		numbers[i] = uint64(i)
	}
	sectors, err := post.WriteFauxZeros(v.Dir, form.Shape, vanillaMiner, numbers...)
	if err != nil {
		return VanillaResult{}, err
	}
	s := &sectorReads{Vanilla: v, form: form, sectors: sectors, randomness: [32]byte{7}, reads: make([][]read, len(sectors))}
	return s.measure(ctx)
}

func (v Vanilla) say(format string, args ...any) {
	if v.Say != nil {
		v.Say(format, args...)
	}
}

// sectorReads knows what is read of each sector.
type sectorReads struct {
	Vanilla
	form       post.Config
	sectors    []post.Sector
	randomness [32]byte
	reads      [][]read // of each sector, in the order of its list
}

// read is one pread.
type read struct {
	file   string
	offset int64
	length int
}

func (s *sectorReads) measure(ctx context.Context) (r VanillaResult, err error) {
	r = VanillaResult{Name: "vanilla-32GiB", Sectors: len(s.sectors), AtATime: s.Limit, BareReads: bareReads, SeekMS: float64(s.Seek) / 1e6, Machine: ThisMachine()}
	s.say("a first time, to write down what is read")
	if err := s.prove(ctx, len(s.sectors), s.recorded); err != nil {
		return r, err
	}
	var count, bytes int
	for _, list := range s.reads {
		count += len(list)
		for _, one := range list {
			bytes += one.length
		}
	}
	r.Reads, r.Bytes = float64(count)/float64(len(s.sectors)), float64(bytes)/float64(len(s.sectors))
	r.RatioReads = r.Reads / bareReads
	if r.Bare, err = timed(func() error { return s.bare(ctx, len(s.sectors), 0) }); err != nil {
		return r, err
	}
	s.say("proving")
	if r.Ours, err = timed(func() error { return s.prove(ctx, len(s.sectors), nil) }); err != nil {
		return r, err
	}
	r.SeekSectors = min(len(s.sectors), seekSectors)
	s.say("the same on a disk that seeks for %v, %d sectors", s.Seek, r.SeekSectors)
	if r.BareSeek, err = timed(func() error { return s.bare(ctx, r.SeekSectors, s.Seek) }); err != nil {
		return r, err
	}
	if r.OursSeek, err = timed(func() error { return s.prove(ctx, r.SeekSectors, s.delayed) }); err != nil {
		return r, err
	}
	r.RatioDisk = r.OursSeek.Wall / r.BareSeek.Wall
	if s.Oracle == "" {
		return r, nil
	}
	s.say("proving with filecoin-proofs")
	if r.Bellperson, err = s.oracle(ctx); err != nil {
		return r, err
	}
	r.RatioCPU, r.RatioWall = ratio(&r.Ours.CPU, &r.Bellperson.CPU), ratio(&r.Ours.Wall, &r.Bellperson.Wall)
	return r, nil
}

func (s *sectorReads) place(number uint64) (replica, cache string) {
	name := fmt.Sprintf("s-t0%d-%d", vanillaMiner, number)
	return filepath.Join(s.Dir, "sealed", name), filepath.Join(s.Dir, "cache", name)
}

// prove makes the first n sectors' vanilla proofs. Files are read through wrap, if
// there is one.
func (s *sectorReads) prove(ctx context.Context, n int, wrap func(number uint64, path string, f merkle.File) merkle.File) error {
	open := func(_ context.Context, sector post.Sector) (post.Files, io.Closer, error) {
		replica, cache := s.place(sector.Number)
		files, closer, err := post.OpenFiles(s.form.Shape, replica, cache)
		if err != nil || wrap == nil {
			return files, closer, err
		}
		files.Replica = wrap(sector.Number, replica, files.Replica)
		files.PAux = wrap(sector.Number, filepath.Join(cache, merkle.PAuxFile), files.PAux)
		for i, name := range s.form.Shape.TreeFiles() {
			files.Trees[i] = wrap(sector.Number, filepath.Join(cache, name), files.Trees[i])
		}
		return files, closer, nil
	}
	_, errs := s.form.VanillaAll(ctx, s.randomness, s.sectors[:n], open, s.Limit)
	return errors.Join(errs...)
}

// bare reads the same of the first n sectors and does nothing with it.
func (s *sectorReads) bare(ctx context.Context, n int, delay time.Duration) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, s.Limit)
	for w := range s.Limit {
		wg.Go(func() {
			buffer := make([]byte, 1<<20)
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil && errs[w] == nil; i = int(next.Add(1)) - 1 {
				errs[w] = preads(s.reads[i], buffer, delay)
			}
		})
	}
	wg.Wait()
	return errors.Join(append(errs, ctx.Err())...)
}

func preads(list []read, buffer []byte, delay time.Duration) error {
	open := map[string]*os.File{}
	defer func() {
		for _, f := range open {
			_ = f.Close()
		}
	}()
	for _, one := range list {
		f := open[one.file]
		if f == nil {
			var err error
			if f, err = os.Open(one.file); err != nil {
				return err
			}
			open[one.file] = f
		}
		wait(delay)
		if _, err := f.ReadAt(buffer[:one.length], one.offset); err != nil {
			return err
		}
	}
	return nil
}

// oracle measures filecoin-proofs on the same files.
func (s *sectorReads) oracle(ctx context.Context) (*Timing, error) {
	cmd := exec.CommandContext(ctx, s.Oracle, "bench-vanilla", "--sectors", s.Dir, "--size", fmt.Sprint(s.form.Shape.SectorSize), "--api", "1.2.0",
		"--miner", fmt.Sprint(vanillaMiner), "--numbers", fmt.Sprintf("0-%d", len(s.sectors)-1), "--randomness", hex.EncodeToString(s.randomness[:]))
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("make vanilla proofs with filecoin-proofs: %w", err)
	}
	t := new(Timing)
	return t, json.Unmarshal(out, t)
}

// recorded writes down what is read.
func (s *sectorReads) recorded(number uint64, path string, f merkle.File) merkle.File {
	return &tapped{f, func(offset int64, length int) {
		// One goroutine works on a sector.
		s.reads[number] = append(s.reads[number], read{path, offset, length})
	}}
}

// delayed lets each read wait for the disk.
func (s *sectorReads) delayed(_ uint64, _ string, f merkle.File) merkle.File {
	return &tapped{f, func(int64, int) { wait(s.Seek) }}
}

// tapped is a file that tells of its reads.
type tapped struct {
	merkle.File
	tell func(offset int64, length int)
}

// ReadAt reads after it has told so.
func (t *tapped) ReadAt(b []byte, offset int64) (int, error) {
	t.tell(offset, len(b))
	return t.File.ReadAt(b, offset)
}

func wait(d time.Duration) {
	if d > 0 {
		<-time.After(d)
	}
}
