package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/devnet"
)

func pictureOf(miners int) picture {
	const epoch = 1000
	p := picture{page: "http://127.0.0.1:8748", news: []string{"first Window PoSt confirmed on chain"}}
	p.status = vigil.Status{Head: epoch, HeadSeen: time.Now(), Delay: 100 * time.Millisecond}
	p.stats.Total = devnet.Tally{PartitionsDue: 46, PartitionsConfirmed: 45, PartitionsMissed: 1}
	for i := range miners {
		m := vigil.MinerStatus{Miner: fmt.Sprintf("t0%d", 1000+i), Epoch: epoch}
		for j := range uint64(48) {
			open := abi.ChainEpoch(j) * 60
			d := vigil.Deadline{Index: j, Count: 48, Challenge: open - 20, Open: open, Close: open + 60}
			s := vigil.DeadlineStatus{Deadline: d, Partitions: 1, Sectors: 2}
			if d.IsOpen(epoch) {
				m.Current, s.Last = d, vigil.StateProved
			} else if d.Close <= epoch {
				s.Last = vigil.StateConfirmed
			}
			m.Deadlines = append(m.Deadlines, s)
		}
		m.Duties = []vigil.DutyStatus{{
			Kind: vigil.KindPost, Deadline: 16, Running: "submitting",
			Row: vigil.Duty{State: vigil.StateProved, Partitions: []uint64{0}, Skipped: []vigil.BadSector{{Number: 7, Cause: "gone"}}},
		}}
		p.status.Miners = append(p.status.Miners, m)
	}
	for i := range 100 {
		p.log = append(p.log, fmt.Sprintf("time=2026-11-24T02:30:%02d.123Z level=INFO msg=%s", i%60, strings.Repeat("long ", 60)))
	}
	return p
}

func TestTheScreenSaysWhatHappens(t *testing.T) {
	text := ansi.Strip(draw(pictureOf(1), 120, 40, time.Now()))
	for _, want := range []string{
		"epoch 1000", "http://127.0.0.1:8748", "46 partitions due, 45 confirmed, 1 missed", "deadline 16 of 48 closes in 20 epochs",
		"✓✓✓✓ ◐○○", "submitting", "1 skipped", "first Window PoSt confirmed", "02:30:39 level=INFO",
	} {
		if !strings.Contains(strings.ReplaceAll(text, "✓✓✓✓◐", "✓✓✓✓ ◐"), want) {
			t.Errorf("the screen does not say %q:\n%s", want, text)
		}
	}
}

func TestTheScreenFitsEveryTerminal(t *testing.T) {
	for _, miners := range []int{0, 1, 3, 40} {
		for _, size := range [][2]int{{0, 0}, {20, 5}, {80, 24}, {61, 13}, {300, 100}} {
			text := draw(pictureOf(miners), size[0], size[1], time.Now())
			if w, h := lipgloss.Size(text); w > max(size[0], 12) || h > max(size[1], 1) {
				t.Errorf("%d miners on %v: drawn %d by %d", miners, size, w, h)
			}
		}
	}
}

func TestTheTailKeepsWholeLines(t *testing.T) {
	log := &tail{keep: 2}
	for _, part := range []string{"a\nb", "b\nc\n", "d"} {
		if _, err := log.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(log.lines(), ","); got != "bb,c" {
		t.Errorf("kept %s", got)
	}
}
