package dashboard

import (
	"context"
	"errors"
	"fmt"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// Chain is what a deadline's page asks a node for: how its partitions stand on
// chain. It is asked once per head and deadline, and for two deadlines at a time at most.
type Chain interface {
	Head(ctx context.Context) (vigil.Head, error)
	Partitions(ctx context.Context, miner abi.ActorID, deadline uint64, key vigil.TipSetKey) ([]vigil.Partition, error)
}

// chainSight is how a deadline stood at a head.
type chainSight struct {
	epoch      abi.ChainEpoch
	partitions []vigil.Partition
}

// look gives a deadline's partitions as they were at the status's head or later.
func (d *dashboard) look(ctx context.Context, miner abi.ActorID, deadline uint64, at moment) (chainSight, error) {
	if d.Chain == nil {
		return chainSight{}, errors.New("no node is asked for partitions here")
	}
	return d.deadlines.get(ctx, at, fmt.Sprintf("%d/%d", miner, deadline), func(ctx context.Context) (chainSight, error) {
		ctx = vigil.OneDecision(ctx)
		head, err := d.Chain.Head(ctx)
		if err != nil {
			return chainSight{}, fmt.Errorf("read the head: %w", err)
		}
		partitions, err := d.Chain.Partitions(ctx, miner, deadline, head.Key)
		if err != nil {
			return chainSight{}, fmt.Errorf("read the partitions of deadline %d: %w", deadline, err)
		}
		return chainSight{head.Epoch, partitions}, nil
	})
}
