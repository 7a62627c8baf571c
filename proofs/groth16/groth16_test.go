package groth16

import (
	"bytes"
	"context"
	"errors"
	"math/big"
	"math/bits"
	"slices"
	"strings"
	"testing"

	"github.com/consensys/gnark-crypto/ecc"
	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
)

// ones is a source of no randomness at all. Blinding factors of zero would leave
// sums out.
type ones struct{}

func (ones) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 1
	}
	return len(b), nil
}

func prove(t testing.TB, p Prover, k *ProvingKey, w Witness) Proof {
	t.Helper()
	proofs, err := p.Prove(t.Context(), k, w)
	check(t, err)
	return proofs[0]
}

func TestWhatIsProvenVerifiesAndNothingElse(t *testing.T) {
	for _, n := range []toy{1, 2, 7, 40} {
		k, vk := n.key(t)
		w := n.assign(3)
		in := slices.Clone(w.inputs[1:])
		proof := prove(t, Prover{}, k, w)
		if ok, err := vk.Verify(in, &proof); !ok || err != nil {
			t.Fatal(n, ok, err)
		}
		again := prove(t, Prover{}, k, n.assign(3))
		if again == proof {
			t.Error("two proofs of one assignment are equal: they are not blinded")
		}
		in[len(in)-1].SetUint64(1)
		if ok, err := vk.Verify(in, &proof); ok || err != nil {
			t.Error(n, ok, err)
		}
		for _, wrong := range [][]fr.Element{in[1:], append(in, fr.One())} {
			if _, err := vk.Verify(wrong, &proof); !errors.Is(err, ErrInputCount) {
				t.Error(err)
			}
		}
	}
}

func TestEqualBlindingMakesEqualProofs(t *testing.T) {
	n := toy(5)
	k, vk := n.key(t)
	p := Prover{Rand: ones{}}
	a, b := prove(t, p, k, n.assign(2)), prove(t, p, k, n.assign(2))
	if a != b {
		t.Error("they differ")
	}
	if ok, err := vk.Verify(n.assign(2).inputs[1:], &a); !ok || err != nil {
		t.Error(ok, err)
	}
}

func TestPiecesMakeTheSameProofAsTheWhole(t *testing.T) {
	n := toy(9)
	k, _ := n.key(t)
	for _, nonZK := range []bool{false, true} {
		want := prove(t, Prover{Rand: ones{}, NonZK: nonZK}, k, n.assign(2))
		for _, size := range []int{1, 2, 3, 7, 10, 11, 19, 1000} {
			p := Prover{Rand: ones{}, NonZK: nonZK, Chunk: size, Multiexp: &Portable{Piece: (1 + size/2) * g2Size}, FFT: &PortableFFT{Block: 4}, Workers: 3}
			if have := prove(t, p, k, n.assign(2)); have != want {
				t.Errorf("chunks of %d, without zero knowledge %t: another proof", size, nonZK)
			}
		}
	}
}

// A proof without zero knowledge is as valid. Its A is the witness's alone, the
// rest is blinded, and the key's side B in G1 is not looked at.
func TestAProofWithoutZeroKnowledgeDoesWithoutBInG1(t *testing.T) {
	n := toy(9)
	k, vk := n.key(t)
	k.B1 = bytes.Repeat([]byte{0xff}, len(k.B1)) // no points
	p := Prover{NonZK: true}
	a, b := prove(t, p, k, n.assign(2)), prove(t, p, k, n.assign(2))
	if ok, err := vk.Verify(n.assign(2).inputs[1:], &a); !ok || err != nil {
		t.Error(ok, err)
	}
	if a.A != b.A || a.B == b.B || a.C == b.C {
		t.Error("A is not the same in both proofs, or B or C is")
	}
	if _, err := new(Prover).Prove(t.Context(), k, n.assign(2)); err == nil {
		t.Error("a proof that hides its witness was made without B")
	}
}

