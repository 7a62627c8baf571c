package store

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/vigil-post/vigil/store/internal/rows"
)

// A year of old rows is not deleted in one go: others have their turn, and the
// rest is deleted when it is asked for again.
func TestMuchIsDeletedPieceByPiece(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "vigil.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const many = turnsInARow*prunedAtOnce + 3
	err = s.transact(t.Context(), "fill the store", func(q *rows.Queries) error {
		for i := range many {
			if err := q.AddOutcome(t.Context(), rows.AddOutcomeParams{At: int64(i), Epoch: int64(i), Kind: "post", Miner: 1000}); err != nil {
				return err
			}
		}
		return q.PutAlive(t.Context(), rows.PutAliveParams{Epoch: many + int64(leastKept) + 1})
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} {
		if more, err := s.Prune(t.Context(), time.Unix(1, 0)); err != nil || more != want {
			t.Errorf("more to delete: %v, %v, want %v", more, err, want)
		}
	}
	err = s.look(t.Context(), "count", func(q *rows.Queries) error {
		left, err := q.ListLastOutcomes(t.Context(), rows.ListLastOutcomesParams{Most: 10})
		if len(left) != 0 {
			t.Errorf("%d outcomes are left", len(left))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
