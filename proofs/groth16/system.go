package groth16

import (
	"errors"
	"fmt"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
)

// Variable names a wire of a circuit. Public inputs and auxiliary wires are
// numbered apart, each from 0; the public input 0 is the constant one.
type Variable uint32

const auxiliary Variable = 1 << 31

// One is the public input that always has the value one.
const One Variable = 0

// Input is the i-th public input; Input(0) is One.
func Input(i int) Variable { return Variable(i) }

// Aux is the i-th auxiliary wire.
func Aux(i int) Variable { return auxiliary | Variable(i) }

// IsAux says that the variable is an auxiliary wire, not a public input.
func (v Variable) IsAux() bool { return v&auxiliary != 0 }

// Index is the variable's number among those of its kind.
func (v Variable) Index() int { return int(v &^ auxiliary) }

// Term is a variable times a coefficient.
type Term struct {
	Var   Variable
	Coeff fr.Element
}

// LC is a sum of terms in which each variable occurs once and no coefficient
// is zero: a zero coefficient would count as a use of the variable where
// bellperson counts none.
type LC []Term

// Eval is the sum's value for the given wires.
func (l LC) Eval(inputs, aux []fr.Element) fr.Element {
	var sum, t fr.Element
	for i := range l {
		v := &inputs
		if l[i].Var.IsAux() {
			v = &aux
		}
		sum.Add(&sum, t.Mul(&l[i].Coeff, &(*v)[l[i].Var.Index()]))
	}
	return sum
}

// System is a circuit as a set of constraints a*b = c.
type System interface {
	// Inputs is the number of public inputs, One included.
	Inputs() int
	// Aux is the number of auxiliary wires.
	Aux() int
	// Rows is the number of constraints that Each hands out.
	Rows() int
	// Density says which wires occur on the sides A and B.
	Density() Density
	// Each hands out every constraint in order. The last ones are
	// Input(i) * 0 = 0 for each input, which make every input occur on
	// side A (bellperson's generator and prover both add them). The sums are
	// only lent: emit must not keep them.
	Each(emit func(a, b, c LC))
}

// Pattern is a set of wire numbers which repeats with a period, as a circuit
// of many equal parts has it. It stands in for a bit per wire, of which a
// 32 GiB partition would need 127 million.
type Pattern struct {
	Period  int      // wires in one part
	Repeats int      // parts
	Members []uint32 // ascending, all below Period
}

// Len is the number of wires in the set.
func (p *Pattern) Len() int { return p.Repeats * len(p.Members) }

// gather copies the values of the members, in ascending order, out of the wires
// of whole parts.
func (p *Pattern) gather(dst, wires []fr.Element) {
	for len(dst) > 0 && len(p.Members) > 0 {
		for i, n := range p.Members {
			dst[i] = wires[n]
		}
		dst, wires = dst[len(p.Members):], wires[p.Period:]
	}
}

// Density says which wires occur on a side of some constraint, for those that
// do not occur have no point in the key. Every public input occurs on side A.
type Density struct {
	AAux, BAux Pattern
	BInputs    []uint32 // ascending
}

// Lengths are the numbers of points in a key; they follow from the circuit.
type Lengths struct {
	IC, H, L, A, B int
}

// LengthsOf are the lengths that any key for the circuit has.
func LengthsOf(s System) Lengths {
	d := s.Density()
	return Lengths{
		IC: s.Inputs(),
		H:  DomainSize(s.Rows()) - 1,
		L:  s.Aux(),
		A:  s.Inputs() + d.AAux.Len(),
		B:  len(d.BInputs) + d.BAux.Len(),
	}
}

// VKSize is the length of the verifying key's file.
func (l Lengths) VKSize() int64 { return vkHeadSize + g1Size*int64(l.IC) }

// ParamsSize is the length of the proving key's file.
func (l Lengths) ParamsSize() int64 {
	return l.VKSize() + 5*4 + g1Size*int64(l.H+l.L+l.A+l.B) + g2Size*int64(l.B)
}

// DomainSize is the power of two that holds the given number of rows.
func DomainSize(rows int) int {
	m := 1
	for m < rows {
		m *= 2
	}
	return m
}

// Layout is how a witness is cut: into equal parts, each with so many rows and
// auxiliary wires, in order. The circuit's last rows, one for each public input,
// belong to no part.
type Layout struct {
	Parts     int
	Rows, Aux int // of a part
	Inputs    int // of all, One included
}

// rows is the number of all rows, those of the inputs included.
func (l Layout) rows() int { return l.Parts*l.Rows + l.Inputs }

// Part is what a part of the circuit comes to: the sides of its rows, in the
// order of System.Each, and its auxiliary wires. A nil slice is not wanted.
type Part struct {
	A, B, C, Aux []fr.Element
}

// Witness is a circuit's values, computed when they are asked for. A proof asks
// for every part three times (for the sides A and B, for C, and for the wires):
// that costs little and spares it two thirds of the memory, for of 500 million
// values only those of some parts need be there at a time.
type Witness interface {
	Layout() Layout
	Density() Density
	// Inputs are the public inputs; the first is one. The prover does not
	// change them.
	Inputs() []fr.Element
	// Fill computes the i-th part. It is called concurrently, and for equal i
	// gives equal values.
	Fill(i int, into Part) error
}

// checkWitness sees that the key is one for the witness's circuit.
func checkWitness(k *ProvingKey, w Witness) error {
	in, l, d := w.Inputs(), w.Layout(), w.Density()
	if len(in) == 0 || !in[0].IsOne() {
		return errors.New("first public input is not one")
	}
	if l.Parts < 1 || l.Inputs != len(in) {
		return fmt.Errorf("witness of %d parts and %d inputs has %d inputs", l.Parts, l.Inputs, len(in))
	}
	for _, p := range []*Pattern{&d.AAux, &d.BAux} {
		if p.Period != l.Aux || p.Repeats != l.Parts {
			return fmt.Errorf("density repeats %d times over %d wires, the witness has %d parts of %d", p.Repeats, p.Period, l.Parts, l.Aux)
		}
	}
	want := Lengths{
		IC: len(in),
		H:  DomainSize(l.rows()) - 1,
		L:  l.Parts * l.Aux,
		A:  len(in) + d.AAux.Len(),
		B:  len(d.BInputs) + d.BAux.Len(),
	}
	if have := k.Lengths(); have != want {
		return &WrongKeyError{Want: want, Have: have}
	}
	return nil
}

// WrongKeyError says that a key is one for another circuit.
type WrongKeyError struct {
	Want, Have Lengths
}

func (e *WrongKeyError) Error() string {
	return fmt.Sprintf("key is for another circuit: it has %+v points, the circuit needs %+v", e.Have, e.Want)
}