func TestProofsMadeInOnePassAreThoseMadeAlone(t *testing.T) {
	n := toy(9)
	k, vk := n.key(t)
	ws := []Witness{n.assign(2), n.assign(30), n.assign(500)}
	var want []Proof
	for _, w := range ws {
		want = append(want, prove(t, Prover{Rand: ones{}}, k, w))
	}
	for name, p := range map[string]Prover{
		"at once":          {Rand: ones{}},
		"in small chunks":  {Rand: ones{}, Chunk: 5, Multiexp: &Portable{Piece: 3 * g1Size}},
		"with little room": {Rand: ones{}, Memory: new(Prover).need(ws[0].Layout(), share{2, new(Prover).chunk(1)})},
	} {
		have, err := p.Prove(t.Context(), k, ws...)
		check(t, err)
		if !slices.Equal(have, want) {
			t.Errorf("%s: other proofs", name)
		}
	}
	proofs, err := new(Prover).Prove(t.Context(), k, ws...)
	check(t, err)
	for j := range proofs {
		if ok, err := vk.Verify(ws[j].Inputs()[1:], &proofs[j]); !ok || err != nil {
			t.Error(j, ok, err)
		}
	}
	if proofs, err := new(Prover).Prove(t.Context(), k); len(proofs) != 0 || err != nil {
		t.Error("no witness: ", proofs, err)
	}
}

func TestTooLittleMemoryIsSaidBeforeWork(t *testing.T) {
	n := toy(9)
	k, _ := n.key(t)
	var tooLittle *MemoryError
	p := Prover{Memory: 1 << 20}
	if _, err := p.Prove(t.Context(), k, n.assign(2)); !errors.As(err, &tooLittle) || tooLittle.Have != 1<<20 || tooLittle.Need <= tooLittle.Have {
		t.Error(err)
	}
	if err := p.Fits(n.assign(2).Layout()); !errors.As(err, &tooLittle) {
		t.Error(err)
	}
}

func TestProgressRunsToItsEnd(t *testing.T) {
	n := toy(9)
	k, _ := n.key(t)
	var seen []Progress
	p := Prover{Chunk: 4, Progress: func(s Progress) { seen = append(seen, s) }}
	_, err := p.Prove(t.Context(), k, n.assign(2), n.assign(3))
	check(t, err)
	last := Progress{Phase: Transforms}
	for _, s := range seen {
		if s.Phase != last.Phase {
			if last.Done != last.Total || s.Done != 0 {
				t.Errorf("%+v follows %+v", s, last)
			}
		} else if s.Done < last.Done || s.Done > s.Total {
			t.Errorf("%+v follows %+v", s, last)
		}
		last = s
	}
	if last.Phase != Sums || last.Done != last.Total || last.Total == 0 {
		t.Errorf("ends with %+v", last)
	}
}

func TestABrokenConstraintIsNotProven(t *testing.T) {
	n := toy(5)
	k, _ := n.key(t)
	for row := range toyRows * int(n) {
		w := n.assign(1)
		w.rows.C[row].SetUint64(12345)
		if _, err := new(Prover).Prove(t.Context(), k, w); !errors.Is(err, ErrUnsatisfied) {
			t.Errorf("row %d: %v", row, err)
		}
	}
}

// failing is a witness whose third part cannot be made.
type failing struct {
	*toyWitness
	err error
}

func (f failing) Fill(i int, into Part) error {
	if i == 2 {
		return f.err
	}
	return f.toyWitness.Fill(i, into)
}

func TestAPartThatCannotBeMadeEndsTheProof(t *testing.T) {
	n := toy(5)
	k, _ := n.key(t)
	broken := errors.New("broken")
	if _, err := new(Prover).Prove(t.Context(), k, n.assign(1), failing{n.assign(1), broken}); !errors.Is(err, broken) || !strings.Contains(err.Error(), "proof 1") {
		t.Error(err)
	}
}

func TestAKeyForAnotherCircuitIsRefused(t *testing.T) {
	k, _ := toy(2).key(t)
	var wrong *WrongKeyError
	if _, err := new(Prover).Prove(t.Context(), k, toy(3).assign(1)); !errors.As(err, &wrong) {
		t.Error(err)
	}
}

