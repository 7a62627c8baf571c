package messager

import (
	"context"
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
