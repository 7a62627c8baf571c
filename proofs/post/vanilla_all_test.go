package post_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigil-post/vigil/proofs/merkle"
	"github.com/vigil-post/vigil/proofs/post"
)

// storage is a folder of faux sectors.
type storage struct {
	cfg     post.Config
	dir     string
	sectors []post.Sector
}

func newStorage(t testing.TB, size uint64, version post.Version, count uint64) storage {
	t.Helper()
	s := storage{dir: t.TempDir()}
	var err error
	if s.cfg, err = post.WindowConfig(size, version); err != nil {
		t.Fatal(err)
	}
	var numbers []uint64
	for n := range count {
		numbers = append(numbers, 7+n)
	}
	if s.sectors, err = post.WriteFauxZeros(s.dir, s.cfg.Shape, 1000, numbers...); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s storage) path(folder string, number uint64, file ...string) string {
	return filepath.Join(append([]string{s.dir, folder, fmt.Sprintf("s-t01000-%d", number)}, file...)...)
}

func (s storage) open(_ context.Context, sector post.Sector) (post.Files, io.Closer, error) {
	return post.OpenFiles(s.cfg.Shape, s.path("sealed", sector.Number), s.path("cache", sector.Number))
}

func TestFauxSectorsOfEverySizeAreProvable(t *testing.T) {
	for _, size := range []uint64{2 << 10, 4 << 10, 16 << 10, 32 << 10, 8 << 20, 16 << 20, 512 << 20, 1 << 30, 32 << 30, 64 << 30} {
		s := newStorage(t, size, post.V1, 3)
		proofs, errs := s.cfg.VanillaAll(t.Context(), [32]byte{9}, s.sectors, s.open, 2)
		for i, sector := range s.sectors {
			if errs[i] != nil {
				t.Fatalf("%d bytes: %v", size, errs[i])
			}
			leaves := must(s.cfg.Leaves([32]byte{9}, sector.Number, i))(t)
			if err := s.cfg.VerifyVanilla(proofs[i], sector, leaves); err != nil {
				t.Errorf("%d bytes: %v", size, err)
			}
			if commR := must(os.ReadFile(s.path("cache", sector.Number, "comm_r")))(t); [32]byte(commR) != sector.CommR {
				t.Errorf("%d bytes: the file comm_r has %x", size, commR)
			}
		}
		if s.sectors[0].CommR == s.sectors[1].CommR {
			t.Errorf("%d bytes: two sectors have the same comm_r", size)
		}
		// All tree files of all sectors are one.
		names := s.cfg.Shape.TreeFiles()
		first := must(os.Stat(s.path("cache", 7, names[0])))(t)
		last := must(os.Stat(s.path("cache", 9, names[len(names)-1])))(t)
		if !os.SameFile(first, last) {
			t.Errorf("%d bytes: the tree files take their space again for each sector", size)
		}
	}
}

func TestAFauxSectorOfZerosHasTheTreeOfFilecoinProofs(t *testing.T) {
	made := filepath.Join(fixtures(t), "oracle", "sectors", "512m-faux", "cache", "s-t01000-0")
	s := newStorage(t, 512<<20, post.V1_1, 1)
	name := s.cfg.Shape.TreeFiles()[0]
	ours, theirs := must(os.ReadFile(s.path("cache", 7, name)))(t), must(os.ReadFile(filepath.Join(made, name)))(t)
	if !slices.Equal(ours, theirs) {
		t.Errorf("%s differs", name)
	}
	ours, theirs = must(os.ReadFile(s.path("cache", 7, "p_aux")))(t), must(os.ReadFile(filepath.Join(made, "p_aux")))(t)
	if !slices.Equal(ours[32:], theirs[32:]) {
		t.Error("comm_r_last differs")
	}
}

func TestAFauxSectorIsNotWrittenOverAnother(t *testing.T) {
	s := newStorage(t, 2<<10, post.V1_1, 2)
	before := must(os.ReadFile(s.path("cache", 8, "p_aux")))(t)
	if _, err := post.WriteFauxZeros(s.dir, s.cfg.Shape, 1000, 8); !errors.Is(err, os.ErrExist) {
		t.Errorf("zeros: %v", err)
	}
	f := must(post.FauxSector(s.cfg.Shape, strings.NewReader(strings.Repeat("a sector that is not zeros ", 100))))(t)
	if err := f.Write(s.dir, 1000, 8); !errors.Is(err, os.ErrExist) {
		t.Errorf("random: %v", err)
	}
	if !slices.Equal(before, must(os.ReadFile(s.path("cache", 8, "p_aux")))(t)) {
		t.Error("it was written over")
	}
	if err := f.Write(s.dir, 1000, 20); err != nil {
		t.Fatal(err)
	}
	s.sectors = append(s.sectors, post.Sector{Number: 20, CommR: f.CommR})
	_, errs := s.cfg.VanillaAll(t.Context(), [32]byte{9}, s.sectors, s.open, 1)
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}

