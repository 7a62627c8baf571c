package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store/internal/rows"
)

// AddEvents appends to the journal, in one transaction.
func (s *Store) AddEvents(ctx context.Context, events ...vigil.Event) error {
	return s.transact(ctx, "write the journal", func(q *rows.Queries) error {
		for _, e := range events {
			if err := addEvent(ctx, q, e); err != nil {
				return err
			}
		}
		return nil
	})
}

func addEvent(ctx context.Context, q *rows.Queries, e vigil.Event) error {
	facts, err := json.Marshal(e.EventFacts)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	k := dutyKey(e.Duty)
	return q.AddEvent(ctx, rows.AddEventParams{
		At: e.Time.UnixNano(), Epoch: int64(e.Epoch), Event: string(e.Kind),
		Kind: k.Kind, Miner: int64(cmp.Or(e.Miner, e.Duty.Miner)), Open: k.Open, Batch: k.Batch, Facts: string(facts),
	})
}

// addProofEvent writes of a proof what is told of it when it is deleted again.
func addProofEvent(ctx context.Context, q *rows.Queries, p vigil.Proof, d vigil.Duty) error {
	latest, err := q.LatestEpoch(ctx)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	sum := sha256.Sum256(p.Bytes)
	return addEvent(ctx, q, vigil.Event{
		Time: time.Now(), Epoch: abi.ChainEpoch(latest), Kind: vigil.EventProof, Duty: p.Duty,
		EventFacts: vigil.EventFacts{
			Partitions: d.Partitions, Sectors: len(p.Statement.Sectors), Bad: len(d.Skipped),
			Proof: hex.EncodeToString(sum[:]), Read: p.ReadTime, Prove: p.ProveTime,
		},
	})
}

// prunedAtOnce is how many rows are deleted in one transaction: others wait for it.
const prunedAtOnce = 500

// PruneJournal deletes what happened before a time.
func (s *Store) PruneJournal(ctx context.Context, before time.Time) (deleted int64, err error) {
	for {
		var n int64
		err := s.transact(ctx, "delete old events from the journal", func(q *rows.Queries) (err error) {
			n, err = q.PruneEvents(ctx, rows.PruneEventsParams{Before: before.UnixNano(), Most: prunedAtOnce})
			return err
		})
		deleted += n
		if err != nil || n < prunedAtOnce {
			return deleted, err
		}
	}
}

// SaveAlive writes down that a daemon is alive and which head it has seen.
func (s *Store) SaveAlive(ctx context.Context, at time.Time, epoch abi.ChainEpoch) error {
	if err := rows.New(s.db).PutAlive(ctx, rows.PutAliveParams{At: at.UnixNano(), Epoch: int64(epoch)}); err != nil {
		return fmt.Errorf("write down that the daemon is alive: %w", err)
	}
	return nil
}

// LastSign is the newest epoch that a daemon is known to have seen, and when it
// was alive last; both are zero where there was none.
func (s *Store) LastSign(ctx context.Context) (abi.ChainEpoch, time.Time, error) {
	q := rows.New(s.db)
	scanned, err := q.LatestEpoch(ctx)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, time.Time{}, fmt.Errorf("read the latest epoch: %w", err)
	}
	alive, err := q.GetAlive(ctx)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return abi.ChainEpoch(scanned), time.Time{}, nil
	case err != nil:
		return 0, time.Time{}, fmt.Errorf("read when the daemon was alive last: %w", err)
	}
	return abi.ChainEpoch(max(scanned, alive.Epoch)), timeOf(alive.At), nil
}

