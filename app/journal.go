package app

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/proofs/groth16"
)

// chronicle notes in the journal what concerns all duties: that the daemon
// runs, how its nodes stand, and that the chain is silent.
type chronicle struct {
	journal interface {
		vigil.Journal
		Alive(head abi.ChainEpoch)
	}
	status  func() vigil.Status
	changed func() <-chan struct{}
	last    abi.ChainEpoch // that an earlier process has seen

	begun  bool
	head   abi.ChainEpoch              // as it was looked at last,
	seen   time.Time                   // and when it was learnt of
	nodes  map[string]vigil.NodeStatus // as they were noted
	silent bool
}

// lookEvery is how often the state of nodes is compared, besides every change of the status.
const lookEvery = time.Second

// keep notes until ctx ends, and that it did.
func (c *chronicle) keep(ctx context.Context) {
	c.nodes = map[string]vigil.NodeStatus{}
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		changed := c.changed()
		c.look(c.status(), time.Now())
		select {
		case <-ctx.Done():
			if c.begun {
				c.note(c.status().Head, vigil.EventStopped, vigil.EventFacts{})
			}
			return
		case <-changed:
		case <-ticker.C:
		}
	}
}

func (c *chronicle) note(epoch abi.ChainEpoch, kind vigil.EventKind, facts vigil.EventFacts) {
	c.journal.Note(vigil.Event{Epoch: epoch, Kind: kind, EventFacts: facts})
}

// look notes what is another way than when it was looked at last.
func (c *chronicle) look(s vigil.Status, now time.Time) {
	if s.HeadSeen.IsZero() {
		return // the nodes are not known yet, and the epoch neither
	}
	if !c.begun {
		c.begun = true
		c.note(s.Head, vigil.EventStarted, vigil.EventFacts{Since: c.last, Version: s.Version, Kernels: groth16.Kernels().Name, Delay: s.Delay})
	}
	c.journal.Alive(s.Head)
	for _, n := range s.Nodes {
		c.node(s.Head, n, now)
	}
	c.sleep(s)
	c.silence(s, now)
	c.head, c.seen = s.Head, s.HeadSeen
}

// node notes another state of a node. That it is well at the start is no news.
func (c *chronicle) node(head abi.ChainEpoch, n vigil.NodeStatus, now time.Time) {
	known, ok := c.nodes[n.Node]
	if ok && known.State == n.State {
		return
	}
	c.nodes[n.Node] = n
	well := n.State == vigil.NodeInUse || n.State == vigil.NodeReady
	if !ok && well {
		return
	}
	facts := vigil.EventFacts{About: n.Node, Before: string(known.State), After: string(n.State)}
	if ok {
		facts.Took = now.Sub(known.Since)
	}
	if !well {
		facts.Problem = n.Why
	}
	c.note(head, vigil.EventNode, facts)
}

// leastSilence is how long a network with short epochs may be silent without a word.
const leastSilence = 10 * time.Second

// silence notes that no new head came for three epochs, and the next that does. Where
// the nodes were asked and could not tell, it is not waited for longer than that.
func (c *chronicle) silence(s vigil.Status, now time.Time) {
	since := now.Sub(s.HeadSeen)
	silent := since > max(3*s.Delay, leastSilence) || s.Problem != "" && since > 3*s.Delay
	if silent == c.silent {
		return
	}
	c.silent = silent
	if silent {
		c.note(s.Head, vigil.EventBlind, vigil.EventFacts{Problem: cmp.Or(s.Problem, fmt.Sprintf("no node has told of a new head for %s", since.Round(time.Second)))})
		return
	}
	c.note(s.Head, vigil.EventSeeing, vigil.EventFacts{})
}

// sleep notes that heads were not seen though nobody was there to wait for them: the
// machine was suspended, or the process was. A process's own clock stands still then, so
// the wall clocks of two heads are compared.
func (c *chronicle) sleep(s vigil.Status) {
	const missed = 3 // null rounds are not more in a row
	gap := s.HeadSeen.Round(0).Sub(c.seen.Round(0))
	if c.seen.IsZero() || c.silent || s.Head <= c.head+missed || gap <= max(missed*s.Delay, leastSilence) {
		return
	}
	c.journal.Note(vigil.Event{Time: c.seen, Epoch: c.head, Kind: vigil.EventBlind, EventFacts: vigil.EventFacts{
		Problem: fmt.Sprintf("for %s this process did nothing: the machine slept, or the process was stopped", gap.Round(time.Second)),
	}})
	c.note(s.Head, vigil.EventSeeing, vigil.EventFacts{})
}
