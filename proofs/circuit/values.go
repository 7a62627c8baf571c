package circuit

import (
	"fmt"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/groth16"
)

// Sector is what a prover knows of one sector.
type Sector struct {
	CommC, CommRLast, CommR fr.Element
	Challenges              []Challenge
}

// Challenge is a leaf with its path to the root of the replica's tree.
type Challenge struct {
	Leaf fr.Element
	Path []Level // from the leaf up: base tree, sub tree, top
}

// Level is one step of a path: the node's place among its siblings.
type Level struct {
	Index    int
	Siblings []fr.Element // one fewer than the arity
}

// LeafIndex is the number of the leaf in the sector, as the path has it.
func (c *Challenge) LeafIndex() uint64 {
	var index, weight uint64 = 0, 1
	for _, l := range c.Path {
		index += uint64(l.Index) * weight
		weight *= uint64(len(l.Siblings) + 1)
	}
	return index
}

// Statement is what a proof of the sector says about it.
func (s *Sector) Statement() Statement {
	st := Statement{CommR: s.CommR}
	for i := range s.Challenges {
		st.Leaves = append(st.Leaves, s.Challenges[i].LeafIndex())
	}
	return st
}

// Witness is the values of a proof of some sectors. It is a groth16.Witness, with
// a part for each sector of the shape.
type Witness struct {
	circuit *Circuit
	inputs  []fr.Element
	sectors int
	sector  func(i int) (*Sector, error)
}

// Witness makes the witness of a proof of the given statements. It asks for each
// sector when its values are asked for, from several goroutines at a time and
// more than once, and keeps none: a partition of 2349 sectors need not be in
// memory at once. Copies of the last sector fill the rest of the circuit.
func (c *Circuit) Witness(says []Statement, sector func(i int) (*Sector, error)) (*Witness, error) {
	inputs, err := c.shape.PublicInputs(says)
	if err != nil {
		return nil, err
	}
	return &Witness{
		circuit: c, sectors: len(says), sector: sector,
		inputs: append([]fr.Element{fr.One()}, inputs...),
	}, nil
}

// Inputs implements groth16.Witness.
func (w *Witness) Inputs() []fr.Element { return w.inputs }

// Density implements groth16.Witness.
func (w *Witness) Density() groth16.Density { return w.circuit.Density() }

// Layout implements groth16.Witness.
func (w *Witness) Layout() groth16.Layout { return w.circuit.Layout() }

// Fill implements groth16.Witness. A sector that cannot be proven, because a path
// does not lead to CommRLast, CommR is not the hash of the two or they are not
// what is stated, is named in the error, which is then a groth16.ErrUnsatisfied.
func (w *Witness) Fill(i int, into groth16.Part) error {
	i, at := min(i, w.sectors-1), i
	s, err := w.sector(i)
	if err == nil {
		err = w.values(at, into).sector(w.circuit, s)
	}
	if err != nil {
		return fmt.Errorf("sector %d of the proof: %w", i, err)
	}
	return nil
}

// values are one sector's part of a witness. The slices that are wanted are
// filled from the front and end up full; the inputs are compared with those
// stated.
type values struct {
	groth16.Part
	inputs    []fr.Element
	row       int
	nAux, nIn int
	one       fr.Element
	misstated bool
}

func (w *Witness) values(sector int, into groth16.Part) *values {
	n := w.circuit.part.inputs
	return &values{Part: into, inputs: w.inputs[1+sector*n : 1+(sector+1)*n], one: fr.One()}
}

func (v *values) newAux(x *fr.Element) {
	if v.Aux != nil {
		v.Aux[v.nAux] = *x
		v.nAux++
	}
}

func (v *values) newInput(x *fr.Element) {
	v.misstated = v.misstated || v.inputs[v.nIn] != *x
	v.nIn++
}

// emit writes a row.
func (v *values) emit(a, b, c *fr.Element) {
	if v.A != nil {
		v.A[v.row] = *a
	}
	if v.B != nil {
		v.B[v.row] = *b
	}
	if v.C != nil {
		v.C[v.row] = *c
	}
	v.row++
}

