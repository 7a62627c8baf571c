package chain

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// What is done with a judgement: the network that it is about, what is said of
// a node, and which one is read. n.mu is held in all of it.

// settle decides which network it is about, once: when every node has told
// its own and its head, or why it does not, or has had the time to.
func (n *Nodes) settle() bool {
	if n.network.Name != "" {
		return true
	}
	const patience = 3 * time.Second
	networks, known, waiting := make([]vigil.Network, len(n.members)), make([]bool, len(n.members)), false
	for i, m := range n.members {
		networks[i], known[i] = m.network, m.network.Name != ""
		waiting = waiting || !m.told || m.problem == nil && m.head.Key == ""
	}
	if waiting && time.Since(n.began) < patience {
		return false
	}
	network, ok := majority(networks, known)
	if ok {
		n.network = network
	}
	return ok
}

// rejudge judges the nodes anew, says what has changed, and sees that the best
// is read. n.mu is held.
func (n *Nodes) rejudge() {
	if !n.settle() {
		for _, m := range n.members {
			if m.problem != nil { // who looks while no node answers sees why
				n.pass(m, verdict{state: vigil.NodeUnreachable, why: m.problem.Error()})
			}
		}
		return
	}
	inUse := -1
	if n.lease != nil {
		inUse = n.lease.index
	}
	standings := make([]standing, len(n.members))
	for i, m := range n.members {
		m.refused = n.refusal(m)
		standings[i] = m.standing
	}
	verdicts, use := judge(measure{time.Now(), n.network, n.pace(), inUse}, standings)
	for i, m := range n.members {
		n.pass(m, verdicts[i])
	}
	if use != inUse {
		n.use(use, inUse)
	}
}

func (n *Nodes) pace() pace { return paceOf(n.network.BlockDelay, 0) }

func (n *Nodes) refusal(m *member) string {
	var refused *RefusedError
	if errors.As(m.problem, &refused) {
		return refused.Why
	}
	if m.network.Name != "" && !m.network.Same(n.network) {
		return fmt.Sprintf("it follows %s, and the others follow %s", origin(m.network), origin(n.network))
	}
	return ""
}

// pass makes a verdict known: in the log when the state has changed, in the
// status always.
func (n *Nodes) pass(m *member, v verdict) {
	before := m.verdict
	m.verdict = v
	if before.state == v.state && (before.why == "") == (v.why == "") {
		return
	}
	if before.state != v.state {
		m.since = time.Now()
	}
	switch {
	case v.state == vigil.NodeAside:
		n.log.Warn("node set aside", "node", m.name, "why", v.why, "epoch", m.head.Epoch)
	case v.state == vigil.NodeInUse && v.why != "":
		n.log.Warn("node is read although it is not as it should be", "node", m.name, "why", v.why, "epoch", m.head.Epoch)
	case v.state == vigil.NodeRefused && before.why != v.why:
		n.log.Error("node refused", "node", m.name, "why", v.why)
	case v.state == vigil.NodeReady && before.state == vigil.NodeAside:
		n.log.Info("node is good again", "node", m.name, "epoch", m.head.Epoch)
	}
}

// use makes another node the one that is read, or none.
func (n *Nodes) use(index, before int) {
	if n.lease != nil {
		n.lease.end(fmt.Errorf("node %s is not read any more: %s", n.lease.name, n.members[before].why))
		n.lease = nil
	}
	if index >= 0 {
		m := n.members[index]
		ctx, end := context.WithCancelCause(n.open)
		n.lease = &lease{m, ctx, end}
		if !n.alone() {
			n.log.Info("this node is read now", "node", m.name, "epoch", m.head.Epoch)
		}
		n.follow(m.head)
		n.heads.again(m.head)
	}
	close(n.changed)
	n.changed = make(chan struct{})
}

// follow remembers which chain was read, and looks ahead on it. n.mu is held.
func (n *Nodes) follow(head vigil.Head) {
	n.followed[head.Epoch] = head.Key
	delete(n.followed, head.Epoch-remembered)
	if len(n.followed) > 2*int(remembered) { // heads were skipped
		maps.DeleteFunc(n.followed, func(e abi.ChainEpoch, _ vigil.TipSetKey) bool { return e < head.Epoch-remembered })
	}
	n.foresee(n.lease.network, head.Epoch)
}

// remembered is for how many epochs it is known which chain was read.
const remembered abi.ChainEpoch = 256
