package groth16

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"

	"github.com/vigil-post/vigil/proofs/offheap"
)

// cramped are sums on a system that has room for so many points and proofs at a time.
type cramped struct {
	Portable
	points, proofs int
	refused        *int
}

func (c *cramped) G1(ctx context.Context, sums []bls12381.G1Jac, terms ...Terms) error {
	n := 0
	for _, t := range terms {
		n += len(t.Points) / g1Size
	}
	if n > c.points || len(sums) > c.proofs {
		*c.refused++
		return fmt.Errorf("take much: %w", offheap.ErrNoMemory)
	}
	return c.Portable.G1(ctx, sums, terms...)
}

// summing is an arithmetic with these sums and gnark-crypto's transforms.
func summing(sums Multiexp) *Arithmetic {
	a := Named(Generic)
	a.Start = func(workers int) (Multiexp, FFT, func()) { return sums, &PortableFFT{Workers: workers}, func() {} }
	return &a
}

// Where the system has less memory than a proof was reckoned to need, it is made in
// more passes and smaller chunks.
func TestMemoryThatIsNotThereCostsTimeAndNoProof(t *testing.T) {
	n := toy(9)
	k, _ := n.key(t)
	ws := []Witness{n.assign(2), n.assign(30), n.assign(500)}
	var want []Proof
	for _, w := range ws {
		want = append(want, prove(t, Prover{Rand: ones{}}, k, w))
	}
	refused := 0
	p := Prover{Rand: ones{}, Arithmetic: summing(&cramped{points: 1 << 20, proofs: 1, refused: &refused})}
	have, err := p.Prove(t.Context(), k, ws...)
	check(t, err)
	if !slices.Equal(have, want) || refused == 0 {
		t.Errorf("other proofs, or no try was refused (%d)", refused)
	}
	p.Arithmetic = summing(&cramped{refused: &refused})
	if _, err := p.Prove(t.Context(), k, ws...); !errors.Is(err, offheap.ErrNoMemory) {
		t.Errorf("without any memory: %v", err)
	}
}

// A partition so short that sums take more memory than transforms, which no chunk makes less.
func TestChunksShrinkBeforeAProofIsRefused(t *testing.T) {
	l := Layout{Parts: 78, Rows: 53_000, Aux: 53_000, Inputs: 858}
	whole := share{proofs: 3}
	for _, name := range []string{Generic, IFMA} {
		a := Named(name)
		p := Prover{NonZK: true, Arithmetic: &a, Workers: 8}
		whole.chunk = a.Chunk(DomainSize(l.rows()))
		one, least := share{1, whole.chunk}, share{1, leastChunk}
		for _, c := range []struct {
			sentence     string
			memory, room int64
			want         share
			refused      bool
		}{
			{"nothing is known", 0, 0, whole, false},
			{"all fits", p.need(l, whole), 0, whole, false},
			{"one fits", p.need(l, one), 0, one, false},
			{"one does not fit, but in smaller chunks", p.need(l, one) - 1, 0, share{1, whole.chunk / 2}, false},
			{"the least fits", p.need(l, least), 0, least, false},
			{"nothing fits", p.need(l, least) - 1, 0, least, true},
			{"there is less than it may use", p.need(l, whole), p.need(l, one), one, false},
			{"there seems to be nothing", p.need(l, whole), 1, least, false},
			{"there is more than it may use", p.need(l, one), p.need(l, whole), one, false},
		} {
			p.Memory, p.Room = c.memory, c.room
			have, err := p.share(l, 3)
			if have != c.want || (err != nil) != c.refused {
				t.Errorf("%s, %s: %+v, %v; want %+v", name, c.sentence, have, err, c.want)
			}
		}
	}
}

// A full 32 GiB partition: what the transforms take is enough for large chunks of up to
// three proofs, and of more where chunks are smaller.
func TestLargeChunksTakeNoMoreMemoryThanTransforms(t *testing.T) {
	l := Layout{Parts: 2349, Rows: 53_000, Aux: 53_000, Inputs: 25_840}
	a := Named(IFMA)
	p := Prover{NonZK: true, Arithmetic: &a, Workers: 64}
	for n := 1; n <= 3; n++ {
		if have, want := p.need(l, share{n, a.Chunk(1 << 27)}), p.need(l, share{n, leastChunk}); have != want {
			t.Errorf("%d proofs: %d MiB, and %d MiB in the smallest chunks", n, have>>20, want>>20)
		}
	}
	p.Memory = p.need(l, share{4, largeChunk})
	if s, err := p.share(l, 4); err != nil || s.proofs != 4 || s.chunk < largeChunk {
		t.Errorf("four proofs: %+v, %v", s, err)
	}
}

// A bug in one of many goroutines ends the proof, not the process.
func TestAPanicInAWorkerIsAnError(t *testing.T) {
	n := toy(9)
	k, _ := n.key(t)
	var bug *offheap.PanicError
	if _, err := new(Prover).Prove(t.Context(), k, panics{n.assign(2)}); !errors.As(err, &bug) || len(bug.Stack) == 0 {
		t.Error(err)
	}
}

// panics is a witness with a bug.
type panics struct{ *toyWitness }

func (panics) Fill(int, Part) error { panic("a bug") }

func TestAProofShowsThatItGoesOn(t *testing.T) {
	n := toy(9)
	k, _ := n.key(t)
	beats := make(chan struct{}, 1000)
	p := Prover{Alive: func() { beats <- struct{}{} }}
	_, err := p.Prove(t.Context(), k, n.assign(2))
	check(t, err)
	if len(beats) < 3*9 {
		t.Errorf("%d signs of life, want one for each part and pass at least", len(beats))
	}
}