// sector follows Circuit.symbols.
func (v *values) sector(c *Circuit, s *Sector) error {
	if len(s.Challenges) != c.shape.Challenges {
		return fmt.Errorf("%d challenges, not %d", len(s.Challenges), c.shape.Challenges)
	}
	v.newAux(&s.CommRLast)
	v.newAux(&s.CommC)
	v.newAux(&s.CommR)
	v.newInput(&s.CommR)
	v.emit(&s.CommR, &v.one, &s.CommR)
	h := v.hash(c.hash[2], []fr.Element{s.CommC, s.CommRLast})
	v.emit(&s.CommR, &v.one, &h)
	if !h.Equal(&s.CommR) {
		return fmt.Errorf("comm_r is not the hash of comm_c and comm_r_last: %w", groth16.ErrUnsatisfied)
	}
	for i := range s.Challenges {
		root, err := v.challenge(c, &s.Challenges[i])
		if err != nil {
			return fmt.Errorf("challenge %d: %w", i, err)
		}
		v.emit(&root, &v.one, &s.CommRLast)
		if !root.Equal(&s.CommRLast) {
			return fmt.Errorf("challenge %d: path does not lead to comm_r_last: %w", i, groth16.ErrUnsatisfied)
		}
	}
	if v.misstated {
		return fmt.Errorf("comm_r or challenges are not those stated: %w", groth16.ErrUnsatisfied)
	}
	return nil
}

// challenge follows symbols.challenge, up to the root.
func (v *values) challenge(c *Circuit, ch *Challenge) (root fr.Element, err error) {
	if len(ch.Path) != len(c.shape.Arities) {
		return root, fmt.Errorf("path of %d levels, not %d", len(ch.Path), len(c.shape.Arities))
	}
	v.newAux(&ch.Leaf)
	root = ch.Leaf
	for i := range ch.Path {
		l, arity := &ch.Path[i], c.shape.Arities[i]
		if len(l.Siblings) != arity-1 || l.Index < 0 || l.Index >= arity {
			return root, fmt.Errorf("level %d: index %d with %d siblings in arity %d", i, l.Index, len(l.Siblings), arity)
		}
		root = v.level(c, l, root)
	}
	index := fr.NewElement(ch.LeafIndex())
	v.newInput(&index)
	v.emit(&index, &v.one, &index)
	return root, nil
}

func (v *values) level(c *Circuit, l *Level, node fr.Element) fr.Element {
	arity := len(l.Siblings) + 1
	ins := insertions[arity]()
	var buf [40]fr.Element // arity 8: 8 nodes, 3 bits, 22 steps
	wires := append(append(buf[:0], node), l.Siblings...)
	for i := range ins.bits {
		bit := fr.NewElement(uint64(l.Index >> i & 1))
		wires = append(wires, bit)
		v.newAux(&bit)
		var not, zero fr.Element
		v.emit(not.Sub(&v.one, &bit), &bit, &zero)
	}
	for i := range l.Siblings {
		v.newAux(&l.Siblings[i])
	}
	wires = v.insert(ins, wires)
	var preimage [8]fr.Element
	for i, n := range ins.results {
		preimage[i] = wires[n]
	}
	return v.hash(c.hash[arity], preimage[:arity])
}

func (v *values) insert(ins *insertion, wires []fr.Element) []fr.Element {
	for _, st := range ins.steps {
		var a, b, c, out fr.Element
		switch st.kind {
		case nor:
			a.Sub(&v.one, &wires[ins.bit(0)])
			b.Sub(&v.one, &wires[ins.bit(1)])
			out.Mul(&a, &b)
			c = out
		case and:
			a, b = wires[ins.bit(0)], wires[ins.bit(1)]
			out.Mul(&a, &b)
			c = out
		case choose:
			b = wires[st.cond]
			if out = wires[st.no]; b.IsOne() {
				out = wires[st.yes]
			}
			a.Sub(&wires[st.no], &wires[st.yes])
			c.Sub(&wires[st.no], &out)
		}
		v.newAux(&out)
		v.emit(&a, &b, &c)
		wires = append(wires, out)
	}
	return wires
}
