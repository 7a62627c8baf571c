package devnet

import (
	"bytes"
	"fmt"

	block "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
	cbg "github.com/whyrusleeping/cbor-gen"
	"golang.org/x/crypto/blake2b"
)

// dagCBOR is how the chain names what it encodes: CIDv1, dag-cbor, blake2b-256.
var dagCBOR = cid.V1Builder{Codec: cid.DagCBOR, MhType: multihash.BLAKE2B_MIN + 31}

// encoder writes a CBOR tuple and remembers the first thing that went wrong, so
// that an encoding reads as the list of its fields.
type encoder struct {
	buf bytes.Buffer
	err error
}

func (e *encoder) note(err error) {
	if e.err == nil {
		e.err = err
	}
}

func (e *encoder) head(major byte, n uint64) {
	e.note(cbg.WriteMajorTypeHeader(&e.buf, major, n))
}

func (e *encoder) array(n int)   { e.head(cbg.MajArray, uint64(n)) }
func (e *encoder) uint(n uint64) { e.head(cbg.MajUnsignedInt, n) }
func (e *encoder) null()         { e.buf.Write(cbg.CborNull) }

func (e *encoder) int(n int64) {
	if n < 0 {
		e.head(cbg.MajNegativeInt, uint64(-n-1))
		return
	}
	e.uint(uint64(n))
}

func (e *encoder) bytes(b []byte) {
	e.head(cbg.MajByteString, uint64(len(b)))
	e.buf.Write(b)
}

func (e *encoder) cid(c cid.Cid) {
	e.note(cbg.WriteCid(&e.buf, c))
}

func (e *encoder) cids(list []cid.Cid) {
	e.array(len(list))
	for _, c := range list {
		e.cid(c)
	}
}

func (e *encoder) value(v cbg.CBORMarshaler) {
	e.note(v.MarshalCBOR(&e.buf))
}

// block returns what was written under its CID.
func (e *encoder) block() (block.Block, error) {
	if e.err != nil {
		return nil, fmt.Errorf("encode: %w", e.err)
	}
	c, err := dagCBOR.Sum(e.buf.Bytes())
	if err != nil {
		return nil, err
	}
	return block.NewBlockWithCid(e.buf.Bytes(), c)
}

func hash256(parts ...[]byte) []byte {
	h, err := blake2b.New256(nil)
	if err != nil {
		panic("unreachable: blake2b without a key")
	}
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// stretch makes n bytes of a seed, for the fields of a header that only a
// network of several producers gives a meaning.
func stretch(seed []byte, n int) []byte {
	var out []byte
	for i := byte(0); len(out) < n; i++ {
		out = append(out, hash256(seed, []byte{i})...)
	}
	return out[:n]
}
