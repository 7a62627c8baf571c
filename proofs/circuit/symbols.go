package circuit

import (
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/proofs/poseidon"
)

type (
	lc       = groth16.LC
	variable = groth16.Variable
)

// Each hands out every constraint of the circuit in order.
func (c *Circuit) Each(emit func(a, b, c groth16.LC)) {
	type row struct{ a, b, c lc }
	rows := make([]row, 0, c.part.rows)
	c.symbols(func(a, b, c lc) { rows = append(rows, row{a, b, c}) })
	var a, b, d lc
	for s := range c.shape.Sectors {
		for _, r := range rows {
			a, b, d = c.shift(a, r.a, s), c.shift(b, r.b, s), c.shift(d, r.c, s)
			emit(a, b, d)
		}
	}
	for i := range c.Inputs() {
		emit(wire(groth16.Input(i)), nil, nil)
	}
}

// shift moves a sum of the first sector to another one.
func (c *Circuit) shift(dst, src lc, sector int) lc {
	dst = append(dst[:0], src...)
	for i := range dst {
		switch v := dst[i].Var; {
		case v.IsAux():
			dst[i].Var = groth16.Aux(v.Index() + sector*c.part.aux)
		case v != groth16.One:
			dst[i].Var = groth16.Input(v.Index() + sector*c.part.inputs)
		}
	}
	return dst
}

// symbols are the constraints of one sector, as sums of wires.
type symbols struct {
	inputs, aux int
	emit        func(a, b, c lc)
	hashes      map[int]*poseidon.Constants
}

// symbols walks the first sector (fallback/circuit.rs).
func (c *Circuit) symbols(emit func(a, b, c lc)) *symbols {
	s := &symbols{inputs: 1, emit: emit, hashes: c.hash}
	commRLast, commC, commR := s.newAux(), s.newAux(), s.newAux()
	s.emit(wire(s.newInput()), wire(groth16.One), wire(commR))
	h := s.hash(commC, commRLast)
	s.emit(wire(commR), wire(groth16.One), wire(h))
	for range c.shape.Challenges {
		s.challenge(commRLast, c.shape.Arities)
	}
	return s
}

func (s *symbols) newAux() variable {
	s.aux++
	return groth16.Aux(s.aux - 1)
}

func (s *symbols) newInput() variable {
	s.inputs++
	return groth16.Input(s.inputs - 1)
}

// challenge is the Merkle path from a leaf to the root (gadgets/por.rs).
func (s *symbols) challenge(root variable, arities []int) {
	cur := s.newAux()
	var index lc
	weight := fr.One()
	for _, arity := range arities {
		ins := insertions[arity]()
		wires := make([]variable, arity+ins.bits)
		wires[0] = cur
		for i := range ins.bits {
			bit := s.newAux()
			wires[ins.bit(i)] = bit
			s.emit(oneMinus(bit), wire(bit), nil)
			index = append(index, groth16.Term{Var: bit, Coeff: weight})
			weight.Double(&weight)
		}
		for i := 1; i < arity; i++ {
			wires[i] = s.newAux()
		}
		cur = s.hash(s.insert(ins, wires)...)
	}
	s.emit(index, wire(groth16.One), wire(s.newInput()))
	s.emit(wire(cur), wire(groth16.One), wire(root))
}

func (s *symbols) insert(ins *insertion, wires []variable) []variable {
	b0, b1 := wires[ins.bit(0)], wires[ins.bit(min(1, ins.bits-1))]
	for _, st := range ins.steps {
		out := s.newAux()
		switch st.kind {
		case nor:
			s.emit(oneMinus(b0), oneMinus(b1), wire(out))
		case and:
			s.emit(wire(b0), wire(b1), wire(out))
		case choose:
			yes, no := wires[st.yes], wires[st.no]
			s.emit(minus(no, yes), wire(wires[st.cond]), minus(no, out))
		}
		wires = append(wires, out)
	}
	results := make([]variable, len(ins.results))
	for i, n := range ins.results {
		results[i] = wires[n]
	}
	return results
}

// hash is neptune's circuit of the optimised Poseidon (src/circuit.rs, the
// older of its two). The domain tag is a constant, so its first S-box costs
// nothing; the linear layers are sums without constraints.
func (s *symbols) hash(preimage ...variable) variable {
	k := s.hashes[len(preimage)]
	state := s.firstRound(k, preimage)
	state = multiply(state, k.MDS)
	keys := k.Compressed[2*k.Width:]
	half := k.FullRounds / 2
	for round := 1; round < half; round++ {
		s.fullRound(state, keys)
		keys = keys[k.Width:]
		if round == half-1 {
			state = multiply(state, k.PreSparse)
		} else {
			state = multiply(state, k.MDS)
		}
	}
	for i := range k.Sparse {
		state[0] = s.sBox(s.assign(state[0]), &keys[i])
		state = multiplySparse(state, &k.Sparse[i])
	}
	keys = keys[k.PartialRounds:]
	for range half - 1 {
		s.fullRound(state, keys)
		keys = keys[k.Width:]
		state = multiply(state, k.MDS)
	}
	s.fullRound(state, nil)
	state = multiply(state, k.MDS)
	return s.assign(state[1])[0].Var
}

func (s *symbols) firstRound(k *poseidon.Constants, preimage []variable) []lc {
	state := []lc{constant(tagAfterFirstRound(k))}
	for i, v := range preimage {
		state = append(state, s.sBox(plus(v, &k.Compressed[i+1]), &k.Compressed[k.Width+i+1]))
	}
	return state
}

// tagAfterFirstRound is (tag + key)^5 + the key after the S-box.
func tagAfterFirstRound(k *poseidon.Constants) fr.Element {
	var x, x4 fr.Element
	x.Add(&k.DomainTag, &k.Compressed[0])
	x4.Square(&x)
	x4.Square(&x4)
	x.Mul(&x, &x4)
	return *x.Add(&x, &k.Compressed[k.Width])
}

// fullRound runs the S-box on every element; without keys in the last round.
func (s *symbols) fullRound(state []lc, keys []fr.Element) {
	for i := range state {
		var key *fr.Element
		if keys != nil {
			key = &keys[i]
		}
		state[i] = s.sBox(s.assign(state[i]), key)
	}
}

// assign gives a sum a wire of its own.
func (s *symbols) assign(sum lc) lc {
	l := wire(s.newAux())
	s.emit(sum, wire(groth16.One), l)
	return l
}

// sBox is x^5 + key for x = side.
func (s *symbols) sBox(side lc, key *fr.Element) lc {
	l2 := wire(s.newAux())
	s.emit(side, side, l2)
	l4 := wire(s.newAux())
	s.emit(l2, l2, l4)
	y := s.newAux()
	s.emit(side, l4, plusNeg(y, key))
	return wire(y)
}
