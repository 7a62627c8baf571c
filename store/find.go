package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"math"
	"slices"

	"github.com/filecoin-project/go-address"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store/internal/rows"
)

// FindDuties gives the newest duties of a query, newest first.
func (s *Store) FindDuties(ctx context.Context, query vigil.DutyQuery) ([]vigil.Duty, error) {
	if query.Before <= 0 {
		query.Before = math.MaxInt64
	}
	if query.Limit <= 0 {
		query.Limit = 100
	}
	var duties []vigil.Duty
	err := s.look(ctx, "find duties", func(q *rows.Queries) error {
		found, err := findDuties(ctx, q, query)
		if err == nil {
			duties, err = decodeDuties(found)
		}
		return err
	})
	return duties, err
}

// findDuties asks miner by miner and state by state, which indexes answer: duties
// are kept for months.
func findDuties(ctx context.Context, q *rows.Queries, query vigil.DutyQuery) (all []rows.Duty, err error) {
	miners := []int64{int64(query.Miner)}
	if query.Miner == 0 {
		if miners, err = each(ctx, q.NextMiner); err != nil {
			return nil, err
		}
	}
	for _, miner := range miners {
		found, err := findDutiesOf(ctx, q, miner, query)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.SortStableFunc(all, func(a, b rows.Duty) int { return cmp.Compare(b.Open, a.Open) })
	return all[:min(len(all), query.Limit)], nil
}

func findDutiesOf(ctx context.Context, q *rows.Queries, miner int64, query vigil.DutyQuery) (all []rows.Duty, err error) {
	p := rows.FindDutiesParams{Miner: miner, Kind: string(query.Kind), Deadline: -1, Before: int64(query.Before), Most: int64(query.Limit)}
	if query.Deadline != nil {
		p.Deadline = int64(min(*query.Deadline, math.MaxInt32))
	}
	if len(query.States) == 0 {
		return q.FindDuties(ctx, p)
	}
	for _, state := range once(query.States) {
		found, err := q.FindDutiesInState(ctx, rows.FindDutiesInStateParams{
			Miner: p.Miner, State: string(state), Before: p.Before, Kind: p.Kind, Deadline: p.Deadline, Most: p.Most,
		})
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.SortStableFunc(all, func(a, b rows.Duty) int {
		return cmp.Or(cmp.Compare(b.Open, a.Open), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Batch, b.Batch))
	})
	return all, nil
}

// once is a list without what it has twice.
func once[T cmp.Ordered](list []T) []T { return slices.Compact(slices.Sorted(slices.Values(list))) }

// each gives the miners of a table: next finds the one after another.
func each(ctx context.Context, next func(context.Context, int64) (int64, error)) (miners []int64, err error) {
	for after := int64(-1); ; {
		after, err = next(ctx, after)
		if errors.Is(err, sql.ErrNoRows) {
			return miners, nil
		}
		if err != nil {
			return nil, err
		}
		miners = append(miners, after)
	}
}

// Duty gives a duty's row, or vigil.ErrNotFound.
func (s *Store) Duty(ctx context.Context, id vigil.DutyID) (d vigil.Duty, err error) {
	err = s.look(ctx, "read duty "+id.String(), func(q *rows.Queries) error {
		row, err := q.GetDuty(ctx, dutyKey(id))
		if errors.Is(err, sql.ErrNoRows) {
			return vigil.ErrNotFound
		}
		if err == nil {
			d, err = decodeDuty(row)
		}
		return err
	})
	return d, err
}

// DutyMessages gives a duty's messages with their attempts, oldest first.
func (s *Store) DutyMessages(ctx context.Context, id vigil.DutyID) ([]vigil.Message, error) {
	return s.messages(ctx, s.look, "read the messages of "+id.String(), func(q *rows.Queries) ([]rows.Message, error) {
		return q.ListDutyMessages(ctx, rows.ListDutyMessagesParams(dutyKey(id)))
	})
}

// FindMessages gives the messages of a query, oldest first.
func (s *Store) FindMessages(ctx context.Context, query vigil.MessageQuery) ([]vigil.Message, error) {
	if query.ID == "" && !query.CID.Defined() && query.Nonce == nil && query.Of == "" {
		return s.listMessages(ctx, query)
	}
	found, err := s.messages(ctx, s.look, "find messages", func(q *rows.Queries) ([]rows.Message, error) {
		return findMessages(ctx, q, query)
	})
	kept := slices.DeleteFunc(found, func(m vigil.Message) bool { return !fits(m, query) })
	return kept, err
}

// findMessages asks by what narrows most; fits sees to the rest.
func findMessages(ctx context.Context, q *rows.Queries, query vigil.MessageQuery) ([]rows.Message, error) {
	switch {
	case query.ID != "":
		row, err := q.GetMessage(ctx, query.ID)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, nil
		}
		return []rows.Message{row}, err
	case query.CID.Defined():
		return q.ListByCID(ctx, []string{query.CID.String()})
	case query.Of != "":
		return meant(ctx, q, query)
	}
	return q.ListByNonce(ctx, rows.ListByNonceParams{Sender: addressText(query.From), Nonce: int64(min(*query.Nonce, math.MaxInt64))})
}

