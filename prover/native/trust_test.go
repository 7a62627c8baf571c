package native_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/proofs/offheap"
	"github.com/vigil-post/vigil/prover/native"
)

// unit is a vector unit that computes wrong as many times as it is told, in its way.
type unit struct {
	groth16.Multiexp
	groth16.FFT
	wrong  atomic.Int64
	starts atomic.Int64
	sum    func(sums []bls12381.G1Jac) error
	values func(v []fr.Element)
}

func (u *unit) arithmetic() *groth16.Arithmetic {
	a := groth16.Named(groth16.Generic)
	a.Name = "vector"
	start := a.Start
	a.Start = func(workers int) (groth16.Multiexp, groth16.FFT, func()) {
		u.starts.Add(1)
		sums, transforms, done := start(workers)
		if u.wrong.Add(-1) < 0 {
			return sums, transforms, done
		}
		faulty := &unit{Multiexp: sums, FFT: transforms, sum: u.sum, values: u.values}
		return faulty, faulty, done
	}
	return &a
}

func (u *unit) G1(ctx context.Context, sums []bls12381.G1Jac, terms ...groth16.Terms) error {
	if err := u.Multiexp.G1(ctx, sums, terms...); err != nil || u.sum == nil {
		return err
	}
	return u.sum(sums)
}

func (u *unit) Forward(ctx context.Context, v []fr.Element) error {
	err := u.FFT.Forward(ctx, v)
	if u.values != nil {
		u.values(v)
	}
	return err
}

const always = 1 << 40

// oneBit is a sum that is off by the generator.
func oneBit(sums []bls12381.G1Jac) error {
	g, _, _, _ := bls12381.Generators()
	sums[0].AddAssign(&g)
	return nil
}

var faults = map[string]*unit{
	"a sum is wrong":               {sum: oneBit},
	"a kernel notices itself":      {sum: func([]bls12381.G1Jac) error { return fmt.Errorf("two points: %w", groth16.ErrKernels) }},
	"a transform is wrong":         {values: func(v []fr.Element) { v[1].SetUint64(4711) }},
	"what is computed is no index": {sum: func([]bls12381.G1Jac) error { panic("index out of range") }},
}

// prover is one of the fixtures' keys whose fastest arithmetic is this one.
func prover(t *testing.T, u *unit) (n *native.Native, log *bytes.Buffer) {
	t.Helper()
	n, log = open(t, keys(t), 1), &bytes.Buffer{}
	n.Arithmetic, n.Log = u.arithmetic(), slog.New(slog.NewTextHandler(log, nil))
	return n, log
}

