// Package spans tells an OpenTelemetry collector what a duty's time went into: a
// trace for each duty, with a span for every task that was done about it and
// below it reading, proving, verifying and handing over. It changes nothing
// of what it wraps, and nobody waits for the collector: what it does not take
// in time is dropped.
//
// A trace's name is made from the duty's, so what is done about a duty after
// a restart is in the same trace.
package spans

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/vigil-post/vigil"
)

// Tracer makes the spans. A nil Tracer makes none, and wraps nothing; one that leads
// nowhere wraps, and makes none until it is aimed.
type Tracer struct {
	way atomic.Pointer[way] // nil: nowhere

	mu    sync.Mutex // guards known
	known map[vigil.DutyID]moments
}

// way is where spans go.
type way struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// moments are when something was first done about a duty, and when it was handed over last.
type moments struct{ began, sent time.Time }

// Config says where spans go and whose they are.
type Config struct {
	URL     string // of a collector that takes OTLP over HTTP
	Name    string // the daemon's
	Version string
	Log     *slog.Logger
}

// New makes a Tracer that leads nowhere.
func New() *Tracer { return &Tracer{known: map[vigil.DutyID]moments{}} }

// Take makes the Tracer lead where another one does from now on; it is nowhere
// where that is nil. It gives the way that spans took before, as a Tracer to close.
func (t *Tracer) Take(of *Tracer) (before *Tracer) {
	var next *way
	if of != nil {
		next = of.way.Load()
	}
	before = New()
	before.way.Store(t.way.Swap(next))
	return before
}

// Leads says that spans go somewhere.
func (t *Tracer) Leads() bool { return t != nil && t.way.Load() != nil }

// Open makes a Tracer. It does not wait for the collector.
func Open(ctx context.Context, c Config) (*Tracer, error) {
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(tracesURL(c.URL)))
	if err != nil {
		return nil, fmt.Errorf("open the way to the collector: %w", err)
	}
	var said sync.Map
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		if last, _ := said.Swap("last", err.Error()); last != err.Error() && c.Log != nil {
			c.Log.Warn("spans do not come to the collector; the rest goes on without", "error", err)
		}
	}))
	return newTracer(sdk.NewBatchSpanProcessor(exporter), c), nil
}

// tracesURL is where a collector takes spans, if the URL has no path of its own
// (the OTLP specification's default).
func tracesURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || strings.Trim(u.Path, "/") != "" {
		return text
	}
	return u.JoinPath("v1", "traces").String()
}

func newTracer(p sdk.SpanProcessor, c Config) *Tracer {
	provider := sdk.NewTracerProvider(
		sdk.WithSpanProcessor(p), sdk.WithIDGenerator(&generator{}),
		sdk.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "vigil"), attribute.String("service.version", c.Version), attribute.String("service.instance.id", c.Name),
		)),
	)
	t := New()
	t.way.Store(&way{provider, provider.Tracer("github.com/vigil-post/vigil")})
	return t
}

// Close hands over what is left, for as long as ctx allows.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	w := t.way.Load()
	if w == nil {
		return nil
	}
	return w.provider.Shutdown(ctx)
}

// Span begins a span about a duty, below the one that is in the context, and
// gives what ends it.
func (t *Tracer) Span(ctx context.Context, id vigil.DutyID, what string) (context.Context, func(error)) {
	if t == nil {
		return ctx, func(error) {}
	}
	w := t.way.Load()
	if w == nil {
		return ctx, func(error) {}
	}
	if !trace.SpanContextFromContext(ctx).IsValid() {
		t.began(id)
		ctx = trace.ContextWithRemoteSpanContext(ctx, rootOf(id))
	}
	ctx, span := w.tracer.Start(ctx, what)
	if id != (vigil.DutyID{}) {
		span.SetAttributes(attribute.String("vigil.duty", id.String()))
	}
	return ctx, func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, err.Error())
		}
		span.End()
	}
}

// rootOf is the span of a duty as a whole, which is told when the duty is over.
func rootOf(id vigil.DutyID) trace.SpanContext {
	sum := sha256.Sum256([]byte("vigil " + id.String()))
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID(sum[:16]), SpanID: trace.SpanID(sum[16:24]), TraceFlags: trace.FlagsSampled, Remote: true,
	})
}

func (t *Tracer) began(id vigil.DutyID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.known[id]
	if m.began.IsZero() {
		m.began = time.Now()
	}
	t.known[id] = m
}

// saved tells the span of a duty that is over, and before it of how long the chain took.
func (t *Tracer) saved(ctx context.Context, d vigil.Duty) {
	t.mu.Lock()
	m := t.known[d.ID]
	switch {
	case d.State.Final():
		delete(t.known, d.ID)
	case d.State == vigil.StateSubmitted && t.way.Load() != nil:
		m.sent = time.Now()
		t.known[d.ID] = m
	}
	t.mu.Unlock()
	w := t.way.Load()
	if !d.State.Final() || w == nil {
		return
	}
	now := time.Now()
	if !m.sent.IsZero() {
		_, wait := w.tracer.Start(trace.ContextWithRemoteSpanContext(context.WithoutCancel(ctx), rootOf(d.ID)), "wait for the chain", trace.WithTimestamp(m.sent))
		wait.End(trace.WithTimestamp(now))
	}
	if m.began.IsZero() {
		m.began = now
	}
	_, root := w.tracer.Start(context.WithValue(ctx, rootKey{}, d.ID), "duty", trace.WithNewRoot(), trace.WithTimestamp(m.began), trace.WithAttributes(
		attribute.String("vigil.duty", d.ID.String()), attribute.String("vigil.kind", string(d.ID.Kind)), attribute.String("vigil.miner", vigil.MinerAddress(d.ID.Miner).String()),
		attribute.Int64("vigil.deadline", int64(d.Deadline.Index)), attribute.Int64("vigil.open", int64(d.Deadline.Open)), attribute.Int64("vigil.close", int64(d.Deadline.Close)),
		attribute.String("vigil.state", string(d.State)), attribute.String("vigil.reason", string(d.Reason)), attribute.Int("vigil.skipped", len(d.Skipped)),
	))
	if d.State == vigil.StateMissed {
		root.SetStatus(codes.Error, strings.TrimSpace(string(d.Reason)+" "+d.Problem))
	}
	root.End(trace.WithTimestamp(now))
}
