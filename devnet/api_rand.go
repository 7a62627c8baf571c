package devnet

import (
	"context"
	"errors"
	"fmt"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/crypto"
)

var errFuture = errors.New("cannot draw randomness from the future")

func (a *api) StateGetRandomnessFromBeacon(ctx context.Context, tag crypto.DomainSeparationTag, epoch abi.ChainEpoch, entropy []byte, key TipSetKey) (abi.Randomness, error) {
	d, err := a.StateGetRandomnessDigestFromBeacon(ctx, epoch, key)
	if err != nil {
		return nil, err
	}
	return drawRandomness(d, tag, epoch, entropy), nil
}

func (a *api) StateGetRandomnessDigestFromBeacon(_ context.Context, epoch abi.ChainEpoch, key TipSetKey) (abi.Randomness, error) {
	ts, err := a.at(key)
	if err != nil {
		return nil, err
	}
	if epoch > ts.height() {
		return nil, fmt.Errorf("getting beacon randomness: %w", errFuture)
	}
	return beaconDigest(epoch), nil
}

func (a *api) StateGetRandomnessFromTickets(ctx context.Context, tag crypto.DomainSeparationTag, epoch abi.ChainEpoch, entropy []byte, key TipSetKey) (abi.Randomness, error) {
	d, err := a.StateGetRandomnessDigestFromTickets(ctx, epoch, key)
	if err != nil {
		return nil, err
	}
	return drawRandomness(d, tag, epoch, entropy), nil
}

func (a *api) StateGetRandomnessDigestFromTickets(_ context.Context, epoch abi.ChainEpoch, key TipSetKey) (abi.Randomness, error) {
	if len(key) == 0 { // unlike all others, this call does not take the head for no key
		return nil, errors.New("loading tipset : NewTipSet called with zero length array of blocks")
	}
	ts, err := a.at(key)
	if err != nil {
		return nil, err
	}
	if epoch > ts.height() {
		return nil, fmt.Errorf("getting ticket randomness: %w", errFuture)
	}
	_, after, err := a.n.chain.around(ts, max(epoch, 0))
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
	e := beaconEntry(beaconRound(epoch))
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
