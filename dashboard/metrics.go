package dashboard

import (
	"math/big"
	"net/http"
	"runtime"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/alarm"
)

// The metrics that are read from the status. Their labels
// are of configured things alone (miners, nodes, storages, senders) and of words.
var (
	infoDesc       = desc("vigil_info", "The version that runs and the network it follows; always 1.", "version", "network")
	buildDesc      = desc("vigil_build_info", "The version that runs and what it was built with; always 1.", "version", "goversion", "goos", "goarch")
	headDesc       = desc("vigil_head_epoch", "The epoch of the chain's head.")
	headAgeDesc    = desc("vigil_head_age_seconds", "How long ago the head was learnt of.")
	headLateDesc   = desc("vigil_head_late_seconds", "How long after the time that it carries the head was learnt of.")
	baseFeeDesc    = desc("vigil_base_fee_attofil", "The head's base fee, in attoFIL for a unit of gas.")
	delayDesc      = desc("vigil_epoch_seconds", "The length of an epoch.")
	dutiesDesc     = desc("vigil_duties", "The open duties and those just over, by how far they have come.", "miner", "kind", "state")
	badDesc        = desc("vigil_bad_sectors", "Sectors that cannot be read now.", "miner")
	sectorsDesc    = desc("vigil_sectors", "Sectors on chain.", "miner")
	faultyDesc     = desc("vigil_faulty_sectors", "Sectors that are faulty on chain, the recovering ones included.", "miner")
	recoveringDesc = desc("vigil_recovering_sectors", "Faulty sectors that are declared recovered.", "miner")
	problemDesc    = desc("vigil_miner_problem", "1 while the miner's part of the plan cannot be made.", "miner")
	minerEpochDesc = desc("vigil_miner_epoch", "The epoch that a miner was planned for last.", "miner")
	closesDesc     = desc("vigil_deadline_closes_seconds", "How long it is until the miner's current deadline closes.", "miner")
	slackDesc      = desc("vigil_forecast_slack_seconds", "How long before its close the tightest of the miner's coming deadlines is expected to be done; negative if it does not fit.", "miner")
	unfitDesc      = desc("vigil_forecast_unfit_deadlines", "Coming deadlines that are not expected to be done in time.", "miner")
	rehearsedDesc  = desc("vigil_rehearsal_bad_sectors", "Sectors that the latest rehearsals found bad.", "miner")
	uncheckedDesc  = desc("vigil_rehearsal_unchecked_sectors", "Sectors that the latest rehearsals could not check.", "miner")
	coveredDesc    = desc("vigil_rehearsal_covered_seconds", "How long ago the oldest of all deadlines' latest rehearsals was; absent until each had one.", "miner")
	recoveryDesc   = desc("vigil_recovery_blocked_deadlines", "Deadlines with faulty sectors that something keeps from being declared recovered.", "miner")
	auditDesc      = desc("vigil_audited_posts", "Posts on chain inside the dispute window, by the audit's verdict: valid, disputable or unknown.", "miner", "verdict")
	nodeDesc       = desc("vigil_node_state", "1 for the state that a node is in: in use, ready, set aside, unreachable or refused.", "node", "state")
	nodeEpochDesc  = desc("vigil_node_epoch", "The epoch of a node's head.", "node")
	nodeTimeDesc   = desc("vigil_node_latency_seconds", "How long a node takes to tell its head, smoothed.", "node")
	nodeCallsDesc  = desc("vigil_node_questions_total", "How often a node was asked.", "node")
	nodeFailDesc   = desc("vigil_node_failures_total", "How often nothing of use came of it.", "node")
	storageDesc    = desc("vigil_storage_state", "1 for the state that a storage is in: ready or silent.", "storage", "state")
	readsDesc      = desc("vigil_storage_reads_total", "Sectors read from a storage.", "storage")
	readTimeDesc   = desc("vigil_storage_read_seconds_total", "The time that reading them took, side by side or not.", "storage")
	readingDesc    = desc("vigil_storage_reading", "Sectors being read from a storage.", "storage")
	waitingDesc    = desc("vigil_storage_waiting", "Sectors waiting for their turn at a storage.", "storage")
	lostDesc       = desc("vigil_storage_lost_reads", "Reads of a storage given up that have not returned.", "storage")
	atOnceDesc     = desc("vigil_storage_reads_at_once", "How many sectors are read from a storage at a time, found by trying.", "storage")
	balanceDesc    = desc("vigil_sender_balance_fil", "What a sender has, in FIL.", "sender")
	neededDesc     = desc("vigil_sender_needed_fil", "What a sender's messages of a day may cost at their budget, in FIL.", "sender")
	sentDesc       = desc("vigil_sender_messages", "Messages of a sender in the last 24 hours.", "sender")
	alarmsDesc     = desc("vigil_alarms", "Alarms there are, by code; docs/alarms.md explains each.", "code", "urgent")
	runningDesc    = desc("vigil_prover_running", "Proofs being made.")
	provingDesc    = desc("vigil_prover_failing", "1 while the last try to make a proof failed.")
	faultDesc      = desc("vigil_prover_vector_unit_faulty", "1 since the CPU's vector unit computed a proof wrong: proofs are made without it.")
	freeDesc       = desc("vigil_data_free_bytes", "Room on the disk of the data folder.")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

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
		infoDesc, buildDesc, headDesc, headAgeDesc, headLateDesc, baseFeeDesc, delayDesc,
		dutiesDesc, badDesc, sectorsDesc, faultyDesc, recoveringDesc, problemDesc, minerEpochDesc, closesDesc, slackDesc, unfitDesc,
		rehearsedDesc, uncheckedDesc, coveredDesc, recoveryDesc, auditDesc,
		nodeDesc, nodeEpochDesc, nodeTimeDesc, nodeCallsDesc, nodeFailDesc,
		storageDesc, readsDesc, readTimeDesc, readingDesc, waitingDesc, lostDesc, atOnceDesc,
		balanceDesc, neededDesc, sentDesc, alarmsDesc, runningDesc, provingDesc, faultDesc, freeDesc,
	} {
		descs <- d
	}
}

