package runner_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/runner"
)

// gaps is a world whose chain has null rounds: a tipset's state is the one that its
// parent left, which may be epochs behind, and so may be the cron that closes deadlines.
type gaps struct {
	*world
	r       *rand.Rand
	tipsets []abi.ChainEpoch // ascending; guarded by world.mu
	stormy  bool             // calls fail; guarded by world.mu
	behind  abi.ChainEpoch   // so far behind is the node; guarded by world.mu
}

// parent is the epoch of the tipset before; world.mu is held.
func (g *gaps) parent(epoch abi.ChainEpoch) abi.ChainEpoch {
	for _, e := range slices.Backward(g.tipsets) {
		if e < epoch {
			return e
		}
	}
	return epoch - 1
}

func keyOf(epoch abi.ChainEpoch) vigil.TipSetKey { return vigil.TipSetKey(strconv.Itoa(int(epoch))) }

func (g *gaps) linked(h vigil.Head) vigil.Head {
	if h.Parent != "of another fork" {
		h.Parent = keyOf(g.parent(h.Epoch))
	}
	return h
}

func (g *gaps) Head(ctx context.Context) (vigil.Head, error) {
	h, err := g.world.Head(ctx)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.behind > 0 {
		h = vigil.Head{Epoch: g.parent(h.Epoch - g.behind), BaseFee: h.BaseFee}
		h.Key = keyOf(h.Epoch)
	}
	return g.linked(h), err
}

func (g *gaps) At(ctx context.Context, epoch abi.ChainEpoch, key vigil.TipSetKey) (vigil.Head, error) {
	g.mu.Lock()
	found := min(epoch, at(key))
	if !slices.Contains(g.tipsets, found) {
		found = g.parent(found)
	}
	g.mu.Unlock()
	h, err := g.world.At(ctx, found, key)
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.linked(h), err
}

// Partitions are those of the state after the parent's own epoch.
func (g *gaps) Partitions(ctx context.Context, id abi.ActorID, deadline uint64, key vigil.TipSetKey) ([]vigil.Partition, error) {
	g.mu.Lock()
	state := keyOf(g.parent(at(key)) + 1)
	g.mu.Unlock()
	return g.world.Partitions(ctx, id, deadline, state)
}

// Posted too: at the first tipset of a deadline the state may have the one before open still.
func (g *gaps) Posted(ctx context.Context, id abi.ActorID, key vigil.TipSetKey) ([]bitfield.BitField, error) {
	sets, err := g.world.Posted(ctx, id, key)
	g.mu.Lock()
	defer g.mu.Unlock()
	open := at(key) / 60 * 60
	if g.parent(at(key))+1 < open && err == nil {
		sets[open/60%48] = bitfield.New()
	}
	return sets, err
}

// next mines a tipset after some null rounds.
func (g *gaps) next(nulls int) {
	g.mu.Lock()
	g.epoch += abi.ChainEpoch(nulls)
	g.tipsets = append(g.tipsets, g.epoch+1)
	g.mu.Unlock()
	g.tick()
}

// reorg takes the last tipsets back, with what they executed; nodes bring it again.
func (g *gaps) reorg(depth abi.ChainEpoch) {
	g.mu.Lock()
	defer g.mu.Unlock()
	from := g.epoch - depth
	for i, m := range g.messages {
		if m.Receipt != nil && m.Receipt.Epoch > from {
			g.messages[i].State, g.messages[i].Receipt = vigil.MessagePublished, nil
			if m.Call.Method == builtin.MethodsMiner.DeclareFaultsRecovered {
				g.undeclare()
			}
		}
	}
	for name, when := range g.posted {
		if when > from {
			delete(g.posted, name)
		}
	}
	g.fork++
}

// undeclare takes all recoveries back; world.mu is held.
func (g *gaps) undeclare() {
	for _, list := range g.partitions {
		for i := range list {
			list[i].Recovering = bitfield.New()
		}
	}
}

