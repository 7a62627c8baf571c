package store_test

import (
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/vigil-post/vigil"
)

func TestTheLatestRehearsalOfEachDeadlineSurvives(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vigil.db")
	s := open(t, path)
	first := vigil.RehearsalStatus{Deadline: 7, Epoch: 100, Whole: 100, Sectors: 2, Bad: []vigil.BadSector{}, ReadTime: time.Second}
	later := vigil.RehearsalStatus{
		Deadline: 7, Epoch: 2000, Whole: 100, Sectors: 2, Bad: []vigil.BadSector{{Number: 3, Cause: "replica: missing"}}, Unchecked: 1, Problem: "sector 4: timeout",
	}
	other := vigil.RehearsalStatus{Deadline: 3, Epoch: 50, Whole: 50, Bad: []vigil.BadSector{}}
	for _, r := range []vigil.RehearsalStatus{first, later, other} {
		if err := s.SaveRehearsal(t.Context(), 1000, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	got, err := s.Rehearsals(t.Context(), 1000)
	if want := []vigil.RehearsalStatus{other, later}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	if none, err := s.Rehearsals(t.Context(), 1001); err != nil || len(none) != 0 {
		t.Errorf("of another miner: %+v, %v", none, err)
	}
}
