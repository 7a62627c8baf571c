package store

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store/internal/rows"
)

var _ vigil.AuditStore = (*Store)(nil)

// Audits gives the verdicts on a miner's posts of deadlines that close after
// the epoch, the newest first.
func (s *Store) Audits(ctx context.Context, miner abi.ActorID, since abi.ChainEpoch) ([]vigil.Audit, error) {
	found, err := rows.New(s.db).ListAudits(ctx, rows.ListAuditsParams{Miner: int64(miner), Since: int64(since)})
	if err != nil {
		return nil, fmt.Errorf("read audits of %s: %w", vigil.MinerAddress(miner), explain(err))
	}
	audits := make([]vigil.Audit, len(found))
	for i, row := range found {
		if audits[i], err = decodeAudit(row); err != nil {
			return nil, fmt.Errorf("read audits of %s: %w", vigil.MinerAddress(miner), explain(err))
		}
	}
	return audits, nil
}

// SaveAudit writes a verdict, in place of an earlier one on the same evidence.
func (s *Store) SaveAudit(ctx context.Context, a vigil.Audit) error {
	row, err := encodeAudit(a)
	if err != nil {
		return err
	}
	return s.transact(ctx, "save an audit of "+vigil.MinerAddress(a.Miner).String(), func(q *rows.Queries) error {
		return q.PutAudit(ctx, row)
	})
}

// DropAudit gives up a verdict whose evidence is not on chain any more.
func (s *Store) DropAudit(ctx context.Context, a vigil.Audit) error {
	return s.transact(ctx, "drop an audit of "+vigil.MinerAddress(a.Miner).String(), func(q *rows.Queries) error {
		return q.DeleteAudit(ctx, rows.DeleteAuditParams{Miner: int64(a.Miner), Evidence: a.Evidence})
	})
}

// DropAudits gives up the verdicts on a miner's posts of deadlines that closed
// at or before the epoch.
func (s *Store) DropAudits(ctx context.Context, miner abi.ActorID, closed abi.ChainEpoch) error {
	return s.transact(ctx, "drop old audits of "+vigil.MinerAddress(miner).String(), func(q *rows.Queries) error {
		return q.DeleteAudits(ctx, rows.DeleteAuditsParams{Miner: int64(miner), Closed: int64(closed)})
	})
}

func encodeAudit(a vigil.Audit) (rows.PutAuditParams, error) {
	deadline, err := json.Marshal(a.Deadline)
	if err != nil {
		return rows.PutAuditParams{}, fmt.Errorf("encode deadline: %w", err)
	}
	partitions, err := json.Marshal(a.Partitions)
	if err != nil {
		return rows.PutAuditParams{}, fmt.Errorf("encode partitions: %w", err)
	}
	return rows.PutAuditParams{
		Miner: int64(a.Miner), Open: int64(a.Deadline.Open), Closed: int64(a.Deadline.Close),
		Evidence: a.Evidence, Snapshot: a.Snapshot, Post: int64(a.Index),
		Deadline: string(deadline), Partitions: string(partitions),
		Verdict: string(a.Verdict), Problem: a.Problem, Epoch: int64(a.Epoch), Seed: seedText(a.Seed),
	}, nil
}

func seedText(seed [32]byte) string {
	if seed == ([32]byte{}) {
		return ""
	}
	return hex.EncodeToString(seed[:])
}

func parseSeed(text string) (seed [32]byte, err error) {
	bytes, err := hex.DecodeString(text)
	switch {
	case err != nil:
		return seed, fmt.Errorf("decode the seed %q: %w", text, err)
	case len(bytes) != 0 && len(bytes) != len(seed):
		return seed, fmt.Errorf("decode the seed %q: it has %d bytes, want %d", text, len(bytes), len(seed))
	}
	copy(seed[:], bytes)
	return seed, nil
}

func decodeAudit(row rows.Audit) (vigil.Audit, error) {
	a := vigil.Audit{
		Miner: abi.ActorID(row.Miner), Index: uint64(row.Post), Snapshot: row.Snapshot, Evidence: row.Evidence,
		Verdict: vigil.AuditVerdict(row.Verdict), Problem: row.Problem, Epoch: abi.ChainEpoch(row.Epoch),
	}
	var err error
	if a.Seed, err = parseSeed(row.Seed); err != nil {
		return a, err
	}
	if err := json.Unmarshal([]byte(row.Deadline), &a.Deadline); err != nil {
		return a, fmt.Errorf("decode deadline: %w", err)
	}
	if err := json.Unmarshal([]byte(row.Partitions), &a.Partitions); err != nil {
		return a, fmt.Errorf("decode partitions: %w", err)
	}
	return a, nil
}
