package ifma

import (
	"context"
	"errors"
	"math/big"
	"math/bits"
	"runtime"
	"unsafe"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
)

// Scale is what the outcome of a transform is multiplied by: value i by Factor*Base^i.
type Scale struct{ Factor, Base fr.Element }

// FFT transforms vectors of 2^k values of the scalar field in place, where k is at least
// SmallestFFT. Beside the vector it needs a megabyte for each worker.
//
// A vector of R*C values is a matrix of R rows. A transform is one of each column,
// a multiplication, and one of each row, which is cut in two again where it is
// long (Bailey, "FFTs in external or hierarchical memory", 1990). So a vector is read and
// written twice or three times, whatever its length. With w a root of unity of
// order R*C, value r*C+c and coefficient k+R*l:
//
//	sum over c of w^(R c l) * w^(c k) * sum over r of w^(C r k) * value(r*C+c)
//
// The forward transform does the same from the other end.
type FFT struct {
	Workers int // goroutines that compute; 0 means GOMAXPROCS
	longest int // logarithm of the most values in a scratch; 0 means longest
}

// SmallestFFT is the logarithm of the length of the shortest vector: eight rows of eight.
const SmallestFFT = 6

// longest is the logarithm of the most values that are transformed in a scratch, which fits
// the second cache.
const longest = 11

// levelsOf cuts the k levels of a transform into those of rows and columns.
func levelsOf(k, longest int) (parts []int) {
	n := max(2, (k+longest-1)/longest)
	for ; n > 0; n-- {
		part := (k + n - 1) / n
		parts = append(parts, part)
		k -= part
	}
	return parts
}

// Inverse turns values in natural order into coefficients in bit-reversed order, and
// multiplies coefficient i by scale.Factor*scale.Base^i. When ctx ends it returns ctx's
// error within a tenth of a second, and the vector is in any state.
func (f *FFT) Inverse(ctx context.Context, v []fr.Element, scale Scale) error {
	t, err := f.start(v, true)
	if err != nil {
		return err
	}
	defer t.memory.close()
	n := fr.NewElement(uint64(len(v)))
	n.Inverse(&n)
	scale.Factor.Mul(&scale.Factor, &n)
	return t.inverse(ctx, v, scale)
}

// Forward turns coefficients in bit-reversed order into values in natural order.
func (f *FFT) Forward(ctx context.Context, v []fr.Element) error {
	t, err := f.start(v, false)
	if err != nil {
		return err
	}
	defer t.memory.close()
	return t.forward(ctx, v)
}

// transform is one in progress.
type transform struct {
	memory  room
	depths  []depth
	workers []transformer
}

// depth is how rows of a length are cut: into so many rows again, and columns.
type depth struct {
	rows, columns int
	root          fr.Element // of order rows*columns
	byRows        strip      // transforms of length rows, a column each
	byColumns     strip      // of length columns, a row each; at the last depth only
}

// strip is a transform of some length in a scratch, from values a stride apart.
type strip struct {
	length            int
	roots             []uint64
	natural, reversed []int // bytes from the first value
	toNatural, toRev  []int // bytes in the scratch
}

func (f *FFT) start(v []fr.Element, inverse bool) (*transform, error) {
	k := bits.TrailingZeros(uint(len(v)))
	if !Supported() || len(v) != 1<<k || k < SmallestFFT {
		return nil, errors.New("no vector for these kernels")
	}
	t := new(transform)
	workers := f.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	t.workers = make([]transformer, workers)
	most := longest
	if f.longest > 0 {
		most = f.longest
	}
	parts := levelsOf(k, most)
	for i := range len(parts) - 1 {
		root, err := fr.Generator(1 << k)
		if err != nil {
			return nil, err
		}
		if inverse {
			root.Inverse(&root)
		}
		d := depth{rows: 1 << parts[i], columns: 1 << (k - parts[i]), root: root}
		d.byRows = newStrip(d.rows, d.columns*fr.Bytes, power(root, d.columns))
		if i == len(parts)-2 {
			d.byColumns = newStrip(d.columns, fr.Bytes, power(root, d.rows))
		}
		t.depths = append(t.depths, d)
		k -= parts[i]
	}
	scratch := 0
	for _, d := range t.depths {
		scratch = max(scratch, d.byRows.length*sizeVectorR, d.byColumns.length*sizeVectorR)
	}
	size := align(sizeWorkspaceR) + align(scratch)
	if err := t.memory.reserve(workers * size); err != nil {
		return nil, err
	}
	for i := range t.workers {
		t.workers[i] = transformer{take[byte](&t.memory, sizeWorkspaceR), take[byte](&t.memory, scratch)}
		t.workers[i].fill()
	}
	return t, nil
}

func power(base fr.Element, n int) (e fr.Element) {
	return *e.Exp(base, big.NewInt(int64(n)))
}

