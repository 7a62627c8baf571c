package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/chain"
	"github.com/vigil-post/vigil/forecast"
	"github.com/vigil-post/vigil/store"
)

// PlanAhead forecasts the deadlines of the next proving period while the daemon is
// off: from what its database remembers and the chain says. With workers, that many
// proofs are made at the same time.
func PlanAhead(ctx context.Context, c Config, workers int, log *slog.Logger) (forecast.Plan, error) {
	nodes, err := chain.Open(ctx, nodeConfigs(c.Nodes, vigil.Network{}, log)...)
	if err != nil {
		return forecast.Plan{}, err
	}
	defer nodes.Close()
	network, err := meetSoon(ctx, nodes, log)
	if err != nil {
		return forecast.Plan{}, err
	}
	one := vigil.OneDecision(ctx)
	head, err := nodes.Head(one)
	if err != nil {
		return forecast.Plan{}, fmt.Errorf("ask for the head: %w", err)
	}
	var miners []forecast.Miner
	for _, id := range c.Miners {
		duties, err := storedDuties(ctx, c.Data, id)
		if err != nil {
			return forecast.Plan{}, err
		}
		m, err := owedBy(one, nodes, id, head, duties, c)
		if err != nil {
			return forecast.Plan{}, fmt.Errorf("miner %s: %w", vigil.MinerAddress(id), err)
		}
		miners = append(miners, m)
	}
	pace := forecast.Pace{Epoch: network.BlockDelay, Policy: c.Schedule, AtOnce: max(1, c.Proofs.AtOnce)}
	if workers > 0 {
		pace.AtOnce = workers
	}
	plan := forecast.Make(miners, head.Epoch, pace)
	plan.Time = head.Time
	return plan, nil
}

// storedDuties are all that the daemon's database has of a miner: none if it never ran.
func storedDuties(ctx context.Context, data string, id abi.ActorID) (duties []vigil.Duty, err error) {
	path := filepath.Join(data, "vigil.db")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	s, err := store.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.Duties(ctx, id, 0)
}

// owedBy reads what a miner owes in the proving period ahead.
func owedBy(ctx context.Context, state vigil.MinerState, id abi.ActorID, head vigil.Head, duties []vigil.Duty, c Config) (forecast.Miner, error) {
	m := forecast.Miner{ID: id, History: duties}
	current, err := state.Deadline(ctx, id, head.Key)
	if err != nil {
		return m, fmt.Errorf("read the current deadline: %w", err)
	}
	sets, err := state.Posted(ctx, id, head.Key)
	if err != nil {
		return m, fmt.Errorf("read what is posted: %w", err)
	}
	for n := range int(current.Count) {
		d := current.Plus(n)
		partitions, err := state.Partitions(ctx, id, d.Index, head.Key)
		if err != nil {
			return m, fmt.Errorf("read the partitions of deadline %d: %w", d.Index, err)
		}
		due, err := forecast.DueOf(partitions)
		if err != nil {
			return m, fmt.Errorf("deadline %d: %w", d.Index, err)
		}
		m.Deadlines = append(m.Deadlines, forecast.Of(d, due, forecast.Standing{
			Duties: duties,
			Posted: func(index uint64) bool {
				if n > 0 || d.Index >= uint64(len(sets)) {
					return false
				}
				posted, err := sets[d.Index].IsSet(index)
				return err == nil && posted
			},
			Began: func(vigil.DutyID) abi.ChainEpoch { return 0 },
		}, c.Schedule))
	}
	return m, nil
}
