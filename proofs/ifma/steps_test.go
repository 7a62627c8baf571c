package ifma

import (
	"fmt"
	"testing"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
)

// touching is what a stage does with some memory.
type touching struct {
	stage  int
	writes bool
}

// Of any two stages that touch the same memory, and do not only read it, one needs the other: directly or
// through others, none of which comes later.
func TestNoStageTouchesMemoryThatAnotherOneUses(t *testing.T) {
	const chunk = 10
	for sums := 1; sums <= 3; sums++ {
		for n := 1; n <= 6; n++ {
			r := (&Sums{Workers: 4, Chunk: chunk, width: 17}).plan(&g1, n*chunk)
			r.take(new(room), sums)
			terms := Terms{Points: make([]byte, n*chunk*g1.fileBytes)}
			for range sums {
				terms.Scalars = append(terms.Scalars, make([]fr.Element, n*chunk))
			}
			s := r.steps(chunks([]Terms{terms}, g1.fileBytes, chunk), nil)
			at := map[*stage]int{}
			needs := make([]map[int]bool, len(s.all))
			for i, stage := range s.all {
				at[stage], needs[i] = i, map[int]bool{}
				for _, before := range stage.after {
					k, earlier := at[before]
					if !earlier {
						t.Fatalf("%d sums, %d chunks: stage %d needs a later one", sums, n, i)
					}
					needs[i][k] = true
					for further := range needs[k] {
						needs[i][further] = true
					}
				}
			}
			memory := map[string][]touching{}
			touch := func(stage *stage, writes bool, what string, where ...int) {
				key := fmt.Sprint(what, where)
				memory[key] = append(memory[key], touching{at[stage], writes})
			}
			for k := range s.filling {
				if s.sum(k) == 0 {
					touch(s.decoding[s.chunk(k)], true, "points", s.chunk(k)%2)
				}
				touch(s.cutting[k], true, "scalars")
				for w := range r.count {
					touch(s.sorting[k][w], false, "scalars")
					touch(s.sorting[k][w], true, "digits", w)
					touch(s.sorting[k][w], true, "order", k%2, w)
					touch(s.filling[k][w], false, "order", k%2, w)
					touch(s.filling[k][w], false, "points", s.chunk(k)%2)
					touch(s.filling[k][w], true, "buckets", s.sum(k), w)
				}
			}
			spans := r.spans()
			for i, closing := range s.all[len(s.all)-sums*len(spans):] {
				windows := spans[i%len(spans)]
				for w := windows.first; w < windows.end(); w++ {
					touch(closing, false, "buckets", i/len(spans), w)
				}
			}
			for what, all := range memory {
				for i, a := range all {
					for _, b := range all[:i] {
						if (a.writes || b.writes) && !needs[a.stage][b.stage] && !needs[b.stage][a.stage] {
							t.Fatalf("%d sums, %d chunks: stages %d and %d both use %s", sums, n, a.stage, b.stage, what)
						}
					}
				}
			}
		}
	}
}

func TestNoSumsAreNothingToDo(t *testing.T) {
	needKernels(t)
	s := new(Sums)
	if err := s.G1(t.Context(), []bls12381.G1Jac{}, Terms{Points: make([]byte, 5*g1.fileBytes)}); err != nil {
		t.Error(err)
	}
	if err := s.G1(t.Context(), make([]bls12381.G1Jac, 1)); err != nil {
		t.Error(err)
	}
}
