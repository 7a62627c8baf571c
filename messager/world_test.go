package messager

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
)

const miner = abi.ActorID(1000)

// world is a chain, a store that survives restarts, and the messager between
// them. It lives in a synctest bubble.
type world struct {
	t       *testing.T
	chain   *fakeChain
	store   *memory
	config  Config
	ids     []address.Address // f0101 and f0102, whose keys are held
	m       *Messager
	stop    context.CancelFunc
	stopped chan error
	changes int
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, chain: newChain(t), store: newMemory()}
	var keys []address.Address
	for i := range byte(2) {
		id, err := address.NewIDAddress(101 + uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		key, err := address.NewSecp256k1Address([]byte{i})
		if err != nil {
			t.Fatal(err)
		}
		w.ids, keys = append(w.ids, id), append(keys, key)
		w.chain.keys[id] = key
		w.chain.balance[key] = big.Mul(big.NewInt(1000), oneFIL)
	}
	w.config = Config{
		Heads: w.chain, Node: w.chain, Signer: fakeSigner{keys}, Store: w.store, Holder: "test", // the same after a restart: the real store frees leases then
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Changed: func() { w.changes++ },
	}
	return w
}

var oneFIL = big.MustFromString("1000000000000000000")

// story runs a test in a bubble, with the messager running.
func story(t *testing.T, tell func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		tell(t, w)
		w.kill()
	})
}

func (w *world) start() {
	m, err := New(w.config)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	stopped := make(chan error, 1)
	w.m, w.stop, w.stopped = m, cancel, stopped
	go func() { stopped <- m.Run(ctx) }()
	synctest.Wait()
}

func (w *world) kill() {
	w.stop()
	if err := <-w.stopped; err != nil {
		w.t.Errorf("Run: %v", err)
	}
	w.chain.mu.Lock()
	w.chain.watchers = nil
	w.chain.mu.Unlock()
}

// restart is a new process on the same store.
func (w *world) restart() {
	w.kill()
	w.start()
}

func (w *world) request(id string, expires abi.ChainEpoch) vigil.MessageRequest {
	return vigil.MessageRequest{
		ID: id, Duty: vigil.DutyID{Kind: vigil.KindPost, Miner: miner, Open: 100},
		Call:    vigil.Call{To: vigil.MinerAddress(miner), Method: 5, Params: []byte(id)},
		Senders: w.ids, Expires: expires,
	}
}

func (w *world) push(id string, expires abi.ChainEpoch) {
	w.t.Helper()
	if _, err := w.m.Push(w.t.Context(), w.request(id, expires)); err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
}

// mine mines n tipsets, and lets the messager see each.
func (w *world) mine(n int) {
	for range n {
		w.chain.mine(1)
		synctest.Wait()
	}
}

func (w *world) message(id string) vigil.Message {
	w.t.Helper()
	all, err := w.m.Messages(w.t.Context(), miner, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(m vigil.Message) bool { return m.ID == id })
	if i < 0 {
		w.t.Fatalf("no message %s", id)
	}
	return all[i]
}

func (w *world) expect(id string, want vigil.MessageState) vigil.Message {
	w.t.Helper()
	m := w.message(id)
	if m.State != want {
		w.t.Fatalf("at epoch %d message %s is %s (%s), want %s", w.chain.head.Epoch, id, m.State, m.Problem, want)
	}
	return m
}

// included counts how often a call stands on the head's chain.
func (w *world) included(id string) (n int) {
	for ts := w.chain.head; ts != nil; ts = ts.parent {
		for _, m := range ts.included {
			if string(m.Params) == id {
				n++
			}
		}
	}
	return n
}

func name(i int) string { return fmt.Sprint("message-", i) }