func proves(t *testing.T, n *native.Native, r vigil.ProveRequest) {
	t.Helper()
	proof, err := n.Prove(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := n.Verify(t.Context(), r.Statement, proof); !ok || err != nil {
		t.Errorf("the proof does not verify: %v", err)
	}
}

func TestWhatTheVectorUnitComputesWrongIsMadeAgainWithoutIt(t *testing.T) {
	for sentence, u := range faults {
		t.Run(sentence, func(t *testing.T) {
			u.wrong.Store(always)
			n, log := prover(t, u)
			r, _ := oracle(t, "window-2k-1.2.0-3", v11)
			if s := n.Status(); s.Kernels != "vector" || s.Fault != "" {
				t.Errorf("before: %+v", s)
			}
			proves(t, n, r)
			if s := n.Status(); s.Kernels != groth16.Generic || s.Fault == "" || s.Problem != s.Fault || s.FaultAt.IsZero() {
				t.Errorf("after: %+v", s)
			}
			if text := log.String(); strings.Count(text, "level=ERROR msg=\"the CPU's vector unit is not to be trusted") != 1 || !strings.Contains(text, "VIGIL_KERNELS=generic") {
				t.Error(text)
			}
		})
	}
}

// A bit that falls over in memory is none of the vector unit's.
func TestTheVectorUnitIsNotBlamedForWhatItWasGiven(t *testing.T) {
	u := &unit{}
	n, log := prover(t, u)
	r, _ := oracle(t, "window-2k-1.2.0-3", v11)
	spoilt := bytes.Clone(r.Vanilla[0])
	spoilt[56+4+64+8+8] ^= 1
	r.Vanilla[0] = spoilt
	if _, err := n.Prove(t.Context(), r); !errors.Is(err, vigil.ErrUnproven) {
		t.Error(err)
	}
	if s := n.Status(); s.Fault != "" || s.Kernels != "vector" || log.Len() > 0 || u.starts.Load() != 1 {
		t.Errorf("%+v after %d runs: %s", s, u.starts.Load(), log)
	}
}

// Where there is no time for the generic arithmetic, the vector unit is the only chance.
func TestWithoutTimeTheVectorUnitIsTriedAgain(t *testing.T) {
	u := &unit{sum: oneBit}
	n, _ := prover(t, u)
	r, _ := oracle(t, "window-2k-1.2.0-3", v11)
	r.By = time.Now().Add(-time.Minute)
	u.wrong.Store(1)
	proves(t, n, r)
	if starts := u.starts.Load(); starts != 2 || n.Status().Fault == "" {
		t.Errorf("%d runs with the vector unit, want 2: %+v", starts, n.Status())
	}
	r.By = time.Now().Add(24 * time.Hour)
	proves(t, n, r) // there is time to do without it
	if starts := u.starts.Load(); starts != 2 {
		t.Errorf("%d runs with the vector unit although it is not trusted", starts)
	}
}

// A kernel that never returns shows no sign of life, and one that does shows many.
func TestAProofThatHangsIsSeen(t *testing.T) {
	began, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	var hangs atomic.Bool
	hangs.Store(true)
	u := &unit{sum: func([]bls12381.G1Jac) error {
		if hangs.CompareAndSwap(true, false) {
			close(began)
			<-goOn
		}
		return nil
	}}
	u.wrong.Store(1)
	n, _ := prover(t, u)
	r, _ := oracle(t, "window-2k-1.2.0-3", v11)
	if !n.SilentSince().IsZero() {
		t.Error("silent without a proof")
	}
	go func() {
		_, err := n.Prove(t.Context(), r)
		ended <- err
	}()
	<-began
	if since := n.SilentSince(); since.IsZero() || !since.Equal(n.SilentSince()) || since.Equal(n.Status().Proofs[0].Since) {
		t.Errorf("silent since %v; it began at %v and did something before it hung", since, n.Status().Proofs[0].Since)
	}
	close(goOn)
	if err := <-ended; err != nil || !n.SilentSince().IsZero() {
		t.Errorf("%v; silent since %v", err, n.SilentSince())
	}
}

// Two proofs for which there is no memory together are made one after the other.
func TestAProofWithoutMemoryWaitsForTheOthers(t *testing.T) {
	n := native.New(keys(t), 2, 0)
	t.Cleanup(func() { _ = n.Close() })
	var runs atomic.Int64
	first, both := make(chan struct{}), make(chan struct{})
	a := groth16.Named(groth16.Generic)
	start := a.Start
	a.Start = func(workers int) (groth16.Multiexp, groth16.FFT, func()) {
		sums, transforms, done := start(workers)
		if runs.Add(1) == 1 { // holds all memory until the other has found none
			close(first)
			<-both
			return sums, transforms, done
		}
		select {
		case <-both:
		default:
			return full{sums}, transforms, done
		}
		return sums, transforms, done
	}
	a.Name = "vector"
	n.Arithmetic = &a
	n.Log = slog.New(slog.NewTextHandler(said(func(string) { close(both) }), nil)) // there is one line
	r, _ := oracle(t, "window-2k-1.2.0-3", v11)
	second := r
	begun := 0
	second.Begun = func() {
		if begun++; begun == 2 && n.Status().AtOnce != 1 {
			t.Errorf("%d are made at once", n.Status().AtOnce)
		}
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		<-first
		if proof, err := n.Prove(t.Context(), second); err != nil || len(proof) != 192 {
			t.Errorf("%d bytes, %v", len(proof), err)
		}
	}()
	proves(t, n, r)
	<-ended
	if begun != 2 {
		t.Errorf("the second began %d times", begun)
	}
}

// full are sums on a system without memory.
type full struct{ groth16.Multiexp }

func (full) G1(context.Context, []bls12381.G1Jac, ...groth16.Terms) error {
	return fmt.Errorf("take much: %w", offheap.ErrNoMemory)
}

// said is told of each line of a log.
type said func(line string)

func (s said) Write(line []byte) (int, error) {
	s(string(line))
	return len(line), nil
}
