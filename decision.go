package vigil

import (
	"context"
	"sync/atomic"
)

// decisionKey finds the node that a decision keeps to in its context.
type decisionKey struct{}

// OneDecision gives a context under which everything that is read of the chain
// comes from one node, or fails: two nodes may both be right and still not fit
// together, and of two one may be wrong. The first question chooses the node.
func OneDecision(ctx context.Context) context.Context {
	return context.WithValue(ctx, decisionKey{}, new(atomic.Pointer[string]))
}

// KeepTo gives the node that the decision of ctx reads. That is the proposed
// one if none was chosen yet, and always outside a decision.
func KeepTo(ctx context.Context, proposed string) string {
	chosen, ok := ctx.Value(decisionKey{}).(*atomic.Pointer[string])
	if !ok {
		return proposed
	}
	chosen.CompareAndSwap(nil, &proposed)
	return *chosen.Load()
}
