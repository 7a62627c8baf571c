package store

import (
	"context"
	"fmt"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store/internal/rows"
)

// Outcome is an entry of the log: a duty or one of its messages came to
// another state, or met another problem. It is written in the transaction of
// the change itself.
type Outcome struct {
	Duty    vigil.DutyID
	Time    time.Time
	Epoch   abi.ChainEpoch // the latest that was known
	Message string         // the message's ID, of a message's change
	Before  string         // the state before; empty at the first
	After   string
	Reason  vigil.Reason
	Problem string
}

// Outcomes gives what happened to a duty and its messages, oldest first.
func (s *Store) Outcomes(ctx context.Context, id vigil.DutyID) ([]Outcome, error) {
	found, err := rows.New(s.reads).ListOutcomes(ctx, rows.ListOutcomesParams(dutyKey(id)))
	if err != nil {
		return nil, fmt.Errorf("read outcomes of %s: %w", id, explain(err))
	}
	outcomes := make([]Outcome, len(found))
	for i, row := range found {
		outcomes[i] = Outcome{
			Duty: id, Time: timeOf(row.At), Epoch: abi.ChainEpoch(row.Epoch), Message: row.Message,
			Before: row.Before, After: row.After, Reason: vigil.Reason(row.Reason), Problem: row.Problem,
		}
	}
	return outcomes, nil
}

// addOutcome appends to the log, unless neither the state changed nor a new problem came up.
func addOutcome(ctx context.Context, q *rows.Queries, o Outcome, problemBefore string) error {
	if o.Before == o.After && (o.Problem == "" || o.Problem == problemBefore) {
		return nil
	}
	latest, err := q.LatestEpoch(ctx)
	if err != nil {
		return fmt.Errorf("read the latest epoch: %w", err)
	}
	k := dutyKey(o.Duty)
	return q.AddOutcome(ctx, rows.AddOutcomeParams{
		At: time.Now().UnixNano(), Epoch: max(int64(o.Epoch), latest),
		Kind: k.Kind, Miner: k.Miner, Open: k.Open, Batch: k.Batch,
		Message: o.Message, Before: o.Before, After: o.After, Reason: string(o.Reason), Problem: o.Problem,
	})
}

func timeOf(nanoseconds int64) time.Time { return time.Unix(0, nanoseconds).UTC() }
