package chain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// enough is how many failures in a row of one kind of question set a node aside.
const enough = 2

// examine asks a node for its head over and over: how long that takes is its
// latency, and a node that was set aside for its answers comes back by it.
func (n *Nodes) examine(ctx context.Context, m *member) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(n.pause(m)):
		}
		if n.dueForCheck(m) {
			n.check(ctx, m)
		}
		n.mu.Lock()
		n.rejudge() // time has passed: what was new may be late
		n.mu.Unlock()
	}
}

// pause is until the next look at a node: a moment while nothing is known of
// the network, and until the end of its penance for one that is set aside.
func (n *Nodes) pause(m *member) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.network.Name == "":
		return 200 * time.Millisecond
	case m.trouble != "":
		return max(time.Millisecond, time.Until(m.until))
	}
	return jitter(n.pace().check)
}

func (n *Nodes) dueForCheck(m *member) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	penitent := m.trouble != "" && time.Now().Before(m.until)
	return n.network.Name != "" && m.problem == nil && m.refused == "" && !penitent
}

func (n *Nodes) check(ctx context.Context, m *member) {
	n.mu.Lock()
	patience := 2 * n.pace().slow
	n.mu.Unlock()
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	head, err := m.client.Head(limited)
	took := time.Since(began)
	if ctx.Err() != nil {
		return
	}
	n.checked(m, head, took, err)
	if err == nil && head.Epoch > m.knownEpoch(n) {
		n.learn(m, head)
	}
}

func (m *member) knownEpoch(n *Nodes) abi.ChainEpoch {
	n.mu.Lock()
	defer n.mu.Unlock()
	return m.head.Epoch
}

func (n *Nodes) checked(m *member, head vigil.Head, took time.Duration, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	m.calls++
	if err != nil {
		m.failed++
		if m.problem == nil && !lost(err) {
			n.miss(m, "its head", err)
		}
		return
	}
	m.misses["its head"] = 0
	if m.latency == 0 {
		m.latency = took
	}
	m.latency = (m.latency + took) / 2
	m.trouble = ""
}

// miss counts a failure of a node; enough of them in a row set it aside, for
// longer each time. n.mu is held.
func (n *Nodes) miss(m *member, what string, err error) {
	m.misses[what]++
	if n.alone() || m.misses[what] < enough && m.trouble == "" {
		return
	}
	n.blame(m, fmt.Sprintf("it does not give %s: %v", what, err))
}

// blame sets a node aside for its answers. n.mu is held.
func (n *Nodes) blame(m *member, why string) {
	penance := n.pace().penance
	if time.Since(m.until) > 20*penance {
		m.offences = 0
	}
	m.offences++
	m.trouble, m.until = why, time.Now().Add(jitter(doubled(penance, m.offences)))
	clear(m.misses)
	n.rejudge()
}

// note learns from what became of a question that a decision depended on.
func (n *Nodes) note(m *member, what string, key vigil.TipSetKey, took time.Duration, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	m.calls++
	switch {
	case err == nil && took <= n.pace().tardy:
		m.misses[what] = 0
	case err == nil:
		n.miss(m, what, fmt.Errorf("only after %s", took.Round(time.Millisecond)))
	case answers(err):
	case m.problem != nil || m.state == vigil.NodeRefused || lost(err) || !m.recent(key):
		m.failed++
	case errors.Is(err, context.Canceled) && took < n.pace().tardy:
		// nobody waited for the answer
	default:
		m.failed++
		n.miss(m, what, err)
	}
}

// answers says that an error is what the chain says, and not a fault of the node.
func answers(err error) bool {
	var refused *vigil.CallError
	return errors.As(err, &refused) || errors.Is(err, vigil.ErrNotFound)
}

// lost says that a connection came to its end, which is judged by itself.
func lost(err error) bool {
	var gone *lostError
	return errors.As(err, &gone)
}

// recent says whether a node must know the state at a key: it may have dropped
// old state, or never had it, and be a good node. n.mu is held.
func (m *member) recent(key vigil.TipSetKey) bool {
	if key == "" {
		return true
	}
	for _, k := range last(m.keys, 16) {
		if k == key {
			return true
		}
	}
	return false
}
