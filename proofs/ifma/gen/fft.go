package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A transform of the scalar field is eight at a time, one a lane, in a scratch of
// vectors of five limbs: loadFr brings elements there, firstLevelFr and levelFr do the
// levels, decimating in time, and storeFr brings them back.
//
// Elements in memory are gnark-crypto's: four words, Montgomery form with 2^256,
// below r. Roots and factors are in Montgomery form with 2^260, so that a
// product is again one with 2^256.
//
// Bounds. r = 2^254.86, so that limbs hold numbers below 35.3 r, and a product of
// x and something below r is below x/35.3 + r. A level makes of a and b the numbers a + t and
// a - t + 2r, where t = b * root < 2r as b < 35r: each level adds at most 2r, and after
// 14 levels a number is below 29 r. Limbs are carried when they are multiplied only: t's are
// below 2^58, and after 14 levels limbs are between -2^62 and 2^62.
var fr = &field{limbs: 5, p: offOrderR, inRegisters: true}

var (
	twice   = []reg.VecPhysical{reg.Z5, reg.Z6, reg.Z7, reg.Z14, reg.Z15} // 2r
	scratch = reg.RSI
)

func beginFr(name, signature, doc string, params map[string]reg.GPPhysical, order ...string) {
	TEXT(name, NOSPLIT, signature)
	Pragma("noescape")
	Doc(doc)
	Load(Param("w"), workspace)
	for _, p := range order {
		Load(Param(p), params[p])
	}
	fr.begin(Mem{Base: workspace, Disp: offMaskR}, Mem{Base: workspace, Disp: offInvR})
}

func transform() {
	multiplicationFr()
	loading()
	firstLevel()
	level()
	storing()
}

func multiplicationFr() {
	a, b, to := reg.RDX, reg.RCX, reg.RSI
	beginFr("mulFr", "func(w, to, a, b *byte)",
		"mulFr multiplies eight elements of the scalar field: limbs below 2^52, a below 2^260, b below r. The result is below 2r.",
		map[string]reg.GPPhysical{"to": to, "a": a, "b": b}, "to", "a", "b")
	fr.mul(vector{to, 0}, product{vector{a, 0}, vector{b, 0}})
	VZEROUPPER()
	RET()
}

// lanes are the addresses of eight elements, a stride apart.
func lanes(at, stride, threefold, fifth reg.GPPhysical) []Mem {
	first := []Mem{{Base: at}, {Base: at, Index: stride, Scale: 1}, {Base: at, Index: stride, Scale: 2}, {Base: at, Index: threefold, Scale: 1}}
	second := []Mem{{Base: fifth}, {Base: fifth, Index: stride, Scale: 1}, {Base: fifth, Index: stride, Scale: 2}, {Base: fifth, Index: threefold, Scale: 1}}
	return append(first, second...)
}

// halves are the elements that share a register.
var halves = [4][2]int{{0, 2}, {1, 3}, {4, 6}, {5, 7}}

func ymm(i int) reg.VecPhysical {
	return []reg.VecPhysical{reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7,
		reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15}[i]
}

