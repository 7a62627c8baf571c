package circuit

import (
	"fmt"
	"math/bits"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/proofs/poseidon"
)

// Shape is all that tells one PoSt circuit from another.
type Shape struct {
	Sectors    int   // in one proof; fewer are filled up with copies of the last
	Challenges int   // for each sector
	Arities    []int // of the path's levels, from the leaf up: base tree, sub tree, top
}

func (s Shape) validate() error {
	if s.Sectors < 1 || s.Challenges < 1 || len(s.Arities) < 1 {
		return fmt.Errorf("circuit of %d sectors, %d challenges and %d levels", s.Sectors, s.Challenges, len(s.Arities))
	}
	depth := 0
	for _, arity := range s.Arities {
		if arity != 2 && arity != 4 && arity != 8 {
			return fmt.Errorf("circuit with a level of arity %d: only 2, 4 and 8 exist", arity)
		}
		depth += indexBits(arity)
	}
	if depth > 63 {
		return fmt.Errorf("circuit with paths of %d bits", depth)
	}
	return nil
}

// Leaves is the number of leaves of a sector's tree.
func (s Shape) Leaves() uint64 {
	n := uint64(1)
	for _, arity := range s.Arities {
		n *= uint64(arity)
	}
	return n
}

func indexBits(arity int) int { return bits.TrailingZeros(uint(arity)) }

// Statement is what a proof says about one sector.
type Statement struct {
	CommR  fr.Element
	Leaves []uint64 // the challenged leaves, in order
}

// PublicInputs are the verifier's inputs for the sectors of one proof, without
// the leading one: for each sector CommR and then its leaves. If there are
// fewer sectors than the shape has, the last one fills the rest.
func (s Shape) PublicInputs(sectors []Statement) ([]fr.Element, error) {
	if len(sectors) < 1 || len(sectors) > s.Sectors {
		return nil, fmt.Errorf("%d sectors in a proof of %d", len(sectors), s.Sectors)
	}
	inputs := make([]fr.Element, 0, s.Sectors*(1+s.Challenges))
	for i := range s.Sectors {
		st := &sectors[min(i, len(sectors)-1)]
		if len(st.Leaves) != s.Challenges {
			return nil, fmt.Errorf("sector %d has %d challenges, not %d", i, len(st.Leaves), s.Challenges)
		}
		inputs = append(inputs, st.CommR)
		for _, leaf := range st.Leaves {
			if leaf >= s.Leaves() {
				return nil, fmt.Errorf("sector %d: leaf %d of %d", i, leaf, s.Leaves())
			}
			inputs = append(inputs, fr.NewElement(leaf))
		}
	}
	return inputs, nil
}

// Circuit is a shape with what follows from it. It is never changed.
type Circuit struct {
	shape Shape
	// part is what one sector has; every sector has the same.
	part struct {
		rows, aux, inputs int
		aDense, bDense    []uint32 // auxiliary wires on side A and B
	}
	hash map[int]*poseidon.Constants
}

// New works out the circuit of a shape, by walking one sector in symbols.
func New(s Shape) (*Circuit, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	c := &Circuit{shape: s, hash: map[int]*poseidon.Constants{2: poseidon.For(2)}}
	for _, arity := range s.Arities {
		c.hash[arity] = poseidon.For(arity)
	}
	var inA, inB marks
	sym := c.symbols(func(a, b, _ groth16.LC) {
		inA.mark(a)
		inB.mark(b)
		c.part.rows++
	})
	c.part.aux, c.part.inputs = sym.aux, sym.inputs-1
	c.part.aDense, c.part.bDense = inA.members(), inB.members()
	return c, nil
}

// marks is a set of auxiliary wires.
type marks []bool

func (m *marks) mark(l groth16.LC) {
	for _, t := range l {
		if t.Var.IsAux() {
			for len(*m) <= t.Var.Index() {
				*m = append(*m, false)
			}
			(*m)[t.Var.Index()] = true
		}
	}
}

func (m marks) members() []uint32 {
	var v []uint32
	for i, in := range m {
		if in {
			v = append(v, uint32(i))
		}
	}
	return v
}

// Shape is the circuit's shape.
func (c *Circuit) Shape() Shape { return c.shape }

// Inputs is the number of public inputs, the leading one included.
func (c *Circuit) Inputs() int { return 1 + c.shape.Sectors*c.part.inputs }

// Aux is the number of auxiliary wires.
func (c *Circuit) Aux() int { return c.shape.Sectors * c.part.aux }

// Constraints is the number of constraints without those that the last rows
// make of the inputs: the number which filecoin-proofs names.
func (c *Circuit) Constraints() int { return c.shape.Sectors * c.part.rows }

// Rows is the number of all constraints.
func (c *Circuit) Rows() int { return c.Constraints() + c.Inputs() }

// Density says which wires occur on the sides A and B. Of the inputs only the
// one occurs on side B.
func (c *Circuit) Density() groth16.Density {
	return groth16.Density{
		AAux:    groth16.Pattern{Period: c.part.aux, Repeats: c.shape.Sectors, Members: c.part.aDense},
		BAux:    groth16.Pattern{Period: c.part.aux, Repeats: c.shape.Sectors, Members: c.part.bDense},
		BInputs: []uint32{0},
	}
}

// Layout is that of the circuit's witnesses: a part for each sector.
func (c *Circuit) Layout() groth16.Layout {
	return groth16.Layout{Parts: c.shape.Sectors, Rows: c.part.rows, Aux: c.part.aux, Inputs: c.Inputs()}
}

// Lengths are the numbers of points that a key for the circuit has.
func (c *Circuit) Lengths() groth16.Lengths { return groth16.LengthsOf(c) }
