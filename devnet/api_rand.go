package devnet

import (
	"context"
	"errors"
	"fmt"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/crypto"
)

var errFuture = errors.New("cannot draw randomness from the future")

func (a *api) StateGetRandomnessFromBeacon(_ context.Context, tag crypto.DomainSeparationTag, epoch abi.ChainEpoch, entropy []byte, key TipSetKey) (abi.Randomness, error) {
	ts, err := a.loaded(key)
	if err != nil {
		return nil, err
	}
	if epoch > ts.height() {
		return nil, fmt.Errorf("getting beacon randomness: %w", errFuture)
	}
	return drawRandomness(beaconDigest(max(epoch, 0)), tag, epoch, entropy), nil
}

func (a *api) StateGetRandomnessDigestFromBeacon(_ context.Context, epoch abi.ChainEpoch, key TipSetKey) (abi.Randomness, error) {
	ts, err := a.loaded(key)
	if err != nil {
		return nil, err
	}
	if epoch > ts.height() {
		return nil, fmt.Errorf("failed to get randomness digest from tickets: %w", errFuture) // a node's words here too
	}
	return beaconDigest(max(epoch, 0)), nil
}

// StateGetRandomnessFromTickets does not take the head for no key, unlike most.
func (a *api) StateGetRandomnessFromTickets(_ context.Context, tag crypto.DomainSeparationTag, epoch abi.ChainEpoch, entropy []byte, key TipSetKey) (abi.Randomness, error) {
	ts, err := a.exactly(key)
	if err != nil {
		return nil, fmt.Errorf("loading tipset key: %w", err)
	}
	d, err := a.n.chain.ticketDigest(ts, epoch)
	if err != nil {
		return nil, fmt.Errorf("getting chain randomness: %w", err)
	}
	return drawRandomness(d, tag, epoch, entropy), nil
}

func (a *api) StateGetRandomnessDigestFromTickets(_ context.Context, epoch abi.ChainEpoch, key TipSetKey) (abi.Randomness, error) {
	ts, err := a.loaded(key)
	if err != nil {
		return nil, err
	}
	d, err := a.n.chain.ticketDigest(ts, epoch)
	if err != nil {
		return nil, fmt.Errorf("failed to get randomness digest from tickets: %w", err)
	}
	return d, nil
}

// ticketDigest is of the tipset at an epoch, or after it where that was a null round.
func (c *chain) ticketDigest(ts *tipset, epoch abi.ChainEpoch) ([]byte, error) {
	if epoch > ts.height() {
		return nil, errFuture
	}
	_, after, err := c.around(ts, max(epoch, 0))
	if err != nil {
		return nil, err
	}
	return hash256(after.header.Ticket.VRFProof), nil
}

func (a *api) StateGetBeaconEntry(ctx context.Context, epoch abi.ChainEpoch) (*BeaconEntry, error) {
	if epoch > a.n.Epoch() {
		if err := a.waitEpoch(ctx, epoch); err != nil {
			return nil, err
		}
	}
	e := beaconEntry(beaconRound(max(epoch, 0)))
	return &e, nil
}

// waitEpoch waits until the head is at an epoch or past it.
func (a *api) waitEpoch(ctx context.Context, epoch abi.ChainEpoch) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for heads := a.n.notify.subscribe(ctx, a.n.chain.current); a.n.Epoch() < epoch; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case _, ok := <-heads:
			if !ok {
				heads = a.n.notify.subscribe(ctx, a.n.chain.current)
			}
		}
	}
	return nil
}
