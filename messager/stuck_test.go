package messager

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigil-post/vigil"
)

// hungDisk is a store whose next read of messages does not return, whatever its context says.
type hungDisk struct {
	Storage
	hangs   bool
	returns chan struct{}
}

func (h *hungDisk) OpenMessages(ctx context.Context) ([]vigil.Message, error) {
	if h.hangs {
		<-h.returns
	}
	return h.Storage.OpenMessages(ctx)
}

func TestALoopThatHangsShowsItAndOneThatWaitsDoesNot(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.kill()
		disk := &hungDisk{Storage: w.config.Store, returns: make(chan struct{})}
		w.config.Store = disk
		w.start()
		time.Sleep(time.Hour)
		synctest.Wait()
		if since := w.m.BusySince(); !since.IsZero() {
			t.Errorf("busy since %v without anything to do", since)
		}
		disk.hangs = true
		w.m.nudge()
		synctest.Wait()
		began := time.Now()
		time.Sleep(time.Hour)
		if since := w.m.BusySince(); !since.Equal(began) {
			t.Errorf("it hangs since %v, and says %v", began, since)
		}
		disk.hangs = false
		close(disk.returns)
		synctest.Wait()
		if since := w.m.BusySince(); !since.IsZero() {
			t.Errorf("busy since %v after the disk answered", since)
		}
	})
}

// buggy is a node that meets a bug of ours as often as it is told.
type buggy struct {
	*fakeChain
	estimates, pushes atomic.Int64 // left
}

func (b *buggy) EstimateGas(ctx context.Context, c vigil.Call, nonce uint64) (vigil.Gas, error) {
	if b.estimates.Add(-1) >= 0 {
		panic("a bug")
	}
	return b.fakeChain.EstimateGas(ctx, c, nonce)
}

func (b *buggy) PushMessage(ctx context.Context, m vigil.SignedMessage) ([]vigil.PushResult, error) {
	if b.pushes.Add(-1) >= 0 {
		panic("a bug")
	}
	return b.fakeChain.PushMessage(ctx, m)
}

// A bug costs the try that it was in: the message gets on chain at a later head.
func TestABugCostsARoundAndNoMessage(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.kill()
		node := &buggy{fakeChain: w.chain}
		node.estimates.Store(2)
		node.pushes.Store(2)
		w.config.Node = node
		w.start()
		w.push("sent", 300)
		w.mine(15)
		w.expect("sent", vigil.MessageConfirmed)
		if node.estimates.Load() >= 0 || node.pushes.Load() >= 0 {
			t.Error("no bug was met")
		}
	})
}
