package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store/internal/rows"
)

// AddMessage stores a message that is new, and gives what stands under its ID
// then: an earlier one is left as it is.
func (s *Store) AddMessage(ctx context.Context, m vigil.Message) (stored vigil.Message, err error) {
	err = s.transact(ctx, "add message "+m.ID, func(q *rows.Queries) error {
		row, err := q.GetMessage(ctx, m.ID)
		if err == nil {
			stored, err = decodeMessage(ctx, q, row)
			return err
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		stored = m
		return addMessage(ctx, q, m)
	})
	return stored, err
}

// SaveMessages writes how far messages have come, and their attempts. A nonce
// that was ever given to another message is an error, and nothing is written;
// so what may be pushed is what was saved.
func (s *Store) SaveMessages(ctx context.Context, messages ...vigil.Message) error {
	return s.transact(ctx, "save messages", func(q *rows.Queries) error {
		return updateMessages(ctx, q, messages)
	})
}

// SaveScan writes how far the chain was scanned, the tipsets oldest first,
// and what was seen of messages there.
func (s *Store) SaveScan(ctx context.Context, scanned []vigil.Head, messages []vigil.Message) error {
	return s.transact(ctx, "save scan", func(q *rows.Queries) error {
		if err := putCursor(ctx, q, scanned); err != nil {
			return err
		}
		return updateMessages(ctx, q, messages)
	})
}

// Scanned gives the tipsets of the last SaveScan: key, parent and epoch of each, oldest first.
func (s *Store) Scanned(ctx context.Context) ([]vigil.Head, error) {
	found, err := rows.New(s.db).ListCursor(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the scanned tipsets: %w", err)
	}
	scanned := make([]vigil.Head, len(found))
	for i, row := range found {
		scanned[i] = vigil.Head{
			Key: vigil.TipSetKey(row.Tipset), Parent: vigil.TipSetKey(row.Parent), Epoch: abi.ChainEpoch(row.Epoch),
		}
	}
	return scanned, nil
}

// Messages gives a miner's messages whose Expires is at or after the epoch, oldest first.
func (s *Store) Messages(ctx context.Context, miner abi.ActorID, since abi.ChainEpoch) ([]vigil.Message, error) {
	return s.messages(ctx, "read messages of "+vigil.MinerAddress(miner).String(), func(q *rows.Queries) ([]rows.Message, error) {
		return q.ListMessages(ctx, rows.ListMessagesParams{Miner: int64(miner), Since: int64(since)})
	})
}

// OpenMessages gives the messages that are not done, oldest first.
func (s *Store) OpenMessages(ctx context.Context) ([]vigil.Message, error) {
	return s.messages(ctx, "read open messages", func(q *rows.Queries) ([]rows.Message, error) {
		return q.ListOpenMessages(ctx)
	})
}

// NonceHolders gives the messages, done or not, that hold a sender's nonces
// from the given one on, by nonce.
func (s *Store) NonceHolders(ctx context.Context, sender address.Address, from uint64) ([]vigil.Message, error) {
	return s.messages(ctx, "read the nonces of "+sender.String(), func(q *rows.Queries) ([]rows.Message, error) {
		return q.ListNonceHolders(ctx, rows.ListNonceHoldersParams{Sender: addressText(sender), Nonce: int64(min(from, math.MaxInt64))})
	})
}

// NextNonce is one more than the highest nonce that was given for a sender, or 0.
func (s *Store) NextNonce(ctx context.Context, sender address.Address) (uint64, error) {
	next, err := rows.New(s.db).NextNonce(ctx, addressText(sender))
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("read the next nonce of %s: %w", sender, err)
	}
	return uint64(next), nil
}

// LastGas is the gas of the latest confirmed message that called the method
// with parameters of at least that size; it is vigil.ErrNotFound where there is none.
func (s *Store) LastGas(ctx context.Context, method abi.MethodNum, paramsSize int) (vigil.Gas, error) {
	row, err := rows.New(s.db).LastGas(ctx, rows.LastGasParams{Method: int64(method), ParamsSize: int64(paramsSize)})
	if errors.Is(err, sql.ErrNoRows) {
		return vigil.Gas{}, fmt.Errorf("gas of method %d: %w", method, vigil.ErrNotFound)
	}
	if err != nil {
		return vigil.Gas{}, fmt.Errorf("read gas of method %d: %w", method, err)
	}
	return decodeGas(row.GasLimit, row.FeeCap, row.Premium)
}

func (s *Store) messages(ctx context.Context, what string, list func(*rows.Queries) ([]rows.Message, error)) ([]vigil.Message, error) {
	var messages []vigil.Message
	err := s.transact(ctx, what, func(q *rows.Queries) error {
		found, err := list(q)
		if err != nil {
			return err
		}
		messages = make([]vigil.Message, len(found))
		for i, row := range found {
			if messages[i], err = decodeMessage(ctx, q, row); err != nil {
				return err
			}
		}
		return nil
	})
	return messages, err
}

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
		row := rows.Cursor{Epoch: int64(h.Epoch), Tipset: string(h.Key), Parent: string(h.Parent)}
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

func addMessage(ctx context.Context, q *rows.Queries, m vigil.Message) error {
	row, err := encodeMessage(m)
	if err != nil {
		return err
	}
	if err := q.AddMessage(ctx, row); err != nil {
		return err
	}
	if err := putAttempts(ctx, q, m); err != nil {
		return err
	}
	return addOutcome(ctx, q, messageOutcome(m, ""), "")
}

func updateMessages(ctx context.Context, q *rows.Queries, messages []vigil.Message) error {
	for _, m := range messages {
		if err := updateMessage(ctx, q, m); err != nil {
			return fmt.Errorf("message %s: %w", m.ID, err)
		}
	}
	return nil
}

func updateMessage(ctx context.Context, q *rows.Queries, m vigil.Message) error {
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
	}); err != nil {
		return err
	}
	if err := putAttempts(ctx, q, m); err != nil {
		return err
	}
	return addOutcome(ctx, q, messageOutcome(m, before.State), before.Problem)
}

func messageOutcome(m vigil.Message, before string) Outcome {
	return Outcome{Duty: m.Duty, Message: m.ID, Before: before, After: string(m.State), Problem: m.Problem}
}

// putAttempts writes a message's attempts, each under the nonce it was signed
// with, which must be the message's own.
func putAttempts(ctx context.Context, q *rows.Queries, m vigil.Message) error {
	for _, a := range m.Attempts {
		row, err := encodeAttempt(m.ID, a)
		if err != nil {
			return err
		}
		if err := claimNonce(ctx, q, row); err != nil {
			return err
		}
		if err := q.PutAttempt(ctx, row); err != nil {
			return fmt.Errorf("attempt %d: %w", a.Number, err)
		}
	}
	return nil
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
	receipt := ""
	if m.Receipt != nil {
		data, err := json.Marshal(m.Receipt)
		if err != nil {
			return rows.AddMessageParams{}, fmt.Errorf("encode receipt: %w", err)
		}
		receipt = string(data)
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
	}, nil
}

func decodeMessage(ctx context.Context, q *rows.Queries, row rows.Message) (vigil.Message, error) {
	m, err := decodeMessageRow(row)
	if err != nil {
		return vigil.Message{}, fmt.Errorf("message %s: %w", row.ID, err)
	}
	attempts, err := q.ListAttempts(ctx, row.ID)
	if err != nil {
		return vigil.Message{}, err
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
