package dashboard

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/vigil-post/vigil"
)

var (
	infoDesc       = prometheus.NewDesc("vigil_info", "The version that runs and the network it follows; always 1.", []string{"version", "network"}, nil)
	headDesc       = prometheus.NewDesc("vigil_head_epoch", "The epoch of the chain's head.", nil, nil)
	headAgeDesc    = prometheus.NewDesc("vigil_head_age_seconds", "How long ago the head was learnt of.", nil, nil)
	delayDesc      = prometheus.NewDesc("vigil_epoch_seconds", "The length of an epoch.", nil, nil)
	dutiesDesc     = prometheus.NewDesc("vigil_duties", "The open duties and those just over, by how far they have come.", []string{"miner", "kind", "state"}, nil)
	badDesc        = prometheus.NewDesc("vigil_bad_sectors", "Sectors that cannot be read now.", []string{"miner"}, nil)
	sectorsDesc    = prometheus.NewDesc("vigil_sectors", "Sectors on chain.", []string{"miner"}, nil)
	faultyDesc     = prometheus.NewDesc("vigil_faulty_sectors", "Sectors that are faulty on chain, the recovering ones included.", []string{"miner"}, nil)
	recoveringDesc = prometheus.NewDesc("vigil_recovering_sectors", "Faulty sectors that are declared recovered.", []string{"miner"}, nil)
	nodeDesc       = prometheus.NewDesc("vigil_node_state", "1 for the state that a node is in: in use, ready, set aside, unreachable or refused.", []string{"node", "state"}, nil)
	nodeEpochDesc  = prometheus.NewDesc("vigil_node_epoch", "The epoch of a node's head.", []string{"node"}, nil)
	nodeTimeDesc   = prometheus.NewDesc("vigil_node_latency_seconds", "How long a node takes to tell its head, smoothed.", []string{"node"}, nil)
	nodeCallsDesc  = prometheus.NewDesc("vigil_node_questions_total", "How often a node was asked.", []string{"node"}, nil)
	nodeFailDesc   = prometheus.NewDesc("vigil_node_failures_total", "How often nothing of use came of it.", []string{"node"}, nil)
	problemDesc    = prometheus.NewDesc("vigil_miner_problem", "1 while the miner's part of the plan cannot be made.", []string{"miner"}, nil)
)

// metricsHandler serves what the status says and what was measured, if anything was.
func metricsHandler(source vigil.StatusSource, measured prometheus.Collector) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(StatusCollector(source), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if measured != nil {
		registry.MustRegister(measured)
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

// StatusCollector gives the metrics that are read from a status when it is scraped.
func StatusCollector(source vigil.StatusSource) prometheus.Collector { return statusCollector{source} }

// statusCollector reads the status when it is scraped, so that metrics and
// page can never disagree and a miner that is gone leaves no series behind.
type statusCollector struct{ source vigil.StatusSource }

func (statusCollector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		infoDesc, headDesc, headAgeDesc, delayDesc, dutiesDesc, badDesc, sectorsDesc, faultyDesc, recoveringDesc, problemDesc,
		nodeDesc, nodeEpochDesc, nodeTimeDesc, nodeCallsDesc, nodeFailDesc,
	} {
		descs <- d
	}
}

func (c statusCollector) Collect(metrics chan<- prometheus.Metric) {
	s := c.source.Status()
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	gauge(infoDesc, 1, s.Version, s.Network)
	gauge(delayDesc, s.Delay.Seconds())
	if !s.HeadSeen.IsZero() {
		gauge(headDesc, float64(s.Head))
		gauge(headAgeDesc, time.Since(s.HeadSeen).Seconds())
	}
	for _, m := range s.Miners {
		collectMiner(m, gauge)
	}
	for _, n := range s.Nodes {
		collectNode(n, metrics)
	}
}

func collectNode(n vigil.NodeStatus, metrics chan<- prometheus.Metric) {
	send := func(desc *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, kind, value, append([]string{n.Node}, labels...)...)
	}
	for _, state := range []vigil.NodeState{vigil.NodeInUse, vigil.NodeReady, vigil.NodeAside, vigil.NodeUnreachable, vigil.NodeRefused} {
		is := 0.0
		if n.State == state {
			is = 1
		}
		send(nodeDesc, prometheus.GaugeValue, is, string(state))
	}
	send(nodeEpochDesc, prometheus.GaugeValue, float64(n.Epoch))
	send(nodeTimeDesc, prometheus.GaugeValue, n.Latency.Seconds())
	send(nodeCallsDesc, prometheus.CounterValue, float64(n.Calls))
	send(nodeFailDesc, prometheus.CounterValue, float64(n.Failed))
}

func collectMiner(m vigil.MinerStatus, gauge func(*prometheus.Desc, float64, ...string)) {
	type series struct {
		kind  vigil.DutyKind
		state vigil.DutyState
	}
	duties := map[series]int{}
	for _, kind := range []vigil.DutyKind{vigil.KindPost, vigil.KindRecover} {
		// Zeroes are series too: an alert on a series that appears with its first miss fires late.
		for _, state := range []vigil.DutyState{
			vigil.StateScheduled, vigil.StateProved, vigil.StateSubmitted, vigil.StateConfirmed, vigil.StateMissed, vigil.StateReplaced,
		} {
			duties[series{kind, state}] = 0
		}
	}
	for _, d := range m.Duties {
		duties[series{d.Kind, d.Row.State}]++
	}
	for of, n := range duties {
		gauge(dutiesDesc, float64(n), m.Miner, string(of.kind), string(of.state))
	}
	var sectors, faulty, recovering uint64
	for _, d := range m.Deadlines {
		sectors, faulty, recovering = sectors+d.Sectors, faulty+d.Faulty, recovering+d.Recovering
	}
	gauge(sectorsDesc, float64(sectors), m.Miner)
	gauge(faultyDesc, float64(faulty), m.Miner)
	gauge(recoveringDesc, float64(recovering), m.Miner)
	gauge(badDesc, float64(len(m.Bad)), m.Miner)
	problem := 0.0
	if m.Problem != "" {
		problem = 1
	}
	gauge(problemDesc, problem, m.Miner)
}