func TestASectorThatFailsIsNamedAndTheOthersAreProven(t *testing.T) {
	s := newStorage(t, 16<<10, post.V1_1, 6)
	tree := s.cfg.Shape.TreeFiles()[5]
	if err := os.Remove(s.path("cache", 8, tree)); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(s.path("sealed", 9), 100); err != nil {
		t.Fatal(err)
	}
	away := errors.New("storage is away")
	open := func(ctx context.Context, sector post.Sector) (post.Files, io.Closer, error) {
		if sector.Number == 11 {
			return post.Files{}, nil, away
		}
		return s.open(ctx, sector)
	}
	proofs, errs := s.cfg.VanillaAll(t.Context(), [32]byte{9}, s.sectors, open, 3)
	for i, want := range []string{
		"", "sector 8: " + tree + ": missing: not there", "sector 9: replica: size: 100 bytes, want 16384", "", "sector 11: storage is away", "",
	} {
		if (proofs[i] == nil) == (want == "") {
			t.Errorf("sector %d: proof %v", 7+i, proofs[i])
		}
		if got := fmt.Sprint(errs[i]); want == "" && errs[i] != nil || want != "" && got != want {
			t.Errorf("%s, want %s", got, want)
		}
		var defect *merkle.DefectError
		if bad := errors.As(errs[i], &defect); bad != (i == 1 || i == 2) {
			t.Errorf("%v: a defect is %v", errs[i], bad)
		}
	}
	if !errors.Is(errs[4], away) {
		t.Errorf("%v", errs[4])
	}
}

// hanging is a file whose reads wait until it is let go.
type hanging struct {
	merkle.File
	release <-chan struct{}
}

func (h hanging) ReadAt(p []byte, offset int64) (int, error) {
	<-h.release
	return h.File.ReadAt(p, offset)
}

func TestAStorageThatHangsCostsOnePlaceAndEndsWithTheContext(t *testing.T) {
	s := newStorage(t, 2<<10, post.V1_1, 6)
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var opened, closed atomic.Int64
		open := func(ctx context.Context, sector post.Sector) (post.Files, io.Closer, error) {
			opened.Add(1)
			files, closer, err := s.open(ctx, sector)
			if sector.Number == 7 {
				files.Replica = hanging{files.Replica, release}
			}
			return files, closing(func() error { closed.Add(1); return closer.Close() }), err
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start := time.Now()
		proofs, errs := s.cfg.VanillaAll(ctx, [32]byte{9}, s.sectors, open, 2)
		if waited := time.Since(start); waited != time.Hour {
			t.Errorf("returned after %v", waited)
		}
		if proofs[0] != nil || !errors.Is(errs[0], context.DeadlineExceeded) || !strings.HasPrefix(errs[0].Error(), "sector 7: ") {
			t.Errorf("the sector that hangs: %v", errs[0])
		}
		for i := range proofs[1:] {
			if proofs[1+i] == nil || errs[1+i] != nil {
				t.Errorf("sector %d was held up: %v", s.sectors[1+i].Number, errs[1+i])
			}
		}
		if closed.Load() != 5 {
			t.Errorf("%d sectors closed, want all but the one that hangs", closed.Load())
		}
		close(release)
		synctest.Wait()
		if opened.Load() != 6 || closed.Load() != 6 {
			t.Errorf("%d opened, %d closed", opened.Load(), closed.Load())
		}
	})
}

type closing func() error

func (c closing) Close() error { return c() }

func TestNoMoreSectorsAreOpenThanTheLimit(t *testing.T) {
	s := newStorage(t, 2<<10, post.V1_1, 20)
	var now, most atomic.Int64
	open := func(ctx context.Context, sector post.Sector) (post.Files, io.Closer, error) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		files, closer, err := s.open(ctx, sector)
		return files, closing(func() error { now.Add(-1); return closer.Close() }), err
	}
	_, errs := s.cfg.VanillaAll(t.Context(), [32]byte{9}, s.sectors, open, 3)
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	if most.Load() > 3 || now.Load() != 0 {
		t.Errorf("%d open at once, %d still", most.Load(), now.Load())
	}
	proofs, errs := s.cfg.VanillaAll(t.Context(), [32]byte{9}, nil, open, 0)
	if len(proofs) != 0 || len(errs) != 0 {
		t.Errorf("of no sectors: %v %v", proofs, errs)
	}
}

func TestAFolderIsNoFile(t *testing.T) {
	s := newStorage(t, 2<<10, post.V1_1, 1)
	if err := os.Remove(s.path("sealed", 7)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(s.path("sealed", 7), 0o755); err != nil {
		t.Fatal(err)
	}
	_, _, err := s.open(t.Context(), s.sectors[0])
	var defect *merkle.DefectError
	if err == nil || errors.As(err, &defect) {
		t.Errorf("a folder in place of the replica: %v", err)
	}
}
