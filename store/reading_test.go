package store

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store/internal/rows"
)

// Whoever reads at length, and in the middle of it, keeps nobody from writing, not
// even when everybody who may read at once does. On the connection that writes
// the first of them would.
func TestALongReadKeepsNobodyFromWriting(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "vigil.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	writeOutcomes(t, s, 1, 10)
	const patience = time.Minute // of a test that fails: one that passes waits for nothing
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for range atOnce {
		tx, err := s.reads.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		found, err := tx.QueryContext(ctx, "SELECT seq FROM outcomes")
		if err != nil {
			t.Fatal(err)
		}
		defer found.Close()
		if !found.Next() { // and there it stays
			t.Fatal(found.Err())
		}
	}
	d := vigil.Duty{ID: vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: 7}, State: vigil.StateScheduled}
	if err := s.SaveDuty(ctx, d); err != nil {
		t.Fatalf("a write beside readers: %v", err)
	}
	if duties, err := s.Duties(ctx, 1000, 7); err != nil || len(duties) == 0 || duties[0].ID != d.ID {
		t.Errorf("what a runner reads beside them: %v, %v", duties, err)
	}
}

func TestPeopleSeeWhatWasWrittenAMomentAgo(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "vigil.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for open := range abi.ChainEpoch(20) {
		d := vigil.Duty{ID: vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: open}, State: vigil.StateScheduled}
		if err := s.SaveDuty(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Duty(t.Context(), d.ID); err != nil {
			t.Fatal(err)
		}
	}
}

// writeOutcomes writes outcomes of so many miners, so many each.
func writeOutcomes(t testing.TB, s *Store, miners, each int) {
	t.Helper()
	err := s.transact(t.Context(), "fill the store", func(q *rows.Queries) error {
		for i := range miners * each {
			p := rows.AddOutcomeParams{
				At: int64(i), Epoch: int64(i / miners), Kind: "post", Miner: int64(1000 + i%miners), Open: int64(i / miners),
				After: "confirmed", Problem: fmt.Sprint("a problem that takes some words to say: ", i),
			}
			if err := q.AddOutcome(t.Context(), p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// How long a write waits beside people who read all the time, as it was when they
// all took turns on one connection, and as it is.
func BenchmarkAWriteBesideReaders(b *testing.B) {
	for _, c := range []struct {
		name    string
		readers int
		one     bool // connection for everybody
	}{{"NoReaders", 0, false}, {"OnOneConnection", 4, true}, {"OnTheirOwn", 4, false}} {
		b.Run(c.name, func(b *testing.B) {
			s, err := Open(b.Context(), filepath.Join(b.TempDir(), "vigil.db"))
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			writeOutcomes(b, s, 30, 2000)
			if c.one {
				if err := s.reads.Close(); err != nil {
					b.Fatal(err)
				}
				s.reads = s.db
			}
			ctx, stop := context.WithCancel(b.Context())
			var readers sync.WaitGroup
			for range c.readers {
				readers.Go(func() {
					for ctx.Err() == nil {
						_, _ = s.Journal(ctx, vigil.JournalQuery{Limit: 10_000})
					}
				})
			}
			b.ResetTimer()
			var took []time.Duration
			for i := 0; b.Loop(); i++ {
				began := time.Now()
				if err := s.SaveAlive(b.Context(), began, abi.ChainEpoch(i)); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
			}
			b.StopTimer()
			stop()
			readers.Wait()
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-median")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
			b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "ms-max")
		})
	}
}
