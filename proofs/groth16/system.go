package groth16

import (
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

// gather copies the values of the members from, from+1, ... of the set, in
// ascending order, until dst is full.
func (p *Pattern) gather(dst, values []fr.Element, from int) {
	part, i := from/len(p.Members), from%len(p.Members)
	for n := 0; n < len(dst); {
		base := values[part*p.Period:]
		for ; i < len(p.Members) && n < len(dst); i, n = i+1, n+1 {
			dst[n] = base[p.Members[i]]
		}
		part, i = part+1, 0
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

// Assignment is a circuit with all its values. Rows hold what the sides of
// each constraint come to, in the order of System.Each.
type Assignment struct {
	Inputs []fr.Element // Inputs[0] is one
	Aux    []fr.Element
	// A, B and C are overwritten by Prove. Room for the whole domain
	// (DomainSize) spares Prove a copy.
	A, B, C []fr.Element
	Density Density
}

func (w *Assignment) check(k *ProvingKey) error {
	if len(w.A) != len(w.B) || len(w.A) != len(w.C) {
		return fmt.Errorf("sides have %d, %d and %d rows", len(w.A), len(w.B), len(w.C))
	}
	if len(w.Inputs) == 0 || !w.Inputs[0].IsOne() {
		return fmt.Errorf("first public input is not one")
	}
	want := Lengths{
		IC: len(w.Inputs),
		H:  DomainSize(len(w.A)) - 1,
		L:  len(w.Aux),
		A:  len(w.Inputs) + w.Density.AAux.Len(),
		B:  len(w.Density.BInputs) + w.Density.BAux.Len(),
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
