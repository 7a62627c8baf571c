package circuit

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/proofs/poseidon"
)

// eights are n levels of arity 8 followed by the given ones.
func eights(n int, above ...int) []int {
	return append(slices.Repeat([]int{8}, n), above...)
}

func mustNew(t testing.TB, s Shape) *Circuit {
	t.Helper()
	c, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCountsAreThoseOfFilecoinProofs(t *testing.T) {
	// Constraints and file sizes: proofs.md section 5 (rust-fil-proofs,
	// storage-proofs-post/tests/fallback_circuit.rs and
	// filecoin-proofs/src/constants.rs; bellperson's keys).
	for _, tc := range []struct {
		name        string
		shape       Shape
		constraints int
		inputs, aux int // aux 0: not known
		a, b        int // points of the key, 0: not known
		params, vk  int64
	}{
		{"window 2 KiB", Shape{2, 10, eights(2)}, 21_866, 23, 22_128, 16_793, 16_029, 11_501_496, 3_076},
		{"window 8 MiB", Shape{2, 10, eights(6)}, 64_266, 23, 65_088, 49_353, 47_149, 30_859_704, 3_076},
		{"window 512 MiB", Shape{2, 10, eights(8)}, 85_466, 23, 86_568, 65_633, 62_709, 45_257_400, 3_076},
		{"window 32 GiB", Shape{2349, 10, eights(9, 8)}, 125_279_217, 25_840, 126_902_376, 96_205_645, 91_925_767, 60_780_374_232, 2_481_508},
		{"window 64 GiB", Shape{2300, 10, eights(9, 8, 2)}, 129_887_900, 25_301, 131_500_200, 99_649_801, 95_413_201, 62_556_733_560, 2_429_764},
		{"window 16 KiB", Shape{2, 10, eights(2, 8)}, 32_466, 23, 0, 0, 0, 15_554_616, 3_076},
		{"window 32 KiB", Shape{2, 10, eights(2, 8, 2)}, 38_746, 23, 0, 0, 0, 21_113_784, 3_076},
		{"winning 2 KiB", Shape{66, 1, eights(2)}, 90_750, 133, 91_674, 69_433, 66_793, 47_299_128, 13_636},
		{"winning 8 MiB", Shape{66, 1, eights(6)}, 230_670, 133, 0, 0, 0, 113_383_224, 13_636},
		{"winning 512 MiB", Shape{66, 1, eights(8)}, 300_630, 133, 0, 0, 0, 165_299_640, 13_636},
		{"winning 32 GiB", Shape{66, 1, eights(9, 8)}, 370_590, 133, 0, 0, 0, 192_050_232, 13_636},
		{"winning 64 GiB", Shape{66, 1, eights(9, 8, 2)}, 391_314, 133, 0, 0, 0, 200_014_584, 13_636},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := mustNew(t, tc.shape)
			l := c.Lengths()
			eq(t, "constraints", c.Constraints(), tc.constraints)
			eq(t, "inputs", c.Inputs(), tc.inputs)
			eq(t, "rows", c.Rows(), tc.constraints+tc.inputs)
			eq(t, "bytes of .params", l.ParamsSize(), tc.params)
			eq(t, "bytes of .vk", l.VKSize(), tc.vk)
			if tc.aux != 0 {
				eq(t, "auxiliary wires", c.Aux(), tc.aux)
				eq(t, "points A", l.A, tc.a)
				eq(t, "points B", l.B, tc.b)
			}
		})
	}
}

