package measure_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/measure"
)

// rows is a store of rows in memory, which may fail.
type rows struct {
	vigil.DutyStore
	list []vigil.Duty
	err  error
}

func (r *rows) Duties(context.Context, abi.ActorID, abi.ChainEpoch) ([]vigil.Duty, error) {
	return r.list, r.err
}
func (r *rows) SaveDuty(context.Context, vigil.Duty) error               { return r.err }
func (r *rows) SaveProof(context.Context, vigil.Proof, vigil.Duty) error { return r.err }
func (r *rows) DropProof(context.Context, vigil.Duty) error              { return r.err }
func left(epoch abi.ChainEpoch) time.Duration                            { return time.Duration(epoch) * time.Second }
func post(n int) vigil.DutyID {
	return vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: 100, Batch: n}
}
func row(id vigil.DutyID, s vigil.DutyState, r vigil.Reason) vigil.Duty {
	return vigil.Duty{ID: id, State: s, Reason: r, Deadline: vigil.Deadline{Close: 700}}
}

// has looks for lines in what Prometheus reads.
func has(t *testing.T, m *measure.Meter, lines ...string) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(m)
	answer := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text := strings.ReplaceAll(answer.Body.String(), `"t0`, `"f0`) // whichever network another test has set
	for _, line := range lines {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no %s in\n%s", line, text)
		}
	}
}

func TestADutysWayIsMeasured(t *testing.T) {
	m := measure.New(1000)
	r := &rows{list: []vigil.Duty{row(post(7), vigil.StateProved, "")}}
	s := m.Store(r, left)
	ctx := t.Context()
	if _, err := s.Duties(ctx, 1000, 0); err != nil {
		t.Fatal(err)
	}
	save := func(d vigil.Duty) {
		if err := s.SaveDuty(ctx, d); err != nil {
			t.Fatal(err)
		}
	}
	save(row(post(7), vigil.StateProved, "")) // it was so before the start
	save(row(post(0), vigil.StateScheduled, ""))
	save(row(post(0), vigil.StateScheduled, vigil.ReasonNotProved)) // a try that failed is no other stage
	if err := s.SaveProof(ctx, vigil.Proof{ReadTime: 3 * time.Second, ProveTime: time.Minute}, row(post(0), vigil.StateProved, "")); err != nil {
		t.Fatal(err)
	}
	save(row(post(0), vigil.StateSubmitted, ""))
	save(row(post(0), vigil.StateConfirmed, ""))
	save(row(post(1), vigil.StateMissed, vigil.ReasonNotSent))
	has(t, m,
		`vigil_duty_time_to_close_seconds_count{stage="begun"} 1`, `vigil_duty_time_to_close_seconds_sum{stage="begun"} 700`,
		`vigil_duty_time_to_close_seconds_count{stage="proved"} 1`, `vigil_duty_time_to_close_seconds_count{stage="submitted"} 1`,
		`vigil_duty_time_to_close_seconds_count{stage="confirmed"} 1`, `vigil_duty_read_seconds_sum 3`,
		`vigil_duty_outcomes_total{kind="post",miner="f01000",outcome="confirmed",reason=""} 1`,
		`vigil_duty_outcomes_total{kind="post",miner="f01000",outcome="missed",reason="not_sent"} 1`,
		`vigil_duty_outcomes_total{kind="post",miner="f01000",outcome="missed",reason="not_proved"} 0`,
	)
}

func TestAStoreThatFailsIsKnownUntilItDoesNot(t *testing.T) {
	m := measure.New(1000)
	r := &rows{err: errors.New("database or disk is full")}
	s := m.Store(r, left)
	if err := s.SaveDuty(t.Context(), row(post(0), vigil.StateProved, "")); err == nil || m.Database() != err.Error() {
		t.Errorf("%v, %q", err, m.Database())
	}
	has(t, m, `vigil_duty_time_to_close_seconds_count{stage="proved"} 0`)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	r.err = nil
	if err := s.DropProof(t.Context(), row(post(0), vigil.StateScheduled, "")); err != nil || m.Database() != "" {
		t.Errorf("%v, %q", err, m.Database())
	}
	r.err = context.Canceled
	if _ = s.SaveDuty(ended, row(post(0), vigil.StateProved, "")); m.Database() != "" {
		t.Errorf("the end of a task is no fault of the disk: %q", m.Database())
	}
}

// tells is a messager that has these messages.
type tells struct {
	vigil.Messager
	list []vigil.Message
}

func (g *tells) Messages(_ context.Context, _ abi.ActorID, since abi.ChainEpoch) ([]vigil.Message, error) {
	return slices.DeleteFunc(slices.Clone(g.list), func(m vigil.Message) bool { return m.Expires < since }), nil
}

func message(id string, state vigil.MessageState, paid int64, included abi.ChainEpoch) vigil.Message {
	m := vigil.Message{State: state, Paid: abi.NewTokenAmount(paid)}
	m.ID, m.Duty, m.Expires = id, post(0), 160
	if included > 0 {
		m.Receipt = &vigil.Receipt{Epoch: included}
	}
	return m
}

