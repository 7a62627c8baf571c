package store_test

import (
	"reflect"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

func audit(miner abi.ActorID, open abi.ChainEpoch, index uint64, evidence string) vigil.Audit {
	return vigil.Audit{
		Miner: miner, Deadline: vigil.Deadline{Index: 3, Count: 48, Challenge: open - 20, Open: open, Close: open + 60, FaultCutoff: open - 70},
		Index: index, Partitions: []uint64{0, 2}, Snapshot: "s", Evidence: evidence, Verdict: vigil.AuditValid, Epoch: open + 61, Seed: [32]byte{1, 2, 31: byte(index)},
	}
}

func TestVerdictsOutliveARestart(t *testing.T) {
	s, reopen := restartable(t)
	first, second, older, other := audit(1000, 600, 0, "a"), audit(1000, 600, 1, "b"), audit(1000, 540, 0, "c"), audit(1001, 600, 0, "a")
	for _, a := range []vigil.Audit{older, second, first, other} {
		if err := s.SaveAudit(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	second.Verdict, second.Problem, second.Epoch = vigil.AuditDisputable, "wrong", 700
	if err := s.SaveAudit(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	s = reopen()
	want := func(since abi.ChainEpoch, want ...vigil.Audit) {
		t.Helper()
		got, err := s.Audits(t.Context(), 1000, since)
		if err != nil || len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("since %d: %+v, %v; want %+v", since, got, err, want)
		}
	}
	want(0, first, second, older)
	want(600, first, second)
	if err := s.DropAudit(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	want(0, second, older)
	if err := s.DropAudits(t.Context(), 1000, 600); err != nil {
		t.Fatal(err)
	}
	want(0, second)
	if got, err := s.Audits(t.Context(), 1001, 0); err != nil || len(got) != 1 {
		t.Errorf("the other miner's: %v, %v", got, err)
	}
}
