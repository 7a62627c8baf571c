package actor

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/filecoin-project/go-state-types/builtin/v18/util/adt"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
	cbg "github.com/whyrusleeping/cbor-gen"
	"golang.org/x/crypto/blake2b"
)

// Blocks keeps the objects of a state, encoded. An object never changes: nobody
// writes into what Get gives or Put was given.
type Blocks interface {
	Get(c cid.Cid) ([]byte, error)
	Put(c cid.Cid, data []byte) error
}

// NewStore is a store over blocks, with the network's CIDs: DAG-CBOR, named by
// BLAKE2b-256. A state has its nodes written anew at every message, so this
// costs what encoding and hashing cost, and as much memory as the object is long.
func NewStore(ctx context.Context, b Blocks) adt.Store { return store{ctx, b} }

type store struct {
	ctx    context.Context // an adt.Store has one, and is made for one piece of work
	blocks Blocks
}

func (s store) Context() context.Context { return s.ctx }

func (s store) Get(_ context.Context, c cid.Cid, out any) error {
	into, ok := out.(cbg.CBORUnmarshaler)
	if !ok {
		return fmt.Errorf("read %s: %T has no encoding", c, out)
	}
	data, err := s.blocks.Get(c)
	if err != nil {
		return err
	}
	return into.UnmarshalCBOR(cbg.NewCborReader(bytes.NewReader(data)))
}

func (s store) Put(_ context.Context, v any) (cid.Cid, error) {
	from, ok := v.(cbg.CBORMarshaler)
	if !ok {
		return cid.Undef, fmt.Errorf("write an object: %T has no encoding", v)
	}
	e := encoders.Get().(*encoding)
	defer encoders.Put(e)
	e.buffer.Reset()
	if err := from.MarshalCBOR(e.writer); err != nil {
		return cid.Undef, err
	}
	data := bytes.Clone(e.buffer.Bytes())
	c := nameOf(data)
	return c, s.blocks.Put(c, data)
}

// encoding is what an object is encoded into before its length is known.
type encoding struct {
	buffer bytes.Buffer
	writer *cbg.CborWriter
}

var encoders = sync.Pool{New: func() any {
	e := new(encoding)
	e.writer = cbg.NewCborWriter(&e.buffer)
	return e
}}

// namePrefix is what all names begin with: version, codec, hash and its length.
var namePrefix = cid.Prefix{Version: 1, Codec: cid.DagCBOR, MhType: multihash.BLAKE2B_MIN + 31, MhLength: blake2b.Size256}.Bytes()

func nameOf(data []byte) cid.Cid {
	var name [64]byte
	sum := blake2b.Sum256(data)
	c, err := cid.Cast(append(append(name[:0], namePrefix...), sum[:]...))
	if err != nil {
		panic("unreachable: the name of an object is a CID: " + err.Error())
	}
	return c
}
