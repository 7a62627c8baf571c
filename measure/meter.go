// Package measure counts and times what passes the seams between the rooms:
// duties on their way through the store, proofs, messages and questions to
// nodes. It wraps the implementation of a seam and changes nothing of what
// passes. What it has counted since the start is read by Prometheus, and what
// went wrong last by the daemon's status.
package measure

import (
	"sync"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/vigil-post/vigil"
)

// Meter has all measurements; New makes one. It is a prometheus.Collector, and
// all that it wraps may be used concurrently.
type Meter struct {
	instruments

	mu       sync.Mutex // guards what follows
	duties   map[vigil.DutyID]vigil.DutyState
	messages map[abi.ActorID]map[string]seenMessage // by ID, of miners whose messages were seen once
	prover   vigil.ProvingStatus
	database string
}

// stages are how far a duty has come when its time to Close is taken.
const (
	stageBegun     = "begun"
	stageProved    = "proved"
	stageSubmitted = "submitted"
	stageIncluded  = "included"
	stageConfirmed = "confirmed"
)

// instruments are the metrics that are written to where something happens.
type instruments struct {
	toClose  *prometheus.HistogramVec
	outcomes *prometheus.CounterVec
	reading  prometheus.Histogram
	proving  prometheus.Histogram
	skipped  *prometheus.CounterVec
	proofs   *prometheus.CounterVec
	rpc      *prometheus.HistogramVec
	rpcLost  *prometheus.CounterVec
	fees     *prometheus.CounterVec
	done     *prometheus.CounterVec
}

var messagesDesc = prometheus.NewDesc("vigil_messages", "Messages of the latest deadlines, by state.", []string{"miner", "kind", "state"}, nil)

// New makes a meter on which the series of these miners stand at zero: an alert
// on a series that appears with its first miss fires late.
func New(miners ...abi.ActorID) *Meter {
	long := []float64{1, 2, 5, 10, 30, 60, 120, 300, 600, 900, 1200, 1800}
	m := &Meter{
		duties: map[vigil.DutyID]vigil.DutyState{}, messages: map[abi.ActorID]map[string]seenMessage{},
		instruments: instruments{
			toClose: prometheus.NewHistogramVec(prometheus.HistogramOpts{
				Name: "vigil_duty_time_to_close_seconds", Help: "How long before its deadline's close a post came to a stage: begun, proved, submitted, included, confirmed.",
				Buckets: []float64{0, 30, 60, 120, 300, 600, 900, 1200, 1500, 1800, 2100, 2400},
			}, []string{"stage"}),
			outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
				Name: "vigil_duty_outcomes_total", Help: "Duties that came to an end: confirmed, missed or replaced; of the missed ones the reason says why.",
			}, []string{"miner", "kind", "outcome", "reason"}),
			reading: prometheus.NewHistogram(prometheus.HistogramOpts{
				Name: "vigil_duty_read_seconds", Help: "How long the sectors of a proof took to read.", Buckets: long,
			}),
			proving: prometheus.NewHistogram(prometheus.HistogramOpts{
				Name: "vigil_duty_prove_seconds", Help: "How long a proof took to make once its sectors were read.", Buckets: long,
			}),
			skipped: prometheus.NewCounterVec(prometheus.CounterOpts{
				Name: "vigil_skipped_sectors_total", Help: "Sectors that proofs left out.",
			}, []string{"miner"}),
			proofs: prometheus.NewCounterVec(prometheus.CounterOpts{
				Name: "vigil_prover_proofs_total", Help: "Tries to make a proof, by what came of them: made, failed or given up.",
			}, []string{"outcome"}),
			rpc: prometheus.NewHistogramVec(prometheus.HistogramOpts{
				Name: "vigil_rpc_duration_seconds", Help: "How long nodes took to answer, by method; answers that were no use are in it.",
				Buckets: []float64{.005, .02, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
			}, []string{"node", "method"}),
			rpcLost: prometheus.NewCounterVec(prometheus.CounterOpts{
				Name: "vigil_rpc_failures_total", Help: "Calls of nodes that came to nothing, by method.",
			}, []string{"node", "method"}),
			fees: prometheus.NewCounterVec(prometheus.CounterOpts{
				Name: "vigil_message_fees_fil_total", Help: "What executed messages took from their senders for gas, in FIL.",
			}, []string{"miner", "kind"}),
			done: prometheus.NewCounterVec(prometheus.CounterOpts{
				Name: "vigil_message_outcomes_total", Help: "Messages that came to an end: confirmed, failed, expired or cancelled.",
			}, []string{"miner", "kind", "outcome"}),
		},
	}
	for _, miner := range miners {
		m.zero(vigil.MinerAddress(miner).String())
	}
	for _, outcome := range []string{"made", "failed", "given up"} {
		m.proofs.WithLabelValues(outcome)
	}
	for _, stage := range []string{stageBegun, stageProved, stageSubmitted, stageIncluded, stageConfirmed} {
		m.toClose.WithLabelValues(stage)
	}
	return m
}

func (m *Meter) zero(miner string) {
	m.skipped.WithLabelValues(miner)
	for _, kind := range []vigil.DutyKind{vigil.KindPost, vigil.KindRecover} {
		m.outcomes.WithLabelValues(miner, string(kind), string(vigil.StateConfirmed), "")
		m.outcomes.WithLabelValues(miner, string(kind), string(vigil.StateReplaced), "")
		for _, r := range vigil.Reasons {
			m.outcomes.WithLabelValues(miner, string(kind), string(vigil.StateMissed), string(r.Reason))
		}
		m.fees.WithLabelValues(miner, string(kind))
		for _, s := range vigil.MessageStates {
			if s.Done() {
				m.done.WithLabelValues(miner, string(kind), string(s))
			}
		}
	}
}

func (m *Meter) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.toClose, m.outcomes, m.reading, m.proving, m.skipped, m.proofs, m.rpc, m.rpcLost, m.fees, m.done}
}

// Describe implements prometheus.Collector.
func (m *Meter) Describe(descs chan<- *prometheus.Desc) {
	for _, c := range m.collectors() {
		c.Describe(descs)
	}
	descs <- messagesDesc
}

// Collect implements prometheus.Collector.
func (m *Meter) Collect(metrics chan<- prometheus.Metric) {
	for _, c := range m.collectors() {
		c.Collect(metrics)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for of, n := range m.states() {
		metrics <- prometheus.MustNewConstMetric(messagesDesc, prometheus.GaugeValue, n, vigil.MinerAddress(of.miner).String(), string(of.kind), string(of.state))
	}
}

// Call notes a question to a node and how it was answered.
func (m *Meter) Call(node, method string, took time.Duration, err error) {
	m.rpc.WithLabelValues(node, method).Observe(took.Seconds())
	failures := m.rpcLost.WithLabelValues(node, method)
	if err != nil {
		failures.Inc()
	}
}
