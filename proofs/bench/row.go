package bench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/proofs/params"
)

// Row is a proof that is measured.
type Row struct {
	Name       string
	SectorSize uint64
	Sectors    int // in the one partition
	Repeats    int // unless told otherwise
	Warm       Warmth
	arbitrary  bool // no key of such a partition exists
}

// Rows are all that are measured, the cheapest first.
func Rows() []Row {
	return []Row{
		{Name: "window-2KiB", SectorSize: 2 << 10, Sectors: 2, Repeats: 9, Warm: WarmProof},
		{Name: "window-8MiB", SectorSize: 8 << 20, Sectors: 2, Repeats: 5, Warm: WarmProof},
		{Name: "window-512MiB", SectorSize: 512 << 20, Sectors: 2, Repeats: 5, Warm: WarmProof},
		{Name: "window-32GiB-78", SectorSize: 32 << 30, Sectors: 78, Repeats: 1, Warm: WarmFile, arbitrary: true},
	}
}

// RowNamed is the row with a name.
func RowNamed(name string) (Row, error) {
	var names []string
	for _, r := range Rows() {
		if r.Name == name {
			return r, nil
		}
		names = append(names, r.Name)
	}
	return Row{}, fmt.Errorf("no row is called %q; there are %q", name, names)
}

func (r Row) lengths() (groth16.Lengths, error) {
	form, err := config(r.SectorSize, r.Sectors)
	if err != nil {
		return groth16.Lengths{}, err
	}
	return lengthsOf(form)
}

// Store is where the benchmark keeps what is dear to make.
type Store struct {
	Dir    string // cases and keys made here
	Params string // "", or a parameter folder with keys to use
	// Say is told what takes long; nil: nobody is.
	Say func(format string, args ...any)
}

func (s Store) say(format string, args ...any) {
	if s.Say != nil {
		s.Say(format, args...)
	}
}

// key is the row's proving key: out of Params, kept from an earlier time or made
// now.
func (s Store) key(ctx context.Context, r Row) (file string, err error) {
	if r.arbitrary {
		return s.arbitraryKey(r)
	}
	proof := params.Proof{SectorSize: r.SectorSize}
	name, err := proof.ParamsFile()
	if err != nil {
		return "", err
	}
	for _, dir := range []string{s.Params, s.Dir} {
		if file = filepath.Join(dir, name); dir != "" && exists(file) {
			return file, nil
		}
	}
	s.say("making a key for %s by a local setup, once", r.Name)
	return file, params.Generate(ctx, s.Dir, proof)
}

func (s Store) arbitraryKey(r Row) (string, error) {
	file := filepath.Join(s.Dir, r.Name+".params")
	l, err := r.lengths()
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(file); err == nil && info.Size() == l.ParamsSize() {
		return file, nil
	}
	s.say("writing a key of arbitrary points for %s: %d MiB, once", r.Name, l.ParamsSize()>>20)
	return file, params.Write(file, ArbitraryKey{l})
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// proveArgs makes all that a side needs of n partitions' sectors.
func (s Store) proveArgs(ctx context.Context, r Row, partitions int) (ProveArgs, error) {
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return ProveArgs{}, err
	}
	key, err := s.key(ctx, r)
	if err != nil {
		return ProveArgs{}, fmt.Errorf("key of %s: %w", r.Name, err)
	}
	c, err := NewCase(ctx, r.SectorSize, partitions*r.Sectors)
	if err != nil {
		return ProveArgs{}, err
	}
	file := filepath.Join(s.Dir, fmt.Sprintf("%s-%d.json", r.Name, partitions))
	if err := c.write(file); err != nil {
		return ProveArgs{}, fmt.Errorf("write a case: %w", err)
	}
	return ProveArgs{Case: file, Params: key, Sectors: r.Sectors, Warm: r.Warm}, nil
}

// Clean removes all that the benchmark may have made in the store's folder, and
// nothing else.
func (s Store) Clean() error {
	var files []string
	for _, r := range Rows() {
		name, err := params.Proof{SectorSize: r.SectorSize}.ParamsFile()
		if err != nil {
			return err
		}
		vk, err := params.Proof{SectorSize: r.SectorSize}.VKFile()
		if err != nil {
			return err
		}
		files = append(files, name, vk, r.Name+".params", r.Name+"-1.json", r.Name+"-3.json")
	}
	files = append(files, params.Warning, tileFile)
	var errs []error
	for _, file := range files {
		if err := os.Remove(filepath.Join(s.Dir, file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
