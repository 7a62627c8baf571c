package messager

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store"
	"github.com/vigil-post/vigil/wallet"
)

// The benchmarks measure the real store (SQLite, synchronous=FULL), the real
// keystore and a node that answers at once:
//
//	go test ./messager -run '^$' -bench . -benchtime 2000x -cpu 2

// firstCalls notes when a message of the node's was first pushed.
type firstCalls struct {
	lockedSim
	mu     sync.Mutex
	first  map[string]time.Time
	pushed chan struct{}
}

func (n *firstCalls) PushMessage(ctx context.Context, m vigil.SignedMessage) ([]vigil.PushResult, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if id := string(m.Params); n.first[id].IsZero() {
		n.first[id] = time.Now()
		n.pushed <- struct{}{}
	}
	return n.lockedSim.PushMessage(ctx, m)
}

type bench struct {
	node *firstCalls
	m    *Messager
	keys []address.Address
}

func newBench(b *testing.B) *bench {
	db, err := store.Open(b.Context(), filepath.Join(b.TempDir(), "vigil.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	keys, err := wallet.Create(filepath.Join(b.TempDir(), "keystore"), "benchmark", wallet.Options{WorkFactor: 1})
	if err != nil {
		b.Fatal(err)
	}
	w := &bench{}
	for range 4 {
		key, err := keys.New(wallet.BLS)
		if err != nil {
			b.Fatal(err)
		}
		w.keys = append(w.keys, key)
	}
	chain := newSimChain(b, 1, rand.New(rand.NewPCG(1, 1)), w.keys)
	w.node = &firstCalls{lockedSim: lockedSim{simChain: chain}, first: map[string]time.Time{}, pushed: make(chan struct{}, 1<<20)}
	w.m, err = New(Config{Heads: chain, Node: w.node, Signer: keys, Store: db, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		b.Fatal(err)
	}
	return w
}

// run lets the messager run until the benchmark ends.
func (w *bench) run(b *testing.B) {
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.m.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
}

func (w *bench) push(b *testing.B, i int) {
	id := fmt.Sprint("m", i)
	_, err := w.m.Push(b.Context(), vigil.MessageRequest{
		ID: id, Duty: vigil.DutyID{Kind: vigil.KindPost, Miner: miner}, Expires: abi.ChainEpoch(2000), Senders: w.keys[i%len(w.keys):][:1],
		Call: vigil.Call{To: vigil.MinerAddress(miner), Method: 5, Params: []byte(id)},
	})
	if err != nil {
		b.Error(err)
	}
}

func BenchmarkPushToDurable(b *testing.B) {
	w := newBench(b)
	b.ResetTimer()
	for i := range b.N {
		w.push(b, i)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

func BenchmarkPushToPublished(b *testing.B) {
	w := newBench(b)
	w.run(b)
	b.ResetTimer()
	for i := range b.N {
		w.push(b, i)
	}
	for range b.N {
		<-w.node.pushed
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

// BenchmarkLatency is from Push to the node's first call, one message at a time.
func BenchmarkLatency(b *testing.B) {
	w := newBench(b)
	w.run(b)
	var worst, sum time.Duration
	b.ResetTimer()
	for i := range b.N {
		began := time.Now()
		w.push(b, i)
		<-w.node.pushed
		took := time.Since(began)
		sum += took
		worst = max(worst, took)
	}
	b.ReportMetric(float64(sum.Milliseconds())/float64(b.N), "ms/message")
	b.ReportMetric(float64(worst.Milliseconds()), "ms/worst")
}
