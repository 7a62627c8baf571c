package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// vector is eight field elements in memory, limb by limb: row j of 64 bytes has limb
// j of all eight. Kernels work from memory to memory, which the core's store
// buffer makes as good as free beside the multiplications.
type vector struct {
	base   reg.GPPhysical
	offset int
}

func (v vector) limb(j int) Mem { return Mem{Base: v.base, Disp: v.offset + 64*j} }

// constant is a number's limbs in the workspace, eight bytes each.
type constant int

func (c constant) limb(j int) Mem { return Mem{Base: workspace, Disp: int(c) + 8*j} }

// Registers with one use in all kernels.
var (
	workspace = reg.RDI
	zmm       = []reg.VecPhysical{
		reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7,
		reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
		reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23,
		reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31,
	}
	sum     = zmm[8:17] // of a multiplication
	other   = reg.Z17   // limb of the other factor
	quot    = reg.Z18   // what cancels the sum's lowest limb
	temp    = reg.Z19
	mask    = reg.Z20 // 2^52 - 1
	inv     = reg.Z21 // -1/modulus mod 2^52
	other2  = reg.Z22
	modulus = zmm[24:32] // where it is kept in registers
)

// field is a prime field in limbs of 52 bits.
type field struct {
	limbs int
	p     constant
	// inRegisters says that modulus holds the limbs of p. Where it does not, they are
	// broadcast from memory.
	inRegisters bool
	// step, if any, is called between the limbs of a multiplication, to put
	// prefetches where the multiplier has work meanwhile.
	step func()
}

// begin loads what the field's multiplications need.
func (f *field) begin(maskAt, invAt Mem) {
	VPBROADCASTQ(maskAt, mask)
	VPBROADCASTQ(invAt, inv)
	if f.inRegisters {
		for j := range f.limbs {
			VPBROADCASTQ(f.p.limb(j), modulus[j])
		}
	}
}

func (f *field) low(j int, x, to reg.VecPhysical) {
	if f.inRegisters {
		VPMADD52LUQ(modulus[j], x, to)
	} else {
		VPMADD52LUQ_BCST(f.p.limb(j), x, to)
	}
}

func (f *field) high(j int, x, to reg.VecPhysical) {
	if f.inRegisters {
		VPMADD52HUQ(modulus[j], x, to)
	} else {
		VPMADD52HUQ_BCST(f.p.limb(j), x, to)
	}
}

func zero(r reg.VecPhysical) { VPXORQ(r, r, r) }

func load(to []reg.VecPhysical, v vector, limbs int) {
	for j := range limbs {
		VMOVDQU64(v.limb(j), to[j])
	}
}

func store(from []reg.VecPhysical, v vector, limbs int) {
	for j := range limbs {
		VMOVDQU64(from[j], v.limb(j))
	}
}

// product is two factors of a sum of products.
type product struct{ a, b vector }

// factor is one factor in registers and the limbs of the other one.
type factor struct {
	a    []reg.VecPhysical
	b    reg.VecPhysical // what limb puts a limb into
	limb func(i int, to reg.VecPhysical)
}

// accumulate leaves the sum of one or two products, divided by 2^(52*limbs) modulo
// p, in the registers that it returns, not carried: limbs are below 2^58.
//
// In: limbs below 2^52. Out: if the sum of products is below k p 2^(52*limbs), then
// the result is below (k+1) p: one reduction step a limb adds less than 2^52 p, all
// together less than 2^(52*limbs) p before the division. The result must be below
// 2^(52*limbs), which it is for every k that kernels have (see there).
//
// No limb of the sum overflows: each takes at most 6 terms below 2^52 in each of 8
// steps, and a carry below 2^12: less than 2^58.
//
// A step waits for the one before it only through t[0], which quot is made of. So all
// that needs no quot is added before what does: the next limb's low products too. And the
// low limb of quot p is not added at all: as it makes the low 52 bits of t[0] zero, its
// carry is one unless they are zero already.
func (f *field) accumulate(factors ...factor) []reg.VecPhysical {
	n := f.limbs
	t := append([]reg.VecPhysical(nil), sum[:n+1]...)
	for _, r := range t {
		zero(r)
	}
	lows := func(i int, to []reg.VecPhysical) {
		for _, x := range factors {
			x.limb(i, x.b)
			for j := range n {
				VPMADD52LUQ(x.b, x.a[j], to[j])
			}
		}
	}
	lows(0, t)
	for i := range n {
		zero(quot)
		VPMADD52LUQ(inv, t[0], quot)
		for _, x := range factors {
			for j := range n {
				VPMADD52HUQ(x.b, x.a[j], t[j+1])
			}
		}
		if i+1 < n {
			lows(i+1, t[1:])
		}
		VPADDQ(mask, t[0], t[0])
		VPSRLQ(U8(52), t[0], t[0])
		VPADDQ(t[0], t[1], t[1])
		zero(temp) // in place of t[1], so as not to wait for its other term
		f.high(0, quot, temp)
		for j := 1; j < n; j++ {
			f.low(j, quot, t[j])
		}
		VPADDQ(temp, t[1], t[1])
		for j := 1; j < n; j++ {
			f.high(j, quot, t[j+1])
		}
		if f.step != nil {
			f.step()
		}
		zero(t[0])
		t = append(t[1:], t[0])
	}
	return t[:n]
}

