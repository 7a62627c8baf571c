package post

import (
	"encoding/binary"
	"fmt"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/merkle"
)

// A vanilla proof travels in filecoin-ffi's encoding: bincode with fixed
// integers, little-endian, of storage-proofs-core src/merkle/proof.rs and
// filecoin-proofs src/types/mod.rs. Shape and number of challenges fix every
// count in it, and so its length.

// pathSections are the numbers of levels in a path's parts: base tree, sub tree,
// top. How many there are is the variant of filecoin-proofs' ProofData enum.
func (c Config) pathSections() []int {
	sections := []int{c.Shape.BaseRows() - 1}
	for _, joined := range []int{c.Shape.Sub, c.Shape.Top} {
		if joined > 0 {
			sections = append(sections, 1)
		}
	}
	return sections
}

// VanillaSize is the length of an encoded vanilla proof.
func (c Config) VanillaSize() int {
	path := 4 + 2*merkle.NodeSize + 8*len(c.pathSections())
	for _, arity := range c.Shape.Arities() {
		path += 8 + (arity-1)*merkle.NodeSize + 8
	}
	return 8 + merkle.NodeSize + 8 + 8 + c.Challenges*path + 2*merkle.NodeSize
}

// EncodeVanilla encodes a proof of this form.
func (c Config) EncodeVanilla(v *VanillaProof) ([]byte, error) {
	if len(v.Paths) != c.Challenges {
		return nil, fmt.Errorf("%d paths, want %d", len(v.Paths), c.Challenges)
	}
	b := make([]byte, 0, c.VanillaSize())
	b = binary.LittleEndian.AppendUint64(b, v.Sector)
	b = appendElement(b, v.CommR)
	b = binary.LittleEndian.AppendUint64(b, 1)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(v.Paths)))
	for i := range v.Paths {
		p := &v.Paths[i]
		if err := c.Shape.CheckForm(p); err != nil {
			return nil, fmt.Errorf("path %d: %w", i, err)
		}
		b = c.appendPath(b, p)
	}
	b = appendElement(b, v.CommC)
	return appendElement(b, v.CommRLast), nil
}

func (c Config) appendPath(b []byte, p *merkle.Path) []byte {
	sections := c.pathSections()
	b = binary.LittleEndian.AppendUint32(b, uint32(len(sections)-1))
	if len(sections) == 1 {
		b = appendElement(appendElement(b, p.Root), p.Leaf)
	}
	rest := p.Levels
	for _, n := range sections {
		b = appendLevels(b, rest[:n])
		rest = rest[n:]
	}
	if len(sections) > 1 {
		b = appendElement(appendElement(b, p.Root), p.Leaf)
	}
	return b
}

func appendLevels(b []byte, levels []merkle.Level) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(len(levels)))
	for _, l := range levels {
		b = binary.LittleEndian.AppendUint64(b, uint64(len(l.Siblings)))
		for _, e := range l.Siblings {
			b = appendElement(b, e)
		}
		b = binary.LittleEndian.AppendUint64(b, l.Index)
	}
	return b
}

func appendElement(b []byte, e fr.Element) []byte {
	node := merkle.NodeBytes(e)
	return append(b, node[:]...)
}

// VanillaSector is the sector that an encoded proof of this form says it is of.
func (c Config) VanillaSector(b []byte) (Sector, error) {
	if len(b) != c.VanillaSize() {
		return Sector{}, fmt.Errorf("vanilla proof of %d bytes, want %d", len(b), c.VanillaSize())
	}
	return Sector{Number: binary.LittleEndian.Uint64(b), CommR: [merkle.NodeSize]byte(b[8:])}, nil
}

// DecodeVanilla decodes a proof of this form. It refuses every string that
// EncodeVanilla does not make: other counts, other lengths, words that are no
// field elements, indices beyond a level. It does not verify.
func (c Config) DecodeVanilla(b []byte) (*VanillaProof, error) {
	if len(b) != c.VanillaSize() {
		return nil, fmt.Errorf("vanilla proof of %d bytes, want %d", len(b), c.VanillaSize())
	}
	d := &decoder{rest: b, size: len(b)}
	v := &VanillaProof{Sector: d.uint64(), CommR: d.element("comm_r")}
	d.count("sectors", 1)
	d.count("paths", c.Challenges)
	for range c.Challenges {
		if d.err != nil {
			return nil, d.err
		}
		v.Paths = append(v.Paths, c.decodePath(d))
	}
	v.CommC, v.CommRLast = d.element("comm_c"), d.element("comm_r_last")
	if d.err != nil {
		return nil, d.err
	}
	return v, nil
}

func (c Config) decodePath(d *decoder) (p merkle.Path) {
	sections, arities := c.pathSections(), c.Shape.Arities()
	d.variant(uint32(len(sections) - 1))
	if len(sections) == 1 {
		p.Root, p.Leaf = d.element("root"), d.element("leaf")
	}
	for _, n := range sections {
		d.count("levels", n)
		for range n {
			arity := arities[len(p.Levels)]
			p.Levels = append(p.Levels, d.level(arity))
		}
	}
	if len(sections) > 1 {
		p.Root, p.Leaf = d.element("root"), d.element("leaf")
	}
	return p
}

// decoder reads a string whose length was checked. It keeps the first error.
type decoder struct {
	rest []byte
	size int
	err  error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("vanilla proof, before byte %d: %w", d.size-len(d.rest), fmt.Errorf(format, args...))
	}
}

func (d *decoder) take(n int) []byte {
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) uint64() uint64 { return binary.LittleEndian.Uint64(d.take(8)) }

func (d *decoder) count(what string, want int) {
	if n := d.uint64(); n != uint64(want) {
		d.fail("%d %s, want %d", n, what, want)
	}
}

func (d *decoder) variant(want uint32) {
	if n := binary.LittleEndian.Uint32(d.take(4)); n != want {
		d.fail("path of variant %d, want %d", n, want)
	}
}

func (d *decoder) element(what string) fr.Element {
	e, err := merkle.Node([merkle.NodeSize]byte(d.take(merkle.NodeSize)))
	if err != nil {
		d.fail("%s: %w", what, err)
	}
	return e
}

func (d *decoder) level(arity int) merkle.Level {
	d.count("siblings", arity-1)
	l := merkle.Level{Siblings: make([]fr.Element, arity-1)}
	for i := range l.Siblings {
		l.Siblings[i] = d.element("sibling")
	}
	if l.Index = d.uint64(); l.Index >= uint64(arity) {
		d.fail("index %d of %d", l.Index, arity)
	}
	return l
}
