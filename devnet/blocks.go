package devnet

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/filecoin-project/go-state-types/builtin/v18/util/adt"
	"github.com/ipfs/go-cid"
	cbg "github.com/whyrusleeping/cbor-gen"

	"github.com/vigil-post/vigil/devnet/actor"
)

// blocks is every object of the chain's state, by CID, in memory. It may be
// used by many at once: an object never changes, and only the producer adds
// and removes.
type blocks struct {
	mu   sync.RWMutex // guards data
	data map[cid.Cid][]byte
}

func newBlocks() *blocks { return &blocks{data: map[cid.Cid][]byte{}} }

// errNoBlock has the words of a node that lacks an object.
type errNoBlock struct{ cid cid.Cid }

func (e errNoBlock) Error() string { return fmt.Sprintf("ipld: could not find %s", e.cid) }

func (b *blocks) read(c cid.Cid) ([]byte, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	data, ok := b.data[c]
	return data, ok
}

func (b *blocks) add(fresh map[cid.Cid][]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c, data := range fresh {
		b.data[c] = data
	}
}

func (b *blocks) remove(list []cid.Cid) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range list {
		delete(b.data, c)
	}
}

// garbage lists what cannot be reached from the roots.
func (b *blocks) garbage(roots []cid.Cid) ([]cid.Cid, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	live := make(map[cid.Cid]bool, len(b.data))
	for len(roots) > 0 {
		c := roots[len(roots)-1]
		roots = roots[:len(roots)-1]
		data, ok := b.data[c]
		if live[c] || !ok {
			continue
		}
		live[c] = true
		if c.Prefix().Codec != cid.DagCBOR {
			continue
		}
		if err := cbg.ScanForLinks(bytes.NewReader(data), func(l cid.Cid) { roots = append(roots, l) }); err != nil {
			return nil, fmt.Errorf("links of %s: %w", c, err)
		}
	}
	var dead []cid.Cid
	for c := range b.data {
		if !live[c] {
			dead = append(dead, c)
		}
	}
	return dead, nil
}

// scratch is a store that writes beside the blocks it reads. An execution that
// is thrown away (an estimate, a failed message) leaves nothing behind, and what
// an epoch added is known when it is stored. One goroutine uses it.
type scratch struct {
	under *blocks
	fresh map[cid.Cid][]byte
}

func newScratch(under *blocks) *scratch {
	return &scratch{under: under, fresh: map[cid.Cid][]byte{}}
}

// Get reads an object.
func (s *scratch) Get(c cid.Cid) ([]byte, error) {
	data, ok := s.fresh[c]
	if !ok {
		data, ok = s.under.read(c)
	}
	if !ok {
		return nil, errNoBlock{c}
	}
	return data, nil
}

// Put adds an object.
func (s *scratch) Put(c cid.Cid, data []byte) error {
	if _, ok := s.under.read(c); !ok {
		s.fresh[c] = data
	}
	return nil
}

func (s *scratch) adt(ctx context.Context) adt.Store { return actor.NewStore(ctx, s) }

// put encodes a tuple into the store.
func (s *scratch) put(encode func(*encoder)) (cid.Cid, error) {
	var e encoder
	encode(&e)
	b, err := e.block()
	if err != nil {
		return cid.Undef, err
	}
	return b.Cid(), s.Put(b.Cid(), b.RawData())
}
