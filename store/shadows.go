package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store/internal/rows"
)

var _ vigil.ShadowStore = (*Store)(nil)

// Shadows gives a miner's records of deadlines that open at or after the epoch,
// the oldest first.
func (s *Store) Shadows(ctx context.Context, miner abi.ActorID, since abi.ChainEpoch) ([]vigil.ShadowRecord, error) {
	found, err := rows.New(s.reads).ListShadows(ctx, rows.ListShadowsParams{Miner: int64(miner), Since: int64(since)})
	if err != nil {
		return nil, fmt.Errorf("read shadow records of %s: %w", vigil.MinerAddress(miner), explain(err))
	}
	records := make([]vigil.ShadowRecord, len(found))
	for i, row := range found {
		if err := json.Unmarshal([]byte(row.Record), &records[i]); err != nil {
			return nil, fmt.Errorf("read shadow records of %s: decode that of epoch %d: %w", vigil.MinerAddress(miner), row.Open, err)
		}
	}
	return records, nil
}

// SaveShadow writes a record, in place of an earlier one of the same deadline.
func (s *Store) SaveShadow(ctx context.Context, r vigil.ShadowRecord) error {
	record, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode a shadow record: %w", err)
	}
	return s.transact(ctx, "save a shadow record of "+vigil.MinerAddress(r.Miner).String(), func(q *rows.Queries) error {
		return q.PutShadow(ctx, rows.PutShadowParams{Miner: int64(r.Miner), Open: int64(r.Deadline.Open), Record: string(record)})
	})
}