func TestTheCircuitIsTheOneThatKeysExistFor(t *testing.T) {
	// Digests of all rows in order, taken when proofs made with keys of
	// filecoin-proofs for 8-0-0, 8-8-0 and 8-8-2 trees verified. Another
	// digest means that every existing key has become useless.
	for _, tc := range []struct {
		shape Shape
		want  string
	}{
		{Shape{2, 2, eights(2)}, "7d9ccc7974f9e68ebb6023ef08de0315b9140d654a2d93a8ed81b9459afa3b40"},
		{Shape{1, 2, eights(2, 8, 2)}, "55c82d0aee0261ddb90045b8b35cb5fec86fcdc880743687024510596833fb37"},
	} {
		h := sha256.New()
		mustNew(t, tc.shape).Each(func(a, b, c lc) {
			for _, side := range []lc{a, b, c} {
				fmt.Fprintln(h, len(side))
				for _, term := range side {
					fmt.Fprintln(h, term.Var.IsAux(), term.Var.Index(), term.Coeff.Bytes())
				}
			}
		})
		eq(t, fmt.Sprintf("digest of %+v", tc.shape), fmt.Sprintf("%x", h.Sum(nil)), tc.want)
	}
}

func TestCountsOfTheShapesInFilecoinProofsOwnTests(t *testing.T) {
	// rust-fil-proofs, storage-proofs-post/tests/fallback_circuit.rs: trees
	// of 64 base leaves under 4 sub and 2 top trees, and 5 sectors of 32 GiB
	// without their sub tree level.
	for _, tc := range []struct {
		name        string
		shape       Shape
		constraints int
		inputs      int
	}{
		{"sub 8-4", Shape{3, 5, eights(2, 4)}, 22_674, 19},
		{"top 8-4-2", Shape{3, 5, eights(2, 4, 2)}, 27_384, 19},
		{"base 8", Shape{3, 5, eights(2)}, 16_869, 19},
		{"the bench's five sectors", Shape{5, 10, eights(10)}, 266_665, 56},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := mustNew(t, tc.shape)
			eq(t, "constraints", c.Constraints(), tc.constraints)
			eq(t, "inputs", c.Inputs(), tc.inputs)
		})
	}
}

func TestDensitiesOfA32GiBSector(t *testing.T) {
	c := mustNew(t, Shape{1, 10, eights(9, 8)})
	nonzero, longest := 0, 0
	c.symbols(func(a, b, c lc) {
		nonzero += len(a) + len(b) + len(c)
		longest = max(longest, len(a), len(b), len(c))
	})
	eq(t, "auxiliary wires on side A", len(c.part.aDense), 40_945)
	eq(t, "auxiliary wires on side B", len(c.part.bDense), 39_134)
	eq(t, "nonzero coefficients", nonzero, 488_374)
	eq(t, "longest sum", longest, 66)
}

func TestPoseidonCosts(t *testing.T) {
	for arity, want := range map[int]int{2: 311, 4: 377, 8: 505, 16: 761} {
		rows := 0
		s := &symbols{inputs: 1, emit: func(_, _, _ lc) { rows++ }, hashes: map[int]*poseidon.Constants{arity: poseidon.For(arity)}}
		in := make([]variable, arity)
		for i := range in {
			in[i] = s.newAux()
		}
		s.hash(in...)
		eq(t, fmt.Sprint("constraints of arity ", arity), rows, want)
		eq(t, fmt.Sprint("wires of arity ", arity), s.aux-arity, want)
	}
}

// small is a shape with every arity, cheap enough for many walks.
var small = Shape{Sectors: 3, Challenges: 2, Arities: []int{8, 4, 2}}

func TestRowsComputedDirectlyAreThoseOfTheSymbols(t *testing.T) {
	for name, shape := range map[string]Shape{
		"every arity":  small,
		"window 2 KiB": {2, 10, eights(2)},
		"8-8-2":        {2, 2, eights(2, 8, 2)},
	} {
		t.Run(name, func(t *testing.T) {
			c := mustNew(t, shape)
			sectors := randomSectors(t, shape, shape.Sectors-1)
			w := assign(t, c, sectors)
			compareRows(t, c, w)
			eq(t, "copied sector's inputs", w.Inputs[len(w.Inputs)-1], w.Inputs[len(w.Inputs)-1-c.part.inputs])
			want, err := shape.PublicInputs(statements(sectors))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(w.Inputs[1:], want) {
				t.Error("prover's and verifier's public inputs differ")
			}
		})
	}
}

