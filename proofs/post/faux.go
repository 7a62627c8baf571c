package post

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/merkle"
)

// Faux is a sector that can be proven but stores nothing: sealing is not what a
// PoSt proves, so any replica of field elements with its tree will do. It is for
// development networks and tests.
type Faux struct {
	CommR   [32]byte
	Replica []byte            // the sealed file
	Cache   map[string][]byte // the files of the cache folder, by name
}

// FauxSector makes a sector whose replica and comm_c are drawn from random.
// Equal randomness makes equal sectors.
func FauxSector(shape merkle.Shape, random io.Reader) (*Faux, error) {
	replica := make([]byte, shape.SectorSize)
	commC := make([]byte, merkle.NodeSize)
	for _, b := range [][]byte{replica, commC} {
		if _, err := io.ReadFull(random, b); err != nil {
			return nil, fmt.Errorf("draw replica: %w", err)
		}
		for i := merkle.NodeSize - 1; i < len(b); i += merkle.NodeSize {
			b[i] &= 0x3f
		}
	}
	c, err := merkle.Node([merkle.NodeSize]byte(commC))
	if err != nil {
		return nil, err
	}
	tree, err := merkle.Build(shape, bytes.NewReader(replica))
	if err != nil {
		return nil, err
	}
	pAux := merkle.PAux{CommC: c, CommRLast: tree.Root}
	f := &Faux{
		CommR:   merkle.NodeBytes(pAux.CommR()),
		Replica: replica,
		Cache:   map[string][]byte{merkle.PAuxFile: pAux.Bytes()},
	}
	for i, name := range shape.TreeFiles() {
		f.Cache[name] = tree.Files[i]
	}
	return f, nil
}

// Files are the sector's files as Config.Vanilla reads them.
func (f *Faux) Files(shape merkle.Shape) Files {
	files := Files{Replica: bytes.NewReader(f.Replica), PAux: bytes.NewReader(f.Cache[merkle.PAuxFile])}
	for _, name := range shape.TreeFiles() {
		files.Trees = append(files.Trees, bytes.NewReader(f.Cache[name]))
	}
	return files
}

// Write puts the sector's files into a storage folder: sealed/s-t0M-N,
// cache/s-t0M-N/ and, beside what a PoSt reads there, the CommR as 32 bytes in
// the file comm_r. A sector that is there already is an error.
func (f *Faux) Write(dir string, miner, number uint64) error {
	w := fauxWriter{dir: dir, miner: miner}
	cache, err := w.cache(number)
	if err != nil {
		return err
	}
	for name, content := range f.Cache {
		if err := writeNew(filepath.Join(cache, name), content); err != nil {
			return err
		}
	}
	if err := writeNew(filepath.Join(cache, fauxCommR), f.CommR[:]); err != nil {
		return err
	}
	return writeNew(w.replica(number), f.Replica)
}

// WriteFauxZeros makes sectors of any size whose replicas are zeros, in the
// layout of [Faux.Write]. They are sparse files, and their tree files, which
// are the same for all, are one file with many names where the file system has
// hard links: thousands of 32 GiB sectors need little more than their folders.
// What tells the sectors apart is comm_c, drawn from miner and number; so the
// same call makes the same sectors anywhere.
func WriteFauxZeros(dir string, shape merkle.Shape, miner uint64, numbers ...uint64) ([]Sector, error) {
	built := merkle.BuildZeros(shape)
	w := fauxWriter{dir: dir, miner: miner}
	var sectors []Sector
	for _, number := range numbers {
		pAux := merkle.PAux{CommC: fauxCommC(miner, number), CommRLast: built.Root}
		sector := Sector{Number: number, CommR: merkle.NodeBytes(pAux.CommR())}
		if err := w.zeros(shape, built, pAux, sector); err != nil {
			return nil, fmt.Errorf("sector %d: %w", number, err)
		}
		sectors = append(sectors, sector)
	}
	return sectors, nil
}

// fauxCommR is the file that says a faux sector's CommR.
const fauxCommR = "comm_r"

func fauxCommC(miner, number uint64) fr.Element {
	b := binary.LittleEndian.AppendUint64([]byte("vigil faux comm_c"), miner)
	sum := sha256.Sum256(binary.LittleEndian.AppendUint64(b, number))
	var c fr.Element
	c.SetBytes(sum[:])
	return c
}

// fauxWriter writes a miner's sectors into a folder.
type fauxWriter struct {
	dir    string
	miner  uint64
	shared string // the tree file last written: of zeros they are all the same
}

func (w *fauxWriter) name(number uint64) string { return fmt.Sprintf("s-t0%d-%d", w.miner, number) }

func (w *fauxWriter) replica(number uint64) string {
	return filepath.Join(w.dir, "sealed", w.name(number))
}

// cache makes the sector's folders and returns its cache folder.
func (w *fauxWriter) cache(number uint64) (string, error) {
	if err := os.MkdirAll(filepath.Join(w.dir, "sealed"), 0o755); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Join(w.dir, "cache"), 0o755); err != nil {
		return "", err
	}
	cache := filepath.Join(w.dir, "cache", w.name(number))
	return cache, os.Mkdir(cache, 0o755)
}

func (w *fauxWriter) zeros(shape merkle.Shape, built *merkle.Built, pAux merkle.PAux, sector Sector) error {
	cache, err := w.cache(sector.Number)
	if err != nil {
		return err
	}
	for i, name := range shape.TreeFiles() {
		if err := w.share(filepath.Join(cache, name), built.Files[i]); err != nil {
			return err
		}
	}
	if err := writeNew(filepath.Join(cache, merkle.PAuxFile), pAux.Bytes()); err != nil {
		return err
	}
	if err := writeNew(filepath.Join(cache, fauxCommR), sector.CommR[:]); err != nil {
		return err
	}
	replica := w.replica(sector.Number)
	if err := writeNew(replica, nil); err != nil {
		return err
	}
	return os.Truncate(replica, int64(shape.SectorSize))
}

// share gives a file that was written before another name, or writes it again
// where that cannot be: no hard links here, or too many of the file.
func (w *fauxWriter) share(path string, content []byte) error {
	if last := w.shared; last != "" && os.Link(last, path) == nil {
		return nil
	}
	w.shared = path
	return writeNew(path, content)
}

// writeNew writes a file that is not there: one that is may be shared.
func writeNew(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}
