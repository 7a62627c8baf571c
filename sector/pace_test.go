package sector

import (
	"testing"
	"time"
)

// settle lets a pace work on a storage that finishes rate(places) reads a second.
func settle(rate func(places int) float64) (least, most int) {
	var p pace
	now := time.Unix(0, 0)
	least = mostPlaces
	for n := range 30_000 {
		now = now.Add(time.Duration(float64(time.Second) / rate(p.places())))
		p.finished(now, true)
		if n > 15_000 {
			least, most = min(least, p.places()), max(most, p.places())
		}
	}
	return least, most
}

func TestThePlacesSettleWhereMoreBringNothing(t *testing.T) {
	upTo := func(n int) func(int) float64 {
		return func(places int) float64 { return float64(100 * min(places, n)) }
	}
	thrashing := func(places int) float64 {
		if places > 8 {
			return 800 * 8 / float64(places)
		}
		return 100 * float64(places)
	}
	for _, c := range []struct {
		sentence    string
		rate        func(int) float64
		least, most int
	}{
		{"a disk that serves one at a time", upTo(1), leastPlaces, 8},
		{"an array of eight disks", upTo(8), 6, 14},
		{"an array of forty", upTo(40), 30, 70},
		{"a server that serves all there are", upTo(1000), 90, mostPlaces},
		{"a disk that is slower the more it is asked", thrashing, 5, 12},
	} {
		least, most := settle(c.rate)
		t.Logf("%s: %d to %d places", c.sentence, least, most)
		if least < c.least || most > c.most {
			t.Errorf("%s: %d to %d places, want within %d to %d", c.sentence, least, most, c.least, c.most)
		}
	}
}

func TestATimeInWhichNothingWaitsChangesNothing(t *testing.T) {
	var p pace
	now := time.Unix(0, 0)
	for range 10_000 {
		now = now.Add(time.Millisecond)
		p.finished(now, false)
	}
	if p.places() != firstPlaces {
		t.Errorf("%d places", p.places())
	}
}
