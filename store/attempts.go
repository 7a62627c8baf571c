package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store/internal/rows"
)

func putCursor(ctx context.Context, q *rows.Queries, scanned []vigil.Head) error {
	oldest, newest := int64(math.MaxInt64), int64(math.MinInt64)
	for _, h := range scanned {
		oldest, newest = min(oldest, int64(h.Epoch)), max(newest, int64(h.Epoch))
	}
	if err := q.ClearCursor(ctx, rows.ClearCursorParams{Oldest: oldest, Newest: newest}); err != nil {
		return err
	}
	known, err := q.ListCursor(ctx)
	if err != nil {
		return err
	}
	stale := make(map[int64]rows.Cursor, len(known))
	for _, row := range known {
		stale[row.Epoch] = row
	}
	for _, h := range scanned {
		row := rows.Cursor{Epoch: int64(h.Epoch), Tipset: string(h.Key), Parent: string(h.Parent), BaseFee: baseFeeText(h)}
		if before, ok := stale[row.Epoch]; !ok || before != row {
			if err := q.PutCursor(ctx, rows.PutCursorParams(row)); err != nil {
				return err
			}
		}
		delete(stale, row.Epoch)
	}
	for epoch := range stale { // an epoch that is a null round on the new chain
		if err := q.DropCursor(ctx, epoch); err != nil {
			return err
		}
	}
	return nil
}

func baseFeeText(h vigil.Head) string {
	if h.BaseFee.Nil() {
		return ""
	}
	return h.BaseFee.String()
}

func addMessage(ctx context.Context, q *rows.Queries, m vigil.Message) error {
	if len(m.Attempts) > 0 {
		return errors.New("a new message has attempts")
	}
	row, err := encodeMessage(m)
	if err != nil {
		return err
	}
	if err := q.AddMessage(ctx, row); err != nil {
		return err
	}
	if m.Supersedes != "" {
		text, err := wishText(vigil.Wish{Verb: vigil.WishCancel, At: m.Created})
		if err != nil {
			return err
		}
		if _, err := q.PutWish(ctx, rows.PutWishParams{Wish: text, ID: m.Supersedes}); err != nil {
			return err
		}
	}
	return addOutcome(ctx, q, messageOutcome(m, ""), "")
}

func updateMessages(ctx context.Context, q *rows.Queries, holder string, messages []vigil.Message) error {
	for _, m := range messages {
		if err := updateMessage(ctx, q, holder, m); err != nil {
			return fmt.Errorf("message %s: %w", m.ID, err)
		}
	}
	return nil
}

func updateMessage(ctx context.Context, q *rows.Queries, holder string, m vigil.Message) error {
	before, err := q.GetMessage(ctx, m.ID)
	if errors.Is(err, sql.ErrNoRows) {
		return vigil.ErrNotFound
	}
	if err != nil {
		return err
	}
	row, err := encodeMessage(m)
	if err != nil {
		return err
	}
	if _, err := q.UpdateMessage(ctx, rows.UpdateMessageParams{
		Sender: row.Sender, State: row.State, Nonce: row.Nonce, Receipt: row.Receipt,
		Problem: row.Problem, Updated: row.Updated, ID: row.ID,
		Settled: row.Settled, Landed: row.Landed, Included: row.Included, Paid: row.Paid,
	}); err != nil {
		return err
	}
	if err := putAttempts(ctx, q, holder, m); err != nil {
		return err
	}
	return addOutcome(ctx, q, messageOutcome(m, before.State), before.Problem)
}

func messageOutcome(m vigil.Message, before string) Outcome {
	return Outcome{Duty: m.Duty, Message: m.ID, Before: before, After: string(m.State), Problem: m.Problem}
}