func newStrip(length, stride int, root fr.Element) strip {
	s := strip{length: length}
	at := fr.One()
	for range length / 2 {
		limbs := factorLimbs(&at)
		s.roots = append(s.roots, limbs[:]...)
		at.Mul(&at, &root)
	}
	shift := bits.UintSize - bits.TrailingZeros(uint(length))
	for j := range length {
		rev := int(bits.Reverse(uint(j)) >> shift)
		s.natural, s.reversed = append(s.natural, j*stride), append(s.reversed, rev*stride)
		s.toNatural, s.toRev = append(s.toNatural, j*sizeVectorR), append(s.toRev, rev*sizeVectorR)
	}
	return s
}

// factorLimbs is an element in the form of roots and factors: Montgomery's with 2^260.
func factorLimbs(e *fr.Element) (limbs [5]uint64) {
	x := *e
	x.Double(&x).Double(&x).Double(&x).Double(&x)
	for j := range limbs {
		bit := limbBits * j
		i, shift := bit/64, bit%64
		limbs[j] = x[i] >> shift
		if i+1 < len(x) && shift > 0 {
			limbs[j] |= x[i+1] << (64 - shift)
		}
		limbs[j] &= limbMask
	}
	return limbs
}

// transformer is a worker's memory.
type transformer struct {
	workspace
	scratch []byte
}

func (t *transformer) fill() {
	r := fr.Modulus()
	for offset, n := range map[int]*big.Int{offOrderR: r, offOrder2R: new(big.Int).Lsh(r, 1)} {
		copy(t.constant(offset, 5), limbsOfInt(n))
	}
	one := new(big.Int).Lsh(big.NewInt(1), limbBits)
	inv := new(big.Int).ModInverse(r, one)
	t.constant(offInvR, 1)[0] = inv.Sub(one, inv).Uint64()
	t.constant(offMaskR, 1)[0] = limbMask
	copy(t.constant(offOut, 16), []uint64{0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15})
}

// eight are a number for each lane.
type eight [8]fr.Element

func (t *transformer) set(offset int, e *eight) {
	v := t.constant(offset, 5*8)
	for lane := range e {
		limbs := factorLimbs(&e[lane])
		for j, limb := range limbs {
			v[8*j+lane] = limb
		}
	}
}

// strips transforms eight strips that begin a stride apart. Value i of strip k is
// multiplied by factors[k]*steps[k]^i at the end; without steps by factors[k].
func (t *transformer) strips(s *strip, v *fr.Element, stride int, froms, tosScratch, tos []int, factors, steps *eight) {
	t.set(offFactor, factors)
	if steps != nil {
		t.set(offStep, steps)
	}
	w, scratch := &t.workspace[0], &t.scratch[0]
	loadFr(w, scratch, at(v), stride, &froms[0], &tosScratch[0], s.length)
	t.levels(s)
	storeFr(w, scratch, at(v), stride, &tos[0], s.length, steps != nil)
}

// firstCache is as many vectors as fit the first cache.
const firstCache = 1 << 6

// levels transforms the scratch, where values lie in bit-reversed order.
func (t *transformer) levels(s *strip) {
	block := min(s.length, firstCache)
	for i := 0; i < s.length; i += block {
		firstLevelFr(&t.workspace[0], &t.scratch[i*sizeVectorR], block/2)
		for half := 2; half < block; half *= 2 {
			t.level(s, i, half, block/2/half)
		}
	}
	for half := block; half < s.length; half *= 2 {
		t.level(s, 0, half, s.length/2/half)
	}
}

func (t *transformer) level(s *strip, from, half, blocks int) {
	levelFr(&t.workspace[0], &t.scratch[from*sizeVectorR], (*byte)(unsafe.Pointer(&s.roots[0])), half, blocks, s.length/2/half*sizeRoot)
}

// inverse transforms columns, and then rows.
func (t *transform) inverse(ctx context.Context, v []fr.Element, scale Scale) error {
	d := &t.depths[0]
	err := each(ctx, len(t.workers), d.columns/8, func(w, i int) error {
		t.workers[w].inverseColumns(d, v, 8*i)
		return nil
	})
	if err != nil {
		return err
	}
	last := len(t.depths) == 1
	g := newPowersOf(scale.Base, d.rows)
	if last {
		return each(ctx, len(t.workers), d.rows/8, func(w, i int) error {
			t.workers[w].inverseRows(d, v, 8*i, scale.Factor, g)
			return nil
		})
	}
	return each(ctx, len(t.workers), d.rows, func(w, i int) error {
		t.workers[w].inverseRow(t.depths[1:], v[i*d.columns:(i+1)*d.columns], g.scale(scale.Factor, i))
		return nil
	})
}

