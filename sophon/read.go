package sophon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
)

// mostListed is how many messages, the newest, a list is made from.
const mostListed = 100_000

// HasMessageByUid says whether there is a message of the ID.
func (a *api) HasMessageByUid(ctx context.Context, id string) (bool, error) { //nolint:revive // the API's name
	if err := need(ctx, "read", "HasMessageByUid"); err != nil {
		return false, err
	}
	_, err := a.one(ctx, vigil.MessageQuery{ID: id}, "message "+id)
	if errors.Is(err, vigil.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// GetMessageByUid gives the message of an ID.
func (a *api) GetMessageByUid(ctx context.Context, id string) (*Message, error) { //nolint:revive // the API's name
	return a.get(ctx, vigil.MessageQuery{ID: id}, "message "+id)
}

// GetMessageBySignedCid gives the message that has an attempt of the CID on chain.
func (a *api) GetMessageBySignedCid(ctx context.Context, c cid.Cid) (*Message, error) {
	return a.get(ctx, vigil.MessageQuery{CID: c}, "a message with the CID "+c.String())
}

// GetMessageByUnsignedCid gives the message that has an attempt whose
// signature is of the CID.
func (a *api) GetMessageByUnsignedCid(ctx context.Context, c cid.Cid) (*Message, error) {
	list, err := a.list(ctx, vigil.MessageQuery{Limit: mostListed}, func(m vigil.Message) bool {
		return slices.ContainsFunc(m.Attempts, func(at vigil.Attempt) bool {
			unsigned, err := at.Signed.UnsignedCID()
			return err == nil && unsigned == c
		})
	})
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("a message with the unsigned CID %s: %w", c, vigil.ErrNotFound)
	}
	return list[0], nil
}

// GetMessageByFromAndNonce gives the message that a sender's nonce was given to.
func (a *api) GetMessageByFromAndNonce(ctx context.Context, from address.Address, nonce uint64) (*Message, error) {
	return a.get(ctx, vigil.MessageQuery{From: from, Nonce: &nonce}, fmt.Sprintf("a message of %s with nonce %d", from, nonce))
}

// ListMessage gives the messages that fit, what changed last first unless it says Asc.
func (a *api) ListMessage(ctx context.Context, q *Query) ([]*Message, error) {
	if q == nil {
		q = &Query{}
	}
	list, err := a.list(ctx, vigil.MessageQuery{States: statesOf(q.State), Limit: mostListed}, func(m vigil.Message) bool {
		return (len(q.State) == 0 || slices.Contains(q.State, stateOf(m.State))) &&
			(len(q.From) == 0 || slices.ContainsFunc(q.From, func(from address.Address) bool { return isFrom(m, from) })) &&
			(q.ByUpdateAt == nil || !m.Updated.Before(*q.ByUpdateAt))
	})
	return cut(order(list, q.Asc), q.Offset, q.Limit), err
}

// ListMessageByFromState gives a page of the messages of a sender in a state
// that were made in the last so long.
func (a *api) ListMessageByFromState(ctx context.Context, from address.Address, state State, asc bool, page, size int, within time.Duration) ([]*Message, error) {
	list, err := a.list(ctx, vigil.MessageQuery{Limit: mostListed}, func(m vigil.Message) bool {
		return (from == address.Undef || isFrom(m, from)) && stateOf(m.State) == state && (within <= 0 || time.Since(m.Created) < within)
	})
	page, size = max(1, page), max(0, size)
	return cut(order(list, asc), uint(page-1)*uint(size), uint(size)), err
}

// ListMessageByAddress gives all messages of a sender.
func (a *api) ListMessageByAddress(ctx context.Context, from address.Address) ([]*Message, error) {
	return a.ListMessage(ctx, &Query{From: []address.Address{from}})
}

// ListFailedMessage gives those that could not be signed so far, and why.
func (a *api) ListFailedMessage(ctx context.Context) ([]*Message, error) {
	return a.list(ctx, vigil.MessageQuery{States: statesOf([]State{UnFillMsg}), Limit: mostListed}, func(m vigil.Message) bool {
		return stateOf(m.State) == UnFillMsg && m.Problem != ""
	})
}

// ListBlockedMessage gives those of a sender, or of all, that are not on chain
// after so long.
func (a *api) ListBlockedMessage(ctx context.Context, from address.Address, older time.Duration) ([]*Message, error) {
	return a.list(ctx, vigil.MessageQuery{States: statesOf([]State{UnFillMsg, FillMsg}), Limit: mostListed}, func(m vigil.Message) bool {
		state := stateOf(m.State)
		return (state == UnFillMsg || state == FillMsg) && (from == address.Undef || isFrom(m, from)) && time.Since(m.Created) > older
	})
}

// isFrom says that a message has the sender, or may have it yet.
func isFrom(m vigil.Message, from address.Address) bool {
	return m.Call.From == from || m.Call.From == address.Undef && slices.Contains(m.Senders, from)
}

// order puts what changed last first, unless the oldest are asked for first.
func order(oldestFirst []*Message, asc bool) []*Message {
	if !asc {
		slices.Reverse(oldestFirst)
		slices.SortStableFunc(oldestFirst, func(a, b *Message) int { return b.UpdatedAt.Compare(a.UpdatedAt) })
	}
	return oldestFirst
}

// cut is a page of a list; a limit of 0 is no limit.
func cut(list []*Message, offset, limit uint) []*Message {
	list = list[min(offset, uint(len(list))):]
	if limit > 0 && limit < uint(len(list)) {
		list = list[:limit]
	}
	return list
}

// one gives the message of a query that has one answer. One that names nothing, as
// a caller's empty ID does, would fit every message.
func (a *api) one(ctx context.Context, q vigil.MessageQuery, what string) (vigil.Message, error) {
	if q.ID == "" && !q.CID.Defined() && q.Nonce == nil {
		return vigil.Message{}, fmt.Errorf("%s: %w: it is not said which", what, vigil.ErrNotFound)
	}
	found, err := a.s.Desk.Find(ctx, q)
	if err != nil {
		return vigil.Message{}, err
	}
	if len(found) == 0 {
		return vigil.Message{}, fmt.Errorf("%s: %w", what, vigil.ErrNotFound)
	}
	return found[len(found)-1], nil
}

func (a *api) get(ctx context.Context, q vigil.MessageQuery, what string) (*Message, error) {
	if err := need(ctx, "read", "GetMessage"); err != nil {
		return nil, err
	}
	m, err := a.one(ctx, q, what)
	if err != nil {
		return nil, err
	}
	head, err := a.s.Head(ctx)
	if err != nil {
		return nil, err
	}
	return wordsOf(m, head)
}

// list gives the messages of a query that fit, oldest first.
func (a *api) list(ctx context.Context, q vigil.MessageQuery, fits func(vigil.Message) bool) ([]*Message, error) {
	if err := need(ctx, "read", "ListMessage"); err != nil {
		return nil, err
	}
	found, err := a.s.Desk.Find(ctx, q)
	if err != nil {
		return nil, err
	}
	head, err := a.s.Head(ctx)
	if err != nil {
		return nil, err
	}
	list := []*Message{}
	for _, m := range found {
		if !fits(m) {
			continue
		}
		words, err := wordsOf(m, head)
		if err != nil {
			return nil, err
		}
		list = append(list, words)
	}
	return list, nil
}
