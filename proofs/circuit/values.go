package circuit

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

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

// Assign computes all the values of a proof of n sectors. It asks for each
// sector once, from several goroutines at a time, and keeps none: a partition
// of 2349 sectors need not be in memory at once. Copies of the last sector fill
// the rest of the circuit. A sector that cannot be proven, because a path does
// not lead to CommRLast or CommR is not the hash of the two, is named in the
// error, which is then a groth16.ErrUnsatisfied.
func (c *Circuit) Assign(ctx context.Context, n int, sector func(i int) (*Sector, error)) (*groth16.Assignment, error) {
	if n < 1 || n > c.shape.Sectors {
		return nil, fmt.Errorf("%d sectors in a proof of %d", n, c.shape.Sectors)
	}
	w := c.newAssignment()
	err := inParallel(ctx, n, func(i int) error {
		s, err := sector(i)
		if err != nil {
			return fmt.Errorf("sector %d of the proof: %w", i, err)
		}
		if err := c.values(w, i).sector(c, s); err != nil {
			return fmt.Errorf("sector %d of the proof: %w", i, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	last := c.values(w, n-1)
	err = inParallel(ctx, c.shape.Sectors-n, func(i int) error {
		c.values(w, n+i).copyFrom(last)
		return nil
	})
	if err != nil {
		return nil, err
	}
	copy(w.A[c.Constraints():], w.Inputs)
	return w, nil
}

func (c *Circuit) newAssignment() *groth16.Assignment {
	rows := func() []fr.Element {
		return make([]fr.Element, c.Rows(), groth16.DomainSize(c.Rows()))
	}
	w := &groth16.Assignment{
		Inputs: make([]fr.Element, c.Inputs()),
		Aux:    make([]fr.Element, c.Aux()),
		A:      rows(), B: rows(), C: rows(),
		Density: c.Density(),
	}
	w.Inputs[0].SetOne()
	return w
}

// inParallel does 0..n on all CPUs until one fails or ctx ends.
func inParallel(ctx context.Context, n int, work func(i int) error) error {
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for failed.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				err := ctx.Err()
				if err == nil {
					err = work(i)
				}
				if err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// values are one sector's part of an assignment. The slices are filled from
// the front and end up full.
type values struct {
	a, b, c     []fr.Element // rows
	aux, inputs []fr.Element
	row         int
	nAux, nIn   int
	one         fr.Element
}

func (c *Circuit) values(w *groth16.Assignment, sector int) *values {
	rows := func(v []fr.Element) []fr.Element { return part(v, sector, c.part.rows) }
	return &values{
		a: rows(w.A), b: rows(w.B), c: rows(w.C),
		aux:    part(w.Aux, sector, c.part.aux),
		inputs: part(w.Inputs[1:], sector, c.part.inputs),
		one:    fr.One(),
	}
}

func part(v []fr.Element, i, size int) []fr.Element {
	return slices.Clip(v[i*size : (i+1)*size])
}

func (v *values) copyFrom(o *values) {
	copy(v.a, o.a)
	copy(v.b, o.b)
	copy(v.c, o.c)
	copy(v.aux, o.aux)
	copy(v.inputs, o.inputs)
}

func (v *values) newAux(x *fr.Element) {
	v.aux[v.nAux] = *x
	v.nAux++
}

func (v *values) newInput(x *fr.Element) {
	v.inputs[v.nIn] = *x
	v.nIn++
}

// emit writes a row.
func (v *values) emit(a, b, c *fr.Element) {
	v.a[v.row], v.b[v.row], v.c[v.row] = *a, *b, *c
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