// multiply is accumulate from memory, carried.
func (f *field) multiply(products ...product) []reg.VecPhysical {
	registers := [2]factor{{a: zmm[:f.limbs], b: other}, {a: modulus[:f.limbs], b: other2}}
	for i, p := range products {
		load(registers[i].a, p.a, f.limbs)
		registers[i].limb = func(j int, to reg.VecPhysical) { VMOVDQU64(p.b.limb(j), to) }
	}
	t := f.accumulate(registers[:len(products)]...)
	carry(t)
	return t
}

// mul is multiply into memory.
func (f *field) mul(to vector, products ...product) {
	store(f.multiply(products...), to, f.limbs)
}

// shared is a multiplication as a function that the backward kernels call, which would not fit the
// instruction cache if all of theirs were written out.
type shared struct {
	*field
	name     string
	products int
}

// Where a shared multiplication finds its factors and puts its result. Vectors are based on
// none of these registers.
var (
	factorsAt = [][2]reg.GPPhysical{{reg.R11, reg.R12}, {reg.R13, reg.R14}}
	resultAt  = reg.RBX
)

func (s shared) write() {
	TEXT(s.name, NOSPLIT, "func()")
	Doc(s.name + " is called by kernels alone.")
	var all []product
	for _, f := range factorsAt[:s.products] {
		all = append(all, product{vector{f[0], 0}, vector{f[1], 0}})
	}
	s.field.mul(vector{resultAt, 0}, all...)
	RET()
}

// mul calls it.
func (s shared) mul(to vector, products ...product) {
	for i, p := range products {
		LEAQ(p.a.limb(0), factorsAt[i][0])
		LEAQ(p.b.limb(0), factorsAt[i][1])
	}
	LEAQ(to.limb(0), resultAt)
	Instruction(&ir.Instruction{Opcode: "CALL", Operands: []Op{Mem{Symbol: Symbol{Name: "·" + s.name}, Base: reg.StaticBase}}})
}

// carry brings limbs of any sign, between -2^62 and 2^62, to 0..2^52-1 but for the
// last one. The number must not be negative.
func carry(t []reg.VecPhysical) {
	for j := range len(t) - 1 {
		VPSRAQ(U8(52), t[j], temp)
		VPANDQ(mask, t[j], t[j])
		VPADDQ(temp, t[j+1], t[j+1])
	}
}

// combine leaves kp plus and minus vectors in Z0 and up, not carried: limbs are
// between -2^55 and 2^55.
func (f *field) combine(kp *constant, plus, minus []vector) []reg.VecPhysical {
	t := zmm[:f.limbs]
	load(t, plus[0], f.limbs)
	for j := range t {
		for _, v := range plus[1:] {
			VPADDQ(v.limb(j), t[j], t[j])
		}
		for _, v := range minus {
			VPSUBQ(v.limb(j), t[j], t[j])
		}
		if kp != nil {
			VPADDQ_BCST(kp.limb(j), t[j], t[j])
		}
	}
	return t
}

// add puts kp plus and minus vectors, carried, to memory.
func (f *field) add(to vector, kp *constant, plus, minus []vector) {
	t := f.combine(kp, plus, minus)
	carry(t)
	store(t, to, f.limbs)
}

// transpose turns eight rows into eight columns, and back. It destroys in.
func transpose(in, out []reg.VecPhysical) {
	for k := 0; k < 8; k += 2 {
		VPUNPCKLQDQ(in[k+1], in[k], out[k])
		VPUNPCKHQDQ(in[k+1], in[k], out[k+1])
	}
	// pair 2k+odd of out has, of rows 2k and 2k+1, the columns of that parity, in
	// lanes of 128 bits: 0xor1, 2or3, 4or5, 6or7.
	for odd := range 2 {
		a, b, c, d := out[odd], out[2+odd], out[4+odd], out[6+odd]
		VSHUFI64X2(U8(0x88), b, a, in[odd])
		VSHUFI64X2(U8(0x88), d, c, in[2+odd])
		VSHUFI64X2(U8(0xdd), b, a, in[4+odd])
		VSHUFI64X2(U8(0xdd), d, c, in[6+odd])
	}
	for odd := range 2 {
		VSHUFI64X2(U8(0x88), in[2+odd], in[odd], out[odd])
		VSHUFI64X2(U8(0xdd), in[2+odd], in[odd], out[4+odd])
		VSHUFI64X2(U8(0x88), in[6+odd], in[4+odd], out[2+odd])
		VSHUFI64X2(U8(0xdd), in[6+odd], in[4+odd], out[6+odd])
	}
}
