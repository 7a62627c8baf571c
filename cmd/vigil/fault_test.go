package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// A replica is gone, another has a wrong bit: each is named and left out, its
// neighbour is proven; when it is back a recovery is declared. One that is cut off
// and whose deadline is far off is known from the rehearsal.
func TestABadReplicaIsNamedSkippedAndRecovered(t *testing.T) {
	if testing.Short() || underRace() {
		t.Skip("it takes a quarter of a minute, and epochs are too short for the race detector")
	}
	t.Parallel()
	n := newNode(t, epochFor(t)/2)
	replica := func(sector int) string {
		return filepath.Join(n.dir, "chain", "storage", "sealed", fmt.Sprintf("s-t01000-%d", sector))
	}
	whole := map[int][]byte{}
	for _, sector := range []int{0, 2} {
		data, err := os.ReadFile(replica(sector))
		if err != nil {
			t.Fatal(err)
		}
		whole[sector] = data
	}
	broken := append([]byte(nil), whole[2]...)
	broken[777] ^= 1
	if err := errors.Join(os.Remove(replica(0)), os.WriteFile(replica(2), broken, 0o600), os.Truncate(replica(6), 100)); err != nil {
		t.Fatal(err)
	}

	d := launch(t, "run", "--config", n.config())
	_, page, _ := strings.Cut(d.must(t, 20*time.Second, "msg=dashboard"), "url=")
	for i, c := range []struct {
		open   abi.ChainEpoch
		sector int
		cause  string
	}{{66, 0, "missing"}, {126, 2, "segment"}} {
		duty := fmt.Sprintf("duty=t01000/%d/0", c.open)
		d.must(t, 140*n.epoch, `msg="sector is skipped"`, duty, fmt.Sprintf("sector=%d ", c.sector), c.cause)
		d.must(t, 80*n.epoch, `msg="confirmed on chain"`, duty)
		if faulty := n.faults(t); faulty != uint64(i+1) {
			t.Errorf("%d sectors are faulty after deadline %d, want one more than before", faulty, c.open)
		}
		if !named(statusOf(t, page), c.sector, c.cause) {
			t.Errorf("the page does not name sector %d", c.sector)
		}
		if err := os.WriteFile(replica(c.sector), whole[c.sector], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Deadline 5 is not challenged before epoch 226; its rehearsal has found the third.
	d.must(t, 40*n.epoch, `msg="a sector will be skipped at its next deadline`, "sector=6 ", "100 bytes", "deadline=5 ", "challenge=226 ")
	if !named(statusOf(t, page), 6, "100 bytes") {
		t.Error("the page does not name sector 6")
	}
	// It is declared for the next proving period as soon as the deadline is closed.
	d.must(t, 40*n.epoch, `msg="recovery declared"`, "duty=t01000/2946/recover/0", "sectors=[0]")
	d.must(t, 40*n.epoch, `msg="confirmed on chain"`, "duty=t01000/2946/recover/0")
	if named(statusOf(t, page), 0, "missing") {
		t.Error("the page still names sector 0")
	}
}

func named(s vigil.Status, sector int, cause string) bool {
	for _, m := range s.Miners {
		for _, b := range m.Bad {
			if b.Number == abi.SectorNumber(sector) && strings.Contains(b.Cause, cause) {
				return true
			}
		}
	}
	return false
}
