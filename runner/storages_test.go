package runner_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/proofs/merkle"
	proofs "github.com/vigil-post/vigil/proofs/post"
	"github.com/vigil-post/vigil/sector"
)

// disk is a storage whose questions take their time, or are not answered at all
// while hangs is not nil and not closed.
type disk struct {
	path  string
	slow  time.Duration
	hangs chan struct{}
}

func (d *disk) storage() sector.Storage {
	return sector.Storage{Path: d.path, Open: func() (sector.Folder, error) {
		root, err := os.OpenRoot(d.path)
		if err != nil {
			return nil, err
		}
		return diskFolder{root, d}, nil
	}}
}

func (d *disk) ask() {
	if d.hangs != nil {
		<-d.hangs
	}
	if d.slow > 0 {
		<-time.After(d.slow)
	}
}

type diskFolder struct {
	*os.Root
	of *disk
}

func (f diskFolder) Stat(name string) (fs.FileInfo, error) { f.of.ask(); return f.Root.Stat(name) }

func (f diskFolder) Open(name string) (fs.File, error) {
	f.of.ask()
	file, err := f.FS().Open(name)
	if err != nil {
		return nil, err
	}
	return diskFile{file, f.of}, nil
}

type diskFile struct {
	fs.File
	of *disk
}

func (f diskFile) ReadAt(p []byte, offset int64) (int, error) {
	f.of.ask()
	return f.File.(io.ReaderAt).ReadAt(p, offset)
}

// partitionOf32GiB is a partition of sparse sectors on five disks: one that hangs,
// one that is slow, one of which a hundredth of the sectors is corrupt, and two
// that are well.
type partitionOf32GiB struct {
	world                 *world
	hanging, slow, rotten *disk
	corrupt               map[abi.SectorNumber]string // what the cause must say
	form                  proofs.Config
	onHanging, sectors    int
}

func newPartitionOf32GiB(t *testing.T, sectors int) *partitionOf32GiB {
	t.Helper()
	form, err := proofs.WindowConfig(32<<30, proofs.V1_1)
	if err != nil {
		t.Fatal(err)
	}
	p := &partitionOf32GiB{world: newWorld(), form: form, corrupt: map[abi.SectorNumber]string{}, sectors: sectors}
	p.world.proofType = abi.RegisteredPoStProof_StackedDrgWindow32GiBV1_1
	p.world.sealed = map[abi.SectorNumber]cid.Cid{}
	p.world.many(sectors)
	var storages []sector.Storage
	var disks []*disk
	for i := range 5 {
		d := &disk{path: filepath.Join(t.TempDir(), fmt.Sprint("disk", i))}
		disks, storages = append(disks, d), append(storages, d.storage())
		var numbers []uint64
		for n := 1 + i; n <= sectors; n += 5 {
			numbers = append(numbers, uint64(n))
		}
		made, err := proofs.WriteFauxZeros(d.path, form.Shape, uint64(minerID), numbers...)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range made {
			_, c, err := cid.CidFromBytes(merkle.CommRToCID(s.CommR))
			if err != nil {
				t.Fatal(err)
			}
			p.world.sealed[abi.SectorNumber(s.Number)] = c
		}
	}
	p.hanging, p.slow, p.rotten = disks[0], disks[1], disks[2]
	p.slow.slow = 300 * time.Millisecond
	p.onHanging = (sectors + 4) / 5
	reader := sector.NewReaderOf(storages...)
	p.world.reader = reader
	p.rot(t, max(5, sectors/5/100))
	return p
}

