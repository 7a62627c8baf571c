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
	if err != nil {
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

// SaveAlive writes down that a daemon is alive and which head it has seen.
func (s *Store) SaveAlive(ctx context.Context, at time.Time, epoch abi.ChainEpoch) error {
	return s.transact(ctx, "write down that the daemon is alive", func(q *rows.Queries) error {
		return q.PutAlive(ctx, rows.PutAliveParams{At: at.UnixNano(), Epoch: int64(epoch)})
	})
}

// LastSign is the newest epoch that a daemon is known to have seen, and when it
// was alive last; both are zero where there was none.
func (s *Store) LastSign(ctx context.Context) (abi.ChainEpoch, time.Time, error) {
	var epoch abi.ChainEpoch
	var at time.Time
	err := s.look(ctx, "read the last sign of a daemon", func(q *rows.Queries) error {
		latest, err := q.LatestEpoch(ctx)
		if err != nil {
			return err
		}
		epoch = abi.ChainEpoch(latest)
		alive, err := q.GetAlive(ctx)
		if err == nil {
			at = timeOf(alive.At)
		}
		return absent(err)
	})
	return epoch, at, err
}

// absent drops the answer that there is no such row.
func absent(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}