func TestWhatHappenedToMessagesBeforeTheStartIsNotCounted(t *testing.T) {
	m := measure.New(1000)
	g := &tells{list: []vigil.Message{message("old", vigil.MessageConfirmed, 1e18, 110), message("new", vigil.MessagePublished, 0, 0)}}
	s := m.Messager(g, 30*time.Second)
	look := func(list ...vigil.Message) {
		if list != nil {
			g.list = list
		}
		if _, err := s.Messages(t.Context(), 1000, 0); err != nil {
			t.Fatal(err)
		}
	}
	look()
	look(message("old", vigil.MessageConfirmed, 1e18, 110), message("new", vigil.MessageIncluded, 5e17, 120))
	look(message("old", vigil.MessageConfirmed, 1e18, 110), message("new", vigil.MessageConfirmed, 5e17, 120))
	look()
	has(t, m,
		`vigil_message_fees_fil_total{kind="post",miner="f01000"} 0.5`,
		`vigil_message_outcomes_total{kind="post",miner="f01000",outcome="confirmed"} 1`,
		`vigil_message_outcomes_total{kind="post",miner="f01000",outcome="failed"} 0`,
		`vigil_messages{kind="post",miner="f01000",state="confirmed"} 2`,
		`vigil_messages{kind="post",miner="f01000",state="published"} 0`,
		`vigil_duty_time_to_close_seconds_sum{stage="included"} 1200`,
	)
}

// A duty that is confirmed looks at the messages since its opening, which are
// fewer than those that a plan looks at.
func TestAMessageIsCountedOnceHoweverFarBackALookGoes(t *testing.T) {
	m := measure.New(1000)
	g := &tells{list: []vigil.Message{message("old", vigil.MessageConfirmed, 1e18, 110), message("first", vigil.MessagePublished, 0, 0)}}
	s := m.Messager(g, 30*time.Second)
	for _, since := range []abi.ChainEpoch{0, 200, 0, 0, 200, 200, 60} {
		if _, err := s.Messages(t.Context(), 1000, since); err != nil {
			t.Fatal(err)
		}
		g.list[1] = message("first", vigil.MessageConfirmed, 5e17, 120)
	}
	has(t, m,
		`vigil_message_fees_fil_total{kind="post",miner="f01000"} 0.5`,
		`vigil_message_outcomes_total{kind="post",miner="f01000",outcome="confirmed"} 1`,
		`vigil_messages{kind="post",miner="f01000",state="confirmed"} 2`,
	)
	if _, err := s.Messages(t.Context(), 1000, 4000); err != nil {
		t.Fatal(err)
	}
	has(t, m, `vigil_messages{kind="post",miner="f01000",state="confirmed"} 0`)
}

// proves does as it is told.
type proves func(ctx context.Context) ([]byte, error)

func (p proves) Prove(ctx context.Context, _ vigil.ProveRequest) ([]byte, error) { return p(ctx) }

func TestAProverThatFailsIsKnownUntilItDoesNot(t *testing.T) {
	m := measure.New(1000)
	prove := func(ctx context.Context, do proves) {
		defer func() { _ = recover() }()
		_, _ = m.Prover(do).Prove(ctx, vigil.ProveRequest{})
	}
	prove(t.Context(), func(context.Context) ([]byte, error) { return nil, errors.New("out of memory") })
	first := m.Proving()
	prove(t.Context(), func(context.Context) ([]byte, error) { panic("a bug") })
	if s := m.Proving(); first.Problem != "out of memory" || !strings.Contains(s.Problem, "crashed") || s.Failed != 2 || s.Running != 0 || !s.Since.Equal(first.Since) {
		t.Errorf("%+v, %+v", first, s)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	prove(ended, func(ctx context.Context) ([]byte, error) { return nil, ctx.Err() })
	if s := m.Proving(); s.Failed != 2 {
		t.Errorf("a proof that was given up is no failure: %+v", s)
	}
	prove(t.Context(), func(context.Context) ([]byte, error) { return []byte{1}, nil })
	if s := m.Proving(); s.Problem != "" || s.Made != 1 || !s.Since.IsZero() {
		t.Errorf("%+v", s)
	}
	has(t, m, `vigil_prover_proofs_total{outcome="failed"} 2`, `vigil_prover_proofs_total{outcome="made"} 1`, `vigil_prover_proofs_total{outcome="given up"} 1`)
}

func TestCallsAreCountedByNodeAndMethod(t *testing.T) {
	m := measure.New()
	m.Call("ws://one", "ChainHead", time.Second, nil)
	m.Call("ws://one", "ChainHead", time.Second, errors.New("EOF"))
	has(t, m,
		`vigil_rpc_duration_seconds_count{method="ChainHead",node="ws://one"} 2`,
		`vigil_rpc_failures_total{method="ChainHead",node="ws://one"} 1`,
	)
}
