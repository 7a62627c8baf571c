package app

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/chain"
	"github.com/vigil-post/vigil/partition"
	"github.com/vigil-post/vigil/prover/native"
	"github.com/vigil-post/vigil/runner"
)

// RehearseWanted says what is to be rehearsed. Where nothing is chosen, all
// deadlines, the next one first.
type RehearseWanted struct {
	Miners     []abi.ActorID // of the configuration; none: all of them
	Deadlines  []uint64
	Partitions []PartitionAt // partitions alone
	SNARK      bool          // make the proofs too
	AtOnce     int           // sectors read from a storage at a time
}

// Tried is what came of the rehearsal of one proof.
type Tried = runner.Tried

// Rehearse reads what the next proofs of deadlines will read, for random challenges,
// and with SNARK makes and judges those proofs. Nothing is sent and nothing is stored. It
// says each batch's result as it comes; ctx ends it early, without an error.
func Rehearse(ctx context.Context, c Config, wanted RehearseWanted, log *slog.Logger, say func(Tried)) error {
	nodes, err := chain.Open(ctx, nodeConfigs(c.Nodes, vigil.Network{}, log)...)
	if err != nil {
		return err
	}
	defer nodes.Close()
	if _, err := meetSoon(ctx, nodes, log); err != nil {
		return err
	}
	r := reader(c)
	r.AtOnce = min(max(1, wanted.AtOnce), c.Reading.AtOnce)
	trial := runner.Trial{State: nodes, Sectors: r, Log: log, AtOnce: r.AtOnce * max(1, len(c.Storages))}
	if wanted.SNARK {
		maths := native.New(c.Proofs.Parameters, 1, c.Proofs.Memory)
		defer maths.Close()
		trial.Prover, trial.Verifier = maths, maths
	}
	return rehearseOn(ctx, nodes, trial, c, wanted, say)
}

func rehearseOn(ctx context.Context, state checkedState, trial runner.Trial, c Config, wanted RehearseWanted, say func(Tried)) (err error) {
	one := vigil.OneDecision(ctx)
	if trial.Head, err = state.Head(one); err != nil {
		return fmt.Errorf("ask for the head: %w", err)
	}
	for _, miner := range c.Miners {
		if len(wanted.Miners) > 0 && !slices.Contains(wanted.Miners, miner) {
			continue
		}
		if err := rehearseMiner(one, state, trial, miner, c.Schedule.MaxPartitions, wanted, say); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("miner %s: %w", vigil.MinerAddress(miner), err)
		}
	}
	return nil
}

func rehearseMiner(ctx context.Context, state vigil.MinerState, trial runner.Trial, miner abi.ActorID, together int, wanted RehearseWanted, say func(Tried)) error {
	current, err := state.Deadline(ctx, miner, trial.Head.Key)
	if err != nil {
		return fmt.Errorf("read the current deadline: %w", err)
	}
	for n := range int(current.Count) {
		index := current.Plus(n + 1).Index
		if !wanted.deadline(index) {
			continue
		}
		partitions, err := state.Partitions(ctx, miner, index, trial.Head.Key)
		if err != nil {
			return fmt.Errorf("read the partitions of deadline %d: %w", index, err)
		}
		if partitions, err = wanted.pick(index, partitions); err != nil {
			return err
		}
		for batch := range slices.Chunk(partitions, max(1, together)) {
			tried, err := trial.Try(ctx, miner, index, batch)
			if err != nil {
				return err
			}
			say(tried)
		}
	}
	return nil
}

// deadline says whether anything of a deadline is wanted.
func (w RehearseWanted) deadline(index uint64) bool {
	return len(w.Deadlines)+len(w.Partitions) == 0 || slices.Contains(w.Deadlines, index) ||
		slices.ContainsFunc(w.Partitions, func(p PartitionAt) bool { return p.Deadline == index })
}

// pick keeps the partitions that are wanted and owe a proof.
func (w RehearseWanted) pick(index uint64, all []vigil.Partition) (picked []vigil.Partition, err error) {
	whole := len(w.Partitions) == 0 || slices.Contains(w.Deadlines, index)
	for _, p := range all {
		due, err := partition.Due(p)
		if err != nil {
			return nil, err
		}
		nothing, err := due.IsEmpty()
		if err != nil {
			return nil, fmt.Errorf("deadline %d, partition %d: %w", index, p.Index, err)
		}
		if !nothing && (whole || slices.Contains(w.Partitions, PartitionAt{index, p.Index})) {
			picked = append(picked, p)
		}
	}
	return picked, nil
}

// PartitionAt is a partition of a deadline.
type PartitionAt struct{ Deadline, Partition uint64 }