// rot spoils so many sectors of a disk, each in another way.
func (p *partitionOf32GiB) rot(t *testing.T, n int) {
	t.Helper()
	ways := []func(number uint64, sealed, cache string) (cause string, err error){
		func(_ uint64, sealed, _ string) (string, error) { return "replica: missing", os.Remove(sealed) },
		func(_ uint64, sealed, _ string) (string, error) {
			return "replica: size", os.Truncate(sealed, 32<<30-1)
		},
		func(_ uint64, _, cache string) (string, error) {
			return "p_aux: comm_r", flipFile(filepath.Join(cache, "p_aux"), 5)
		},
		func(_ uint64, _, cache string) (string, error) {
			const name = "sc-02-data-tree-r-last-3.dat"
			info, err := os.Stat(filepath.Join(cache, name))
			if err != nil {
				return "", err
			}
			return "root", flipFile(filepath.Join(cache, name), info.Size()-10) // in the root
		},
		func(number uint64, sealed, _ string) (string, error) {
			leaves, err := p.form.Leaves(proofs.MaskRandomness([32]byte{challengeByte}), number, 0)
			if err != nil {
				return "", err
			}
			return "replica: segment", flipFile(sealed, int64(leaves[4])*32+8)
		},
	}
	for i := range n {
		number := uint64(3 + 5*i*max(1, p.sectors/5/n-1))
		name := sector.Name(minerID, abi.SectorNumber(number))
		cause, err := ways[i%len(ways)](number, filepath.Join(p.rotten.path, "sealed", name), filepath.Join(p.rotten.path, "cache", name))
		if err != nil {
			t.Fatal(err)
		}
		p.corrupt[abi.SectorNumber(number)] = cause
	}
}

// challengeByte is the seed of the deadline's challenge in the world: its epoch's lowest byte.
const challengeByte = byte((open - 20) & 0xff)

// flipFile changes a bit of a file, and of no other that is the same file by another name.
func flipFile(path string, at int64) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() < 64<<20 {
		data, err := os.ReadFile(path)
		if err == nil {
			err = os.Remove(path)
		}
		if err != nil {
			return err
		}
		data[at] ^= 4
		return os.WriteFile(path, data, 0o644)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		return err
	}
	b[0] ^= 4
	_, err = f.WriteAt(b, at)
	return err
}

// partitionSectors is a whole partition where there is time, and sixty sectors else.
func partitionSectors() int {
	if os.Getenv("VIGIL_LONG") != "" {
		return 2349
	}
	return 60
}

func TestAPartitionOnDisksThatHangCrawlAndRotIsProvedWithoutTheRottenSectors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPartitionOf32GiB(t, partitionSectors())
		w := p.world
		w.prove = func(ctx context.Context) error { return wait(ctx, 10*epoch) }
		p.hanging.hangs = make(chan struct{})
		w.at = map[abi.ChainEpoch]func(){open + 10: func() { close(p.hanging.hangs) }}
		w.run(t, after)
		p.expect(t, w.expect(t, post(0), vigil.StateConfirmed), 0)
	})
}

func TestADiskThatHangsToTheEndCostsItsOwnSectorsAndNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPartitionOf32GiB(t, 40)
		w := p.world
		w.prove = func(ctx context.Context) error { return wait(ctx, 10*epoch) }
		p.hanging.hangs = make(chan struct{})
		defer close(p.hanging.hangs)
		w.run(t, after)
		p.expect(t, w.expect(t, post(0), vigil.StateConfirmed), p.onHanging)
	})
}

// expect looks whether a duty leaves out the corrupt sectors, each with its cause,
// and so many of the disk that hangs.
func (p *partitionOf32GiB) expect(t *testing.T, duty vigil.Duty, hung int) {
	t.Helper()
	for _, bad := range duty.Skipped {
		cause, corrupt := p.corrupt[bad.Number]
		const silent = "disk0 does not answer"
		if !corrupt && bad.Number%5 == 1 && hung > 0 {
			cause, corrupt = silent, true
			hung--
		}
		if corrupt && cause == "replica: missing" && strings.Contains(bad.Cause, silent) {
			cause = silent // it may be there
		}
		if !corrupt || !strings.Contains(bad.Cause, cause) {
			t.Errorf("sector %d is skipped: %s", bad.Number, bad.Cause)
		}
		delete(p.corrupt, bad.Number)
	}
	if len(p.corrupt) > 0 || hung > 0 {
		t.Errorf("not skipped: %v, and %d of the disk that hangs", p.corrupt, hung)
	}
	proof := p.world.proofs[duty.ID]
	if got := len(proof.Statement.Sectors); got+len(duty.Skipped) != p.sectors {
		t.Errorf("%d sectors are proved and %d skipped of %d", got, len(duty.Skipped), p.sectors)
	}
	skipped := slices.Concat(proof.Partitions[0].Skipped)
	t.Logf("%d sectors, %d skipped, read in %v", p.sectors, len(skipped), proof.ReadTime)
}
