package app

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil/faultproxy"
)

// The whole daemon against three nodes, each behind a line that misbehaves.
// Proofs are of a made-up kind, so that a proving period takes minutes; they
// still commit to their statement, so that the chain sees a wrong one.

// plagues are what a line can have; each must be survived as long as another line is good.
var plagues = [][]faultproxy.Fault{
	{faultproxy.Refuse}, {faultproxy.Cut}, {faultproxy.Hang}, {faultproxy.BadGateway},
	{faultproxy.Mute}, {faultproxy.Silent}, {faultproxy.Delay},
	{faultproxy.Fail}, {faultproxy.Null}, {faultproxy.Truncate}, {faultproxy.Corrupt},
	{faultproxy.Duplicate, faultproxy.Reorder}, {faultproxy.WrongID}, {faultproxy.Deep},
	{faultproxy.Lag}, {faultproxy.Future}, {faultproxy.LostMessage},
	{faultproxy.OtherName},
}

// weather is which line has which plague when, from a seed: one line is always
// good, and it is another one again and again.
type weather struct {
	random *rand.Rand
	sane   int
	until  []abi.ChainEpoch // of each line's plague
	forks  string           // the address of a node on another fork, or nothing
	node   string           // of the good one
	forked int
}

func (w *weather) change(f *flock) {
	epoch := f.chain.Epoch()
	if epoch >= w.until[w.sane] { // the good line changes: the next one is mended first
		w.sane = (w.sane + 1 + w.random.IntN(2)) % len(f.lines)
		w.until[w.sane] = epoch + 40 + abi.ChainEpoch(w.random.IntN(80))
		w.mend(f, w.sane)
	}
	for i, line := range f.lines {
		if i == w.sane || epoch < w.until[i] {
			continue
		}
		w.until[i] = epoch + 5 + abi.ChainEpoch(w.random.IntN(30))
		w.mend(f, i)
		switch dice := w.random.IntN(len(plagues) + 3); {
		case dice < len(plagues):
			line.Set(plagues[dice]...)
		case dice == len(plagues) && w.forks != "":
			line.Divert(w.forks)
			w.forked++
		}
	}
}

func (w *weather) mend(f *flock, i int) {
	f.lines[i].Divert(w.node)
	f.lines[i].Set()
}

