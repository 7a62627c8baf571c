package app

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/alarm"
	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/proofs/post"
	"github.com/vigil-post/vigil/prover/native"
	"github.com/vigil-post/vigil/sector"
)

// brokenUnit is a vector unit whose sums are off by one point.
type brokenUnit struct{ groth16.Multiexp }

func (u brokenUnit) G1(ctx context.Context, sums []bls12381.G1Jac, terms ...groth16.Terms) error {
	g, _, _, _ := bls12381.Generators()
	sums[0].AddAssign(&g)
	return u.Multiexp.G1(ctx, sums, terms...)
}

// Real sectors, real proofs, and a CPU that computes wrong: the deadline is met, and
// everybody is told.
func TestADeadlineIsMetThoughTheVectorUnitComputesWrong(t *testing.T) {
	notUnderRace(t)
	params := filepath.Join(fixtures(t), "oracle", "params")
	form, err := post.WindowConfig(2<<10, post.V1_1)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := post.OpenVerifier(form, params)
	if err != nil {
		t.Fatal(err)
	}
	unit := groth16.Named(groth16.Generic)
	start := unit.Start
	unit.Name = "broken"
	unit.Start = func(workers int) (groth16.Multiexp, groth16.FFT, func()) {
		sums, transforms, done := start(workers)
		return brokenUnit{sums}, transforms, done
	}
	storage := ""
	f := newFlock(t, flockOf{
		miners: 1, sectors: 4, epoch: 30 * time.Second, lines: 1, real: verifier,
		change: func(c *Config) { storage = filepath.Join(c.Storages[0], "chain", "storage") },
		tools: func(with tools) tools {
			maths := native.New(params, 1, 0)
			maths.Arithmetic = &unit
			return tools{with.keys, sector.NewReader(storage), maths}
		},
	})
	f.patience = time.Hour // a proof takes as long as it takes
	open := f.ahead(30)
	f.to(open + 12)
	if d := f.duty(open); d.Row.State != vigil.StateConfirmed || len(d.Row.Skipped) > 0 {
		t.Errorf("%+v", d.Row)
	}
	s := f.daemon.Status()
	if !strings.Contains(s.Proving.Fault, "in its vector unit") || s.Proving.FaultAt.IsZero() {
		t.Errorf("%+v", s.Proving)
	}
	alarmed := false
	for _, a := range s.Alarms {
		alarmed = alarmed || a.Code == alarm.VectorUnitFaulty
	}
	if p := f.daemon.provers()[0]; !alarmed || p.Kernels != groth16.Generic || p.Fault != s.Proving.Fault {
		t.Errorf("%+v; alarms %+v", p, s.Alarms)
	}
}
