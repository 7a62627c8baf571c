package ifma

import (
	"fmt"
	"unsafe"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fp"
)

// group is the pairs that a kernel adds at once: the first points of eight, their
// second ones, and again for the other chain. Two reserved points fill the
// last group up.
const (
	group         = 16
	groupRefs     = 2 * group
	firstDummy    = 0 << 1
	secondDummy   = 1 << 1
	reservedSlots = 2
)

// pairs are additions that wait for a batch.
type pairs struct {
	refs []uint32 // in the kernels' order
	n    int
}

func place(i int) int { return i>>3<<4 | i&7 }

func (p *pairs) add(first, second uint32) {
	i := place(p.n)
	p.refs[i], p.refs[i+8] = first, second
	p.n++
}

func (p *pairs) get(i int) (first, second uint32) {
	i = place(i)
	return p.refs[i], p.refs[i+8]
}

func (p *pairs) set(i int, first, second uint32) {
	i = place(i)
	p.refs[i], p.refs[i+8] = first, second
}

// fill completes the last group and returns the number of groups.
func (p *pairs) fill() int {
	groups := (p.n + group - 1) / group
	for i := p.n; i < groups*group; i++ {
		p.set(i, firstDummy, secondDummy)
	}
	return groups
}

// adder adds pairs of points up, in batches, for one worker. It owns its memory, and
// writes results one after another to a stretch of slots.
type adder struct {
	*curve
	base     *byte // of slot 0
	work     workspace
	saved    []byte
	now, was pairs  // filling, and complete but not added: its points are being fetched
	to       uint32 // slot of the first result of now
	toWas    uint32
	// infinite are the slots of results that are infinity. Such a slot's rows mean
	// nothing.
	infinite map[uint32]bool
	wrong    error // that a batch could not be added up, which no input explains
}

func (a *adder) point(slot uint32) []row {
	return unsafe.Slice((*row)(unsafe.Add(unsafe.Pointer(a.base), uintptr(slot)<<a.shift)), a.rows())
}

// start begins to write results at a slot. Nothing waits.
func (a *adder) start(slot uint32) { a.to = slot }

// next is the slot of the next result.
func (a *adder) next() uint32 { return a.to + uint32(a.now.n) }

// add adds two points, some time until flush returns. Neither is infinity, nor a result
// since the last flush. Result slots are next's.
func (a *adder) add(first, second uint32) {
	a.now.add(first, second)
	if a.now.n == a.batch {
		a.turn()
	}
}

// turn adds the batch before this one up, while this one's points are fetched.
func (a *adder) turn() {
	a.now.fill()
	if a.was.n > 0 {
		a.run(&a.was, a.toWas, &a.now)
	}
	a.toWas, a.to = a.to, a.to+uint32(a.now.n)
	a.was, a.now = a.now, a.was
	a.now.n = 0
}

// flush adds up what waits.
func (a *adder) flush() {
	if a.now.n > 0 {
		a.turn()
	}
	if a.was.n > 0 {
		a.run(&a.was, a.toWas, &a.was)
		a.was.n = 0
	}
}

// run adds the pairs up.
func (a *adder) run(p *pairs, to uint32, next *pairs) {
	if equal := a.tryRun(p, to, next); equal != 0 {
		a.runApart(p, to, next, equal)
	}
}

// tryRun adds the pairs up, unless two of a pair have the same x: then it returns
// the lanes of such pairs.
func (a *adder) tryRun(p *pairs, to uint32, next *pairs) (equal uint16) {
	groups := p.fill()
	for chain := range 2 {
		for lane := range 8 {
			a.work.chain(chain).setLane(lane, oneRow)
		}
	}
	a.forward(&a.work[0], a.base, at(&p.refs[0]), &a.saved[0], groups)
	if equal = a.invert(); equal != 0 {
		return equal
	}
	out := (*byte)(unsafe.Add(unsafe.Pointer(a.base), uintptr(to)<<a.shift))
	a.backward(&a.work[0], a.base, at(&p.refs[0]), &a.saved[0], groups, out, at(&next.refs[0]))
	return 0
}

var (
	one    = fp.One()
	oneRow = rowOf(&one)
	// inverseForm turns the inverse of 2^416 x / 2^384 into 1/x.
	inverseForm = powerOfTwo(64)
)

// invert inverts the running products of both chains. It returns which are zero,
// and then leaves them.
//
// The product of all sixteen is made lane by lane: of the chains, then with the
// lanes turned by 4, 2 and 1. Backwards, the inverse of a product times one factor is
// the inverse of the other.
func (a *adder) invert() (zeros uint16) {
	chains, v := [2]*vector{a.work.chain(0), a.work.chain(1)}, a.work.lanes()
	a.mul(&v[0], chains[0], chains[1])
	for i, by := range turns {
		v[4].turned(&v[i], by)
		a.mul(&v[i+1], &v[i], &v[4])
	}
	r := v[3].lane(0)
	all := r.reduced()
	if all.IsZero() {
		return zeroLanes(chains)
	}
	all.Inverse(&all)
	all.Mul(&all, &inverseForm)
	r = limbsOf(&all)
	for lane := range 8 {
		v[3].setLane(lane, r)
	}
	for i := len(turns) - 1; i >= 0; i-- {
		v[4].turned(&v[i], turns[i])
		a.mul(&v[i], &v[i+1], &v[4])
	}
	v[4] = *chains[0]
	a.mul(chains[0], &v[0], chains[1])
	a.mul(chains[1], &v[0], &v[4])
	return 0
}

var turns = [...]int{4, 2, 1}

func (a *adder) mul(to, x, y *vector) { mulFp(&a.work[0], at(to), at(x), at(y)) }

func zeroLanes(chains [2]*vector) (zeros uint16) {
	for i := range group {
		r := chains[i/8].lane(i % 8)
		if e := r.reduced(); e.IsZero() {
			zeros |= 1 << i
		}
	}
	return zeros
}

// runApart adds the pairs with equal x, which are points that are equal or each
// other's negatives, one at a time, and the others in a batch.
func (a *adder) runApart(p *pairs, to uint32, next *pairs, lanes uint16) {
	type apart struct {
		i             int
		first, second uint32
	}
	var these []apart
	for i := range p.n {
		if lanes>>(i%group)&1 == 0 {
			continue
		}
		first, second := p.get(i)
		if a.sameX(first>>1, second>>1) {
			these = append(these, apart{i, first, second})
			p.set(i, firstDummy, secondDummy)
		}
	}
	if a.tryRun(p, to, next) != 0 {
		a.wrong = fmt.Errorf("two points with different x have the same x: %w", ErrKernels)
		return
	}
	for _, t := range these {
		slot := to + uint32(t.i)
		finite := a.curve.add(a.point(slot), a.point(t.first>>1), a.point(t.second>>1), [2]bool{t.first&1 == 1, t.second&1 == 1})
		if !finite {
			a.infinite[slot] = true
		}
	}
}

func (a *adder) sameX(first, second uint32) bool {
	x, y := a.point(first), a.point(second)
	for i := range a.rows() / 2 {
		if x[i].reduced() != y[i].reduced() {
			return false
		}
	}
	return true
}
