package spans

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/vigil-post/vigil"
)

type rows struct{ vigil.DutyStore }

func (rows) SaveDuty(context.Context, vigil.Duty) error { return nil }

type does struct{ err error }

func (d does) Prove(context.Context, vigil.ProveRequest) ([]byte, error) { return nil, d.err }

func (d does) Verify(context.Context, vigil.Statement, []byte) (bool, error) { return true, nil }

type pushes struct{ vigil.Messager }

func (pushes) Push(context.Context, vigil.MessageRequest) (vigil.Message, error) {
	return vigil.Message{}, nil
}

var duty = vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: 66}

// A duty's day is one trace, whatever daemon did which part of it: its spans,
// by what they are below.
func TestADutyIsATrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		recorder := tracetest.NewSpanRecorder()
		ctx := t.Context()
		before, after := newTracer(recorder, Config{}), newTracer(recorder, Config{})

		task, end := before.Span(ctx, duty, "prove")
		reading, read := before.Span(task, duty, "read")
		time.Sleep(time.Second)
		read(nil)
		if _, err := before.Verifier(does{}).Verify(reading, vigil.Statement{}, nil); err != nil {
			t.Fatal(err)
		}
		_, failed := before.Prover(does{errors.New("out of memory")}).Prove(task, vigil.ProveRequest{Duty: duty})
		end(failed)

		task, end = after.Span(ctx, duty, "submit") // another daemon, after a restart
		if _, err := after.Messager(pushes{}).Push(task, vigil.MessageRequest{Duty: duty}); err != nil {
			t.Fatal(err)
		}
		end(nil)
		s := after.Store(rows{})
		for _, state := range []vigil.DutyState{vigil.StateSubmitted, vigil.StateConfirmed} {
			if err := s.SaveDuty(ctx, vigil.Duty{ID: duty, State: state}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}

		names := map[string]string{rootOf(duty).SpanID().String(): "duty"}
		for _, span := range recorder.Ended() {
			names[span.SpanContext().SpanID().String()] = span.Name()
		}
		below := map[string]string{}
		for _, span := range recorder.Ended() {
			if span.SpanContext().TraceID() != rootOf(duty).TraceID() {
				t.Errorf("%s is in another trace", span.Name())
			}
			below[span.Name()] = names[span.Parent().SpanID().String()]
			took := span.EndTime().Sub(span.StartTime())
			if want, ok := map[string]time.Duration{"read": time.Second, "wait for the chain": time.Minute}[span.Name()]; ok && took != want {
				t.Errorf("%s took %s, want %s", span.Name(), took, want)
			}
		}
		for name, want := range map[string]string{
			"duty": "", "prove": "duty", "read": "prove", "verify": "read", "make the proof": "prove", "submit": "duty", "push": "submit", "wait for the chain": "duty",
		} {
			if got, ok := below[name]; !ok || got != want {
				t.Errorf("%s is below %q (%v), want %q", name, got, ok, want)
			}
		}
		if len(after.known) != 0 {
			t.Errorf("a duty that is over is still known: %v", after.known)
		}
	})
}

func TestAMissedDutyIsAnError(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	s := newTracer(recorder, Config{}).Store(rows{})
	if err := s.SaveDuty(t.Context(), vigil.Duty{ID: duty, State: vigil.StateMissed, Reason: vigil.ReasonNotSent, Problem: "the wallet is locked"}); err != nil {
		t.Fatal(err)
	}
	ended := recorder.Ended()
	if len(ended) != 1 || ended[0].Status().Description != "not_sent the wallet is locked" {
		t.Errorf("%v", ended)
	}
}

func TestWithoutATracerNothingIsWrapped(t *testing.T) {
	var none *Tracer
	if none.Prover(does{}) != (does{}) || none.Close(t.Context()) != nil {
		t.Error("it is")
	}
	ctx, end := none.Span(t.Context(), duty, "prove")
	if end(nil); ctx != t.Context() {
		t.Error("the context is another one")
	}
}

func TestSpansComeToACollector(t *testing.T) {
	posted := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		posted <- r.Method + " " + r.URL.Path + " " + string(body)
	}))
	defer server.Close()
	tracer, err := Open(t.Context(), Config{URL: server.URL, Name: "miner-1", Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	_, end := tracer.Span(t.Context(), duty, "prove")
	end(nil)
	if err := tracer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := <-posted; !strings.HasPrefix(got, "POST /v1/traces ") || !strings.Contains(got, "miner-1") || !strings.Contains(got, "prove") {
		t.Errorf("%q", got)
	}
}

func TestACollectorThatIsNotThereHoldsUpNothing(t *testing.T) {
	tracer, err := Open(t.Context(), Config{URL: "http://127.0.0.1:1/v1/traces"})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 * sdk.DefaultMaxQueueSize {
		_, end := tracer.Span(t.Context(), duty, "prove")
		end(nil)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tracer.Close(ended); err == nil {
		t.Error("what was not handed over is not told")
	}
}
