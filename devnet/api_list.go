package devnet

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/ipfs/go-cid"
)

// MessageMatch says which messages are looked for: by sender, receiver or both,
// as they are written in the message.
type MessageMatch struct {
	To   address.Address
	From address.Address
}

func (m *MessageMatch) matches(msg *Message) bool {
	return (m.From == address.Undef || m.From == msg.From) && (m.To == address.Undef || m.To == msg.To)
}

// StateListMessages lists the messages of the tipsets from one back to an
// epoch, the latest first, as far as they are kept.
func (a *api) StateListMessages(_ context.Context, match *MessageMatch, key TipSetKey, until abi.ChainEpoch) ([]cid.Cid, error) {
	ts, err := a.loaded(key)
	if err != nil {
		return nil, err
	}
	if match == nil || match.To == address.Undef && match.From == address.Undef {
		return nil, errors.New("must specify at least To or From in message filter")
	}
	party := match.To
	if party == address.Undef {
		party = match.From
	}
	if _, _, ok := ts.before.lookup(party); !ok {
		return nil, nil // who does not exist was sent nothing
	}
	var out []cid.Cid
	for ts.height() >= until {
		for i, m := range ts.messages {
			if match.matches(&m.Message) {
				out = append(out, ts.cids[i])
			}
		}
		parent, ok := a.n.chain.parent(ts)
		if ts == a.n.chain.genesis || !ok {
			break
		}
		ts = parent
	}
	return out, nil
}

func (a *api) StateListActors(_ context.Context, key TipSetKey) ([]address.Address, error) {
	ts, err := a.loaded(key)
	if err != nil {
		return nil, err
	}
	var out []address.Address
	for _, id := range slices.Sorted(maps.Keys(ts.before.actors)) {
		out = append(out, idAddress(id))
	}
	return out, nil
}
