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
	"github.com/ipfs/go-cid"
)

// memory keeps blocks and forgets none unless it is told. It holds no pointers,
// so that a million blocks cost the garbage collector nothing.
type memory struct {
	places map[name]extent
	chunks [][]byte // filled one after the other
	others map[cid.Cid][]byte
}

// name is a CID of the network's kind; others are kept apart.
type name [38]byte

type extent struct{ chunk, from, length uint32 }

func newMemory() *memory {
	return &memory{places: map[name]extent{}, others: map[cid.Cid][]byte{}}
}

func nameBytes(c cid.Cid) (n name, ok bool) {
	if c.ByteLen() != len(n) {
		return n, false
	}
	copy(n[:], c.KeyString())
	return n, true
}

func (m *memory) find(c cid.Cid) ([]byte, bool) {
	n, ok := nameBytes(c)
	if !ok {
		data, ok := m.others[c]
		return data, ok
	}
	p, ok := m.places[n]
	if !ok {
		return nil, false
	}
	return m.chunks[p.chunk][p.from : p.from+p.length : p.from+p.length], true
}

func (m *memory) has(c cid.Cid) bool {
	_, ok := m.find(c)
	return ok
}

func (m *memory) Get(c cid.Cid) ([]byte, error) {
	data, ok := m.find(c)
	if !ok {
		return nil, fmt.Errorf("no block %s", c)
	}
	return data, nil
}

const chunkSize = 1 << 20

func (m *memory) Put(c cid.Cid, data []byte) error {
	n, ok := nameBytes(c)
	if !ok {
		m.others[c] = data
		return nil
	}
	if _, ok := m.places[n]; ok {
		return nil
	}
	last := len(m.chunks) - 1
	if last < 0 || len(m.chunks[last])+len(data) > cap(m.chunks[last]) {
		m.chunks = append(m.chunks, make([]byte, 0, max(chunkSize, len(data))))
		last++
	}
	m.places[n] = extent{uint32(last), uint32(len(m.chunks[last])), uint32(len(data))}
	m.chunks[last] = append(m.chunks[last], data...)
	return nil
}

// lose forgets every block.
func (m *memory) lose() { clear(m.places); clear(m.others) }

func (m *memory) size() (n int) {
	for _, p := range m.places {
		n += int(p.length)
	}
	return n
}

func (m *memory) store(ctx context.Context) adt.Store { return NewStore(ctx, m) }

// readCAR takes in the blocks of a version 1 CAR file.
func (m *memory) readCAR(data []byte) error {
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
		if err := m.Put(c, section[used:]); err != nil {
			return err
		}
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
