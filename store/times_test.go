package store_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store"
)

func TestTheNewestTimesOfAMinerComeFirst(t *testing.T) {
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "vigil.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, open := range []abi.ChainEpoch{300, 100, 400, 200} {
		d := duty(open, 0, vigil.StateProved)
		if open == 400 {
			d.ID.Miner++ // somebody else's
		}
		p := proof(t, d.ID)
		p.ReadTime, p.ProveTime = time.Duration(open), time.Duration(2*open)
		if err := s.SaveProof(t.Context(), p, d); err != nil {
			t.Fatal(err)
		}
	}
	times, err := s.Times(t.Context(), miner, 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(times) != 2 || times[0].Duty.Open != 300 || times[1].Duty.Open != 200 {
		t.Fatalf("got %+v", times)
	}
	if got := times[0]; got.ReadTime != 300 || got.ProveTime != 600 || len(got.Partitions) == 0 || got.Bytes != nil {
		t.Errorf("got %+v", got)
	}
}
