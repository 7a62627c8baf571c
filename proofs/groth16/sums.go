package groth16

import (
	"context"
	"fmt"
	"sync/atomic"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
)

// weightG2 is what a G2 point costs in G1 points, about.
const weightG2 = 3

// sums are the proofs' parts before blinding, growing as the key is read.
//
// Side B in G1 is needed for C alone, multiplied by the blinding factor r; without
// r it is not needed. Multiplying its scalars instead lets it share C's sums with H
// and L: fewer and larger sums cost less.
type sums struct {
	run  *run
	a, c []bls12381.G1Jac
	b    []bls12381.G2Jac
}

func newSums(r *run) *sums {
	n := len(r.ws)
	return &sums{run: r, a: make([]bls12381.G1Jac, n), c: make([]bls12381.G1Jac, n), b: make([]bls12381.G2Jac, n)}
}

// add sums H and then the wires. The last piece of H goes along with the first
// wires, which for a small circuit makes one sum of all; then the quotients are
// let go.
func (s *sums) add(ctx context.Context, hs [][]fr.Element, free func()) error {
	key, chunk := s.run.key.H, s.run.chunk
	n := len(key) / g1Size
	for i := range hs {
		hs[i] = hs[i][:n]
	}
	rest := Terms{Points: key, Scalars: hs}
	for {
		head, tail := split([]Terms{rest}, g1Size, 2*chunk)
		if len(tail) == 0 {
			return s.wires(ctx, rest, free)
		}
		if err := s.addC(ctx, head); err != nil {
			return fmt.Errorf("sum H: %w", err)
		}
		rest = tail[0]
	}
}

// wires sums all that the wires are multiplied with, a group of parts at a time,
// and h with the first of them.
func (s *sums) wires(ctx context.Context, h Terms, free func()) error {
	l := s.run.ws[0].Layout()
	g, err := newGroup(s.run, l.partsIn(s.run.chunk))
	if err != nil {
		return err
	}
	defer g.close()
	for first := 0; first < l.Parts; first += g.most {
		if err := g.load(ctx, first); err != nil {
			return fmt.Errorf("wires: %w", err)
		}
		c := []Terms{g.l}
		if s.run.hides {
			c = append(c, g.b1)
		}
		if first == 0 {
			c = append(c, h)
		}
		if err := s.addC(ctx, c...); err != nil {
			return fmt.Errorf("sum C: %w", err)
		}
		if first == 0 {
			h = Terms{}
			free()
		}
		if err := s.run.multiexp.G1(ctx, s.a, g.a); err != nil {
			return fmt.Errorf("sum A: %w", err)
		}
		s.run.did(len(s.a) * len(g.a.Points) / g1Size)
		if err := s.run.multiexp.G2(ctx, s.b, g.b2); err != nil {
			return fmt.Errorf("sum B: %w", err)
		}
		s.run.did(len(s.b) * weightG2 * len(g.b2.Points) / g2Size)
	}
	return nil
}

func (s *sums) addC(ctx context.Context, terms ...Terms) error {
	if err := s.run.multiexp.G1(ctx, s.c, terms...); err != nil {
		return err
	}
	for _, t := range terms {
		s.run.did(len(s.c) * len(t.Points) / g1Size)
	}
	return nil
}

// group is some consecutive parts of the circuit, with their stretches of the
// key and their scalars in each proof. The inputs belong to the first group.
type group struct {
	run  *run
	most int // parts
	aux  [][]fr.Element

	l, a, b1, b2     Terms
	bufA, bufB, bufR [][]fr.Element
	doneA, doneB     int // points of the groups before
	frees            []func()
}

func newGroup(r *run, most int) (*group, error) {
	g := &group{run: r, most: most}
	for _, w := range r.ws {
		d := w.Density()
		b := len(d.BInputs) + most*len(d.BAux.Members)
		blinded := b
		if !r.hides {
			blinded = 0
		}
		for _, v := range []struct {
			of *[][]fr.Element
			n  int
		}{
			{&g.aux, most * w.Layout().Aux},
			{&g.bufA, len(w.Inputs()) + most*len(d.AAux.Members)},
			{&g.bufB, b},
			{&g.bufR, blinded},
		} {
			room, free, err := newVector(v.n)
			if err != nil {
				g.close()
				return nil, err
			}
			*v.of, g.frees = append(*v.of, room), append(g.frees, free)
		}
	}
	return g, nil
}

func (g *group) close() {
	for _, free := range g.frees {
		free()
	}
}

// load fills the group with the parts from first on.
func (g *group) load(ctx context.Context, first int) error {
	r, l := g.run, g.run.ws[0].Layout()
	n := min(g.most, l.Parts-first)
	d := r.ws[0].Density()
	lenA, lenB := n*len(d.AAux.Members), n*len(d.BAux.Members)
	if first == 0 {
		lenA, lenB = lenA+len(r.ws[0].Inputs()), lenB+len(d.BInputs)
	}
	g.l = terms(r.key.L, g1Size, first*l.Aux, n*l.Aux, g.aux)
	g.a = terms(r.key.A, g1Size, g.doneA, lenA, g.bufA)
	if r.hides {
		g.b1 = terms(r.key.B1, g1Size, g.doneB, lenB, g.bufR)
	}
	g.b2 = terms(r.key.B2, g2Size, g.doneB, lenB, g.bufB)
	g.doneA, g.doneB = g.doneA+lenA, g.doneB+lenB
	for j, w := range r.ws {
		aux, toA, toB := g.l.Scalars[j], g.a.Scalars[j], g.b2.Scalars[j]
		if first == 0 {
			toA = toA[copy(toA, w.Inputs()):]
			for _, i := range d.BInputs {
				toB[0] = w.Inputs()[i]
				toB = toB[1:]
			}
		}
		err := r.parts(ctx, first, n, func(i int) error {
			wires := stretch(aux, i-first, l.Aux)
			if err := w.Fill(i, Part{Aux: wires}); err != nil {
				return err
			}
			d.AAux.gather(stretch(toA, i-first, len(d.AAux.Members)), wires)
			d.BAux.gather(stretch(toB, i-first, len(d.BAux.Members)), wires)
			return nil
		})
		if err != nil {
			return fmt.Errorf("proof %d: %w", j, err)
		}
		if r.hides {
			if err := r.each(ctx, g.b1.Scalars[j], g.b2.Scalars[j], func(to, b fr.Vector) { to.ScalarMul(b, &r.blinds[j].r) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// terms is a stretch of the key's points, with as much of the scalars' room.
func terms(points []byte, size, from, n int, room [][]fr.Element) Terms {
	t := Terms{Points: points[from*size : (from+n)*size]}
	for _, v := range room {
		t.Scalars = append(t.Scalars, v[:n])
	}
	return t
}

// parts does the n parts from first on with all workers, until one fails or ctx
// ends.
func (r *run) parts(ctx context.Context, first, n int, work func(i int) error) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var next atomic.Int64
	err := inParallel(n, r.workers, func(int, int) error {
		for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
			if err := work(first + i); err != nil {
				fail(err)
			}
			r.alive()
		}
		return nil
	})
	if err != nil {
		return err // a panic: what else stops the work is the cause
	}
	return context.Cause(ctx)
}
