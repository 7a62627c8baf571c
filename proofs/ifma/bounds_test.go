package ifma

import (
	"testing"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fp"
)

// stretched adds the modulus to rows that stay below 1.001 times it, which is as large
// as kernels ever leave them, and says to how many.
func stretched(rows []row) (n int) {
	p := row(limbsOfInt(fp.Modulus()))
	for i := range rows {
		if rows[i][7] >= p[7]/1024 {
			continue
		}
		carry := uint64(0)
		for j := range rows[i] {
			carry += rows[i][j] + p[j]
			rows[i][j] = carry & limbMask
			carry >>= limbBits
		}
		n++
	}
	return n
}

// addPairs adds points 2i and 2i+1 of a curve, with all signs, as the kernels have
// them after put has written their rows.
func addPairs(t *testing.T, c *curve, n int, put func(i int, to []row), check func(i int, negative [2]bool, sum []row, flipped bool)) {
	t.Helper()
	var s Sums
	defer s.Close()
	s.Workers = 1
	r, err := s.newRun(c, n, 1)
	if err != nil {
		t.Fatal(err)
	}
	a, large := &r.adders[0], 0
	for i := range n {
		rows := a.point(r.slot(0) + uint32(i))
		put(i, rows)
		large += stretched(rows)
	}
	if large == 0 {
		t.Error("no row is at its bound")
	}
	refs, lengths := r.lists[0].refs[:0], r.lists[0].lengths[:0]
	signs := func(i int) [2]bool { return [2]bool{i&2 != 0, i&4 != 0} }
	for i := 0; i < n; i += 2 {
		negative := signs(i)
		for k := range 2 {
			ref := (r.slot(0) + uint32(i+k)) << 1
			if negative[k] {
				ref |= 1
			}
			refs = append(refs, ref)
		}
		lengths = append(lengths, 2)
	}
	l := lists{refs, lengths}
	a.sum(&l, r.results[0])
	for k, ref := range l.refs {
		rows := a.point(ref >> 1)
		p := limbsOfInt(fp.Modulus())
		for _, row := range rows {
			if row[7] > p[7]+p[7]/999 {
				t.Errorf("sum %d: a row has top limb %x, above 1.001 p", k, row[7])
			}
		}
		check(2*k, signs(2*k), rows, ref&1 == 1)
	}
}

func TestAdditionsKeepTheirBounds(t *testing.T) {
	needKernels(t)
	const n = 1 << 12
	p := walkG1(2 * n)
	addPairs(t, &g1, n, func(i int, to []row) { putG1(to, &p[i*i%len(p)]) }, func(i int, negative [2]bool, sum []row, flipped bool) {
		a, b := p[i*i%len(p)], p[(i+1)*(i+1)%len(p)]
		if negative[0] {
			a.Neg(&a)
		}
		if negative[1] {
			b.Neg(&b)
		}
		a.Add(&a, &b)
		if pointG1(sum, flipped) != a {
			t.Errorf("pair %d in G1: another sum", i)
		}
	})
	q := walkG2(2 * n)
	addPairs(t, &g2, n, func(i int, to []row) { putG2(to, &q[i*i%len(q)]) }, func(i int, negative [2]bool, sum []row, flipped bool) {
		a, b := q[i*i%len(q)], q[(i+1)*(i+1)%len(q)]
		if negative[0] {
			a.Neg(&a)
		}
		if negative[1] {
			b.Neg(&b)
		}
		a.Add(&a, &b)
		if pointG2(sum, flipped) != a {
			t.Errorf("pair %d in G2: another sum", i)
		}
	})
}
