package scenario

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil/devnet"
)

// Player lets a scenario happen to a network: its Step is the network's script.
type Player struct {
	Scenario *Scenario
	Log      *slog.Logger

	mu    sync.Mutex // guards all below: epochs may be made by several
	begun bool
	due   []due // in the order they happen
	until abi.ChainEpoch
}

// due is an event at its epoch.
type due struct {
	epoch abi.ChainEpoch
	index int // of the event
	left  int64
}

// Step lets happen what is to happen before an epoch is made.
func (p *Player) Step(ctx context.Context, n *devnet.Network, next abi.ChainEpoch) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.begun {
		if err := p.begin(ctx, n); err != nil {
			return fmt.Errorf("scenario %s: %w", p.Scenario.Name, err)
		}
	}
	for len(p.due) > 0 && p.due[0].epoch <= next {
		d := p.due[0]
		p.due = p.due[1:]
		if err := p.happen(ctx, n, d); err != nil {
			return fmt.Errorf("scenario %s: event %d, at epoch %d: %w", p.Scenario.Name, d.index+1, d.epoch, err)
		}
	}
	return nil
}

// begin finds the epochs of all events on the network as it is.
func (p *Player) begin(ctx context.Context, n *devnet.Network) error {
	for i := range p.Scenario.Events {
		e := &p.Scenario.Events[i]
		epoch, err := e.at.resolve(ctx, n)
		if err != nil {
			return fmt.Errorf("event %d: %w", i+1, err)
		}
		if epoch <= n.Epoch() {
			return fmt.Errorf("event %d is to happen at epoch %d, and the chain is at %d: a scenario needs a devnet that is new enough", i+1, epoch, n.Epoch())
		}
		p.enter(due{epoch, i, e.Times})
	}
	if e := p.Scenario.Expect; e != nil {
		var err error
		if p.until, err = e.until.resolve(ctx, n); err != nil {
			return fmt.Errorf("expect until: %w", err)
		}
		if p.until <= n.Epoch() {
			return fmt.Errorf("it is to be looked at at epoch %d, and the chain is at %d: a scenario needs a devnet that is new enough", p.until, n.Epoch())
		}
	}
	p.begun = true
	p.Log.Info("a scenario begins", "scenario", p.Scenario.Name, "about", p.Scenario.About, "epoch", n.Epoch(), "until", p.until)
	return nil
}

// enter keeps events in order; those of one epoch as the file has them.
func (p *Player) enter(d due) {
	at, _ := slices.BinarySearchFunc(p.due, d, func(a, b due) int {
		if a.epoch != b.epoch {
			return int(a.epoch - b.epoch)
		}
		return a.index - b.index
	})
	p.due = slices.Insert(p.due, at, d)
}

func (p *Player) happen(ctx context.Context, n *devnet.Network, d due) error {
	e := &p.Scenario.Events[d.index]
	name, err := e.name()
	if err != nil {
		return err
	}
	m, err := minerOf(n, e.Miner)
	if err != nil {
		return err
	}
	p.Log.Info("something happens", "scenario", p.Scenario.Name, "epoch", n.Epoch()+1, "event", d.index+1, "what", e.String())
	if e.Every > 0 && d.left != 1 {
		p.enter(due{d.epoch + abi.ChainEpoch(e.Every), d.index, max(d.left-1, 0)})
	}
	return actions[name].do(ctx, e, n, m)
}

// Ends says that there is a story, and that it expects something at its end.
func (p *Player) Ends() bool { return p != nil && p.Scenario.Expect != nil }

// Until is the epoch at which the story ends; 0 while that is not known, or if it has no end.
func (p *Player) Until() abi.ChainEpoch {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.until
}

// Judge says what is not as the scenario expects, in sentences; none if all is.
func (p *Player) Judge(ctx context.Context, n *devnet.Network) ([]string, error) {
	e := p.Scenario.Expect
	if e == nil {
		return nil, nil
	}
	total := n.Stats().Total
	faulty := uint64(0)
	for _, m := range n.Miners() {
		list, err := n.Deadlines(ctx, m)
		if err != nil {
			return nil, err
		}
		for _, d := range list {
			faulty += d.Faulty
		}
	}
	var wrong []string
	exactly := func(what string, want *uint64, got uint64) {
		if want != nil && got != *want {
			wrong = append(wrong, fmt.Sprintf("%s: %d, not %d", what, got, *want))
		}
	}
	atLeast := func(what string, want *uint64, got uint64) {
		if want != nil && got < *want {
			wrong = append(wrong, fmt.Sprintf("%s: %d, and it should be %d at least", what, got, *want))
		}
	}
	exactly("partitions missed", e.Missed, total.PartitionsMissed)
	atLeast("partitions confirmed", e.Confirmed, total.PartitionsConfirmed)
	exactly("invalid proofs", e.Invalid, total.ProofsInvalid)
	exactly("faulty sectors", e.Faulty, faulty)
	atLeast("sectors skipped", e.Skipped, total.SectorsSkipped)
	exactly("disputes", e.Disputes, n.DisputesSent())
	return wrong, nil
}