// Journal gives what happened, oldest first: the events of the journal and, but
// for the shared ones, the changes of duties and messages.
func (s *Store) Journal(ctx context.Context, query vigil.JournalQuery) (vigil.JournalPage, error) {
	j := journal{q: rows.New(s.db), query: query, limit: int64(query.Limit)}
	if j.limit <= 0 {
		j.limit = 1000
	}
	if err := j.read(ctx); err != nil {
		return vigil.JournalPage{}, fmt.Errorf("read the journal: %w", err)
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

func (j *journal) read(ctx context.Context) (err error) {
	miner, since := int64(j.query.Miner), int64(j.query.From)
	switch {
	case j.query.Duty != vigil.DutyID{}:
		k := dutyKey(j.query.Duty)
		if j.events, err = j.q.ListDutyEvents(ctx, rows.ListDutyEventsParams(k)); err == nil {
			j.outcomes, err = j.q.ListOutcomes(ctx, rows.ListOutcomesParams(k))
		}
	case j.query.Shared:
		j.events, err = j.q.ListSharedEvents(ctx, rows.ListSharedEventsParams{Miner: miner, Since: since, Most: j.limit})
		slices.Reverse(j.events) // what happened in one moment stays in order
	case j.query.After != "":
		if _, err := fmt.Sscanf(j.query.After, "%d.%d", &j.event, &j.outcome); err != nil {
			return fmt.Errorf("%q is not what an earlier answer gave as next", j.query.After)
		}
		if j.events, err = j.q.ListNewEvents(ctx, rows.ListNewEventsParams{After: j.event, Miner: miner, Since: since, Most: j.limit}); err == nil {
			j.outcomes, err = j.q.ListNewOutcomes(ctx, rows.ListNewOutcomesParams{After: j.outcome, Miner: miner, Since: since, Most: j.limit})
		}
	default:
		if j.events, err = j.q.ListLastEvents(ctx, rows.ListLastEventsParams{Miner: miner, Since: since, Most: j.limit}); err == nil {
			j.outcomes, err = j.q.ListLastOutcomes(ctx, rows.ListLastOutcomesParams{Miner: miner, Since: since, Most: j.limit})
		}
		slices.Reverse(j.events)
		slices.Reverse(j.outcomes)
	}
	return err
}

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

// FindDuties gives the newest duties of a query, newest first.
func (s *Store) FindDuties(ctx context.Context, query vigil.DutyQuery) ([]vigil.Duty, error) {
	p := rows.FindDutiesParams{Miner: int64(query.Miner), Kind: string(query.Kind), Deadline: -1, Before: int64(query.Before), Most: int64(query.Limit)}
	if query.Deadline != nil {
		p.Deadline = int64(min(*query.Deadline, math.MaxInt32))
	}
	if p.Before <= 0 {
		p.Before = math.MaxInt64
	}
	if p.Most <= 0 {
		p.Most = 100
	}
	if len(query.States) > 0 {
		var words strings.Builder
		for _, state := range query.States {
			words.WriteString(" " + string(state) + " ")
		}
		p.States = words.String()
	}
	found, err := findDuties(ctx, rows.New(s.db), p)
	if err != nil {
		return nil, fmt.Errorf("find duties: %w", err)
	}
	duties := make([]vigil.Duty, len(found))
	for i, row := range found {
		if duties[i], err = decodeDuty(row); err != nil {
			return nil, fmt.Errorf("find duties: %w", err)
		}
	}
	return duties, nil
}

// findDuties asks miner by miner, which the index answers: duties are kept for
// years, and who has to write waits while they are looked through.
func findDuties(ctx context.Context, q *rows.Queries, p rows.FindDutiesParams) ([]rows.Duty, error) {
	if p.Miner != 0 {
		return q.FindDuties(ctx, p)
	}
	var all []rows.Duty
	for {
		miner, err := q.NextMiner(ctx, p.Miner)
		if errors.Is(err, sql.ErrNoRows) {
			break
		}
		if err != nil {
			return nil, err
		}
		p.Miner = miner
		found, err := q.FindDuties(ctx, p)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.SortStableFunc(all, func(a, b rows.Duty) int { return cmp.Compare(b.Open, a.Open) })
	return all[:min(int64(len(all)), p.Most)], nil
}

// Duty gives a duty's row, or vigil.ErrNotFound.
func (s *Store) Duty(ctx context.Context, id vigil.DutyID) (vigil.Duty, error) {
	row, err := rows.New(s.db).GetDuty(ctx, dutyKey(id))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return vigil.Duty{}, fmt.Errorf("duty %s: %w", id, vigil.ErrNotFound)
	case err != nil:
		return vigil.Duty{}, fmt.Errorf("read duty %s: %w", id, err)
	}
	return decodeDuty(row)
}

// expiresBefore is by how much a declaration expires before its deadline opens, at most.
const expiresBefore = 200

// DutyMessages gives a duty's messages with their attempts, oldest first.
func (s *Store) DutyMessages(ctx context.Context, id vigil.DutyID) ([]vigil.Message, error) {
	q := rows.New(s.db)
	k := dutyKey(id)
	found, err := q.ListDutyMessages(ctx, rows.ListDutyMessagesParams{Miner: k.Miner, Since: k.Open - expiresBefore, Kind: k.Kind, Open: k.Open, Batch: k.Batch})
	if err != nil {
		return nil, fmt.Errorf("read the messages of %s: %w", id, err)
	}
	messages := make([]vigil.Message, len(found))
	for i, row := range found {
		if messages[i], err = decodeMessage(ctx, q, row); err != nil {
			return nil, fmt.Errorf("read the messages of %s: %w", id, err)
		}
	}
	return messages, nil
}
