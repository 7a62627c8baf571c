package runner

import (
	"testing"
	"time"
)

func TestARehearsalReadsFewSectorsAtATimeAndIsDoneInTime(t *testing.T) {
	for _, c := range []struct {
		sentence string
		sectors  int
		left     time.Duration
		want     int
	}{
		{"a small miner", 2, time.Hour, 4},
		{"three partitions of 32 GiB", 7047, 65 * time.Minute, 4},
		{"thirty", 70_470, 65 * time.Minute, 18},
		{"more than can be", 1_000_000, time.Minute, 256},
		{"no time at all", 100, 0, 100},
	} {
		if got := rehearsedAtOnce(c.sectors, c.left); got != c.want {
			t.Errorf("%s: %d at a time, want %d", c.sentence, got, c.want)
		}
	}
}
