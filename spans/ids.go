package spans

import (
	"context"
	"crypto/rand"

	"go.opentelemetry.io/otel/trace"

	"github.com/vigil-post/vigil"
)

// rootKey is what a context has the duty under whose root span is begun with it.
type rootKey struct{}

// generator gives a duty's root span the names that its tasks know it by.
type generator struct{}

func (g *generator) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if id, ok := ctx.Value(rootKey{}).(vigil.DutyID); ok {
		root := rootOf(id)
		return root.TraceID(), root.SpanID()
	}
	var t trace.TraceID
	rand.Read(t[:]) // never fails
	return t, g.NewSpanID(ctx, t)
}

func (*generator) NewSpanID(context.Context, trace.TraceID) (s trace.SpanID) {
	rand.Read(s[:])
	return s
}
