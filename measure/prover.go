package measure

import (
	"context"
	"time"

	"github.com/vigil-post/vigil"
)

// Prover is a prover of which it is known how it goes.
func (m *Meter) Prover(p vigil.Prover) vigil.Prover { return prover{p, m} }

type prover struct {
	vigil.Prover
	meter *Meter
}

func (p prover) Prove(ctx context.Context, r vigil.ProveRequest) (proof []byte, err error) {
	p.meter.begun()
	ended := false // a prover that panics has failed: the runner catches it
	defer func() { p.meter.proved(ctx, err, ended) }()
	proof, err = p.Prover.Prove(ctx, r)
	ended = true
	return proof, err
}

func (m *Meter) begun() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.prover.Running++
}

// proved notes how a try ended. One that was given up tells nothing of the prover.
func (m *Meter) proved(ctx context.Context, err error, ended bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := &m.prover
	p.Running--
	switch {
	case ended && err == nil:
		m.proofs.WithLabelValues("made").Inc()
		p.Made++
		p.Problem, p.Since = "", time.Time{}
		return
	case ended && ctx.Err() != nil:
		m.proofs.WithLabelValues("given up").Inc()
		return
	}
	m.proofs.WithLabelValues("failed").Inc()
	p.Failed++
	if p.Problem == "" {
		p.Since = time.Now()
	}
	p.Problem = "the prover crashed; the log has the stack"
	if ended {
		p.Problem = err.Error()
	}
}

// Proving is how the making of proofs goes.
func (m *Meter) Proving() vigil.ProvingStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.prover
}
