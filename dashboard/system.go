package dashboard

import (
	"net/http"
	"slices"

	"github.com/vigil-post/vigil"
)

// systemPage is what the daemon works with: nodes, storages, provers, senders.
func (d *dashboard) systemPage(_ *http.Request, at moment) (sight, error) {
	return sight{title: "System", pieces: []piece{
		{"nodes", "nodes", viewNodes(at)},
		{"storages", "storages", at.Storages},
		{"provers", "provers", d.provers(at)},
		{"work", "work", workIn(at)},
		{"senders", "senders", at.Senders},
	}}, nil
}

// nodesView is the nodes, and the network's next upgrade.
type nodesView struct {
	Nodes   []nodeLine
	Upgrade *vigil.Upgrade
	Network string
}

// nodeLine is a node, with what is wrong with it as a mark.
type nodeLine struct {
	mark
	vigil.NodeStatus
}

func viewNodes(at moment) nodesView {
	v := nodesView{Upgrade: at.Upgrade, Network: at.Network}
	for _, n := range at.Nodes {
		m := markMissed
		switch {
		case n.State == vigil.NodeInUse && n.Why == "", n.State == vigil.NodeReady:
			m = markConfirmed
		case n.State == vigil.NodeInUse || n.State == vigil.NodeAside:
			m = mark{"warning", "!", ""}
		}
		m.Word = string(n.State)
		v.Nodes = append(v.Nodes, nodeLine{m, n})
	}
	return v
}

// mostWork is how many duties that something is being done about are listed.
const mostWork = 30

// workView is what is being done right now.
type workView struct {
	Duties  []dutyView // each with what is being done about it, the first to close first
	Rest    int        // of those, how many are not in the list
	Verbs   []verbCount
	Waiting int // duties that are open and that nothing is being done about
}

type verbCount struct {
	Verb string
	N    int
}

func workIn(at moment) workView {
	var v workView
	counts := map[string]int{}
	for _, m := range at.Miners {
		for _, d := range m.Duties {
			switch {
			case d.Running != "":
				if counts[d.Running]++; counts[d.Running] == 1 {
					v.Verbs = append(v.Verbs, verbCount{Verb: d.Running})
				}
				v.Duties = append(v.Duties, viewDuty(d, m.Epoch, at))
			case !d.Row.State.Final():
				v.Waiting++
			}
		}
	}
	for i := range v.Verbs {
		v.Verbs[i].N = counts[v.Verbs[i].Verb]
	}
	slices.SortStableFunc(v.Duties, func(a, b dutyView) int { return a.Closes.Compare(b.Closes) })
	v.Rest = max(0, len(v.Duties)-mostWork)
	v.Duties = v.Duties[:len(v.Duties)-v.Rest]
	return v
}

// storageMark is a storage's state as the pages show it.
func storageMark(s vigil.StorageStatus) mark {
	m := markConfirmed
	switch {
	case s.State == vigil.StorageSilent:
		m = markMissed
	case s.Why != "" || s.Lost > 0:
		m = mark{"warning", "!", ""}
	}
	m.Word = string(s.State)
	return m
}

// verdictMark is an audit's verdict as the pages show it.
func verdictMark(v vigil.AuditVerdict) mark {
	m := mark{"upcoming", "?", ""}
	switch v {
	case vigil.AuditValid:
		m = markConfirmed
	case vigil.AuditDisputable:
		m = markMissed
	}
	m.Word = string(v)
	return m
}