func compareRows(t *testing.T, c *Circuit, w *whole) {
	t.Helper()
	row := 0
	c.Each(func(la, lb, lc lc) {
		a, b, d := la.Eval(w.Inputs, w.Aux), lb.Eval(w.Inputs, w.Aux), lc.Eval(w.Inputs, w.Aux)
		if a != w.A[row] || b != w.B[row] || d != w.C[row] {
			t.Fatalf("row %d: direct %v * %v = %v, symbols %v * %v = %v", row, w.A[row], w.B[row], w.C[row], a, b, d)
		}
		if *new(fr.Element).Mul(&a, &b) != d {
			t.Fatalf("row %d is not satisfied", row)
		}
		row++
	})
	eq(t, "rows", row, len(w.A))
}

func satisfied(c *Circuit, inputs, aux []fr.Element) bool {
	ok := true
	c.Each(func(la, lb, lc lc) {
		a, b, d := la.Eval(inputs, aux), lb.Eval(inputs, aux), lc.Eval(inputs, aux)
		ok = ok && a.Mul(&a, &b).Equal(&d)
	})
	return ok
}

func TestEveryWireMatters(t *testing.T) {
	shape := Shape{Sectors: 1, Challenges: 1, Arities: []int{8, 2}}
	c := mustNew(t, shape)
	w := assign(t, c, randomSectors(t, shape, 1))
	if !satisfied(c, w.Inputs, w.Aux) {
		t.Fatal("not satisfied unchanged")
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	change := func(name string, x *fr.Element) {
		old, delta := *x, fr.NewElement(1+rng.Uint64N(1<<60))
		if x.Add(x, &delta); satisfied(c, w.Inputs, w.Aux) {
			t.Errorf("%s: a changed value satisfies the circuit", name)
		}
		*x = old
	}
	for range 100 {
		i := rng.IntN(len(w.Aux))
		change(fmt.Sprint("wire ", i), &w.Aux[i])
	}
	for i := 1; i < len(w.Inputs); i++ {
		change(fmt.Sprint("input ", i), &w.Inputs[i])
	}
}

func TestASectorThatCannotBeProvenIsNamed(t *testing.T) {
	c := mustNew(t, small)
	var one fr.Element
	one.SetOne()
	for name, spoil := range map[string]func(s *Sector){
		"comm_r":      func(s *Sector) { s.CommR.Add(&s.CommR, &one) },
		"comm_c":      func(s *Sector) { s.CommC.Add(&s.CommC, &one) },
		"comm_r_last": func(s *Sector) { s.CommRLast.Add(&s.CommRLast, &one) },
		"leaf":        func(s *Sector) { l := &s.Challenges[1].Leaf; l.Add(l, &one) },
		"sibling":     func(s *Sector) { l := &s.Challenges[1].Path[1].Siblings[2]; l.Add(l, &one) },
		"index":       func(s *Sector) { s.Challenges[0].Path[0].Index ^= 4 },
	} {
		sectors := randomSectors(t, small, 2)
		spoil(&sectors[1])
		_, err := fillAll(c, statements(sectors), from(sectors))
		if !errors.Is(err, groth16.ErrUnsatisfied) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, spoil := range map[string]func(s *Sector){
		"a challenge too few": func(s *Sector) { s.Challenges = s.Challenges[1:] },
		"a level too few":     func(s *Sector) { s.Challenges[0].Path = s.Challenges[0].Path[1:] },
		"a sibling too few":   func(s *Sector) { l := &s.Challenges[0].Path[0]; l.Siblings = l.Siblings[1:] },
		"index too big":       func(s *Sector) { s.Challenges[0].Path[0].Index = 8 },
	} {
		sectors := randomSectors(t, small, 2)
		spoil(&sectors[0])
		says := statements(randomSectors(t, small, 2))
		if _, err := fillAll(c, says, from(sectors)); err == nil || errors.Is(err, groth16.ErrUnsatisfied) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestASectorThatIsNotTheStatedOneIsRefused(t *testing.T) {
	c := mustNew(t, small)
	sectors, others := randomSectors(t, small, 2), randomSectors(t, small, 2)
	if _, err := fillAll(c, statements(others), from(sectors)); !errors.Is(err, groth16.ErrUnsatisfied) {
		t.Error(err)
	}
}

func TestWhatIsNotWantedDoesNotChangeTheRest(t *testing.T) {
	c := mustNew(t, small)
	sectors := randomSectors(t, small, 1)
	w, err := c.Witness(statements(sectors), from(sectors))
	if err != nil {
		t.Fatal(err)
	}
	all := assign(t, c, sectors)
	rows, aux := w.Layout().Rows, w.Layout().Aux
	for name, want := range map[string]struct {
		into groth16.Part
		all  []fr.Element
	}{
		"A":     {groth16.Part{A: make([]fr.Element, rows)}, all.A},
		"B":     {groth16.Part{B: make([]fr.Element, rows)}, all.B},
		"C":     {groth16.Part{C: make([]fr.Element, rows)}, all.C},
		"wires": {groth16.Part{Aux: make([]fr.Element, aux)}, all.Aux},
	} {
		if err := w.Fill(0, want.into); err != nil {
			t.Fatal(err)
		}
		for _, v := range [][]fr.Element{want.into.A, want.into.B, want.into.C, want.into.Aux} {
			if v != nil && !slices.Equal(v, want.all[:len(v)]) {
				t.Errorf("%s alone differs from %s with the others", name, name)
			}
		}
	}
}

func TestImpossibleShapesAreRefused(t *testing.T) {
	for _, s := range []Shape{{0, 1, eights(1)}, {1, 0, eights(1)}, {1, 1, nil}, {1, 1, []int{3}}, {1, 1, eights(22)}} {
		if _, err := New(s); err == nil {
			t.Errorf("%+v", s)
		}
	}
}

func TestStatementsThatCannotBeAreRefused(t *testing.T) {
	good := Statement{Leaves: []uint64{0, 63}}
	for name, sectors := range map[string][]Statement{
		"none":                nil,
		"too many":            {good, good, good, good},
		"leaf out of range":   {{Leaves: []uint64{0, 64}}},
		"a challenge too few": {{Leaves: []uint64{0}}},
	} {
		if _, err := small.PublicInputs(sectors); err == nil {
			t.Error(name)
		}
	}
	if in, err := small.PublicInputs([]Statement{good}); err != nil || len(in) != 9 {
		t.Error(len(in), err)
	}
}

func BenchmarkNew32GiB(b *testing.B) {
	for b.Loop() {
		mustNew(b, Shape{2349, 10, eights(9, 8)})
	}
}

func BenchmarkFill32GiBSector(b *testing.B) {
	c := mustNew(b, Shape{1, 10, eights(9, 8)})
	sectors := randomSectors(b, c.shape, 1)
	w, err := c.Witness(statements(sectors), from(sectors))
	if err != nil {
		b.Fatal(err)
	}
	l := w.Layout()
	into := groth16.Part{A: make([]fr.Element, l.Rows), B: make([]fr.Element, l.Rows), C: make([]fr.Element, l.Rows), Aux: make([]fr.Element, l.Aux)}
	for b.Loop() {
		if err := w.Fill(0, into); err != nil {
			b.Fatal(err)
		}
	}
}

// randomSectors are sectors that satisfy the circuit: a random tree's paths.
func randomSectors(t testing.TB, shape Shape, n int) []Sector {
	t.Helper()
	sectors := make([]Sector, n)
	for i := range sectors {
		sectors[i] = randomSector(t, shape)
	}
	return sectors
}

// randomSector gives each challenge its own way up to a common root: at the
// top level all challenges share the nodes, so the arity bounds how many
// different ways there can be.
func randomSector(t testing.TB, shape Shape) Sector {
	t.Helper()
	top := len(shape.Arities) - 1
	s := Sector{CommC: random(t), Challenges: make([]Challenge, shape.Challenges)}
	nodes := make([]fr.Element, shape.Arities[top])
	for i := range nodes {
		nodes[i] = random(t)
	}
	ways := make([]Challenge, min(len(nodes), shape.Challenges))
	for i := range ways {
		at := len(nodes) - 1 - i
		leaf := random(t)
		ways[i].Leaf = leaf
		for _, arity := range shape.Arities[:top] {
			l, node := randomLevel(t, arity, leaf)
			ways[i].Path, leaf = append(ways[i].Path, l), node
		}
		nodes[at] = leaf
	}
	for i := range ways {
		at := len(nodes) - 1 - i
		siblings := slices.Concat(nodes[:at], nodes[at+1:])
		ways[i].Path = append(ways[i].Path, Level{at, siblings})
	}
	for i := range s.Challenges {
		s.Challenges[i] = ways[i%len(ways)]
		s.Challenges[i].Path = clone(s.Challenges[i].Path)
	}
	s.CommRLast = poseidon.Hash(nodes...)
	s.CommR = poseidon.Hash(s.CommC, s.CommRLast)
	return s
}

func clone(path []Level) []Level {
	path = slices.Clone(path)
	for i := range path {
		path[i].Siblings = slices.Clone(path[i].Siblings)
	}
	return path
}

func randomLevel(t testing.TB, arity int, node fr.Element) (Level, fr.Element) {
	l := Level{Index: rand.IntN(arity)}
	for range arity - 1 {
		l.Siblings = append(l.Siblings, random(t))
	}
	return l, poseidon.Hash(slices.Insert(slices.Clone(l.Siblings), l.Index, node)...)
}

func random(t testing.TB) fr.Element {
	var x fr.Element
	if _, err := x.SetRandom(); err != nil {
		t.Fatal(err)
	}
	return x
}

func from(sectors []Sector) func(i int) (*Sector, error) {
	return func(i int) (*Sector, error) { return &sectors[i], nil }
}

func statements(sectors []Sector) []Statement {
	var out []Statement
	for i := range sectors {
		out = append(out, sectors[i].Statement())
	}
	return out
}

// whole is a witness with all its parts.
type whole struct {
	Inputs, Aux, A, B, C []fr.Element
}

func fillAll(c *Circuit, says []Statement, sector func(i int) (*Sector, error)) (*whole, error) {
	w, err := c.Witness(says, sector)
	if err != nil {
		return nil, err
	}
	l := w.Layout()
	all := &whole{Inputs: w.Inputs(), Aux: make([]fr.Element, c.Aux())}
	for _, side := range []*[]fr.Element{&all.A, &all.B, &all.C} {
		*side = make([]fr.Element, c.Rows())
	}
	copy(all.A[c.Constraints():], all.Inputs)
	for i := range l.Parts {
		rows, aux := i*l.Rows, i*l.Aux
		err := w.Fill(i, groth16.Part{
			A: all.A[rows : rows+l.Rows], B: all.B[rows : rows+l.Rows], C: all.C[rows : rows+l.Rows],
			Aux: all.Aux[aux : aux+l.Aux],
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func assign(t testing.TB, c *Circuit, sectors []Sector) *whole {
	t.Helper()
	w, err := fillAll(c, statements(sectors), from(sectors))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func eq[T comparable](t testing.TB, what string, have, want T) {
	t.Helper()
	if have != want {
		t.Errorf("%s: %v, want %v", what, have, want)
	}
}
