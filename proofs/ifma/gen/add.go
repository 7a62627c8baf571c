package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Additions are affine: (x1, y1) + (x2, y2) with
//
//	dx = x2 - x1, slope = (y2 - y1)/dx, x3 = slope^2 - 2 x1 - dx, y3 = slope (x1 - x3) - y1
//
// for sixteen pairs at a time, two chains of eight. The forward kernel makes the
// running product of all dx of a chain; its inverse comes back in offAcc, and the
// backward kernel takes the single inverses out of it, last pair first (Montgomery's
// trick). Points whose x are equal must not be paired: they make the product zero.
//
// A point is named by a reference: its slot from base, times two, plus one if
// it is to be negated. A group of sixteen pairs is 32 references: the first
// points of chain 0, its second ones, those of chain 1.

var (
	pBase  = reg.RSI // of the points
	pRefs  = reg.RDX // of the group
	pSaved = reg.RCX // of the group
	groups = reg.R8
	pOut   = reg.R9
	pNext  = reg.R10 // references to prefetch
	index  = reg.RAX
)

var fp = &field{limbs: 8, p: offP, inRegisters: true}

// Where the two kernels keep things for each other, in a group.
const (
	savedG1 = 2 * 3 * sizeVector // x1, dx, prefix
	savedG2 = 2 * 6 * sizeVector // x1 (2), dx (2), norm, prefix
)

// groupRefs is the references of a group.
const groupRefs = 32

func saved(of, chain, i int) vector { return vector{pSaved, chain*of/2 + i*sizeVector} }

// points are a curve's points in memory, of 2^log bytes each.
type points struct{ log int }

func (p points) offset(ref Mem) {
	MOVL(ref, reg.EAX)
	SHRQ(U8(1), index)
	SHLQ(U8(uint8(p.log)), index)
}

func reference(chain, which, lane int) Mem {
	return Mem{Base: pRefs, Disp: 4 * (16*chain + 8*which + lane)}
}

// fetching prefetches the points of a group, a few at each step of a multiplication, which has
// work for the multiplier meanwhile.
type fetching struct {
	points
	first    Mem // reference of the group
	from, to int // lines of 64 bytes of each point
	atOnce   int
	done     int
}

// step fetches some more. It returns false if there are none left.
func (f *fetching) step() bool {
	if f.done == groupRefs {
		return false
	}
	for range f.atOnce {
		f.offset(f.first.Offset(4 * f.done))
		for line := f.from; line < f.to; line++ {
			PREFETCHT0(Mem{Base: pBase, Index: index, Scale: 1, Disp: 64 * line})
		}
		f.done++
	}
	return true
}

func (f *fetching) mustBeDone() {
	if f.done < groupRefs {
		panic("too few places to prefetch")
	}
}

// lines are those of a point, of which the first half is x.
func (p points) lines() int { return 1 << p.log / 64 }

// gather leaves a row of eight points as a vector in the registers that it returns.
func (p points) gather(chain, which, row int) []reg.VecPhysical {
	for lane := range 8 {
		p.offset(reference(chain, which, lane))
		VMOVDQU64(Mem{Base: pBase, Index: index, Scale: 1, Disp: 64 * row}, zmm[8+lane])
	}
	transpose(zmm[8:16], zmm[0:8])
	return zmm[0:8]
}

// negated puts the row, or 2p minus it where the reference says so, to memory.
// In: below 2p. Out: at most 2p.
func (p points) negated(to vector, chain, which, row int) {
	t := p.gather(chain, which, row)
	VPMOVZXDQ(reference(chain, which, 0), temp)
	VPTESTMQ_BCST(Mem{Base: workspace, Disp: offOne}, temp, reg.K1)
	for j := range 8 {
		VPBROADCASTQ(constant(offP2).limb(j), temp)
		VPSUBQ(t[j], temp, reg.K1, t[j])
	}
	carry(t)
	store(t, to, 8)
}

// scatter puts the vector in Z0..Z7 to a row of eight points that lie one after another.
func (p points) scatter(chain, row int) {
	transpose(zmm[0:8], zmm[8:16])
	for lane := range 8 {
		VMOVDQU64(zmm[8+lane], Mem{Base: pOut, Disp: ((8*chain + lane) << p.log) + 64*row})
	}
}