// inverseRow is inverse, by one worker.
func (t *transformer) inverseRow(depths []depth, v []fr.Element, scale Scale) {
	d := &depths[0]
	for c := 0; c < d.columns; c += 8 {
		t.inverseColumns(d, v, c)
	}
	g := newPowersOf(scale.Base, d.rows)
	for i := 0; i < d.rows; i++ {
		if len(depths) == 1 {
			t.inverseRows(d, v, i, scale.Factor, g)
			i += 7
			continue
		}
		t.inverseRow(depths[1:], v[i*d.columns:(i+1)*d.columns], g.scale(scale.Factor, i))
	}
}

func (t *transformer) inverseColumns(d *depth, v []fr.Element, c int) {
	var factors, steps eight
	at := power(d.root, c)
	for lane := range steps {
		factors[lane].SetOne()
		steps[lane] = at
		at.Mul(&at, &d.root)
	}
	s := &d.byRows
	t.strips(s, &v[c], fr.Bytes, s.natural, s.toRev, s.reversed, &factors, &steps)
}

func (t *transformer) inverseRows(d *depth, v []fr.Element, row int, factor fr.Element, g powersOf) {
	var factors, steps eight
	var running *eight
	for lane := range steps {
		scale := g.scale(factor, row+lane)
		factors[lane], steps[lane] = scale.Factor, scale.Base
	}
	if !steps[0].IsOne() {
		running = &steps
	}
	s := &d.byColumns
	t.strips(s, &v[row*d.columns], d.columns*fr.Bytes, s.natural, s.toRev, s.reversed, &factors, running)
}

// powersOf are a number's powers with the reversed numbers of rows as exponents.
type powersOf struct {
	powers []fr.Element
	step   fr.Element // the power with the number of rows
}

func newPowersOf(base fr.Element, rows int) powersOf {
	p := powersOf{powers: make([]fr.Element, rows)}
	shift := bits.UintSize - bits.TrailingZeros(uint(rows))
	p.step.SetOne()
	for i := range rows {
		p.powers[bits.Reverse(uint(i))>>shift] = p.step
		p.step.Mul(&p.step, &base)
	}
	return p
}

// scale is that of a row.
func (p *powersOf) scale(factor fr.Element, row int) Scale {
	factor.Mul(&factor, &p.powers[row])
	return Scale{Factor: factor, Base: p.step}
}

// forward transforms rows, and then columns.
func (t *transform) forward(ctx context.Context, v []fr.Element) error {
	d := &t.depths[0]
	g := newPowersOf(d.root, d.rows)
	var err error
	if len(t.depths) == 1 {
		err = each(ctx, len(t.workers), d.rows/8, func(w, i int) error {
			t.workers[w].forwardRows(d, v, 8*i, g)
			return nil
		})
	} else {
		err = each(ctx, len(t.workers), d.rows, func(w, i int) error {
			t.workers[w].forwardRow(t.depths[1:], v[i*d.columns:(i+1)*d.columns], g.powers[i])
			return nil
		})
	}
	if err != nil {
		return err
	}
	return each(ctx, len(t.workers), d.columns/8, func(w, i int) error {
		t.workers[w].forwardColumns(d, v, 8*i, fr.One())
		return nil
	})
}

// forwardRow is forward, by one worker; value i is multiplied by base^i.
func (t *transformer) forwardRow(depths []depth, v []fr.Element, base fr.Element) {
	d := &depths[0]
	g := newPowersOf(d.root, d.rows)
	for i := 0; i < d.rows; i++ {
		if len(depths) == 1 {
			t.forwardRows(d, v, i, g)
			i += 7
			continue
		}
		t.forwardRow(depths[1:], v[i*d.columns:(i+1)*d.columns], g.powers[i])
	}
	for c := 0; c < d.columns; c += 8 {
		t.forwardColumns(d, v, c, base)
	}
}

func (t *transformer) forwardRows(d *depth, v []fr.Element, row int, g powersOf) {
	var factors, steps eight
	for lane := range steps {
		factors[lane].SetOne()
		steps[lane] = g.powers[row+lane]
	}
	s := &d.byColumns
	t.strips(s, &v[row*d.columns], d.columns*fr.Bytes, s.natural, s.toNatural, s.natural, &factors, &steps)
}

func (t *transformer) forwardColumns(d *depth, v []fr.Element, c int, base fr.Element) {
	var factors, steps eight
	var running *eight
	at := power(base, c)
	step := power(base, d.columns)
	for lane := range steps {
		factors[lane], steps[lane] = at, step
		at.Mul(&at, &base)
	}
	if !step.IsOne() {
		running = &steps
	}
	s := &d.byRows
	t.strips(s, &v[c], fr.Bytes, s.natural, s.toNatural, s.natural, &factors, running)
}
