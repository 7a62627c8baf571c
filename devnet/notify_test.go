package devnet

import (
	"context"
	"net/http"
	"testing"

	"github.com/filecoin-project/go-jsonrpc"
)

// client is a node's client as anyone would write it.
type client struct {
	ChainNotify func(context.Context) (<-chan []HeadChange, error)
	ChainHead   func(context.Context) (*TipSet, error)
	MpoolPush   func(context.Context, *SignedMessage) (any, error)
}

func (w *world) dial(token string) *client {
	w.t.Helper()
	var c client
	closer, err := jsonrpc.NewClient(w.t.Context(), "ws://"+w.Addr()+"/rpc/v1", "Filecoin", &c, http.Header{"Authorization": {"Bearer " + token}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(closer)
	return &c
}

func TestAWebSocketClientFollowsTheHead(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	heads, err := w.dial(w.Token()).ChainNotify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first := <-heads
	if len(first) != 1 || first[0].Type != "current" || first[0].Val.Height != 0 {
		t.Fatalf("first %+v", first)
	}
	last := first[0].Val
	for range 5 {
		w.pass(1)
		change := <-heads
		if len(change) != 1 || change[0].Type != "apply" || change[0].Val.Blocks[0].Parents[0] != last.Cids[0] {
			t.Fatalf("after %d: %+v", last.Height, change)
		}
		last = change[0].Val
	}
	if err := w.Reorg(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	back := <-heads
	if len(back) != 5 || back[4].Type != "apply" || back[0].Type != "revert" || back[0].Val.Cids[0] != last.Cids[0] || back[1].Type != "revert" || back[2].Type != "apply" {
		t.Errorf("a reorg of two: %+v", back)
	}
	if back[2].Val.Blocks[0].Parents[0] != back[1].Val.Blocks[0].Parents[0] {
		t.Error("the new branch does not begin where the old one ended")
	}
	w.stop()
	for range heads { // ends when the network closes the connection
	}
}

func TestASlowReaderIsCutOffAndTheChainGoesOn(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	slow := w.notify.subscribe(t.Context(), w.chain.current)
	w.pass(notifyBuffer + 10)
	n := 0
	for range slow {
		n++
	}
	if n != notifyBuffer {
		t.Errorf("the slow reader got %d changes before it was cut off, want %d", n, notifyBuffer)
	}
	if w.Epoch() != notifyBuffer+10 {
		t.Errorf("the chain is at %d", w.Epoch())
	}
}

func TestASubscriptionEndsWithItsContext(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	ctx, cancel := context.WithCancel(t.Context())
	heads := w.notify.subscribe(ctx, w.chain.current)
	cancel()
	for range heads {
	}
}