// meant gives the messages that people may mean by a text, each way by an index:
// as a CID, as a duty, and as the beginning of an ID, the last ones by that.
func meant(ctx context.Context, q *rows.Queries, query vigil.MessageQuery) (found []rows.Message, err error) {
	beyond := query.Of + "\U0010ffff"
	if query.Before != "" {
		beyond = min(beyond, query.Before)
	}
	found, err = q.ListByBeginning(ctx, rows.ListByBeginningParams{Beginning: query.Of, Beyond: beyond, Most: most(query)})
	if err != nil || query.Before != "" { // the others were on the first page
		return inOrder(found), err
	}
	if _, err := cid.Decode(query.Of); err == nil {
		of, err := q.ListByCID(ctx, []string{query.Of})
		if err != nil {
			return nil, err
		}
		found = append(found, of...)
	}
	if id, err := vigil.ParseDutyID(query.Of); err == nil {
		of, err := q.ListDutyMessages(ctx, rows.ListDutyMessagesParams(dutyKey(id)))
		if err != nil {
			return nil, err
		}
		found = append(found, of...)
	}
	return inOrder(found), nil
}

// inOrder puts rows in the order in which they came, each once.
func inOrder(found []rows.Message) []rows.Message {
	slices.SortFunc(found, func(a, b rows.Message) int { return cmp.Compare(a.Seq, b.Seq) })
	return slices.CompactFunc(found, func(a, b rows.Message) bool { return a.Seq == b.Seq })
}

func most(query vigil.MessageQuery) int64 {
	if query.Limit <= 0 {
		return 1000
	}
	return int64(query.Limit)
}

// listMessages gives the newest messages of a query, oldest first.
func (s *Store) listMessages(ctx context.Context, query vigil.MessageQuery) ([]vigil.Message, error) {
	var newest []vigil.Message
	err := s.pages(ctx, query, func(page []vigil.Message) {
		newest = append(newest, slices.DeleteFunc(page, func(m vigil.Message) bool { return !fits(m, query) })...)
	})
	slices.Reverse(newest)
	return newest, err
}

// pageSize is how many messages are read at once.
const pageSize = 500

// pages reads a long list, the newest first, in transactions of a page each: the
// log of what is written can be taken into the database between them.
func (s *Store) pages(ctx context.Context, query vigil.MessageQuery, each func([]vigil.Message)) error {
	before, err := s.seqOf(ctx, query.Before)
	if err != nil {
		return err
	}
	for left := most(query); left > 0; {
		limit := min(left, pageSize)
		full := false
		page, err := s.messages(ctx, s.look, "list messages", func(q *rows.Queries) ([]rows.Message, error) {
			found, err := newest(ctx, q, query.States, before, limit)
			if full = int64(len(found)) == limit; full {
				before = found[len(found)-1].Seq
			}
			return found, err
		})
		if err != nil {
			return err
		}
		if each(page); !full {
			return nil
		}
		left -= limit
	}
	return nil
}

// seqOf is the place of a message in the order of arrival; without one it is the end.
func (s *Store) seqOf(ctx context.Context, id string) (seq int64, err error) {
	if id == "" {
		return math.MaxInt64, nil
	}
	err = s.look(ctx, "find message "+id, func(q *rows.Queries) error {
		seq, err = q.GetSeq(ctx, id)
		if errors.Is(err, sql.ErrNoRows) {
			return vigil.ErrNotFound
		}
		return err
	})
	return seq, err
}

// newest gives the last rows before a place, the newest first: of one state after
// the other, which an index has in order, and of all states by their place alone.
func newest(ctx context.Context, q *rows.Queries, states []vigil.MessageState, before, limit int64) (all []rows.Message, err error) {
	if len(states) == 0 {
		return q.ListNewest(ctx, rows.ListNewestParams{Seq: before, Limit: limit})
	}
	for _, state := range once(states) {
		found, err := q.ListNewestInState(ctx, rows.ListNewestInStateParams{State: string(state), Seq: before, Limit: limit})
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.SortFunc(all, func(a, b rows.Message) int { return cmp.Compare(b.Seq, a.Seq) })
	return all[:min(int64(len(all)), limit)], nil
}

func fits(m vigil.Message, q vigil.MessageQuery) bool {
	return (len(q.States) == 0 || slices.Contains(q.States, m.State)) &&
		(q.Nonce != nil || q.From == address.Undef || addressText(m.Call.From) == addressText(q.From)) &&
		(!q.CID.Defined() || slices.ContainsFunc(m.Attempts, func(a vigil.Attempt) bool { return a.CID == q.CID }))
}