func (c statusCollector) Collect(metrics chan<- prometheus.Metric) {
	s := c.source.Status()
	w := written{metrics, s.Head, s.Delay}
	w.chain(s)
	for _, m := range s.Miners {
		w.miner(m)
		w.duties(m)
	}
	for _, n := range s.Nodes {
		w.node(n)
	}
	for _, storage := range s.Storages {
		w.storage(storage)
	}
	for _, sender := range s.Senders {
		w.gauge(balanceDesc, fil(sender.Balance), sender.Address)
		w.gauge(neededDesc, fil(sender.Needed), sender.Address)
		w.gauge(sentDesc, float64(sender.Sent), sender.Address)
	}
	w.alarms(s.Alarms)
	w.gauge(runningDesc, float64(s.Proving.Running))
	w.gauge(provingDesc, truth(s.Proving.Problem != ""))
	w.gauge(faultDesc, truth(s.Proving.Fault != ""))
	if s.Machine.Data != "" && s.Machine.Free >= 0 {
		w.gauge(freeDesc, float64(s.Machine.Free))
	}
}

// written is where metrics are written to, at a head.
type written struct {
	to    chan<- prometheus.Metric
	head  abi.ChainEpoch
	delay time.Duration
}

func (w written) gauge(d *prometheus.Desc, value float64, labels ...string) {
	w.to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func (w written) counter(d *prometheus.Desc, value float64, labels ...string) {
	w.to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, labels...)
}

