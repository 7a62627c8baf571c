package chain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/crypto"

	"github.com/vigil-post/vigil"
)

// Challenge is the beacon's seed of a miner's deadline. What ties it to the
// miner is the CBOR of its ID address.
func (c *Client) Challenge(ctx context.Context, miner abi.ActorID, epoch abi.ChainEpoch, key vigil.TipSetKey) ([32]byte, error) {
	const method = "StateGetRandomnessFromBeacon"
	entropy, err := cborOf(ptr(vigil.MinerAddress(miner)))
	if err != nil {
		return [32]byte{}, fmt.Errorf("encode the miner's address: %w", err)
	}
	return c.draw(ctx, method, crypto.DomainSeparationTag_WindowedPoStChallengeSeed, epoch, entropy, key)
}

// Commit is the ticket randomness that ties a post to a fork. It has no
// entropy: with any other, even the miner's address, the actor refuses the post.
func (c *Client) Commit(ctx context.Context, epoch abi.ChainEpoch, key vigil.TipSetKey) ([32]byte, error) {
	return c.draw(ctx, "StateGetRandomnessFromTickets", crypto.DomainSeparationTag_PoStChainCommit, epoch, nil, key)
}

func (c *Client) draw(ctx context.Context, method string, tag crypto.DomainSeparationTag, epoch abi.ChainEpoch, entropy []byte, key vigil.TipSetKey) ([32]byte, error) {
	if key == "" { // Lotus fails on tickets without one, and a seed must be of a fork that is known
		return [32]byte{}, errors.New(method + ": randomness is drawn at a tipset, and none is given")
	}
	if epoch < 0 {
		return [32]byte{}, fmt.Errorf("%s: epoch %d is before the chain", method, epoch)
	}
	k, err := keyParam(key)
	if err != nil {
		return [32]byte{}, err
	}
	if h, ok := c.tipsets.get(key); ok && epoch > h.Epoch {
		return [32]byte{}, fmt.Errorf("%s: epoch %d is after the tipset's, %d", method, epoch, h.Epoch)
	}
	raw, err := c.call(ctx, method, tag, epoch, entropy, k)
	if err != nil {
		return [32]byte{}, err
	}
	return randomness(method, raw)
}

func randomness(method string, raw json.RawMessage) ([32]byte, error) {
	drawn, err := decode[[]byte](raw)
	if err != nil {
		return [32]byte{}, unusable(method, "%w", err)
	}
	if len(drawn) != 32 {
		return [32]byte{}, unusable(method, "%d bytes where 32 are drawn", len(drawn))
	}
	seed := [32]byte(drawn)
	if seed == ([32]byte{}) {
		return [32]byte{}, unusable(method, "all bytes are zero")
	}
	return seed, nil
}

func ptr[T any](v T) *T { return &v }