func TestACancelledProofEnds(t *testing.T) {
	n := toy(2)
	k, _ := n.key(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := new(Prover).Prove(ctx, k, n.assign(1)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	p := Prover{Multiexp: &cancelling{cancel: cancel}}
	if _, err := p.Prove(ctx, k, n.assign(1)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// cancelling ends the proof in its first sum.
type cancelling struct {
	Portable
	cancel func()
}

func (c *cancelling) G1(ctx context.Context, sums []bls12381.G1Jac, terms ...Terms) error {
	c.cancel()
	return c.Portable.G1(ctx, sums, terms...)
}

func TestABatchHoldsIfAndOnlyIfEachProofDoes(t *testing.T) {
	n := toy(3)
	k, vk := n.key(t)
	var inputs [][]fr.Element
	var proofs []Proof
	for i := range 4 {
		w := n.assign(uint64(10 * i))
		inputs = append(inputs, slices.Clone(w.inputs[1:]))
		proofs = append(proofs, prove(t, Prover{}, k, w))
	}
	for size := 1; size <= 4; size++ {
		if ok, err := vk.VerifyBatch(inputs[:size], proofs[:size]); !ok || err != nil {
			t.Error(size, ok, err)
		}
	}
	for name, spoil := range map[string]func(){
		"two proofs exchanged":   func() { proofs[0], proofs[3] = proofs[3], proofs[0] },
		"one C of another proof": func() { proofs[1].C = proofs[2].C },
		"one input changed":      func() { inputs[2] = slices.Clone(inputs[2]); inputs[2][1].SetUint64(1) },
		"A and B of one negated": func() { proofs[1].A.Neg(&proofs[1].A) },
	} {
		ins, ps := slices.Clone(inputs), slices.Clone(proofs)
		spoil()
		if ok, err := vk.VerifyBatch(inputs, proofs); ok || err != nil {
			t.Error(name, ok, err)
		}
		inputs, proofs = ins, ps
	}
	if _, err := vk.VerifyBatch(inputs[1:], proofs); !errors.Is(err, ErrInputCount) {
		t.Error(err)
	}
	if _, err := vk.VerifyBatch(nil, nil); err == nil {
		t.Error("an empty batch was answered")
	}
	inputs[3] = inputs[3][1:]
	if _, err := vk.VerifyBatch(inputs, proofs); !errors.Is(err, ErrInputCount) {
		t.Error(err)
	}
}

func TestErrorsOfTwoProofsDoNotCancelOut(t *testing.T) {
	// C of one proof moved by D and of the other by -D: their plain sum stays.
	n := toy(3)
	k, vk := n.key(t)
	var inputs [][]fr.Element
	var proofs []Proof
	for i := range 2 {
		w := n.assign(uint64(10 * i))
		inputs = append(inputs, slices.Clone(w.inputs[1:]))
		proofs = append(proofs, prove(t, Prover{}, k, w))
	}
	_, _, d, _ := bls12381.Generators()
	proofs[0].C.Add(&proofs[0].C, &d)
	proofs[1].C.Sub(&proofs[1].C, &d)
	if ok, err := vk.VerifyBatch(inputs, proofs); ok || err != nil {
		t.Error(ok, err)
	}
}

func TestProofsHaveOneEncoding(t *testing.T) {
	n := toy(1)
	k, _ := n.key(t)
	proof := prove(t, Prover{}, k, n.assign(1))
	good := proof.Bytes()
	back, err := ParseProof(good[:])
	check(t, err)
	if back != proof {
		t.Error("decoded as another proof")
	}
	p := k.AlphaG1.RawBytes()
	for name, b := range map[string][]byte{
		"short":            good[1:],
		"long":             append(good[:], 0),
		"empty":            nil,
		"A uncompressed":   with(good, 0, good[0]&^0x80),
		"B uncompressed":   with(good, 48, good[48]&^0x80),
		"A infinite":       withAll(good, 0, append([]byte{0xc0}, make([]byte, 47)...)),
		"B infinite":       withAll(good, 48, append([]byte{0xc0}, make([]byte, 95)...)),
		"C infinite":       withAll(good, 144, append([]byte{0xc0}, make([]byte, 47)...)),
		"A uncompressed x": withAll(good, 0, p[:]),
		"A too big":        withAll(good, 0, append([]byte{0x9f}, bytes.Repeat([]byte{0xff}, 47)...)),
	} {
		if _, err := ParseProof(b); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func with(b [ProofSize]byte, i int, v byte) []byte {
	b[i] = v
	return b[:]
}

func withAll(b [ProofSize]byte, i int, v []byte) []byte {
	copy(b[i:], v)
	return b[:]
}

func TestPointsOutsideTheSubgroupAreRefused(t *testing.T) {
	// A point on the curve that no one asked to be in the subgroup.
	var p bls12381.G1Affine
	for i := byte(1); ; i++ {
		b := append([]byte{0x80}, make([]byte, 47)...)
		b[47] = i
		q, err := onCurve(b)
		if err == nil && !q.IsInSubGroup() {
			p = q
			break
		}
	}
	n := toy(1)
	k, _ := n.key(t)
	proof := prove(t, Prover{}, k, n.assign(1))
	proof.A = p
	b := proof.Bytes()
	if _, err := ParseProof(b[:]); err == nil {
		t.Error("a proof with such a point was taken")
	}
	vk, err := k.VerifyingKey()
	check(t, err)
	vk.IC[1] = p
	raw, err := vk.AppendBinary(nil)
	check(t, err)
	if _, err := ParseVerifyingKey(raw); !errors.Is(err, errSubgroup) {
		t.Error(err)
	}
	vk.IC[1] = bls12381.G1Affine{X: p.X, Y: p.X}
	raw, err = vk.AppendBinary(nil)
	check(t, err)
	if _, err := ParseVerifyingKey(raw); !errors.Is(err, errCurve) {
		t.Error(err)
	}
}

// onCurve decodes a compressed point without the check of the subgroup.
func onCurve(b []byte) (p bls12381.G1Affine, err error) {
	d := bls12381.NewDecoder(bytes.NewReader(b), bls12381.NoSubgroupChecks())
	return p, d.Decode(&p)
}

func TestKeysAreReadAsTheyWereWritten(t *testing.T) {
	n := toy(9)
	k, _ := n.key(t)
	var b bytes.Buffer
	size, err := k.WriteTo(&b)
	check(t, err)
	if want := LengthsOf(n).ParamsSize(); size != want || int64(b.Len()) != want {
		t.Errorf("%d bytes written, %d said, %d expected", b.Len(), size, want)
	}
	back, err := ParseProvingKey(b.Bytes())
	check(t, err)
	var again bytes.Buffer
	_, err = back.WriteTo(&again)
	check(t, err)
	if !bytes.Equal(again.Bytes(), b.Bytes()) || back.Lengths() != LengthsOf(n) {
		t.Error("the key changed")
	}
}

func TestDamagedKeysAreRefused(t *testing.T) {
	n := toy(9)
	k, _ := n.key(t)
	var buf bytes.Buffer
	_, err := k.WriteTo(&buf)
	check(t, err)
	good := buf.Bytes()
	for cut := 0; cut < len(good); cut += 1 + len(good)/97 {
		if _, err := ParseProvingKey(good[:cut]); err == nil {
			t.Errorf("cut off at %d of %d: taken", cut, len(good))
		}
	}
	if _, err := ParseProvingKey(append(slices.Clone(good), 0)); err == nil || !strings.Contains(err.Error(), "too many") {
		t.Error(err)
	}
	for _, at := range []int{0, 50, 97, 200, 400, 700, 863, 864, 867} {
		bad := slices.Clone(good)
		bad[at] ^= 1
		if _, err := ParseProvingKey(bad); err == nil {
			t.Errorf("bit flipped at %d: taken", at)
		}
	}
	// A point of a vector is looked at when it is used.
	bad, err := ParseProvingKey(slices.Clone(good))
	check(t, err)
	bad.H[0] |= 0x40
	if _, err := new(Prover).Prove(t.Context(), bad, n.assign(1)); !errors.Is(err, errCoordinate) {
		t.Error(err)
	}
}

func TestQuotientIsTheTextbooks(t *testing.T) {
	for _, m := range []int{2, 4, 8, 32} {
		a, b, c := make([]fr.Element, m), make([]fr.Element, m), make([]fr.Element, m)
		for i := range a {
			a[i].MustSetRandom()
			b[i].MustSetRandom()
			c[i].Mul(&a[i], &b[i])
		}
		// The last row is that of the input one.
		a[m-1], b[m-1], c[m-1] = fr.One(), fr.Element{}, fr.Element{}
		pa, pb, pc := interpolate(t, a), interpolate(t, b), interpolate(t, c)
		w := &toyWitness{inputs: a[m-1:], rows: Part{A: a[:m-1], B: b[:m-1], C: c[:m-1]}}
		h, free, err := new(Prover).start(nil, nil, nil, 0).quotient(t.Context(), onePart{w})
		check(t, err)
		defer free()
		// A(x) B(x) - C(x) = H(x) (x^m - 1) at a random x.
		var x, left, right, v fr.Element
		x.MustSetRandom()
		left = at(pa, x)
		v = at(pb, x)
		left.Mul(&left, &v)
		v = at(pc, x)
		left.Sub(&left, &v)
		one := fr.One()
		v.Exp(x, big.NewInt(int64(m))).Sub(&v, &one)
		right = at(h, x)
		right.Mul(&right, &v)
		if left != right {
			t.Errorf("size %d: they differ", m)
		}
	}
}

// onePart is a witness whose rows are of one part.
type onePart struct{ *toyWitness }

func (w onePart) Layout() Layout { return Layout{Parts: 1, Rows: len(w.rows.A), Inputs: 1} }

func TestBitsAreReversed(t *testing.T) {
	for k := range 15 {
		v := make([]fr.Element, 1<<k)
		for i := range v {
			v[i].SetUint64(uint64(i))
		}
		check(t, bitReverse(t.Context(), v, 3))
		for i := range v {
			if want := bits.Reverse64(uint64(i)) >> (64 - k); v[i].Uint64() != want {
				t.Fatalf("2^%d: element %d is %d, want %d", k, i, v[i].Uint64(), want)
			}
		}
	}
}

func TestABlockwiseTransformIsTheWholeOne(t *testing.T) {
	for _, n := range []int{1 << 4, 1 << 11, 1 << 13} {
		v := make([]fr.Element, n)
		for i := range v {
			v[i].MustSetRandom()
		}
		want, have := slices.Clone(v), slices.Clone(v)
		whole, blocks := &PortableFFT{Block: n}, &PortableFFT{Block: 4, Workers: 3}
		check(t, whole.Inverse(t.Context(), want, unscaled))
		check(t, blocks.Inverse(t.Context(), have, unscaled))
		if !slices.Equal(have, want) {
			t.Errorf("inverse of %d: they differ", n)
		}
		check(t, whole.Forward(t.Context(), want))
		check(t, blocks.Forward(t.Context(), have))
		if !slices.Equal(have, want) || !slices.Equal(have, v) {
			t.Errorf("forward of %d: they differ", n)
		}
	}
}

// interpolate is the slow inverse transform.
func interpolate(t *testing.T, values []fr.Element) []fr.Element {
	m := uint64(len(values))
	w, err := fr.Generator(m)
	check(t, err)
	w.Inverse(&w)
	inv := fr.NewElement(m)
	inv.Inverse(&inv)
	out := make([]fr.Element, m)
	x := fr.One()
	for i := range out {
		out[i] = at(values, x)
		out[i].Mul(&out[i], &inv)
		x.Mul(&x, &w)
	}
	return out
}

func at(p []fr.Element, x fr.Element) (y fr.Element) {
	for _, c := range slices.Backward(p) {
		y.Mul(&y, &x).Add(&y, &c)
	}
	return y
}

func TestSumsAreGnarkCryptos(t *testing.T) {
	g := newGenerators()
	const n = 300
	raw1, raw2 := make([]byte, n*g1Size), make([]byte, n*g2Size)
	scalars := make([]fr.Element, n)
	points1, points2 := make([]bls12381.G1Affine, n), make([]bls12381.G2Affine, n)
	for i := range n {
		var x fr.Element
		x.MustSetRandom()
		scalars[i].MustSetRandom()
		points1[i], points2[i] = g.g1.times(&x), g.g2.times(&x)
		g.encodeG1(raw1[i*g1Size:], &x)
		g.encodeG2(raw2[i*g2Size:], &x)
		if i == 0 {
			var slow bls12381.G1Affine
			if slow.ScalarMultiplicationBase(x.BigInt(new(big.Int))); slow != points1[0] {
				t.Fatal("fixed-base multiplication is wrong")
			}
		}
	}
	var want1 bls12381.G1Jac
	var want2 bls12381.G2Jac
	_, err := want1.MultiExp(points1, scalars, ecc.MultiExpConfig{})
	check(t, err)
	_, err = want2.MultiExp(points2, scalars, ecc.MultiExpConfig{})
	check(t, err)
	// In terms and pieces of all sizes, on top of what the sums are already.
	for _, cut := range []int{0, 1, 150, n} {
		for _, piece := range []int{0, 7 * g2Size, g1Size} {
			m := Portable{Workers: 3, Piece: piece}
			terms := func(raw []byte, size int) []Terms {
				return []Terms{
					{Points: raw[:cut*size], Scalars: [][]fr.Element{scalars[:cut], scalars[:cut]}},
					{Points: raw[cut*size:], Scalars: [][]fr.Element{scalars[cut:], scalars[cut:]}},
				}
			}
			have1, have2 := make([]bls12381.G1Jac, 2), make([]bls12381.G2Jac, 2)
			have1[1].FromAffine(&points1[0])
			check(t, m.G1(t.Context(), have1, terms(raw1, g1Size)...))
			check(t, m.G2(t.Context(), have2, terms(raw2, g2Size)...))
			have1[1].SubAssign(new(bls12381.G1Jac).FromAffine(&points1[0]))
			for j := range have1 {
				if !have1[j].Equal(&want1) || !have2[j].Equal(&want2) {
					t.Errorf("cut at %d, pieces of %d bytes, proof %d: they differ", cut, piece, j)
				}
			}
		}
	}
}

func TestASumThatCannotBeInterruptedIsLeftBehind(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	freed := make(chan struct{})
	m := &Portable{scalars: buffer{elements: make([]fr.Element, 1), free: func() { close(freed) }}}
	ended := make(chan struct{})
	go cancel()
	err := m.abandonable(ctx, func() error {
		defer close(ended)
		<-t.Context().Done() // until the test is over
		return nil
	})
	if !errors.Is(err, context.Canceled) || m.scalars.elements != nil {
		t.Error(err, m.scalars.elements)
	}
	select {
	case <-freed:
		t.Error("its buffers are gone before it has ended")
	default:
	}
	t.Cleanup(func() {
		<-ended
		<-freed
	})
}

func TestPatternsGatherTheirMembers(t *testing.T) {
	p := Pattern{Period: 5, Repeats: 4, Members: []uint32{0, 2, 3}}
	values := make([]fr.Element, p.Period*p.Repeats)
	var want []fr.Element
	for i := range values {
		values[i].SetUint64(uint64(i))
		if slices.Contains(p.Members, uint32(i%p.Period)) {
			want = append(want, values[i])
		}
	}
	for parts := range p.Repeats + 1 {
		dst := make([]fr.Element, parts*len(p.Members))
		if p.gather(dst, values); !slices.Equal(dst, want[:len(dst)]) {
			t.Fatalf("%d parts: %v", parts, dst)
		}
	}
}
