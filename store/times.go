package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store/internal/rows"
)

// Times gives what reading and proving took of a miner's proofs whose deadlines
// opened last, the newest first, so many at most. Their statements and bytes are left out.
func (s *Store) Times(ctx context.Context, miner abi.ActorID, most int) ([]vigil.Proof, error) {
	found, err := rows.New(s.db).ListTimes(ctx, rows.ListTimesParams{Miner: int64(miner), Limit: int64(most)})
	if err != nil {
		return nil, fmt.Errorf("read what proofs took: %w", err)
	}
	proofs := make([]vigil.Proof, len(found))
	for i, row := range found {
		p := vigil.Proof{
			Duty:     vigil.DutyID{Kind: vigil.DutyKind(row.Kind), Miner: abi.ActorID(row.Miner), Open: abi.ChainEpoch(row.Open), Batch: int(row.Batch)},
			ReadTime: time.Duration(row.ReadTime), ProveTime: time.Duration(row.ProveTime),
		}
		if err := json.Unmarshal([]byte(row.Partitions), &p.Partitions); err != nil {
			return nil, fmt.Errorf("read what proofs took: partitions of %s: %w", p.Duty, err)
		}
		proofs[i] = p
	}
	return proofs, nil
}
