package devnet

import (
	"context"
	"errors"
	"fmt"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
)

// apiV2 is version 2 of the API as far as there is one beside Ethereum's
// methods: tipsets are named by key, by height or by a tag.
type apiV2 struct{ api *api }

// safeDistance is how many epochs a node's safe tipset is behind its head.
const safeDistance = 200

// TipSetSelector names a tipset in one of three ways.
type TipSetSelector struct {
	Key    *TipSetKey    `json:"key,omitempty"`
	Height *TipSetHeight `json:"height,omitempty"`
	Tag    *string       `json:"tag,omitempty"`
}

// TipSetHeight is an epoch on the chain that ends in the anchor; in a null
// round the tipset after it, or the one before if Previous.
type TipSetHeight struct {
	At       *abi.ChainEpoch `json:"at,omitempty"`
	Previous bool            `json:"previous,omitempty"`
	Anchor   *TipSetAnchor   `json:"anchor,omitempty"`
}

// TipSetAnchor is a tipset by key or by tag; none is the finalized one.
type TipSetAnchor struct {
	Key *TipSetKey `json:"key,omitempty"`
	Tag *string    `json:"tag,omitempty"`
}

func (s TipSetSelector) valid() error {
	if h := s.Height; h != nil {
		switch {
		case h.At == nil:
			return errors.New("validating tipset height: invalid tipset height: at epoch must be specified")
		case *h.At < 0:
			return errors.New("validating tipset height: invalid tipset height: epoch cannot be less than zero")
		case h.Anchor != nil && h.Anchor.Key != nil && h.Anchor.Tag != nil:
			return errors.New("validating tipset height: invalid tipset anchor: at most one of key or tag must be specified")
		}
	}
	criteria := 0
	for _, given := range []bool{s.Key != nil, s.Height != nil, s.Tag != nil} {
		if given {
			criteria++
		}
	}
	if criteria != 1 {
		return fmt.Errorf("exactly one tipset selection criteria must be specified, found: %d", criteria)
	}
	return nil
}

func (a *apiV2) selected(s TipSetSelector) (*tipset, error) {
	if err := s.valid(); err != nil {
		return nil, fmt.Errorf("validating selector: %w", err)
	}
	switch {
	case s.Key != nil:
		return a.api.at(*s.Key)
	case s.Tag != nil:
		return a.tagged(*s.Tag)
	}
	anchor, err := a.anchored(s.Height.Anchor)
	if err != nil {
		return nil, fmt.Errorf("getting anchor from tipset: %w", err)
	}
	before, after, err := a.api.n.chain.around(anchor, *s.Height.At)
	if s.Height.Previous {
		after = before
	}
	return after, err
}

func (a *apiV2) anchored(anchor *TipSetAnchor) (*tipset, error) {
	switch {
	case anchor == nil:
		return a.tagged("finalized")
	case anchor.Key != nil:
		return a.api.at(*anchor.Key)
	case anchor.Tag != nil:
		return a.tagged(*anchor.Tag)
	}
	return a.api.n.chain.current(), nil
}

// tagged finds a tipset by its tag. There is no fast finality here.
func (a *apiV2) tagged(tag string) (*tipset, error) {
	head := a.api.n.chain.current()
	var behind abi.ChainEpoch
	switch tag {
	case "latest":
	case "safe":
		behind = safeDistance
	case "finalized":
		behind = finality
	default:
		return nil, fmt.Errorf("unknown tipset tag: %s", tag)
	}
	at, _, err := a.api.n.chain.around(head, max(head.height()-behind, 0))
	return at, err
}

func (a *apiV2) ChainGetTipSet(_ context.Context, s TipSetSelector) (*TipSet, error) {
	ts, err := a.selected(s)
	if err != nil {
		return nil, err
	}
	return ts.wire(), nil
}

func (a *apiV2) StateGetActor(ctx context.Context, addr address.Address, s TipSetSelector) (*Actor, error) {
	ts, err := a.selected(s)
	if err != nil {
		return nil, fmt.Errorf("getting tipset: %w", err)
	}
	return a.api.StateGetActor(ctx, addr, ts.key())
}

func (a *apiV2) StateGetID(ctx context.Context, addr address.Address, s TipSetSelector) (*address.Address, error) {
	ts, err := a.selected(s)
	if err != nil {
		return nil, fmt.Errorf("getting tipset: %w", err)
	}
	id, err := a.api.StateLookupID(ctx, addr, ts.key())
	if err != nil {
		return nil, fmt.Errorf("looking up ID: %w", err)
	}
	return &id, nil
}
