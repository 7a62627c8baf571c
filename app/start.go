package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// What is looked at before the start: mistakes that would otherwise show
// themselves in the first deadline, when little time is left.

// unfit is what waiting cannot mend.
type unfit struct{ error }

func (u unfit) Unwrap() error { return u.error }

// patiently tries until it works, ctx ends, or the error is one that waiting cannot mend.
func patiently(ctx context.Context, log *slog.Logger, what string, try func() error) error {
	said := ""
	for {
		err := try()
		var no unfit
		if err == nil || errors.As(err, &no) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err.Error() != said { // once for each different trouble, not once a second
			said = err.Error()
			log.Warn("the start waits: "+what, "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// meet asks the node for its network until it answers, and decides how
// addresses are written from here on.
func meet(ctx context.Context, node vigil.Heads, expected string, log *slog.Logger) (network vigil.Network, err error) {
	err = patiently(ctx, log, "the node does not answer", func() error {
		network, err = node.Network(ctx)
		if err == nil && expected != "" && network.Name != expected {
			return unfit{fmt.Errorf("the node follows the network %q and not %q: ask another node, or change network in [node]", network.Name, expected)}
		}
		return err
	})
	if err != nil {
		return network, err
	}
	address.CurrentNetwork = address.Testnet
	if network.Name == "mainnet" {
		address.CurrentNetwork = address.Mainnet
	}
	return network, nil
}

// nodeState is what fit asks of a node.
type nodeState interface {
	vigil.Heads
	vigil.MinerState
	KeyAddress(ctx context.Context, account address.Address, key vigil.TipSetKey) (address.Address, error)
}

// checker of proof parameters.
type parameters interface {
	Check(t abi.RegisteredPoStProof) error
}

// fit sees that every miner exists, that its proofs can be made, and that a
// key is held that may send its messages.
func fit(ctx context.Context, miners []abi.ActorID, node nodeState, keys vigil.Signer, maths parameters, log *slog.Logger) error {
	for _, id := range miners {
		err := patiently(ctx, log, "the miner's state cannot be read", func() error {
			head, err := node.Head(ctx)
			if err != nil {
				return err
			}
			return fitMiner(ctx, id, head.Key, node, keys, maths)
		})
		if err != nil {
			return fmt.Errorf("miner %s: %w", vigil.MinerAddress(id), err)
		}
	}
	return nil
}

func fitMiner(ctx context.Context, id abi.ActorID, key vigil.TipSetKey, node nodeState, keys vigil.Signer, maths parameters) error {
	info, err := node.Miner(ctx, id, key)
	if errors.Is(err, vigil.ErrNotFound) {
		return unfit{fmt.Errorf("the network does not have it: is its address right, and the network? %w", err)}
	}
	if err != nil {
		return err
	}
	if err := maths.Check(info.ProofType); err != nil {
		return unfit{err}
	}
	var tried []string
	for _, account := range append([]address.Address{info.Worker}, info.Control...) {
		sender, err := node.KeyAddress(ctx, account, key)
		if err != nil {
			return err
		}
		held, err := keys.Has(ctx, sender)
		if held || err != nil {
			return err
		}
		tried = append(tried, sender.String())
	}
	return unfit{fmt.Errorf("the keystore has no key that may send its messages, the worker's or a control address's (%s): vigil wallet import takes one over", strings.Join(tried, ", "))}
}
