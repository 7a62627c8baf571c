package circuit

import (
	"strings"
	"sync"
)

// An insertion puts a node among its siblings, at the place its index bits say:
// the gadget of rust-fil-proofs' insertion.rs. It is a program of steps, each of
// which makes one wire; the order is the key's. Both ways of writing the
// circuit run the same program.
//
// A is the node; b, c, d... are the siblings; 0, 1, 2 the index bits, lowest
// first; N is "neither bit 0 nor 1", and & "both". "x=2?b:y" reads: x is b if
// bit 2 is set and y otherwise. Capital letters from P on are the results.
var insertionPrograms = map[int]struct{ steps, results string }{
	2: {"P=0?b:A Q=0?A:b", "PQ"},
	4: {"w=0?b:A P=1?b:w x=0?A:b Q=1?c:x y=0?d:A R=1?y:c z=0?A:d S=1?z:d", "PQRS"},
	8: {"N & " +
		"i=N?A:b P=2?b:i " +
		"j=0?A:b k=1?c:j Q=2?c:k " +
		"l=0?d:A m=1?l:c R=2?d:m " +
		"n=&?A:d S=2?e:n " +
		"o=N?A:f T=2?o:e " +
		"p=0?A:f q=1?g:p U=2?q:f " +
		"r=0?h:A s=1?r:g V=2?s:g " +
		"t=&?A:h W=2?t:h", "PQRSTUVW"},
}

// step makes one wire. Wires of an insertion are numbered: the node, its
// siblings, the index bits, then the results of the steps in order.
type step struct {
	kind          stepKind
	cond, yes, no int
}

type stepKind int

const (
	choose stepKind = iota // yes if cond, else no
	nor                    // neither bit 0 nor bit 1
	and                    // bit 0 and bit 1
)

type insertion struct {
	arity, bits int
	steps       []step
	results     []int
}

var insertions = func() map[int]func() *insertion {
	m := map[int]func() *insertion{}
	for arity := range insertionPrograms {
		m[arity] = sync.OnceValue(func() *insertion { return compile(arity) })
	}
	return m
}()

func compile(arity int) *insertion {
	program := insertionPrograms[arity]
	ins := &insertion{arity: arity, bits: indexBits(arity)}
	names := "Abcdefgh"[:arity] + "012"[:ins.bits]
	number := func(name byte) int {
		if i := strings.IndexByte(names, name); i >= 0 {
			return i
		}
		panic("unreachable: insertion program names " + string(name) + " before it is made")
	}
	for _, s := range strings.Fields(program.steps) {
		switch s {
		case "N":
			ins.steps = append(ins.steps, step{kind: nor})
		case "&":
			ins.steps = append(ins.steps, step{kind: and})
		default: // x=c?y:n
			ins.steps = append(ins.steps, step{choose, number(s[2]), number(s[4]), number(s[6])})
		}
		names += s[:1]
	}
	for i := range program.results {
		ins.results = append(ins.results, number(program.results[i]))
	}
	return ins
}

// bit is the number of an index bit's wire.
func (i *insertion) bit(n int) int { return i.arity + n }
