package devnet

import (
	"context"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/ipfs/go-cid"
)

// apiV0 is version 0 of the API, which old tools speak: version 1 with the
// methods that have since changed as they were.
type apiV0 struct{ *api }

func (a *apiV0) Version(ctx context.Context) (APIVersion, error) {
	v, err := a.api.Version(ctx)
	v.APIVersion = apiVersion0
	return v, err
}

func (a *apiV0) StateSearchMsg(ctx context.Context, c cid.Cid) (*MsgLookup, error) {
	return a.api.StateSearchMsg(ctx, nil, c, noLimit, true)
}

func (a *apiV0) StateSearchMsgLimited(ctx context.Context, c cid.Cid, limit abi.ChainEpoch) (*MsgLookup, error) {
	return a.api.StateSearchMsg(ctx, nil, c, limit, true)
}

func (a *apiV0) StateWaitMsg(ctx context.Context, c cid.Cid, confidence uint64) (*MsgLookup, error) {
	return a.api.StateWaitMsg(ctx, c, confidence, noLimit, true)
}

func (a *apiV0) StateWaitMsgLimited(ctx context.Context, c cid.Cid, confidence uint64, limit abi.ChainEpoch) (*MsgLookup, error) {
	return a.api.StateWaitMsg(ctx, c, confidence, limit, true)
}

func (a *apiV0) StateGetReceipt(ctx context.Context, c cid.Cid, from TipSetKey) (*Receipt, error) {
	found, err := a.api.StateSearchMsg(ctx, from, c, noLimit, true)
	if err != nil || found == nil {
		return nil, err
	}
	return &found.Receipt, nil
}

func (a *apiV0) ChainGetRandomnessFromTickets(ctx context.Context, key TipSetKey, tag crypto.DomainSeparationTag, epoch abi.ChainEpoch, entropy []byte) (abi.Randomness, error) {
	return a.StateGetRandomnessFromTickets(ctx, tag, epoch, entropy, key)
}

func (a *apiV0) ChainGetRandomnessFromBeacon(ctx context.Context, key TipSetKey, tag crypto.DomainSeparationTag, epoch abi.ChainEpoch, entropy []byte) (abi.Randomness, error) {
	return a.StateGetRandomnessFromBeacon(ctx, tag, epoch, entropy, key)
}

func (a *apiV0) BeaconGetEntry(ctx context.Context, epoch abi.ChainEpoch) (*BeaconEntry, error) {
	return a.StateGetBeaconEntry(ctx, epoch)
}
