package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// Vanilla keeps vanilla proofs in files beside the database: 60 MB for a 32 GiB
// partition would hold up what has to be durable, and this has not. There is one
// file for each duty, f01000_1144209_0, which is only ever appended to; each record
// is a key, a length, the proof and a checksum of the three. A record that a
// crash cut off ends the file.
//
// What is kept is bounded: beyond 2 GiB nothing more is, nor where the disk has
// little left, which the database needs to go on; and after its deadline it is
// deleted.
type Vanilla struct {
	dir  string
	most int64
	free func(dir string) int64 // what the disk has left

	mu   sync.Mutex // guards what follows
	size int64      // of all files
	open map[vigil.DutyID]*os.File
}

var _ vigil.VanillaShelf = (*Vanilla)(nil)

// mostVanilla is enough for thirty partitions of 32 GiB sectors.
const mostVanilla = 2 << 30

// vanillaSpares is how much of the disk is left to the database.
const vanillaSpares = 512 << 20

// vanillaRecord is the length of a record without its proof; vanillaLongest is
// longer than any vanilla proof there is.
const (
	vanillaRecord  = 32 + 4 + 4
	vanillaLongest = 1 << 20
)

// OpenVanilla opens a folder of vanilla proofs, or makes it.
func OpenVanilla(dir string) (*Vanilla, error) {
	v := &Vanilla{dir: dir, most: mostVanilla, free: DiskFree, open: map[vigil.DutyID]*os.File{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of vanilla proofs: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the folder of vanilla proofs: %w", err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			v.size += info.Size()
		}
	}
	return v, nil
}

// Close closes the files; they stay.
func (v *Vanilla) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	var errs []error
	for id, f := range v.open {
		errs = append(errs, f.Close())
		delete(v.open, id)
	}
	return errors.Join(errs...)
}

func (v *Vanilla) path(id vigil.DutyID) string {
	return filepath.Join(v.dir, strings.ReplaceAll(id.String(), "/", "_"))
}

// Keep implements vigil.VanillaShelf.
func (v *Vanilla) Keep(id vigil.DutyID, key vigil.VanillaKey, proof vigil.VanillaProof) error {
	record := make([]byte, 0, vanillaRecord+len(proof))
	record = append(record, key[:]...)
	record = binary.LittleEndian.AppendUint32(record, uint32(len(proof)))
	record = append(record, proof...)
	record = binary.LittleEndian.AppendUint32(record, crc32.ChecksumIEEE(record))
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.size+int64(len(record)) > v.most || len(proof) > vanillaLongest || v.free(v.dir)-int64(len(record)) < vanillaSpares {
		return nil
	}
	f, err := v.file(id)
	if err != nil {
		return err
	}
	return v.append(id, f, record)
}

// append writes a record whole or not at all: behind one that a full disk cut off
// nothing could be read. The caller holds the mutex.
func (v *Vanilla) append(id vigil.DutyID, f *os.File, record []byte) error {
	n, err := f.Write(record)
	v.size += int64(n)
	if err == nil {
		return nil
	}
	end, failed := f.Seek(-int64(n), io.SeekCurrent)
	if failed == nil {
		failed = f.Truncate(end)
	}
	if failed != nil { // the next one opens it anew, and takes off what is not whole
		delete(v.open, id)
		return errors.Join(err, failed, f.Close())
	}
	v.size -= int64(n)
	return err
}

// file opens a duty's file for appending, behind what is whole in it. The caller
// holds the mutex.
func (v *Vanilla) file(id vigil.DutyID) (*os.File, error) {
	if f := v.open[id]; f != nil {
		return f, nil
	}
	f, err := os.OpenFile(v.path(id), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(v.path(id))
	if err == nil {
		_, whole := vanillaRecords(data)
		err = f.Truncate(int64(whole))
		if err == nil {
			v.size -= int64(len(data) - whole)
			_, err = f.Seek(int64(whole), io.SeekStart)
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	v.open[id] = f
	return f, nil
}

// Kept implements vigil.VanillaShelf.
func (v *Vanilla) Kept(id vigil.DutyID) (map[vigil.VanillaKey]vigil.VanillaProof, error) {
	data, err := os.ReadFile(v.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	proofs, _ := vanillaRecords(data)
	return proofs, nil
}

// vanillaRecords reads records up to the first that is not whole, and says where that begins.
func vanillaRecords(data []byte) (proofs map[vigil.VanillaKey]vigil.VanillaProof, whole int) {
	proofs = map[vigil.VanillaKey]vigil.VanillaProof{}
	for rest := data; len(rest) >= vanillaRecord; rest = data[whole:] {
		length := binary.LittleEndian.Uint32(rest[32:])
		if length > vanillaLongest || len(rest) < vanillaRecord+int(length) {
			break
		}
		body := rest[:36+length]
		if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(rest[len(body):]) {
			break
		}
		proofs[vigil.VanillaKey(body[:32])] = vigil.VanillaProof(body[36:])
		whole += vanillaRecord + int(length)
	}
	return proofs, whole
}

// Drop implements vigil.VanillaShelf.
func (v *Vanilla) Drop(id vigil.DutyID) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	var errs []error
	if f := v.open[id]; f != nil {
		errs = append(errs, f.Close())
		delete(v.open, id)
	}
	return errors.Join(append(errs, v.remove(v.path(id)))...)
}

// remove deletes a file if it is there. The caller holds the mutex.
func (v *Vanilla) remove(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = os.Remove(path)
	}
	if err == nil {
		v.size -= info.Size()
	}
	return err
}

// DropBefore implements vigil.VanillaShelf.
func (v *Vanilla) DropBefore(open abi.ChainEpoch) error {
	entries, err := os.ReadDir(v.dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		id, ok := vanillaDuty(e.Name())
		if ok && id.Open < open {
			errs = append(errs, v.Drop(id))
		}
	}
	return errors.Join(errs...)
}

// vanillaDuty reads a file's name; only post duties have vanilla proofs to keep.
func vanillaDuty(name string) (vigil.DutyID, bool) {
	parts := strings.Split(name, "_")
	if len(parts) != 3 || len(parts[0]) < 3 {
		return vigil.DutyID{}, false
	}
	miner, err1 := strconv.ParseUint(parts[0][2:], 10, 64)
	open, err2 := strconv.ParseInt(parts[1], 10, 64)
	batch, err3 := strconv.Atoi(parts[2])
	id := vigil.DutyID{Kind: vigil.KindPost, Miner: abi.ActorID(miner), Open: abi.ChainEpoch(open), Batch: batch}
	return id, err1 == nil && err2 == nil && err3 == nil
}
