package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store/internal/rows"
)

// Journal gives what happened, oldest first: the events of the journal and, but
// for the shared ones, the changes of duties and messages.
func (s *Store) Journal(ctx context.Context, query vigil.JournalQuery) (vigil.JournalPage, error) {
	j := journal{query: query, limit: int64(query.Limit)}
	if j.limit <= 0 {
		j.limit = 1000
	}
	err := s.look(ctx, "read the journal", func(q *rows.Queries) error {
		j.q = q
		return j.read(ctx)
	})
	if err != nil {
		return vigil.JournalPage{}, err
	}
	return j.page(), nil
}

// journal is one question to it.
type journal struct {
	q        *rows.Queries
	query    vigil.JournalQuery
	limit    int64
	events   []rows.Journal
	outcomes []rows.Outcome
	// The cursor: what follows was seen.
	event, outcome int64
}

func (j *journal) read(ctx context.Context) error {
	switch {
	case j.query.Duty != vigil.DutyID{}:
		return j.readDuty(ctx)
	case j.query.Shared:
		return j.readShared(ctx)
	case j.query.After != "":
		if _, err := fmt.Sscanf(j.query.After, "%d.%d", &j.event, &j.outcome); err != nil {
			return fmt.Errorf("%q is not what an earlier answer gave as next", j.query.After)
		}
		return j.readNew(ctx)
	}
	return j.readLast(ctx)
}

func (j *journal) readDuty(ctx context.Context) (err error) {
	k := dutyKey(j.query.Duty)
	if j.events, err = j.q.ListDutyEvents(ctx, rows.ListDutyEventsParams(k)); err == nil {
		j.outcomes, err = j.q.ListOutcomes(ctx, rows.ListOutcomesParams(k))
	}
	return err
}

func (j *journal) readShared(ctx context.Context) (err error) {
	until := int64(j.query.Until)
	if until <= 0 {
		until = math.MaxInt64
	}
	j.events, err = j.q.ListSharedEvents(ctx, rows.ListSharedEventsParams{Since: int64(j.query.From), Until: until, Miner: int64(j.query.Miner), Most: j.limit})
	if err != nil {
		return err
	}
	slices.Reverse(j.events) // what happened in one moment stays in order
	start, err := j.q.FirstStart(ctx, until)
	j.events = append(j.events, start...)
	return err
}

// readNew reads what is behind the cursor: everything, or what is of a miner and,
// of the events, of all miners.
func (j *journal) readNew(ctx context.Context) (err error) {
	since, miner := int64(j.query.From), int64(j.query.Miner)
	if miner == 0 {
		if j.events, err = j.q.ListNewEvents(ctx, rows.ListNewEventsParams{After: j.event, Since: since, Most: j.limit}); err == nil {
			j.outcomes, err = j.q.ListNewOutcomes(ctx, rows.ListNewOutcomesParams{After: j.outcome, Since: since, Most: j.limit})
		}
		return err
	}
	for _, of := range []int64{0, miner} {
		found, err := j.q.ListNewEventsOf(ctx, rows.ListNewEventsOfParams{Miner: of, After: j.event, Since: since, Most: j.limit})
		if err != nil {
			return err
		}
		j.events = append(j.events, found...)
	}
	slices.SortFunc(j.events, bySeq)
	j.events = j.events[:min(int64(len(j.events)), j.limit)]
	j.outcomes, err = j.q.ListNewOutcomesOf(ctx, rows.ListNewOutcomesOfParams{Miner: miner, After: j.outcome, Since: since, Most: j.limit})
	return err
}

// readLast reads the newest of the same.
func (j *journal) readLast(ctx context.Context) (err error) {
	since, miner := int64(j.query.From), int64(j.query.Miner)
	if miner == 0 {
		if j.events, err = j.q.ListLastEvents(ctx, rows.ListLastEventsParams{Since: since, Most: j.limit}); err == nil {
			j.outcomes, err = j.q.ListLastOutcomes(ctx, rows.ListLastOutcomesParams{Since: since, Most: j.limit})
		}
	} else {
		for _, of := range []int64{0, miner} {
			found, err := j.q.ListLastEventsOf(ctx, rows.ListLastEventsOfParams{Miner: of, Since: since, Most: j.limit})
			if err != nil {
				return err
			}
			j.events = append(j.events, found...)
		}
		j.outcomes, err = j.q.ListLastOutcomesOf(ctx, rows.ListLastOutcomesOfParams{Miner: miner, Since: since, Most: j.limit})
	}
	slices.SortFunc(j.events, bySeq)
	j.events = j.events[max(0, int64(len(j.events))-j.limit):]
	slices.Reverse(j.outcomes)
	return err
}

func bySeq(a, b rows.Journal) int { return cmp.Compare(a.Seq, b.Seq) }

// page puts both tables' rows in order. What the limit leaves out is the oldest,
// so that an answer without After ends with the newest.
func (j *journal) page() vigil.JournalPage {
	events := make([]vigil.Event, 0, len(j.events)+len(j.outcomes))
	for _, row := range j.events {
		j.event = max(j.event, row.Seq)
		events = append(events, decodeEvent(row))
	}
	for _, row := range j.outcomes {
		j.outcome = max(j.outcome, row.Seq)
		events = append(events, eventOf(row))
	}
	slices.SortStableFunc(events, func(a, b vigil.Event) int { return a.Time.Compare(b.Time) })
	if n := int64(len(events)); n > j.limit && j.query.After == "" && j.query.Duty == (vigil.DutyID{}) {
		events = events[n-j.limit:]
	}
	return vigil.JournalPage{Events: events, Next: fmt.Sprintf("%d.%d", j.event, j.outcome)}
}

// decodeEvent reads a row. Facts that cannot be read are said to be so: they
// are no reason to tell nothing.
func decodeEvent(row rows.Journal) vigil.Event {
	e := vigil.Event{Time: timeOf(row.At), Epoch: abi.ChainEpoch(row.Epoch), Kind: vigil.EventKind(row.Event), Miner: abi.ActorID(row.Miner)}
	if row.Kind != "" {
		e.Duty = vigil.DutyID{Kind: vigil.DutyKind(row.Kind), Miner: abi.ActorID(row.Miner), Open: abi.ChainEpoch(row.Open), Batch: int(row.Batch)}
	}
	if err := json.Unmarshal([]byte(row.Facts), &e.EventFacts); err != nil {
		e.Problem = "its facts cannot be read: " + err.Error()
	}
	return e
}

// eventOf is a change of a duty or of a message as an event.
func eventOf(row rows.Outcome) vigil.Event {
	e := vigil.Event{
		Time: timeOf(row.At), Epoch: abi.ChainEpoch(row.Epoch), Kind: vigil.EventDuty, Miner: abi.ActorID(row.Miner),
		Duty:       vigil.DutyID{Kind: vigil.DutyKind(row.Kind), Miner: abi.ActorID(row.Miner), Open: abi.ChainEpoch(row.Open), Batch: int(row.Batch)},
		EventFacts: vigil.EventFacts{Before: row.Before, After: row.After, Reason: vigil.Reason(row.Reason), Problem: row.Problem},
	}
	if row.Message != "" {
		e.Kind, e.About = vigil.EventMessage, row.Message
	}
	return e
}