// putAttempts writes a message's attempts: of those that are stored only what
// nodes said of them, and new ones under the nonce they were signed with.
func putAttempts(ctx context.Context, q *rows.Queries, holder string, m vigil.Message) error {
	stored, err := q.ListAttempts(ctx, m.ID)
	if err != nil {
		return err
	}
	for _, a := range m.Attempts {
		row, err := encodeAttempt(m.ID, a)
		if err != nil {
			return err
		}
		if a.Number > len(stored) {
			err = addAttempt(ctx, q, holder, row)
		} else if s := stored[a.Number-1]; s.Published != row.Published || s.Problem != row.Problem || s.Pushes != row.Pushes || s.Pushed != row.Pushed {
			err = q.UpdateAttempt(ctx, rows.UpdateAttemptParams{
				Published: row.Published, Problem: row.Problem, Pushes: row.Pushes, Pushed: row.Pushed, Message: row.Message, Number: row.Number,
			})
		}
		if err != nil {
			return fmt.Errorf("attempt %d: %w", a.Number, err)
		}
	}
	return nil
}

func addAttempt(ctx context.Context, q *rows.Queries, holder string, row rows.PutAttemptParams) error {
	if err := checkLease(ctx, q, row.Sender, holder); err != nil {
		return err
	}
	if err := claimNonce(ctx, q, row); err != nil {
		return err
	}
	return q.PutAttempt(ctx, row)
}

func claimNonce(ctx context.Context, q *rows.Queries, a rows.PutAttemptParams) error {
	if err := q.ClaimNonce(ctx, rows.ClaimNonceParams{Sender: a.Sender, Nonce: a.Nonce, Message: a.Message}); err != nil {
		return err
	}
	holder, err := q.NonceHolder(ctx, rows.NonceHolderParams{Sender: a.Sender, Nonce: a.Nonce})
	if err != nil {
		return err
	}
	if holder != a.Message {
		return fmt.Errorf("nonce %d of %s was given to message %s", a.Nonce, a.Sender, holder)
	}
	return q.RaiseNextNonce(ctx, rows.RaiseNextNonceParams{Address: a.Sender, NextNonce: a.Nonce + 1})
}

func encodeMessage(m vigil.Message) (rows.AddMessageParams, error) {
	senders, err := json.Marshal(m.Senders)
	if err != nil {
		return rows.AddMessageParams{}, fmt.Errorf("encode senders: %w", err)
	}
	receipt, included := "", int64(-1)
	if m.Receipt != nil {
		data, err := json.Marshal(m.Receipt)
		if err != nil {
			return rows.AddMessageParams{}, fmt.Errorf("encode receipt: %w", err)
		}
		receipt, included = string(data), int64(m.Receipt.Epoch)
	}
	if m.Nonce > math.MaxInt64 || m.Call.Method > math.MaxInt64 {
		return rows.AddMessageParams{}, fmt.Errorf("nonce %d or method %d is out of range", m.Nonce, m.Call.Method)
	}
	k := dutyKey(m.Duty)
	return rows.AddMessageParams{
		ID: m.ID, Kind: k.Kind, Miner: k.Miner, Open: k.Open, Batch: k.Batch,
		Sender: addressText(m.Call.From), Receiver: addressText(m.Call.To), Method: int64(m.Call.Method),
		Value: amountText(m.Call.Value), Params: notNil(m.Call.Params), Senders: string(senders),
		Expires: int64(m.Expires), State: string(m.State), Nonce: int64(m.Nonce), Receipt: receipt,
		Problem: m.Problem, Created: m.Created.UnixNano(), Updated: m.Updated.UnixNano(),
		Supersedes: m.Supersedes, Settled: flag(m.Settled), Landed: int64(m.Landed), Included: included, Paid: amountText(m.Paid),
	}, nil
}

func decodeMessage(ctx context.Context, q *rows.Queries, row rows.Message) (vigil.Message, error) {
	attempts, err := q.ListAttempts(ctx, row.ID)
	if err != nil {
		return vigil.Message{}, err
	}
	return decodeWhole(row, attempts)
}

// decodeWhole puts a message together from its row and its attempts'.
func decodeWhole(row rows.Message, attempts []rows.Attempt) (vigil.Message, error) {
	m, err := decodeMessageRow(row)
	if err != nil {
		return vigil.Message{}, fmt.Errorf("message %s: %w", row.ID, err)
	}
	for _, a := range attempts {
		attempt, err := decodeAttempt(m.Call, a)
		if err != nil {
			return vigil.Message{}, fmt.Errorf("message %s: attempt %d: %w", row.ID, a.Number, err)
		}
		m.Attempts = append(m.Attempts, attempt)
	}
	return m, nil
}