// reduce brings the number in Z0..Z7, between 0.9p and 8p and not carried, below
// 1.001p, and carries it.
//
// q = floor(top*floor(2^52/106516)/2^52), where top is the number shifted by 364 bits, at
// most one too big. As p/2^364 lies between 106513 and 106514, q is never more than
// the true quotient: q >= 1 needs top >= 106516, and then
// q p < top/106516 * 106514 * 2^364 <= (top-1) 2^364. It is short of it by
// less than 8*3/106513 + 1/106516, which is the thousandth of p. A number of at least 0.9p has top > 0.
func (f *field) reduce() {
	t := zmm[:8]
	VPSRAQ(U8(52), t[6], temp)
	VPADDQ(temp, t[7], temp)
	zero(quot)
	VPMADD52HUQ_BCST(Mem{Base: workspace, Disp: offEst}, temp, quot)
	for j := range t {
		VPERMQ(Mem{Base: workspace, Disp: offTable + 64*j}, quot, other)
		VPSUBQ(other, t[j], t[j])
	}
	carry(t)
}

func ptr(c constant) *constant { return &c }

func vectors(v ...vector) []vector { return v }

func begin(name, signature, doc string) {
	TEXT(name, NOSPLIT, signature)
	Pragma("noescape")
	Doc(doc)
	Load(Param("w"), workspace)
	Load(Param("base"), pBase)
	Load(Param("refs"), pRefs)
	Load(Param("saved"), pSaved)
	Load(Param("groups"), groups)
	fp.begin(Mem{Base: workspace, Disp: offMask}, Mem{Base: workspace, Disp: offInv})
}

const forwardSignature = "func(w, base, refs, saved *byte, groups int)"

