package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store/internal/rows"
)

// Duties gives a miner's duties of deadlines that open at or after the epoch,
// and all that are not final, by open epoch, kind and batch.
func (s *Store) Duties(ctx context.Context, miner abi.ActorID, since abi.ChainEpoch) ([]vigil.Duty, error) {
	var duties []vigil.Duty
	err := s.read(ctx, "read duties of "+vigil.MinerAddress(miner).String(), func(q *rows.Queries) error {
		older, err := q.ListUnfinished(ctx, rows.ListUnfinishedParams{Miner: int64(miner), Before: int64(since)})
		if err != nil {
			return err
		}
		found, err := q.ListDuties(ctx, rows.ListDutiesParams{Miner: int64(miner), Since: int64(since)})
		if err != nil {
			return err
		}
		duties, err = decodeDuties(append(older, found...))
		return err
	})
	return duties, err
}

func decodeDuties(found []rows.Duty) ([]vigil.Duty, error) {
	duties := make([]vigil.Duty, len(found))
	for i, row := range found {
		var err error
		if duties[i], err = decodeDuty(row); err != nil {
			return nil, err
		}
	}
	return duties, nil
}

// SaveDuty writes a duty's row, new or not.
func (s *Store) SaveDuty(ctx context.Context, d vigil.Duty) error {
	return s.transact(ctx, "save duty "+d.ID.String(), func(q *rows.Queries) error {
		return putDuty(ctx, q, d)
	})
}

// SaveProof writes a duty's proof, in place of an earlier one, and its row.
func (s *Store) SaveProof(ctx context.Context, p vigil.Proof, d vigil.Duty) error {
	if p.Duty != d.ID {
		return fmt.Errorf("save proof: it is of duty %s, not %s", p.Duty, d.ID)
	}
	return s.transact(ctx, "save proof of "+d.ID.String(), func(q *rows.Queries) error {
		if err := putDuty(ctx, q, d); err != nil {
			return err
		}
		row, err := encodeProof(p)
		if err != nil {
			return err
		}
		if err := q.PutProof(ctx, row); err != nil {
			return err
		}
		return addProofEvent(ctx, q, p, d)
	})
}

// Proof gives the stored proof of a duty, or vigil.ErrNotFound.
func (s *Store) Proof(ctx context.Context, id vigil.DutyID) (vigil.Proof, error) {
	row, err := rows.New(s.db).GetProof(ctx, rows.GetProofParams(dutyKey(id)))
	if errors.Is(err, sql.ErrNoRows) {
		return vigil.Proof{}, fmt.Errorf("proof of %s: %w", id, vigil.ErrNotFound)
	}
	if err != nil {
		return vigil.Proof{}, fmt.Errorf("read proof of %s: %w", id, explain(err))
	}
	p, err := decodeProof(row)
	if err != nil {
		return vigil.Proof{}, fmt.Errorf("read proof of %s: %w", id, explain(err))
	}
	return p, nil
}

// DropProof deletes a duty's proof, if there is one, and writes its row.
func (s *Store) DropProof(ctx context.Context, d vigil.Duty) error {
	return s.transact(ctx, "drop proof of "+d.ID.String(), func(q *rows.Queries) error {
		if err := q.DeleteProof(ctx, rows.DeleteProofParams(dutyKey(d.ID))); err != nil {
			return err
		}
		return putDuty(ctx, q, d)
	})
}

// dutyKey is the key of a duty's row; sqlc gives each query a type of this shape.
func dutyKey(id vigil.DutyID) rows.GetDutyParams {
	return rows.GetDutyParams{Kind: string(id.Kind), Miner: int64(id.Miner), Open: int64(id.Open), Batch: int64(id.Batch)}
}

// putDuty writes a duty's row and, when its state or problem is another than before, the log.
func putDuty(ctx context.Context, q *rows.Queries, d vigil.Duty) error {
	body, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	before, err := q.GetDuty(ctx, dutyKey(d.ID))
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	var earlier vigil.Duty
	if err == nil {
		if earlier, err = decodeDuty(before); err != nil {
			return err
		}
	}
	k := dutyKey(d.ID)
	if err := q.PutDuty(ctx, rows.PutDutyParams{
		Kind: k.Kind, Miner: k.Miner, Open: k.Open, Batch: k.Batch,
		State: string(d.State), Body: string(body),
	}); err != nil {
		return err
	}
	return addOutcome(ctx, q, Outcome{
		Duty: d.ID, Epoch: d.Tried, Before: string(earlier.State), After: string(d.State),
		Reason: d.Reason, Problem: d.Problem,
	}, earlier.Problem)
}

func decodeDuty(row rows.Duty) (vigil.Duty, error) {
	id := vigil.DutyID{
		Kind: vigil.DutyKind(row.Kind), Miner: abi.ActorID(row.Miner),
		Open: abi.ChainEpoch(row.Open), Batch: int(row.Batch),
	}
	var d vigil.Duty
	if err := json.Unmarshal([]byte(row.Body), &d); err != nil {
		return vigil.Duty{}, fmt.Errorf("duty %s: decode: %w", id, err)
	}
	d.ID = id
	d.State = cmp.Or(vigil.DutyState(row.State), d.State)
	return d, nil
}