// Each row of the fault model for nodes: it strikes the node that is read (or
// the chain) from before the challenge of a deadline to its end, is seen to
// strike, and the deadline's partition is posted, once and rightly.
func TestEveryFaultOfANodeIsSurvived(t *testing.T) {
	for _, row := range []struct {
		name, sentence string
		faults         []faultproxy.Fault
		long           bool // only with VIGIL_LONG=1
		nulls          float64
		step           func(f *flock) (hits int) // besides the faults, at each epoch
	}{
		{"N1", "connections are refused", []faultproxy.Fault{faultproxy.Refuse}, true, 0, nil},
		{"N1", "connections break in the middle of answers", []faultproxy.Fault{faultproxy.Cut}, true, 0, nil},
		{"N1", "connections hang half-open", []faultproxy.Fault{faultproxy.Hang}, false, 0, nil},
		{"N2", "the stream is open and silent", []faultproxy.Fault{faultproxy.Silent}, true, 0, nil},
		{"N2", "the stream and the answers stop", []faultproxy.Fault{faultproxy.Mute}, false, 0, nil},
		{"N3", "it lags", []faultproxy.Fault{faultproxy.Lag}, true, 0, nil},
		{"N3", "it is on another fork", nil, false, 0, diverted},
		{"N4", "its head is from the future", []faultproxy.Fault{faultproxy.Future}, true, 0, nil},
		{"N4", "its randomness is made up", []faultproxy.Fault{faultproxy.WrongSeeds}, false, 0, nil},
		{"N4", "its partitions are empty", []faultproxy.Fault{faultproxy.WrongSets}, true, 0, nil},
		{"N4", "its nonces are wrong", []faultproxy.Fault{faultproxy.WrongNonces}, true, 0, nil},
		{"N4", "it says that messages failed", []faultproxy.Fault{faultproxy.FakeFailure}, true, 0, nil},
		{"N4", "it swallows messages", []faultproxy.Fault{faultproxy.LostMessage}, true, 0, nil},
		{"N4", "it is of another network", []faultproxy.Fault{faultproxy.OtherName}, true, 0, nil},
		{"N5", "the chain is reorganised", nil, false, 0, reorganised},
		{"N6", "epochs have no blocks", nil, false, 0.3, skipped},
		{"N7", "it is slow", []faultproxy.Fault{faultproxy.Delay}, true, 0, nil},
		{"N7", "it fails and answers null", []faultproxy.Fault{faultproxy.Fail, faultproxy.Null}, false, 0, nil},
		{"N7", "its answers are cut off or corrupt", []faultproxy.Fault{faultproxy.Truncate, faultproxy.Corrupt}, true, 0, nil},
		{"N7", "its answers are doubled and out of order", []faultproxy.Fault{faultproxy.Duplicate, faultproxy.Reorder}, true, 0, nil},
		{"N7", "its answers are for others or very deep", []faultproxy.Fault{faultproxy.WrongID, faultproxy.Deep}, true, 0, nil},
		{"N8", "its network is upgraded to a version of the future", []faultproxy.Fault{faultproxy.NewVersion}, false, 0, upgraded},
	} {
		t.Run(row.name+" "+row.sentence, func(t *testing.T) {
			if row.long && os.Getenv("VIGIL_LONG") == "" {
				t.Skip("one row of each kind is enough for now; VIGIL_LONG=1 has all")
			}
			of := usual
			of.nulls, of.forked = row.nulls, row.name == "N3"
			f := newFlock(t, of)
			hits := 0
			for f.chain.Epoch() < 66+20 { // deadline 2 is open from 66 to 126, and challenged at 46
				switch f.chain.Epoch() {
				case 44:
					f.lines[0].Set(row.faults...)
				}
				f.step(5 * flockEpoch)
				f.keepUp()
				if row.step != nil && f.chain.Epoch() > 44 {
					hits += row.step(f)
				}
			}
			f.lines[0].Set()
			for f.chain.Epoch() < 126+2 {
				f.step(5 * flockEpoch)
			}
			for _, fault := range row.faults {
				hits += f.lines[0].Hits()[fault]
			}
			stats := f.chain.Stats().Total
			t.Logf("struck %d times; %d partitions posted, %d missed, %d proofs, %d of them wrong", hits, stats.PartitionsConfirmed, stats.PartitionsMissed, stats.ProofsChecked, stats.ProofsInvalid)
			if hits == 0 {
				t.Error("the fault never struck: nothing was tested")
			}
			if stats.PartitionsConfirmed != 1 || stats.PartitionsMissed != 0 || stats.ProofsInvalid != 0 || stats.MessagesFailed > 0 {
				t.Errorf("%+v; nodes: %s\nlog:\n%s", stats, text(f.daemon.Status().Nodes), tail(f.log.String(), 15_000))
			}
		})
	}
}

// diverted is the node that is read on another fork, from the first epoch on.
func diverted(f *flock) int {
	f.lines[0].Divert(f.other.Addr())
	return 1
}

// reorganised reorganises the chain across the challenge, the opening, between
// the sending and the inclusion, and after the landing.
func reorganised(f *flock) int {
	depth := map[abi.ChainEpoch]int{48: 4, 58: 1, 68: 5, 72: 1, 78: 9}[f.chain.Epoch()]
	if depth == 0 {
		return 0
	}
	if err := f.chain.Reorg(f.t.Context(), depth); err != nil {
		f.t.Fatal(err)
	}
	return 1
}

