package groth16

import (
	"testing"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
)

// toy proves knowledge of x with x^3 + x + 5 = y, n times side by side; the
// inputs are 1 and the n values y. The wires x^3 and x*y are on side C only, so
// that densities are not trivial; x*y also puts inputs on side B.
type toy int

const toyAux, toyRows = 4, 4

func (n toy) Inputs() int { return 1 + int(n) }
func (n toy) Aux() int    { return toyAux * int(n) }
func (n toy) Rows() int   { return toyRows*int(n) + n.Inputs() }

func (n toy) Density() Density {
	d := Density{
		AAux:    Pattern{Period: toyAux, Repeats: int(n), Members: []uint32{0, 1}},
		BAux:    Pattern{Period: toyAux, Repeats: int(n), Members: []uint32{0}},
		BInputs: []uint32{0},
	}
	for i := range int(n) {
		d.BInputs = append(d.BInputs, uint32(i+1))
	}
	return d
}

func (n toy) Each(emit func(a, b, c LC)) {
	one := fr.One()
	term := func(v Variable) LC { return LC{{v, one}} }
	for i := range int(n) {
		x, xx, xxx, z := Aux(toyAux*i), Aux(toyAux*i+1), Aux(toyAux*i+2), Aux(toyAux*i+3)
		y := Input(1 + i)
		emit(term(x), term(x), term(xx))
		emit(term(xx), term(x), term(xxx))
		// (x + x^2)*1 and x*y end in wires of side C only.
		emit(LC{{x, one}, {xx, one}}, term(One), LC{{y, one}, {One, neg(5)}, {xxx, neg(1)}, {xx, one}})
		emit(term(x), term(y), term(z))
	}
	for i := range n.Inputs() {
		emit(term(Input(i)), nil, nil)
	}
}

func neg(n uint64) fr.Element {
	x := fr.NewElement(n)
	return *x.Neg(&x)
}

// toyWitness is a witness of a toy.
type toyWitness struct {
	toy
	inputs, aux []fr.Element
	rows        Part
}

func (w *toyWitness) Inputs() []fr.Element { return w.inputs }

func (w *toyWitness) Layout() Layout {
	return Layout{Parts: int(w.toy), Rows: toyRows, Aux: toyAux, Inputs: len(w.inputs)}
}

func (w *toyWitness) Fill(i int, into Part) error {
	copy(into.A, w.rows.A[i*toyRows:])
	copy(into.B, w.rows.B[i*toyRows:])
	copy(into.C, w.rows.C[i*toyRows:])
	copy(into.Aux, w.aux[i*toyAux:])
	return nil
}

// assign sets the i-th x to first+i.
func (n toy) assign(first uint64) *toyWitness {
	w := &toyWitness{toy: n, inputs: []fr.Element{fr.One()}}
	for i := range uint64(n) {
		x := fr.NewElement(first + i)
		var xx, xxx, y, z fr.Element
		xx.Square(&x)
		xxx.Mul(&xx, &x)
		five := fr.NewElement(5)
		y.Add(&xxx, &x).Add(&y, &five)
		z.Mul(&x, &y)
		w.inputs = append(w.inputs, y)
		w.aux = append(w.aux, x, xx, xxx, z)
	}
	n.Each(func(a, b, c LC) {
		w.rows.A = append(w.rows.A, a.Eval(w.inputs, w.aux))
		w.rows.B = append(w.rows.B, b.Eval(w.inputs, w.aux))
		w.rows.C = append(w.rows.C, c.Eval(w.inputs, w.aux))
	})
	return w
}

func (n toy) key(t testing.TB) (*ProvingKey, *PreparedKey) {
	t.Helper()
	k, err := Setup(t.Context(), n)
	check(t, err)
	vk, err := k.VerifyingKey()
	check(t, err)
	pk, err := vk.Prepare()
	check(t, err)
	return k, pk
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
