package params

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vigil-post/vigil/proofs/circuit"
	"github.com/vigil-post/vigil/proofs/groth16"
)

// Warning is the file that Generate leaves beside its keys.
const Warning = "LOCAL-SETUP-NOT-FOR-ANY-REAL-NETWORK.txt"

const warningText = `The keys in this folder that were made by a local setup are worth nothing outside a development network:
whoever made them can forge proofs that they accept, and no public network accepts theirs.
Keys for real networks come from Filecoin's ceremony and have the digests in rust-fil-proofs' parameters.json.
`

// largestSetup is the domain of the largest circuit that a setup is made for: it
// keeps all in memory, a kilobyte a row.
const largestSetup = 1 << 20

// Generate makes a key for the proof by a local setup (groth16.Setup: toxic
// waste, for development networks only) and writes both its files and a
// warning into the folder. It takes seconds for 2 KiB sectors. Window PoSt of 32
// and 64 GiB sectors is refused: such keys have 60 GB, and the ones of the
// ceremony can be had.
func Generate(ctx context.Context, dir string, p Proof) error {
	shape, err := p.Shape()
	if err != nil {
		return err
	}
	c, err := circuit.New(shape)
	if err != nil {
		return err
	}
	if c.Rows() > largestSetup {
		return fmt.Errorf("make a key for %v: a circuit of %d million constraints is too large for a local setup", p, c.Rows()/1e6)
	}
	key, err := groth16.Setup(ctx, c)
	if err != nil {
		return fmt.Errorf("make a key for %v: %w", p, err)
	}
	if err := writeGenerated(dir, p, key); err != nil {
		return fmt.Errorf("write a key for %v: %w", p, err)
	}
	return nil
}

// writeGenerated writes the verifying key last and removes an older one first,
// so that a crash never leaves two files that do not belong together.
func writeGenerated(dir string, p Proof, key *groth16.ProvingKey) error {
	vk, err := key.VerifyingKey()
	if err != nil {
		return err
	}
	paramsName, err := p.ParamsFile()
	if err != nil {
		return err
	}
	vkName, err := p.VKFile()
	if err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, vkName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := Write(filepath.Join(dir, Warning), text(warningText)); err != nil {
		return err
	}
	if err := Write(filepath.Join(dir, paramsName), key); err != nil {
		return err
	}
	b, err := vk.AppendBinary(nil)
	if err != nil {
		return err
	}
	return Write(filepath.Join(dir, vkName), text(b))
}

type text string

func (t text) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, string(t))
	return int64(n), err
}

// Write puts a file in place whole or not at all: a temporary file in the same
// folder, synced and renamed. When it returns nil the file is durable.
func Write(path string, content io.WriterTo) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".*.partial")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	if _, err = content.WriteTo(w); err != nil {
		return err
	}
	if err = w.Flush(); err != nil {
		return err
	}
	if err = f.Chmod(0o644); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}
