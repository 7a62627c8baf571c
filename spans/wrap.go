package spans

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"github.com/vigil-post/vigil"
)

// step is a span below the one that is in the context; without one it is none.
func (t *Tracer) step(ctx context.Context, what string) (context.Context, func(error)) {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx, func(error) {}
	}
	return t.Span(ctx, vigil.DutyID{}, what)
}

// Prover is a prover whose proofs have spans.
func (t *Tracer) Prover(of vigil.Prover) vigil.Prover {
	if t == nil {
		return of
	}
	return prover{of, t}
}

type prover struct {
	vigil.Prover
	t *Tracer
}

func (p prover) Prove(ctx context.Context, r vigil.ProveRequest) ([]byte, error) {
	ctx, end := p.t.Span(ctx, r.Duty, "make the proof")
	proof, err := p.Prover.Prove(ctx, r)
	end(err)
	return proof, err
}

// Verifier is a verifier whose verdicts have spans.
func (t *Tracer) Verifier(of vigil.Verifier) vigil.Verifier {
	if t == nil {
		return of
	}
	return verifier{of, t}
}

type verifier struct {
	vigil.Verifier
	t *Tracer
}

func (v verifier) Verify(ctx context.Context, s vigil.Statement, proof []byte) (bool, error) {
	ctx, end := v.t.step(ctx, "verify")
	valid, err := v.Verifier.Verify(ctx, s, proof)
	end(err)
	return valid, err
}

// Messager is a messager whose requests have spans.
func (t *Tracer) Messager(of vigil.Messager) vigil.Messager {
	if t == nil {
		return of
	}
	return messager{of, t}
}

type messager struct {
	vigil.Messager
	t *Tracer
}

func (m messager) Push(ctx context.Context, r vigil.MessageRequest) (vigil.Message, error) {
	ctx, end := m.t.Span(ctx, r.Duty, "push")
	sent, err := m.Messager.Push(ctx, r)
	end(err)
	return sent, err
}

// Store is a store whose duties end their traces.
func (t *Tracer) Store(of vigil.DutyStore) vigil.DutyStore {
	if t == nil {
		return of
	}
	return store{of, t}
}

type store struct {
	vigil.DutyStore
	t *Tracer
}

func (s store) SaveDuty(ctx context.Context, d vigil.Duty) error {
	err := s.DutyStore.SaveDuty(ctx, d)
	if err == nil {
		s.t.saved(ctx, d)
	}
	return err
}