// skipped counts the epochs without a block: the flock's chain has them by chance.
func skipped(f *flock) int {
	gap := f.chain.Epoch() - f.stepped - 1
	return int(max(0, gap))
}

// upgraded breaks the connection once, so that the version is asked for again.
func upgraded(f *flock) int {
	if f.chain.Epoch() == 50 {
		f.lines[0].Break()
	}
	return 0
}

// A proving period with two of three lines ill at any time passes without a
// missed partition. The short version is three deadlines.
func TestWithOneSaneNodeOfThreeNothingIsMissed(t *testing.T) {
	epochs, seed := abi.ChainEpoch(200), uint64(1)
	if os.Getenv("VIGIL_LONG") != "" {
		epochs = 2880 + 100
	}
	if text := os.Getenv("VIGIL_SEED"); text != "" {
		if _, err := fmt.Sscan(text, &seed); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	of := usual
	of.nulls, of.forked = 0.1, true
	f := newFlock(t, of)
	w := &weather{random: rand.New(rand.NewPCG(seed, 1)), until: make([]abi.ChainEpoch, 3), forks: f.other.Addr(), node: f.chain.Addr()}
	kept := 0
	for f.chain.Epoch() < epochs {
		w.change(f)
		if f.step(5 * flockEpoch) {
			kept++
		}
		f.keepUp()
	}
	for i := range f.lines {
		w.mend(f, i)
	}
	for range 15 {
		f.step(20 * flockEpoch)
	}
	stats := f.chain.Stats().Total
	t.Logf("seed %d: %d epochs in %s, %d of them seen in time; %+v", seed, f.chain.Epoch(), time.Since(began).Round(time.Second), kept, stats)
	hits := map[faultproxy.Fault]int{"fork": w.forked}
	for _, line := range f.lines {
		for fault, n := range line.Hits() {
			hits[fault] += n
		}
	}
	for _, fault := range slices.Sorted(maps.Keys(hits)) {
		t.Logf("%-13s %d", fault, hits[fault])
	}
	if path := os.Getenv("VIGIL_LOG"); path != "" {
		_ = os.WriteFile(path, []byte(f.log.String()), 0o600)
	}
	if stats.PartitionsMissed > 0 || stats.ProofsInvalid > 0 || stats.PartitionsConfirmed == 0 {
		t.Errorf("seed %d: %d partitions missed, %d wrong proofs, %d confirmed; nodes: %s\nlog:\n%s", seed,
			stats.PartitionsMissed, stats.ProofsInvalid, stats.PartitionsConfirmed, text(f.daemon.Status().Nodes), tail(f.log.String(), 20_000))
	}
}

func text(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// However many miners there are, a head in which nothing is owed costs the
// same few questions: for heads and for the messages that were executed.
func TestTheQuestionsPerHeadDoNotGrowWithTheMiners(t *testing.T) {
	const from, epochs = 14, 28 // deadline 1 is open from 6 on and empty; 2 has sectors and is challenged at 46
	var perHead []float64
	for _, miners := range []int{1, 10, 100} {
		f := newFlock(t, flockOf{miners: miners, sectors: 2, epoch: 10 * time.Second}) // the time for a hundred miners' first look
		for f.chain.Epoch() < from {
			f.step(10 * time.Second)
		}
		before := f.calls()
		for range epochs {
			f.step(10 * time.Second)
		}
		asked := f.calls()
		total := 0
		for method, n := range asked {
			if asked[method] = n - before[method]; asked[method] == 0 {
				delete(asked, method)
			}
			total += asked[method]
		}
		perHead = append(perHead, float64(total)/epochs)
		t.Logf("%3d miners, 3 nodes: %.1f questions per head, in %d quiet epochs %v", miners, float64(total)/epochs, epochs, asked)
	}
	if one, hundred := perHead[0], perHead[2]; hundred > one+3 { // what the clock asks for is a matter of chance
		t.Errorf("%.1f questions per head for one miner and %.1f for a hundred", one, hundred)
	}
}
