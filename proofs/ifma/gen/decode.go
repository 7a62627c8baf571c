package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// decoding turns points of a key file, each coordinate 48 bytes big-endian, into
// rows, eight points at a time. Row i of a point is coordinate order[i]. What it returns is
// not zero if a coordinate is not below p, or a point's are all zero.
//
// A limb begins at bit 52j, that is 0 or 4 bits into byte 6.5j from the end; VPERMB
// puts the eight bytes from there into a lane. Nothing is read past a coordinate.
// The limbs are below 2^52 and the number below 2^384, which is 10 p: times 2^832 mod p
// it is below 2^-31 p 2^416, so that a row is below (1 + 2^-31) p.
func decoding(name string, order ...int) {
	source, to, bad, at := reg.RSI, reg.RDX, reg.RBX, reg.RAX
	size, pointSize := 48*len(order), 64*len(order)
	TEXT(name, NOSPLIT, "func(w, from, to *byte, groups int) (bad uint64)")
	Pragma("noescape")
	Doc(name + " decodes groups of eight points.")
	Load(Param("w"), workspace)
	Load(Param("from"), source)
	Load(Param("to"), to)
	Load(Param("groups"), groups)
	fp.inRegisters = true
	fp.begin(Mem{Base: workspace, Disp: offMask}, Mem{Base: workspace, Disp: offInv})
	MOVQ(U64(1<<48-1), at)
	KMOVQ(at, reg.K1)
	XORQ(bad, bad)
	Label("loop")
	any := reg.Z23
	zero(any)
	for row, coordinate := range order {
		VMOVDQU64(Mem{Base: workspace, Disp: offOrder}, reg.Z22)
		VMOVDQU64(Mem{Base: workspace, Disp: offShift}, other)
		for lane := range 8 {
			z := zmm[8+lane]
			VMOVDQU8_Z(Mem{Base: source, Disp: lane*size + 48*coordinate}, reg.K1, z)
			VPERMB(z, reg.Z22, z)
			VPSRLVQ(other, z, z)
			VPANDQ(mask, z, z)
		}
		transpose(zmm[8:16], zmm[0:8])
		store(zmm, slot(0), 8)
		zero(temp)
		for j := range 8 { // borrow of the number minus p
			VPORQ(zmm[j], any, any)
			VPADDQ(zmm[j], temp, temp)
			VPSUBQ(modulus[j], temp, temp)
			if j < 7 {
				VPSRAQ(U8(52), temp, temp)
			}
		}
		VPMOVQ2M(temp, reg.K2) // negative: below p
		KMOVB(reg.K2, reg.EAX)
		XORL(I32(0xff), reg.EAX)
		ORQ(at, bad)
		t := fp.multiply(product{slot(0), vector{workspace, offR2}})
		transpose(t, zmm[0:8])
		for lane := range 8 {
			VMOVDQU64(zmm[lane], Mem{Base: to, Disp: lane*pointSize + 64*row})
		}
	}
	VPTESTNMQ(any, any, reg.K2)
	KMOVB(reg.K2, reg.EAX)
	ORQ(at, bad)
	ADDQ(I32(8*size), source)
	ADDQ(I32(8*pointSize), to)
	DECQ(groups)
	JNE(LabelRef("loop"))
	Store(bad, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// multiplication is one by itself: for what is done lane by lane, and for tests.
func multiplication() {
	TEXT("mulFp", NOSPLIT, "func(w, to, a, b *byte)")
	Pragma("noescape")
	Doc("mulFp multiplies eight elements of the base field: limbs below 2^52, numbers below 2^17 p together. The result is below (1 + 2^-17) p.")
	Load(Param("w"), workspace)
	Load(Param("to"), reg.RSI)
	Load(Param("a"), reg.RDX)
	Load(Param("b"), reg.RCX)
	fp.inRegisters = true
	fp.begin(Mem{Base: workspace, Disp: offMask}, Mem{Base: workspace, Disp: offInv})
	fp.mul(vector{reg.RSI, 0}, product{vector{reg.RDX, 0}, vector{reg.RCX, 0}})
	VZEROUPPER()
	RET()
}
