package params

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/proofs/offheap"
)

// Key is a proving key in a mapped file. Its points may be read until Close.
// Should the file be cut short meanwhile, or its disk fail, proofs end with
// offheap.ErrUnreadable, until it is opened again. Files that this package writes are
// never changed in place.
type Key struct {
	*groth16.ProvingKey
	unmap func() error
}

// pointsLooked is the size of a key up to which looking at all points takes less than
// a second.
const pointsLooked = 256 << 20

// openRegular opens a file and nothing else: a pipe under a key's name would make
// the caller wait for somebody to write into it.
func openRegular(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Open maps a `.params` file and checks that it is whole and a key with the
// given lengths, that is for the expected circuit. A file for another circuit is
// a groth16.WrongKeyError. Of a small key all points are seen to be on the curve;
// of a large one only CheckDigest can tell damage, and the first proof, which
// does not verify.
func Open(path string, want groth16.Lengths) (*Key, error) {
	k, err := open(path, want)
	if err != nil {
		return nil, fmt.Errorf("open proving key %s: %w", path, err)
	}
	return k, nil
}

func open(path string, want groth16.Lengths) (*Key, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, unmap, err := mapFile(f)
	if err != nil {
		return nil, err
	}
	var pk *groth16.ProvingKey
	err = offheap.Reading(data, func() (err error) {
		pk, err = groth16.ParseProvingKey(data)
		return err
	})
	if err == nil && pk.Lengths() != want {
		err = &groth16.WrongKeyError{Want: want, Have: pk.Lengths()}
	}
	if err == nil && len(data) <= pointsLooked {
		err = pk.CheckPoints(context.Background())
	}
	if err != nil {
		_ = unmap()
		return nil, err
	}
	return &Key{ProvingKey: pk, unmap: unmap}, nil
}

// Close ends the mapping; the key must not be used afterwards.
func (k *Key) Close() error {
	k.ProvingKey = nil
	return k.unmap()
}

// OpenVK reads a `.vk` file and checks all its points and that it has the
// inputs of the expected circuit.
func OpenVK(path string, want groth16.Lengths) (*groth16.VerifyingKey, error) {
	k, err := openVK(path, want)
	if err != nil {
		return nil, fmt.Errorf("open verifying key %s: %w", path, err)
	}
	return k, nil
}

func openVK(path string, want groth16.Lengths) (*groth16.VerifyingKey, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// One byte more than the key may have tells a longer file apart without
	// reading all of it, should it be a proving key.
	data, err := io.ReadAll(io.LimitReader(f, want.VKSize()+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) != want.VKSize() {
		return nil, fmt.Errorf("file is cut off or for another circuit: it does not have the %d bytes of a key with %d inputs", want.VKSize(), want.IC)
	}
	return groth16.ParseVerifyingKey(data)
}
