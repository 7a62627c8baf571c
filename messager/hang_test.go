package messager

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// hanging is a node that does not answer for as long as it is asked.
type hanging struct{ *fakeChain }

func (hanging) Account(ctx context.Context, _ address.Address, _ vigil.TipSetKey) (uint64, abi.TokenAmount, error) {
	<-ctx.Done()
	return 0, abi.TokenAmount{}, ctx.Err()
}

func (hanging) EstimateGas(ctx context.Context, _ vigil.Call, _ uint64) (vigil.Gas, error) {
	<-ctx.Done()
	return vigil.Gas{}, ctx.Err()
}

func (hanging) PushMessage(ctx context.Context, _ vigil.SignedMessage) ([]vigil.PushResult, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// A call that is given up leaves nothing behind: the bubble ends with all that
// was started in it, or fails.
func TestANodeThatHangsLeavesNothingRunning(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.push("sent", 300)
		w.kill()
		w.config.Node = hanging{w.chain}
		w.start()
		for i := range 20 {
			if _, err := w.m.Push(t.Context(), w.request(name(i), 300)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour)
		synctest.Wait()
	})
}

// Times are what the configuration says, and not that many minutes.
func TestTimesAreThoseOfTheNetwork(t *testing.T) {
	for _, c := range []struct {
		epoch, patience, lease time.Duration
		day                    abi.ChainEpoch
	}{
		{30 * time.Second, 15 * time.Second, 2 * time.Minute, 2880},
		{10 * time.Second, 5 * time.Second, 40 * time.Second, 8640},
		{4 * time.Second, 3 * time.Second, 16 * time.Second, 21600},
		{time.Hour, 15 * time.Second, 4 * time.Hour, 24},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.config.Epoch = c.epoch
			l := newLoop(w.config)
			l.forgetErrors()
			if err := l.lease(t.Context(), w.ids[0]); err != nil {
				t.Fatal(err)
			}
			lease := time.Until(l.leases[w.ids[0]])
			if got := w.config.patience(); got != c.patience || w.config.day() != c.day || lease != c.lease {
				t.Errorf("epochs of %s: a node has %s, a day %d epochs, a lease lasts %s", c.epoch, got, w.config.day(), lease)
			}
		})
	}
}

// crawling is a node that does not say what a tipset executed, and says the
// rest to those who still listen.
type crawling struct{ *fakeChain }

func (crawling) Executed(ctx context.Context, _ vigil.TipSetKey) ([]vigil.Executed, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (c crawling) At(ctx context.Context, epoch abi.ChainEpoch, key vigil.TipSetKey) (vigil.Head, error) {
	if ctx.Err() != nil {
		return vigil.Head{}, ctx.Err()
	}
	select {
	case <-time.After(14 * time.Second):
	case <-ctx.Done():
		return vigil.Head{}, ctx.Err()
	}
	return c.fakeChain.At(ctx, epoch, key)
}

func (c crawling) Account(ctx context.Context, a address.Address, key vigil.TipSetKey) (uint64, abi.TokenAmount, error) {
	if ctx.Err() != nil {
		return 0, abi.TokenAmount{}, ctx.Err()
	}
	return c.fakeChain.Account(ctx, a, key)
}

// What the chain executed cannot be read; what became of nonces can, and is.
func TestAScanThatTakesAllItsTimeLeavesTheNoncesTheirs(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.chain.minPremium = 1 << 50
		w.push("a", 110)
		w.kill()
		w.config.Heads, w.config.Node = crawling{w.chain}, crawling{w.chain}
		w.chain.mine(18)
		w.start()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		w.expect("a", vigil.MessageExpired)
	})
}

// unmoved is a node that takes no message, and does not say so.
type unmoved struct {
	*fakeChain
	mu    sync.Mutex // guards what follows
	first time.Time
	last  time.Time
	heard map[uint64]int
}

func (u *unmoved) PushMessage(ctx context.Context, m vigil.SignedMessage) ([]vigil.PushResult, error) {
	u.mu.Lock()
	if u.first.IsZero() {
		u.first = time.Now()
	}
	if u.heard[m.Nonce]++; u.heard[m.Nonce] == 1 {
		u.last = time.Now()
	}
	u.mu.Unlock()
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestNodesThatHangHoldALineUpOnceAndNotForEachMessage(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.kill()
		node := &unmoved{fakeChain: w.chain, heard: map[uint64]int{}}
		w.config.Node, w.config.MaxFee = node, oneFIL
		const many = 30 // pushed while nothing runs, so that all are found in one turn
		for i := range many {
			r := w.request(name(i), 400)
			r.Senders = w.ids[:1]
			if _, err := w.m.Push(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		w.start()
		time.Sleep(time.Hour)
		synctest.Wait()
		node.mu.Lock()
		defer node.mu.Unlock()
		if took := node.last.Sub(node.first); len(node.heard) != many || took > w.m.c.patience() {
			t.Errorf("%d messages were handed over, the last %s after the first", len(node.heard), took)
		}
	})
}
