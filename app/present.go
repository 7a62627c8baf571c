package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/chain"
	"github.com/vigil-post/vigil/explain"
)

// Present tells how the miners stand, by the chain at its head.
type Present struct {
	nodes   chainState
	miners  []abi.ActorID
	causes  func(context.Context, abi.ActorID) (map[abi.SectorNumber]string, error)
	provers func() []vigil.ProverStatus
	close   func() error
}

// chainState is what is asked of the nodes.
type chainState interface {
	vigil.Heads
	vigil.MinerState
	Power(ctx context.Context, miner abi.ActorID, key vigil.TipSetKey) (vigil.Power, error)
}

// OpenPresent asks the nodes of a configuration, without its daemon. Causes are
// those that the daemon has written down, if there are any.
func OpenPresent(ctx context.Context, path string, log *slog.Logger) (*Present, error) {
	c, err := loadForAsking(path)
	if err != nil {
		return nil, err
	}
	known, err := readOrigin(c.Data)
	if err != nil {
		return nil, err
	}
	nodes, err := chain.Open(ctx, nodeConfigs(c.Nodes, known, log)...)
	if err != nil {
		return nil, err
	}
	if _, err := meetSoon(ctx, nodes, log); err != nil {
		return nil, errors.Join(fmt.Errorf("no node of %s answers: %w", path, err), nodes.Close())
	}
	written := func(ctx context.Context, miner abi.ActorID) (map[abi.SectorNumber]string, error) {
		return writtenCauses(ctx, c.Data, miner), nil
	}
	return &Present{nodes: nodes, miners: c.Miners, causes: written, provers: func() []vigil.ProverStatus { return nil }, close: nodes.Close}, nil
}

// Close gives up what OpenPresent opened.
func (p *Present) Close() error { return p.close() }

// present is what a running daemon answers from.
func (d *Daemon) present() *Present {
	return &Present{nodes: d.nodes, miners: d.config.Miners, causes: d.knownCauses, provers: d.provers, close: func() error { return nil }}
}

// provers says what makes proofs.
func (d *Daemon) provers() []vigil.ProverStatus {
	s := vigil.ProverStatus{Prover: "unknown", Proofs: []vigil.ProofWork{}}
	if p, ok := d.prover.maker.(interface{ Status() vigil.ProverStatus }); ok {
		s = p.Status()
	}
	s.Made = d.ProofsMade()
	return []vigil.ProverStatus{s}
}

// knownCauses are why sectors could not be proved, by the newest word of the
// daemon, and by what was written down before it.
func (d *Daemon) knownCauses(ctx context.Context, miner abi.ActorID) (map[abi.SectorNumber]string, error) {
	duties, err := d.store.FindDuties(ctx, vigil.DutyQuery{Miner: miner, Limit: lookedAt})
	if err != nil {
		return nil, err
	}
	causes := causesOf(duties)
	for _, m := range d.Status().Miners {
		if m.Miner != vigil.MinerAddress(miner).String() {
			continue
		}
		maps.Copy(causes, named(m.Bad))
		for _, r := range m.Recoveries {
			maps.Copy(causes, named(r.Unreadable))
		}
	}
	return causes, nil
}

// writtenCauses are those of a database that can be read; none where it cannot.
func writtenCauses(ctx context.Context, data string, miner abi.ActorID) map[abi.SectorNumber]string {
	past, err := OpenPast(ctx, data)
	if err != nil {
		return nil
	}
	defer past.Close()
	duties, err := past.store.FindDuties(ctx, vigil.DutyQuery{Miner: miner, Limit: lookedAt})
	if err != nil {
		return nil
	}
	return causesOf(duties)
}

// causesOf gives the newest cause of each sector that duties, newest first, leave out.
func causesOf(duties []vigil.Duty) map[abi.SectorNumber]string {
	causes := map[abi.SectorNumber]string{}
	for _, d := range duties {
		for n, cause := range named(d.Skipped) {
			if _, known := causes[n]; !known {
				causes[n] = cause
			}
		}
	}
	return causes
}

func named(bad []vigil.BadSector) map[abi.SectorNumber]string {
	causes := map[abi.SectorNumber]string{}
	for _, b := range bad {
		causes[b.Number] = b.Cause
	}
	return causes
}

// of are the miners that are meant; 0 is all.
func (p *Present) of(miner abi.ActorID) []abi.ActorID {
	if miner == 0 {
		return p.miners
	}
	return []abi.ActorID{miner}
}

// Power implements dashboard.Present.
func (p *Present) Power(ctx context.Context, miner abi.ActorID) ([]vigil.Power, error) {
	list := []vigil.Power{}
	for _, id := range p.of(miner) {
		power, err := p.power(vigil.OneDecision(ctx), id)
		if err != nil {
			return nil, fmt.Errorf("the power of %s: %w", vigil.MinerAddress(id), err)
		}
		list = append(list, power)
	}
	return list, nil
}

func (p *Present) power(ctx context.Context, id abi.ActorID) (vigil.Power, error) {
	head, err := p.nodes.Head(ctx)
	if err != nil {
		return vigil.Power{}, err
	}
	power, err := p.nodes.Power(ctx, id, head.Key)
	if err != nil {
		return power, err
	}
	info, err := p.nodes.Miner(ctx, id, head.Key)
	if err != nil {
		return power, err
	}
	_, recovering, err := p.nodes.Faults(ctx, id, head.Key)
	if err != nil {
		return power, err
	}
	power.Epoch, power.SectorSize = head.Epoch, info.SectorSize
	power.FaultyRaw = big.Mul(big.NewIntUnsigned(power.Faulty), big.NewIntUnsigned(uint64(info.SectorSize)))
	power.Recovering, err = recovering.Count()
	return power, err
}

// Faults implements dashboard.Present.
func (p *Present) Faults(ctx context.Context, miner abi.ActorID) ([]explain.Faulty, error) {
	list := []explain.Faulty{}
	for _, id := range p.of(miner) {
		found, err := p.faults(vigil.OneDecision(ctx), id)
		if err != nil {
			return nil, fmt.Errorf("the faulty sectors of %s: %w", vigil.MinerAddress(id), err)
		}
		list = append(list, found...)
	}
	return list, nil
}

// faults reads all deadlines of a miner, if it has faulty sectors at all.
func (p *Present) faults(ctx context.Context, id abi.ActorID) ([]explain.Faulty, error) {
	head, err := p.nodes.Head(ctx)
	if err != nil {
		return nil, err
	}
	faulty, _, err := p.nodes.Faults(ctx, id, head.Key)
	if err != nil {
		return nil, err
	}
	if none, err := faulty.IsEmpty(); err != nil || none {
		return nil, err
	}
	causes, err := p.causes(ctx, id)
	if err != nil {
		return nil, err
	}
	current, err := p.nodes.Deadline(ctx, id, head.Key)
	if err != nil {
		return nil, err
	}
	var list []explain.Faulty
	for n := range int(current.Count) {
		d := current.Plus(n + 1) // what is open now is too late to be declared for
		partitions, err := p.nodes.Partitions(ctx, id, d.Index, head.Key)
		if err != nil {
			return nil, err
		}
		for _, part := range partitions {
			f, err := explain.FaultsOf(id, d, part, causes)
			if err != nil {
				return nil, err
			}
			if len(f.Sectors) > 0 {
				list = append(list, f)
			}
		}
	}
	return list, nil
}

// Provers implements dashboard.Present.
func (p *Present) Provers() []vigil.ProverStatus { return p.provers() }
