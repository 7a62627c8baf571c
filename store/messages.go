package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store/internal/rows"
)

// AddMessage stores a message that is new, and gives what stands under its ID
// then: an earlier one is left as it is. What a new one supersedes is wished
// to be cancelled in the same transaction.
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

// SaveMessages writes how far messages have come, and their attempts. A new
// attempt takes its nonce in the same transaction, for a holder that has its
// sender's lease: without it, or with a nonce that was ever given to another
// message, nothing is written; so what may be pushed is what was saved.
func (s *Store) SaveMessages(ctx context.Context, holder string, messages ...vigil.Message) error {
	return s.transact(ctx, "save messages", func(q *rows.Queries) error {
		return updateMessages(ctx, q, holder, messages)
	})
}

// SaveScan writes how far the chain was scanned, the tipsets oldest first,
// and what was seen of messages there. It takes no new attempts.
func (s *Store) SaveScan(ctx context.Context, scanned []vigil.Head, messages []vigil.Message) error {
	return s.transact(ctx, "save scan", func(q *rows.Queries) error {
		if err := putCursor(ctx, q, scanned); err != nil {
			return err
		}
		return updateMessages(ctx, q, "", messages)
	})
}

// SaveWish writes what somebody wishes of a message, in place of an earlier
// wish. It is vigil.ErrNotFound where nothing of the message can be executed any more.
func (s *Store) SaveWish(ctx context.Context, id string, w vigil.Wish) error {
	text, err := wishText(w)
	if err != nil {
		return err
	}
	return s.transact(ctx, "save a wish for message "+id, func(q *rows.Queries) error {
		n, err := q.PutWish(ctx, rows.PutWishParams{Wish: text, ID: id})
		if err == nil && n == 0 {
			err = vigil.ErrNotFound
		}
		return err
	})
}

// Scanned gives the tipsets of the last SaveScan: key, parent, epoch and base fee of each, oldest first.
func (s *Store) Scanned(ctx context.Context) ([]vigil.Head, error) {
	found, err := rows.New(s.db).ListCursor(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the scanned tipsets: %w", explain(err))
	}
	scanned := make([]vigil.Head, len(found))
	for i, row := range found {
		scanned[i] = vigil.Head{
			Key: vigil.TipSetKey(row.Tipset), Parent: vigil.TipSetKey(row.Parent), Epoch: abi.ChainEpoch(row.Epoch),
		}
		if row.BaseFee == "" {
			continue
		}
		if scanned[i].BaseFee, err = big.FromString(row.BaseFee); err != nil {
			return nil, fmt.Errorf("read the scanned tipsets: base fee: %w", err)
		}
	}
	return scanned, nil
}

// Messages gives a miner's messages whose Expires is at or after the epoch, oldest first.
func (s *Store) Messages(ctx context.Context, miner abi.ActorID, since abi.ChainEpoch) ([]vigil.Message, error) {
	return s.messages(ctx, s.read, "read messages of "+vigil.MinerAddress(miner).String(), func(q *rows.Queries) ([]rows.Message, error) {
		return q.ListMessages(ctx, rows.ListMessagesParams{Miner: int64(miner), Since: int64(since)})
	})
}

// OpenMessages gives the messages that are not settled, oldest first. It is
// what the messager begins each turn with, so it asks twice and not once for
// each message.
func (s *Store) OpenMessages(ctx context.Context) (messages []vigil.Message, err error) {
	err = s.read(ctx, "read open messages", func(q *rows.Queries) error {
		found, err := q.ListUnsettled(ctx)
		if err != nil {
			return err
		}
		attempts, err := q.ListUnsettledAttempts(ctx)
		if err != nil {
			return err
		}
		of := byMessage(attempts)
		for _, row := range found {
			m, err := decodeWhole(row, of[row.ID])
			if err != nil {
				return err
			}
			messages = append(messages, m)
		}
		return nil
	})
	return messages, err
}

// IncludedSince gives the settled messages that tipsets of the epoch or later executed, oldest first.
func (s *Store) IncludedSince(ctx context.Context, epoch abi.ChainEpoch) ([]vigil.Message, error) {
	return s.messages(ctx, s.read, "read included messages", func(q *rows.Queries) ([]rows.Message, error) {
		return q.ListIncluded(ctx, int64(max(epoch, 0)))
	})
}

// MessagesByCID gives the messages that have attempts with the CIDs, oldest first.
func (s *Store) MessagesByCID(ctx context.Context, cids []cid.Cid) ([]vigil.Message, error) {
	texts := make([]string, len(cids))
	for i, c := range cids {
		texts[i] = c.String()
	}
	return s.messages(ctx, s.read, "read messages by CID", func(q *rows.Queries) ([]rows.Message, error) {
		return q.ListByCID(ctx, texts)
	})
}