// live lets a runner live until the epoch, or until it dies, with whatever weather there is.
func (g *gaps) live(t *testing.T, until abi.ChainEpoch, calm func(abi.ChainEpoch) bool) {
	g.change = func(c *runner.Config) { c.Heads, c.State = g, g }
	r, err := runner.New(g.config(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	for g.now() < until {
		nulls := 0
		if g.r.IntN(6) == 0 {
			nulls = 1 + g.r.IntN(5)
		}
		if err := wait(ctx, epoch); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		quiet := calm(g.now())
		g.mu.Lock()
		g.stormy = !quiet && g.r.IntN(3) == 0
		if g.behind = 0; !quiet && g.r.IntN(5) == 0 {
			g.behind = abi.ChainEpoch(1 + g.r.IntN(min(60, int(g.epoch)-982)))
		}
		g.silent = g.behind > 0
		g.mu.Unlock()
		if !quiet && g.r.IntN(12) == 0 {
			g.reorg(abi.ChainEpoch(1 + g.r.IntN(4)))
		}
		g.next(nulls)
		if !quiet && g.r.IntN(25) == 0 {
			break // kill -9
		}
		r.Nudge()
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// Null rounds around every boundary, reorgs of less than the confidence, heads that
// go back, calls that fail and restarts: what had fair weather at its end is on chain, nothing is on chain
// twice, and the row says what the chain has.
func TestWhateverTheWeatherADeadlineWithAFairEndIsMet(t *testing.T) { eachWeather(t, postsInWeather) }

// The same for faulty sectors: what can be read is declared before the cutoff, once
// the weather is fair, and has its power back after the deadline.
func TestWhateverTheWeatherFaultsAreDeclaredBeforeTheCutoff(t *testing.T) {
	eachWeather(t, recoveriesInWeather)
}

func eachWeather(t *testing.T, story func(t *testing.T, g *gaps)) {
	seeds, first := 12, uint64(1)
	if os.Getenv("VIGIL_LONG") == "1" {
		seeds, first = 1500, rand.Uint64()
	}
	if fixed, err := strconv.ParseUint(os.Getenv("VIGIL_SEED"), 10, 64); err == nil {
		seeds, first = 1, fixed
	}
	for i := range seeds {
		seed := first + uint64(i)
		if !t.Run(fmt.Sprint("VIGIL_SEED=", seed), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { story(t, newGaps(seed)) }) }) {
			return
		}
	}
}

func newGaps(seed uint64) *gaps {
	g := &gaps{world: newWorld(), r: rand.New(rand.NewPCG(seed, 5))}
	g.miners = []abi.ActorID{minerID}
	g.tipsets = []abi.ChainEpoch{980, 981, 982, 983, 984, 985}
	luck := rand.New(rand.NewPCG(seed, 6)) // of calls, whose order is not fixed
	g.fails = func(string) bool { return g.stormy && luck.IntN(4) == 0 }
	return g
}

func recoveriesInWeather(t *testing.T, g *gaps) {
	const open, cutoff = abi.ChainEpoch(1200), abi.ChainEpoch(1130)
	g.add(20, 1, 2, 3)
	p := &g.partitions[20][0]
	p.Active, p.Faulty = bitfield.NewFromSet([]uint64{1}), bitfield.NewFromSet([]uint64{2, 3})
	g.bad = map[abi.SectorNumber]string{3: "replica: missing"}
	calm := func(now abi.ChainEpoch) bool { return now >= cutoff-30 && now < cutoff || now >= open+25 }
	end := open + 80
	for g.now() < end {
		g.live(t, end, calm)
	}
	for _, m := range g.messages {
		if m.Call.Method == builtin.MethodsMiner.DeclareFaultsRecovered && m.Receipt != nil && m.Receipt.Epoch >= cutoff {
			t.Errorf("%s was declared at %d, and the cutoff is %d", m.ID, m.Receipt.Epoch, cutoff)
		}
	}
	if lost, err := g.partitions[20][0].Faulty.All(9); err != nil || !slices.Equal(lost, []uint64{3}) {
		t.Errorf("sectors %v are faulty, %v", lost, err)
	}
	returned := 0
	for id, duty := range g.duties {
		if duty.State == vigil.StateConfirmed && duty.Returned != nil {
			returned += *duty.Returned
		}
		if !duty.State.Final() && id.Open <= open { // the next period's goes on
			t.Errorf("%s is %s: %s", id, duty.State, duty.Problem)
		}
	}
	if returned != 1 {
		t.Errorf("the rows say that %d sectors have their power back: %v", returned, g.duties)
	}
}

func postsInWeather(t *testing.T, g *gaps) {
	g.add(deadline, 1, 2)
	g.add(deadline, 3, 4)
	g.add(deadline+1, 5)
	calm := func(now abi.ChainEpoch) bool { into := now % 60; return now > open && (into >= 30 || into < 12) }
	end := closed + 60 + 20
	for g.now() < end {
		g.live(t, end, calm)
	}
	for _, d := range []struct {
		open       abi.ChainEpoch
		partitions uint64
	}{{open, 2}, {closed, 1}} {
		for p := range d.partitions {
			when, ok := g.posted[fmt.Sprintf("%d/%d", d.open, p)]
			if !ok || when >= d.open+60 || when < d.open {
				t.Errorf("partition %d of the deadline that opened at %d is posted at %d", p, d.open, when)
			}
		}
	}
	times := map[string]int{}
	for _, m := range g.messages {
		for _, p := range g.duties[m.Duty].Partitions {
			if m.Receipt != nil {
				times[fmt.Sprintf("%d/%d", m.Duty.Open, p)]++
			}
		}
	}
	for name, n := range times {
		if n > 1 {
			t.Errorf("partition %s was posted %d times", name, n)
		}
	}
	for id, duty := range g.duties {
		if duty.State != vigil.StateConfirmed && duty.State != vigil.StateReplaced {
			t.Errorf("%s is %s (%s: %s)", id, duty.State, duty.Reason, duty.Problem)
		}
	}
}
