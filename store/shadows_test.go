package store_test

import (
	"reflect"
	"testing"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
)

func TestShadowRecordsOutliveARestart(t *testing.T) {
	s, reopen := restartable(t)
	from, err := address.NewIDAddress(101)
	if err != nil {
		t.Fatal(err)
	}
	record := func(open abi.ChainEpoch) vigil.ShadowRecord {
		return vigil.ShadowRecord{
			Miner: 1000, Deadline: vigil.Deadline{Index: 3, Count: 48, Open: open, Close: open + 60}, Watched: true, Head: open + 70,
			Partitions: []vigil.ShadowPartition{{
				Index: 1, Due: 2,
				Ours:   vigil.ShadowOurs{State: vigil.StateShadowed, Work: vigil.ShadowWork{Begun: open - 19, Ready: open, Sent: open + 4, ReadTime: 1.5}},
				Theirs: vigil.ShadowTheirs{Posted: true, Epoch: open + 9, Skipped: []abi.SectorNumber{4}},
			}},
			Posts: []vigil.MinerPost{{
				Deadline: 3, From: from, Epoch: open + 9, ExitCode: 16, Paid: big.NewInt(7),
				Message: cid.MustParse("bafy2bzacea3wsdh6y3a36tb3skempjoxqpuyompjbmfeyf34fi3uy6uue42v4"), Partitions: []vigil.ProvedPartition{{Index: 1}},
			}},
		}
	}
	second, first := record(660), record(600)
	for _, r := range []vigil.ShadowRecord{second, first} {
		if err := s.SaveShadow(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	first.Partitions[0].Theirs.Verdict = vigil.AuditValid
	if err := s.SaveShadow(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	s = reopen()
	for since, want := range map[abi.ChainEpoch][]vigil.ShadowRecord{0: {first, second}, 601: {second}, 661: {}} {
		if got, err := s.Shadows(t.Context(), 1000, since); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("since %d: %+v, %v; want %+v", since, got, err, want)
		}
	}
	if got, err := s.Shadows(t.Context(), 1001, 0); err != nil || len(got) != 0 {
		t.Errorf("another miner's: %+v, %v", got, err)
	}
}