// NonceHolders gives which message each of a sender's nonces from the given
// one on was given to, by nonce. A message may hold several: see vigil.Attempt.
func (s *Store) NonceHolders(ctx context.Context, sender address.Address, from uint64) ([]vigil.HeldNonce, error) {
	var held []vigil.HeldNonce
	err := s.read(ctx, "read the nonces of "+sender.String(), func(q *rows.Queries) error {
		found, err := q.ListNonceHolders(ctx, rows.ListNonceHoldersParams{Sender: addressText(sender), Nonce: int64(min(from, math.MaxInt64))})
		if err != nil {
			return err
		}
		for _, row := range found {
			m, err := decodeMessage(ctx, q, row.Message)
			if err != nil {
				return err
			}
			held = append(held, vigil.HeldNonce{Nonce: uint64(row.Held), Message: m})
		}
		return nil
	})
	return held, err
}

// NextNonce is one more than the highest nonce that was given for a sender, or 0.
func (s *Store) NextNonce(ctx context.Context, sender address.Address) (uint64, error) {
	next, err := rows.New(s.db).NextNonce(ctx, addressText(sender))
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("read the next nonce of %s: %w", sender, explain(err))
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
		return vigil.Gas{}, fmt.Errorf("read gas of method %d: %w", method, explain(err))
	}
	return decodeGas(row.GasLimit, row.FeeCap, row.Premium)
}

// Paid is what the settled messages of a kind that tipsets of the epoch or
// later executed took from their senders for gas: up to so much each, and
// beyond that. One that is not settled may yet be taken back, and cost more.
func (s *Store) Paid(ctx context.Context, kind vigil.DutyKind, since abi.ChainEpoch, most abi.TokenAmount) (within, beyond abi.TokenAmount, err error) {
	within, beyond = big.Zero(), big.Zero()
	found, err := rows.New(s.db).ListPaid(ctx, rows.ListPaidParams{Kind: string(kind), Since: int64(max(since, 0))})
	if err != nil {
		return within, beyond, fmt.Errorf("read what was paid for gas: %w", explain(err))
	}
	for _, text := range found {
		paid, err := big.FromString(text)
		if err != nil {
			return within, beyond, fmt.Errorf("read what was paid for gas: %w", explain(err))
		}
		part := big.Min(paid, most)
		within, beyond = big.Add(within, part), big.Add(beyond, big.Sub(paid, part))
	}
	return within, beyond, nil
}

// Sent counts the messages that a sender signed attempts of at or after the epoch.
func (s *Store) Sent(ctx context.Context, sender address.Address, since abi.ChainEpoch) (int, error) {
	n, err := rows.New(s.db).CountSent(ctx, rows.CountSentParams{Sender: addressText(sender), Since: int64(since)})
	if err != nil {
		return 0, fmt.Errorf("count the messages of %s: %w", sender, explain(err))
	}
	return int(n), nil
}

// messages reads whole messages, in a transaction of s.read or s.look.
func (s *Store) messages(ctx context.Context, in transaction, what string, list func(*rows.Queries) ([]rows.Message, error)) (messages []vigil.Message, err error) {
	err = in(ctx, what, func(q *rows.Queries) error {
		found, err := list(q)
		if err == nil {
			messages, err = decodeMessages(ctx, q, found)
		}
		return err
	})
	return messages, err
}

// transaction is s.read or s.look.
type transaction func(ctx context.Context, what string, f func(q *rows.Queries) error) error

// decodeMessages puts messages together, and asks for the attempts of a page of them at once.
func decodeMessages(ctx context.Context, q *rows.Queries, found []rows.Message) ([]vigil.Message, error) {
	messages := make([]vigil.Message, 0, len(found))
	for page := range slices.Chunk(found, pageSize) {
		ids := make([]string, len(page))
		for i, row := range page {
			ids[i] = row.ID
		}
		attempts, err := q.ListAttemptsOf(ctx, ids)
		if err != nil {
			return nil, err
		}
		of := byMessage(attempts)
		for _, row := range page {
			m, err := decodeWhole(row, of[row.ID])
			if err != nil {
				return nil, err
			}
			messages = append(messages, m)
		}
	}
	return messages, nil
}

func byMessage(attempts []rows.Attempt) map[string][]rows.Attempt {
	of := map[string][]rows.Attempt{}
	for _, a := range attempts {
		of[a.Message] = append(of[a.Message], a)
	}
	return of
}