// seconds is how long some epochs are.
func (w written) seconds(epochs abi.ChainEpoch) float64 {
	return (time.Duration(epochs) * w.delay).Seconds()
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// fil is an amount in FIL, as near as a float comes to it.
func fil(a abi.TokenAmount) float64 {
	if a.Nil() {
		return 0
	}
	f, _ := new(big.Rat).SetFrac(a.Int, big.NewInt(1e18)).Float64()
	return f
}

func (w written) chain(s vigil.Status) {
	w.gauge(infoDesc, 1, s.Version, s.Network)
	w.gauge(buildDesc, 1, s.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	w.gauge(delayDesc, s.Delay.Seconds())
	if s.HeadSeen.IsZero() {
		return
	}
	w.gauge(headDesc, float64(s.Head))
	w.gauge(headAgeDesc, time.Since(s.HeadSeen).Seconds())
	w.gauge(headLateDesc, s.HeadSeen.Sub(s.HeadTime).Seconds())
	if s.BaseFee != nil && !s.BaseFee.Nil() {
		fee, _ := new(big.Float).SetInt(s.BaseFee.Int).Float64()
		w.gauge(baseFeeDesc, fee)
	}
}

func (w written) node(n vigil.NodeStatus) {
	for _, state := range []vigil.NodeState{vigil.NodeInUse, vigil.NodeReady, vigil.NodeAside, vigil.NodeUnreachable, vigil.NodeRefused} {
		w.gauge(nodeDesc, truth(n.State == state), n.Node, string(state))
	}
	w.gauge(nodeEpochDesc, float64(n.Epoch), n.Node)
	w.gauge(nodeTimeDesc, n.Latency.Seconds(), n.Node)
	w.counter(nodeCallsDesc, float64(n.Calls), n.Node)
	w.counter(nodeFailDesc, float64(n.Failed), n.Node)
}

func (w written) storage(s vigil.StorageStatus) {
	for _, state := range []vigil.StorageState{vigil.StorageReady, vigil.StorageSilent} {
		w.gauge(storageDesc, truth(s.State == state), s.Path, string(state))
	}
	w.counter(readsDesc, float64(s.Read), s.Path)
	w.counter(readTimeDesc, s.Spent.Seconds(), s.Path)
	w.gauge(readingDesc, float64(s.Reading), s.Path)
	w.gauge(waitingDesc, float64(s.Waiting), s.Path)
	w.gauge(lostDesc, float64(s.Lost), s.Path)
	w.gauge(atOnceDesc, float64(s.AtOnce), s.Path)
}

// alarms counts by code. Zeroes are series too: an alert on a series that appears
// with its first alarm fires late.
func (w written) alarms(list []vigil.Alarm) {
	type series struct {
		code   string
		urgent bool
	}
	counts := map[series]int{}
	for _, c := range alarm.Codes {
		counts[series{c.Code, false}], counts[series{c.Code, true}] = 0, 0
	}
	for _, a := range list {
		counts[series{a.Code, a.Urgent}]++
	}
	for of, n := range counts {
		urgent := "no"
		if of.urgent {
			urgent = "yes"
		}
		w.gauge(alarmsDesc, float64(n), of.code, urgent)
	}
}

func (w written) duties(m vigil.MinerStatus) {
	type series struct {
		kind  vigil.DutyKind
		state vigil.DutyState
	}
	duties := map[series]int{}
	for _, kind := range []vigil.DutyKind{vigil.KindPost, vigil.KindRecover} {
		for _, state := range []vigil.DutyState{
			vigil.StateScheduled, vigil.StateProved, vigil.StateSubmitted, vigil.StateConfirmed, vigil.StateMissed, vigil.StateReplaced, vigil.StateShadowed,
		} {
			duties[series{kind, state}] = 0
		}
	}
	for _, d := range m.Duties {
		duties[series{d.Kind, d.Row.State}]++
	}
	for of, n := range duties {
		w.gauge(dutiesDesc, float64(n), m.Miner, string(of.kind), string(of.state))
	}
}

func (w written) miner(m vigil.MinerStatus) {
	var sectors, faulty, recovering uint64
	for _, d := range m.Deadlines {
		sectors, faulty, recovering = sectors+d.Sectors, faulty+d.Faulty, recovering+d.Recovering
	}
	w.gauge(sectorsDesc, float64(sectors), m.Miner)
	w.gauge(faultyDesc, float64(faulty), m.Miner)
	w.gauge(recoveringDesc, float64(recovering), m.Miner)
	w.gauge(badDesc, float64(len(m.Bad)), m.Miner)
	w.gauge(problemDesc, truth(m.Problem != ""), m.Miner)
	w.gauge(minerEpochDesc, float64(m.Epoch), m.Miner)
	if m.Current.Count > 0 {
		w.gauge(closesDesc, w.seconds(m.Current.Close-w.head), m.Miner)
	}
	w.forecast(m)
	w.rehearsals(m)
	blocked := 0
	for _, r := range m.Recoveries {
		if r.Problem != "" {
			blocked++
		}
	}
	w.gauge(recoveryDesc, float64(blocked), m.Miner)
	verdicts := map[vigil.AuditVerdict]int{vigil.AuditValid: 0, vigil.AuditDisputable: 0, vigil.AuditUnknown: 0}
	for _, a := range m.Audits {
		verdicts[a.Verdict]++
	}
	for verdict, n := range verdicts {
		w.gauge(auditDesc, float64(n), m.Miner, string(verdict))
	}
}

// forecast says how the tightest of the deadlines to come stands.
func (w written) forecast(m vigil.MinerStatus) {
	unfit, known := 0, false
	var slack abi.ChainEpoch
	for _, d := range m.Deadlines {
		f := d.Forecast
		if f == nil || d.Deadline.Close <= w.head {
			continue
		}
		if !f.Fits {
			unfit++
		}
		if left := d.Deadline.Close - f.Finish; !known || left < slack {
			slack, known = left, true
		}
	}
	w.gauge(unfitDesc, float64(unfit), m.Miner)
	if known {
		w.gauge(slackDesc, w.seconds(slack), m.Miner)
	}
}

func (w written) rehearsals(m vigil.MinerStatus) {
	bad, unchecked := 0, 0
	for _, r := range m.Rehearsals {
		bad, unchecked = bad+len(r.Bad), unchecked+r.Unchecked
	}
	w.gauge(rehearsedDesc, float64(bad), m.Miner)
	w.gauge(uncheckedDesc, float64(unchecked), m.Miner)
	if m.Covered > 0 {
		w.gauge(coveredDesc, w.seconds(w.head-m.Covered), m.Miner)
	}
}
