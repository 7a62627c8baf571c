package actor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/filecoin-project/go-state-types/builtin/v18/util/adt"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	cbor "github.com/ipfs/go-ipld-cbor"
	"github.com/multiformats/go-multihash"
)

// memory is a blockstore that forgets nothing.
type memory map[cid.Cid][]byte

func (m memory) Get(_ context.Context, c cid.Cid) (blocks.Block, error) {
	data, ok := m[c]
	if !ok {
		return nil, fmt.Errorf("no block %s", c)
	}
	return blocks.NewBlockWithCid(data, c)
}

func (m memory) Put(_ context.Context, b blocks.Block) error {
	m[b.Cid()] = b.RawData()
	return nil
}

// store is the adt's view of it, with the network's CIDs.
func (m memory) store(ctx context.Context) adt.Store {
	s := cbor.NewCborStore(m)
	s.DefaultMultihash = multihash.BLAKE2B_MIN + 31
	return adt.WrapStore(ctx, s)
}

// readCAR takes in the blocks of a version 1 CAR file.
func (m memory) readCAR(data []byte) error {
	for first := true; len(data) > 0; first = false {
		n, width := binary.Uvarint(data)
		if width <= 0 || uint64(len(data)-width) < n {
			return errors.New("section is cut off")
		}
		section := data[width : width+int(n)]
		data = data[width+int(n):]
		if first { // the header
			continue
		}
		used, c, err := cid.CidFromBytes(section)
		if err != nil {
			return err
		}
		m[c] = section[used:]
	}
	return nil
}

// fixtures finds a folder of shared fixtures, or skips the test.
func fixtures(t *testing.T, name string) string {
	t.Helper()
	root := os.Getenv("VIGIL_FIXTURES")
	if root == "" {
		root = filepath.Join(moduleRoot(t), "..", "shared", "fixtures")
	}
	path := filepath.Join(root, name)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("fixtures: %v", err)
		}
		t.Skipf("no fixtures at %s: set VIGIL_FIXTURES", path)
	}
	return path
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = parent
	}
}
