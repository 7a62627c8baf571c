package store

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store/internal/rows"
)

// A long list is read in pages, and writers have their turn between them: a
// write in the middle of one that held the connection would wait for ever.
func TestALongListKeepsNobodyFromWriting(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "vigil.db"))
	if err != nil {
		t.Fatal(err)
	}
	const many = 2*pageSize + 7
	err = s.transact(t.Context(), "fill the store", func(q *rows.Queries) error {
		for i := range many {
			m := vigil.Message{
				MessageRequest: vigil.MessageRequest{ID: fmt.Sprint(i), Senders: []address.Address{vigil.MinerAddress(1)}, Call: vigil.Call{To: vigil.MinerAddress(1), Value: big.Zero()}},
				State:          vigil.MessageQueued, Paid: big.Zero(),
			}
			if err := addMessage(t.Context(), q, m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	pages := 0
	err = s.pages(t.Context(), vigil.MessageQuery{Limit: many}, func([]vigil.Message) {
		pages++
		if err := s.SaveWish(t.Context(), "3", vigil.Wish{Verb: vigil.WishRepublish, At: time.Now()}); err != nil {
			t.Error(err)
		}
	})
	if err != nil || pages != 3 {
		t.Errorf("%d pages, %v", pages, err)
	}
	for limit, want := range map[int]int{1: 1, pageSize: pageSize, pageSize + 1: pageSize + 1, many: many, 10 * many: many, 0: 1000} {
		found, err := s.FindMessages(t.Context(), vigil.MessageQuery{Limit: limit})
		if err != nil || len(found) != want || found[len(found)-1].ID != fmt.Sprint(many-1) || found[0].ID != fmt.Sprint(many-want) {
			t.Errorf("of a limit of %d: %d messages, %v", limit, len(found), err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