func loading() {
	from, stride, froms, tos, n := reg.RDX, reg.RCX, reg.R8, reg.R9, reg.R10
	at, fifth, threefold, to := reg.RAX, reg.RBX, reg.R11, reg.R12
	beginFr("loadFr", "func(w, scratch, from *byte, stride int, froms, tos *int, n int)",
		"loadFr puts n vectors of eight elements into the scratch: element i of vector j from byte froms[j] + i*stride, to byte tos[j].",
		map[string]reg.GPPhysical{"scratch": scratch, "from": from, "stride": stride, "froms": froms, "tos": tos, "n": n},
		"scratch", "from", "stride", "froms", "tos", "n")
	LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, threefold)
	Label("loop")
	MOVQ(Mem{Base: froms}, at)
	ADDQ(from, at)
	LEAQ(Mem{Base: at, Index: stride, Scale: 4}, fifth)
	MOVQ(Mem{Base: tos}, to)
	ADDQ(scratch, to)
	elements := lanes(at, stride, threefold, fifth)
	for i, h := range halves {
		VMOVDQU(elements[h[0]], ymm(i))
		VINSERTI64X4(U8(1), elements[h[1]], zmm[i], zmm[i])
	}
	// words: of registers 0 and 1, and of 2 and 3, then together
	VPUNPCKLQDQ(zmm[1], zmm[0], zmm[8])
	VPUNPCKHQDQ(zmm[1], zmm[0], zmm[9])
	VPUNPCKLQDQ(zmm[3], zmm[2], zmm[10])
	VPUNPCKHQDQ(zmm[3], zmm[2], zmm[11])
	VSHUFI64X2(U8(0x88), zmm[10], zmm[8], zmm[0])
	VSHUFI64X2(U8(0x88), zmm[11], zmm[9], zmm[1])
	VSHUFI64X2(U8(0xdd), zmm[10], zmm[8], zmm[2])
	VSHUFI64X2(U8(0xdd), zmm[11], zmm[9], zmm[3])
	// limb j has the bits from 52j on: of word j-1 what is above, of word j the rest
	for j := range 5 {
		limb := zmm[8+j]
		switch j {
		case 0:
			VPANDQ(mask, zmm[0], limb)
		case 4:
			VPSRLQ(U8(16), zmm[3], limb)
		default:
			VPSRLQ(U8(uint8(64-12*j)), zmm[j-1], limb)
			VPSLLQ(U8(uint8(12*j)), zmm[j], temp)
			VPORQ(temp, limb, limb)
			VPANDQ(mask, limb, limb)
		}
	}
	store(zmm[8:13], vector{to, 0}, 5)
	ADDQ(I8(8), froms)
	ADDQ(I8(8), tos)
	DECQ(n)
	JNE(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

func loadTwice() {
	for j := range twice {
		VPBROADCASTQ(constant(offOrder2R).limb(j), twice[j])
	}
}

// firstLevel is the level whose only root is one.
func firstLevel() {
	n := reg.RCX
	beginFr("firstLevelFr", "func(w, scratch *byte, n int)",
		"firstLevelFr makes of each two vectors their sum and difference, n times.",
		map[string]reg.GPPhysical{"scratch": scratch, "n": n}, "scratch", "n")
	loadTwice()
	a, b := vector{scratch, 0}, vector{scratch, sizeVectorR}
	Label("loop")
	load(zmm, a, 5)
	for j := range 5 {
		VMOVDQU64(b.limb(j), sum[j])
		VPADDQ(zmm[j], sum[j], temp)
		VMOVDQU64(temp, a.limb(j))
		VPSUBQ(sum[j], zmm[j], zmm[j])
		VPADDQ(twice[j], zmm[j], zmm[j])
		VMOVDQU64(zmm[j], b.limb(j))
	}
	ADDQ(I32(2*sizeVectorR), scratch)
	DECQ(n)
	JNE(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

func level() {
	roots, half, blocks, stride := reg.RDX, reg.RCX, reg.R8, reg.R9
	partner, root, left, distance := reg.RAX, reg.R10, reg.R11, reg.R12
	beginFr("levelFr", "func(w, scratch, roots *byte, half, blocks, stride int)",
		"levelFr does one level: in each block of 2*half vectors, vectors j and j+half with the root that lies j*stride bytes from the first.",
		map[string]reg.GPPhysical{"scratch": scratch, "roots": roots, "half": half, "blocks": blocks, "stride": stride},
		"scratch", "roots", "half", "blocks", "stride")
	loadTwice()
	IMUL3Q(I32(sizeVectorR), half, distance)
	Label("block")
	MOVQ(roots, root)
	MOVQ(half, left)
	LEAQ(Mem{Base: scratch, Index: distance, Scale: 1}, partner)
	Label("loop")
	a, b := vector{scratch, 0}, vector{partner, 0}
	load(zmm, b, 5)
	carry(zmm[:5])
	t := fr.accumulate(factor{zmm[:5], other, func(i int, to reg.VecPhysical) { VPBROADCASTQ(Mem{Base: root, Disp: 8 * i}, to) }})
	load(zmm, a, 5)
	for j := range 5 {
		VPADDQ(t[j], zmm[j], temp)
		VMOVDQU64(temp, a.limb(j))
		VPSUBQ(t[j], zmm[j], zmm[j])
		VPADDQ(twice[j], zmm[j], zmm[j])
		VMOVDQU64(zmm[j], b.limb(j))
	}
	ADDQ(I32(sizeVectorR), scratch)
	ADDQ(I32(sizeVectorR), partner)
	ADDQ(stride, root)
	DECQ(left)
	JNE(LabelRef("loop"))
	MOVQ(partner, scratch)
	DECQ(blocks)
	JNE(LabelRef("block"))
	VZEROUPPER()
	RET()
}

func storing() {
	to, stride, tos, n := reg.RDX, reg.RCX, reg.R8, reg.R9
	at, fifth, threefold := reg.RAX, reg.RBX, reg.R11
	beginFr("storeFr", "func(w, scratch, to *byte, stride int, tos *int, n int, running bool)",
		"storeFr puts n vectors of the scratch, one after another, times the factor, to memory: element i of vector j to byte tos[j] + i*stride. If running, the factor is multiplied by the step after each.",
		map[string]reg.GPPhysical{"scratch": scratch, "to": to, "stride": stride, "tos": tos, "n": n},
		"scratch", "to", "stride", "tos", "n")
	Load(Param("running"), reg.R10B)
	LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, threefold)
	low, high := reg.Z30, reg.Z31
	VMOVDQU64(Mem{Base: workspace, Disp: offOut}, low)
	VMOVDQU64(Mem{Base: workspace, Disp: offOut + 64}, high)
	factorAt, stepAt := vector{workspace, offFactor}, vector{workspace, offStep}
	limb := func(of vector) func(int, reg.VecPhysical) {
		return func(i int, to reg.VecPhysical) { VMOVDQU64(of.limb(i), to) }
	}
	Label("loop")
	MOVQ(Mem{Base: tos}, at)
	ADDQ(to, at)
	LEAQ(Mem{Base: at, Index: stride, Scale: 4}, fifth)
	load(zmm, vector{scratch, 0}, 5)
	carry(zmm[:5])
	t := fr.accumulate(factor{zmm[:5], other, limb(factorAt)})
	carry(t)
	// below 2r: subtract r unless that is negative
	less := zmm[:5]
	for j := range 5 {
		VPSUBQ(modulus[j], t[j], less[j])
	}
	carry(less)
	VPMOVQ2M(less[4], reg.K1)
	for j := range 5 {
		VMOVDQA64(t[j], reg.K1, less[j])
	}
	for k := range 4 { // word k: of limb k what is above 12k bits, of limb k+1 the rest
		word := zmm[8+k]
		VPSLLQ(U8(uint8(52-12*k)), less[k+1], word)
		if k > 0 {
			VPSRLQ(U8(uint8(12*k)), less[k], temp)
			VPORQ(temp, word, word)
		} else {
			VPORQ(less[0], word, word)
		}
	}
	// words 0 and 1, and 2 and 3, of even and of odd lanes; then together
	VPUNPCKLQDQ(zmm[9], zmm[8], zmm[0])
	VPUNPCKLQDQ(zmm[11], zmm[10], zmm[1])
	VPUNPCKHQDQ(zmm[9], zmm[8], zmm[2])
	VPUNPCKHQDQ(zmm[11], zmm[10], zmm[3])
	elements := lanes(at, stride, threefold, fifth)
	for i, h := range [4][2]int{{0, 2}, {4, 6}, {1, 3}, {5, 7}} {
		order := low
		if i%2 == 1 {
			order = high
		}
		z := zmm[8+i]
		VMOVDQA64(zmm[i/2*2], z)
		VPERMT2Q(zmm[i/2*2+1], order, z)
		VMOVDQU(ymm(8+i), elements[h[0]])
		VEXTRACTI64X4(U8(1), z, elements[h[1]])
	}
	TESTB(reg.R10B, reg.R10B)
	JEQ(LabelRef("same"))
	load(zmm, factorAt, 5)
	t = fr.accumulate(factor{zmm[:5], other, limb(stepAt)})
	carry(t)
	store(t, factorAt, 5)
	Label("same")
	ADDQ(I32(sizeVectorR), scratch)
	ADDQ(I8(8), tos)
	DECQ(n)
	JNE(LabelRef("loop"))
	VZEROUPPER()
	RET()
}
