package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store/internal/rows"
)

var _ vigil.RehearsalStore = (*Store)(nil)

// Rehearsals implements vigil.RehearsalStore.
func (s *Store) Rehearsals(ctx context.Context, miner abi.ActorID) ([]vigil.RehearsalStatus, error) {
	found, err := rows.New(s.db).ListRehearsals(ctx, int64(miner))
	if err != nil {
		return nil, fmt.Errorf("read rehearsals of %s: %w", vigil.MinerAddress(miner), explain(err))
	}
	list := make([]vigil.RehearsalStatus, len(found))
	for i, body := range found {
		if err := json.Unmarshal([]byte(body), &list[i]); err != nil {
			return nil, fmt.Errorf("read rehearsals of %s: decode: %w", vigil.MinerAddress(miner), err)
		}
	}
	return list, nil
}

// SaveRehearsal implements vigil.RehearsalStore.
func (s *Store) SaveRehearsal(ctx context.Context, miner abi.ActorID, r vigil.RehearsalStatus) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("save rehearsal of deadline %d: encode: %w", r.Deadline, err)
	}
	return s.transact(ctx, fmt.Sprintf("save rehearsal of deadline %d", r.Deadline), func(q *rows.Queries) error {
		return q.PutRehearsal(ctx, rows.PutRehearsalParams{Miner: int64(miner), Deadline: int64(r.Deadline), Body: string(body)})
	})
}