// forward loops over the groups, first to last. It fetches the x of the group after
// each, also of one after the last, whose references must be there.
func forward(name string, p points, ofSaved int, body func(prefetch func())) {
	begin(name, forwardSignature, name+" makes the running products of the differences of x.")
	Label("loop")
	next := fetching{points: p, first: reference(0, 0, groupRefs), to: p.lines() / 2, atOnce: 2}
	body(func() { next.step() })
	next.mustBeDone()
	ADDQ(I32(128), pRefs)
	ADDQ(I32(ofSaved), pSaved)
	DECQ(groups)
	JNE(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

const backwardSignature = "func(w, base, refs, saved *byte, groups int, out, next *byte)"

// backward loops over the groups, last to first; refs, saved and out are those of
// the first, next of what the last will be the next time. Its points are fetched into the
// second cache, the y of each group into the first one.
func backward(name string, p points, ofSaved int, body func(prefetch func(steps int))) {
	begin(name, backwardSignature, name+" makes the sums, given the inverses of the running products.")
	Load(Param("out"), pOut)
	Load(Param("next"), pNext)
	last := reg.R11
	LEAQ(Mem{Base: groups, Disp: -1}, last)
	for _, s := range []struct {
		pointer reg.GPPhysical
		size    int
	}{{pRefs, 128}, {pSaved, ofSaved}, {pOut, 16 << p.log}, {pNext, 128}} {
		IMUL3Q(I32(s.size), last, index)
		ADDQ(index, s.pointer)
	}
	Label("loop")
	soon := fetching{points: p, first: reference(0, 0, 0), from: p.lines() / 2, to: p.lines(), atOnce: 2}
	later := fetching{points: p, first: Mem{Base: pNext}, to: p.lines(), atOnce: 1}
	body(func(steps int) {
		for range steps {
			if !soon.step() {
				later.step()
			}
		}
	})
	later.mustBeDone()
	SUBQ(I32(128), pRefs)
	SUBQ(I32(128), pNext)
	SUBQ(I32(ofSaved), pSaved)
	SUBQ(I32(16<<p.log), pOut)
	DECQ(groups)
	JNE(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// G1: rows are below 1.001p. dx = x2 - x1 + 2p is between 0.99p and 3.01p, every
// factor below 8.1p, so that products are below (1 + 2^-28) p.
func additionG1() {
	p := points{7}
	const x1, dx, prefix = 0, 1, 2
	at := func(chain, i int) vector { return saved(savedG1, chain, i) }

	fp.inRegisters = true
	forward("forwardG1", p, savedG1, func(prefetch func()) {
		fp.step = prefetch
		for c := range 2 {
			store(p.gather(c, 0, 0), at(c, x1), 8)
			store(p.gather(c, 1, 0), at(c, dx), 8)
			fp.add(at(c, dx), ptr(offP2), vectors(at(c, dx)), vectors(at(c, x1)))
			load(zmm, acc(c), 8)
			store(zmm, at(c, prefix), 8)
			fp.mul(acc(c), product{acc(c), at(c, dx)})
		}
		fp.step = nil
	})

	// inverse, y1 with its sign, slope, x3 and x1 - x3 of a chain
	const inverse, y1, slope, x3, d = 0, 1, 2, 3, 4
	of := func(chain, i int) vector { return slot(8*chain + i) }
	mulG1 := shared{fp, "mulG1", 1}
	mulG1.write()
	backward("backwardG1", p, savedG1, func(prefetch func(steps int)) {
		mul := func(to vector, of product) {
			prefetch(5)
			mulG1.mul(to, of)
		}
		for c := range 2 {
			mul(of(c, inverse), product{acc(c), at(c, prefix)})
			p.negated(of(c, y1), c, 0, 1)
		}
		for c := range 2 { // y2 - y1 + 3p: between 0.9p and 5.1p
			mul(acc(c), product{acc(c), at(c, dx)})
			p.negated(of(c, slope), c, 1, 1)
			fp.add(of(c, slope), ptr(offP3), vectors(of(c, slope)), vectors(of(c, y1)))
		}
		for c := range 2 {
			mul(of(c, slope), product{of(c, slope), of(c, inverse)})
		}
		for c := range 2 {
			mul(of(c, x3), product{of(c, slope), of(c, slope)})
		}
		for c := range 2 { // slope^2 - 2 x1 - dx + 7p: between 1.9p and 7.1p
			fp.combine(ptr(offP7), vectors(of(c, x3)), vectors(at(c, x1), at(c, x1), at(c, dx)))
			fp.reduce()
			store(zmm, of(c, x3), 8)
			p.scatter(c, 0)
			fp.add(of(c, d), ptr(offP2), vectors(at(c, x1)), vectors(of(c, x3)))
			mul(of(c, d), product{of(c, d), of(c, slope)})
		}
		for c := range 2 { // minus y1 + 3p: between 0.9p and 4.1p
			fp.combine(ptr(offP3), vectors(of(c, d)), vectors(of(c, y1)))
			fp.reduce()
			p.scatter(c, 1)
		}
	})
}

// G2: an element of the quadratic extension is two rows, a0 + a1 u with u^2 = -1.
// 1/dx is the conjugate of dx by its norm dx0^2 + dx1^2, of which the chains are
// products; p = 3 mod 4, so it is zero only if dx is. Bounds are those of G1, with two
// products to a reduction: below (1 + 2^-27) p.
func additionG2() {
	p := points{8}
	const x1, dx, norm, prefix = 0, 2, 4, 5
	at := func(chain, i int) vector { return saved(savedG2, chain, i) }
	fp.inRegisters = false
	forward("forwardG2", p, savedG2, func(prefetch func()) {
		fp.step = prefetch
		for c := range 2 {
			for i := range 2 {
				store(p.gather(c, 0, i), at(c, x1+i), 8)
				store(p.gather(c, 1, i), at(c, dx+i), 8)
				fp.add(at(c, dx+i), ptr(offP2), vectors(at(c, dx+i)), vectors(at(c, x1+i)))
			}
			fp.mul(at(c, norm), product{at(c, dx), at(c, dx)}, product{at(c, dx+1), at(c, dx+1)})
		}
		for c := range 2 {
			load(zmm, acc(c), 8)
			store(zmm, at(c, prefix), 8)
			fp.mul(acc(c), product{acc(c), at(c, norm)})
		}
		fp.step = nil
	})

	const inverse, y1, dy, i0, i1, minusI1, slope, x3, d, plus, minus, minusD1 = 0, 1, 3, 5, 6, 7, 8, 10, 12, 0, 14, 15
	of := func(chain, i int) vector { return slot(16*chain + i) }
	both := func(work func(c int)) { work(0); work(1) }
	one, two := shared{fp, "mulG2", 1}, shared{fp, "mulTwoG2", 2}
	one.write()
	two.write()
	backward("backwardG2", p, savedG2, func(prefetch func(steps int)) {
		mul := func(to vector, of product) {
			prefetch(3)
			one.mul(to, of)
		}
		mulTwo := func(to vector, a, b product) {
			prefetch(3)
			two.mul(to, a, b)
		}
		both(func(c int) {
			mul(of(c, inverse), product{acc(c), at(c, prefix)})
			p.negated(of(c, y1), c, 0, 2)
		})
		both(func(c int) {
			mul(acc(c), product{acc(c), at(c, norm)})
			p.negated(of(c, y1+1), c, 0, 3)
		})
		both(func(c int) {
			mul(of(c, i0), product{at(c, dx), of(c, inverse)})
			p.negated(of(c, dy), c, 1, 2)
			fp.add(of(c, dy), ptr(offP3), vectors(of(c, dy)), vectors(of(c, y1)))
		})
		both(func(c int) {
			mul(of(c, minusI1), product{at(c, dx+1), of(c, inverse)})
			p.negated(of(c, dy+1), c, 1, 3)
			fp.add(of(c, dy+1), ptr(offP3), vectors(of(c, dy+1)), vectors(of(c, y1+1)))
		})
		both(func(c int) {
			load(zmm, of(c, minusI1), 8)
			for j := range 8 { // 2p - it
				VPBROADCASTQ(constant(offP2).limb(j), temp)
				VPSUBQ(zmm[j], temp, zmm[j])
			}
			carry(zmm[:8])
			store(zmm, of(c, i1), 8)
		})
		both(func(c int) {
			mulTwo(of(c, slope), product{of(c, dy), of(c, i0)}, product{of(c, dy+1), of(c, minusI1)})
		})
		both(func(c int) {
			mulTwo(of(c, slope+1), product{of(c, dy), of(c, i1)}, product{of(c, dy+1), of(c, i0)})
		})
		both(func(c int) { // the square: (s0+s1)(s0-s1), 2 s0 s1
			s0, s1 := of(c, slope), of(c, slope+1)
			fp.add(of(c, plus), nil, vectors(s0, s1), nil)
			fp.add(of(c, minus), ptr(offP2), vectors(s0), vectors(s1))
			fp.add(of(c, x3+1), nil, vectors(s0, s0), nil)
		})
		both(func(c int) { mul(of(c, x3), product{of(c, plus), of(c, minus)}) })
		both(func(c int) { mul(of(c, x3+1), product{of(c, x3+1), of(c, slope+1)}) })
		both(func(c int) {
			for i := range 2 {
				fp.combine(ptr(offP7), vectors(of(c, x3+i)), vectors(at(c, x1+i), at(c, x1+i), at(c, dx+i)))
				fp.reduce()
				store(zmm, of(c, x3+i), 8)
				p.scatter(c, i)
				fp.add(of(c, d+i), ptr(offP2), vectors(at(c, x1+i)), vectors(of(c, x3+i)))
			}
			fp.add(of(c, minusD1), ptr(offP2), vectors(of(c, x3+1)), vectors(at(c, x1+1)))
		})
		both(func(c int) {
			mulTwo(of(c, i0), product{of(c, slope), of(c, d)}, product{of(c, slope+1), of(c, minusD1)})
		})
		both(func(c int) {
			mulTwo(of(c, i1), product{of(c, slope), of(c, d+1)}, product{of(c, slope+1), of(c, d)})
		})
		both(func(c int) {
			for i := range 2 {
				fp.combine(ptr(offP3), vectors(of(c, i0+i)), vectors(of(c, y1+i)))
				fp.reduce()
				p.scatter(c, 2+i)
			}
		})
	})
}
