package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil/schedule"
	"github.com/vigil-post/vigil/sector"
)

func TestARehearsalReadsTheDeadlinesThatAreAskedFor(t *testing.T) {
	c, storage := sectorsOnDisk(t, 12)
	c.Schedule = schedule.DefaultPolicy
	rehearse := func(w RehearseWanted) (list []Tried) {
		t.Helper()
		w.AtOnce = 4
		if err := Rehearse(t.Context(), c, w, slog.New(slog.DiscardHandler), func(r Tried) { list = append(list, r) }); err != nil {
			t.Fatal(err)
		}
		return list
	}
	all := rehearse(RehearseWanted{})
	if len(all) != 6 {
		t.Fatalf("%+v", all)
	}
	for i, r := range all {
		if !r.Good() || r.Sectors != 2 || i > 0 && r.Deadline != all[i-1].Deadline+1 {
			t.Errorf("%+v", r)
		}
	}
	first := all[0].Deadline
	if err := os.Remove(filepath.Join(storage, "sealed", sector.Name(1000, 2))); err != nil {
		t.Fatal(err)
	}
	some := rehearse(RehearseWanted{Deadlines: []uint64{first + 1}, Partitions: []PartitionAt{{first, 0}, {first + 2, 7}}})
	if len(some) != 2 || some[0].Deadline != first || !some[0].Good() || some[1].Good() || len(some[1].Bad) != 1 || some[1].Bad[0].Number != 2 {
		t.Errorf("%+v", some)
	}
	if none := rehearse(RehearseWanted{Miners: []abi.ActorID{2000}}); len(none) != 0 {
		t.Errorf("%+v", none)
	}
	c.Proofs.Parameters = t.TempDir()
	if r := rehearse(RehearseWanted{Partitions: []PartitionAt{{first, 0}}, SNARK: true}); len(r) != 1 || r[0].Good() || !strings.Contains(r[0].Problem, "parameters") {
		t.Errorf("%+v", r)
	}
}
