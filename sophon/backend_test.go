package sophon

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/jsonrpc"
)

// chainOf follows a desk's head.
type chainOf struct {
	vigil.Heads
	*desk
	watched chan vigil.Head
}

func (c chainOf) Head(ctx context.Context) (vigil.Head, error) {
	epoch, err := c.epoch(ctx)
	return vigil.Head{Epoch: epoch}, err
}

func (c chainOf) Watch(context.Context) <-chan vigil.Head { return c.watched }

// both are a backend and the messager it uses, which is our own server.
type both struct {
	*Backend
	here, there *desk
	heads       chan vigil.Head
	changed     chan struct{} // has an entry when something has changed
	t           *testing.T
}

func connect(t *testing.T) *both {
	t.Helper()
	there := &desk{t: t, head: 100}
	s, tokens := served(t, there)
	return connectTo(t, s, tokens, there)
}

func connectTo(t *testing.T, s *httptest.Server, tokens Tokens, there *desk) *both {
	t.Helper()
	token, err := tokens.Issue("read", "write")
	if err != nil {
		t.Fatal(err)
	}
	client, err := jsonrpc.New(s.URL, token, Path, 0)
	if err != nil {
		t.Fatal(err)
	}
	b := &both{here: &desk{t: t}, there: there, heads: make(chan vigil.Head), changed: make(chan struct{}, 1), t: t}
	b.Backend, err = NewBackend(BackendConfig{
		Client: client, Heads: chainOf{desk: there, watched: b.heads}, Rows: b.here, Save: b.here.Save, Find: b.here.Find,
		KeyAddress: func(_ context.Context, account address.Address, _ vigil.TipSetKey) (address.Address, error) {
			switch account {
			case vigil.MinerAddress(100):
				return sender, nil
			case vigil.MinerAddress(101):
				return address.NewSecp256k1Address([]byte("another"))
			}
			return address.Undef, errors.New("there is no such account")
		},
		Confidence: 5, MaxFee: big.NewInt(5000), Log: slog.New(slog.DiscardHandler),
		Changed: func() {
			select {
			case b.changed <- struct{}{}:
			default:
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func request(id string) vigil.MessageRequest {
	return vigil.MessageRequest{
		ID: id, Duty: vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: 90}, Expires: 150,
		Senders: []address.Address{vigil.MinerAddress(99), vigil.MinerAddress(101), vigil.MinerAddress(100)},
		Call:    vigil.Call{To: vigil.MinerAddress(1000), Method: 5, Params: []byte{1, 2}},
	}
}

func (b *both) push(id string) {
	b.t.Helper()
	if _, err := b.Push(b.t.Context(), request(id)); err != nil {
		b.t.Fatal(err)
	}
}

// at turns the loop once at a head and gives the only message.
func (b *both) at(head abi.ChainEpoch) vigil.Message {
	b.t.Helper()
	b.there.to(head)
	b.turn(b.t.Context())
	rows, err := b.Messages(b.t.Context(), 1000, 0)
	if err != nil || len(rows) == 0 {
		b.t.Fatalf("%v, %v", rows, err)
	}
	return rows[0]
}

func (b *both) want(m vigil.Message, state vigil.MessageState, problem string) {
	b.t.Helper()
	if m.State != state || problem == "" && m.Problem != "" || !strings.Contains(m.Problem, problem) {
		b.t.Errorf("it is %s, %q; want %s, %q", m.State, m.Problem, state, problem)
	}
}

func TestAMessageIsLeftToTheOtherMessager(t *testing.T) {
	b := connect(t)
	b.push("post#1")
	b.want(b.at(100), vigil.MessageQueued, "")
	there := b.there.rows[0]
	if there.ID != "post#1" || there.Expires != 150 || there.Senders[0] != sender {
		t.Errorf("it has %+v", there)
	}
	b.there.set("post#1", b.there.attempt)
	if m := b.at(101); m.State != vigil.MessagePublished || m.Nonce != 7 || m.Call.From != sender {
		t.Errorf("on its way: %+v", m)
	}
	b.there.landed("post#1", 101, 0)
	b.want(b.at(102), vigil.MessageIncluded, "")
	b.there.set("post#1", func(m *vigil.Message) { m.State, m.Receipt = vigil.MessagePublished, nil }) // a reorg
	if m := b.at(103); m.State != vigil.MessagePublished || m.Receipt != nil {
		t.Errorf("after a reorg: %+v", m)
	}
	b.there.landed("post#1", 104, 0)
	b.want(b.at(108), vigil.MessageIncluded, "")
	if m := b.at(109); m.State != vigil.MessageConfirmed || m.Receipt.GasUsed != 777 || m.Receipt.Epoch != 104 {
		t.Errorf("at the confidence: %+v", m)
	}
	if len(b.there.rows) != 1 {
		t.Errorf("it was handed over as %d messages", len(b.there.rows))
	}
}

func TestAReorgDeeperThanTheConfidenceIsFollowed(t *testing.T) {
	b := connect(t)
	b.push("post")
	b.at(100)
	b.there.landed("post", 101, 0)
	b.want(b.at(106), vigil.MessageConfirmed, "")
	b.there.set("post", func(m *vigil.Message) { m.State, m.Receipt = vigil.MessagePublished, nil })
	for head := range abi.ChainEpoch(seldom) {
		b.at(107 + head)
	}
	if m := b.at(117); m.State != vigil.MessagePublished || m.Receipt != nil || m.Settled {
		t.Fatalf("after a deep reorg: %+v", m)
	}
	b.there.landed("post", 118, 0)
	b.want(b.at(123), vigil.MessageConfirmed, "")
	b.there.mu.Lock()
	b.there.rows = nil // it keeps its messages for less long
	b.there.mu.Unlock()
	for head := range abi.ChainEpoch(seldom) {
		if m := b.at(124 + head); m.State != vigil.MessageConfirmed {
			t.Fatalf("what was forgotten there is %s here", m.State)
		}
	}
	if len(b.there.rows) != 0 {
		t.Errorf("it was handed over again: %+v", b.there.rows)
	}
	if m := b.at(118 + finality); m.State != vigil.MessageConfirmed || !m.Settled {
		t.Errorf("when the chain is sure: %+v", m)
	}
}

func TestAnExitCodeIsAFailureAtTheConfidence(t *testing.T) {
	b := connect(t)
	b.push("p")
	b.at(100)
	b.there.landed("p", 101, 16)
	b.want(b.at(102), vigil.MessageIncluded, "")
	if m := b.at(106); m.State != vigil.MessageFailed || m.Receipt.ExitCode != 16 {
		t.Errorf("%+v", m)
	}
}

func TestTheSameIDWithAnotherCallIsAConflict(t *testing.T) {
	b := connect(t)
	b.push("p")
	r := request("p")
	r.Call.Params = []byte{9}
	var conflict *vigil.ConflictError
	if _, err := b.Push(t.Context(), r); !errors.As(err, &conflict) {
		t.Errorf("%v", err)
	}
	b.push("p") // the same again is the same
	if len(b.here.rows) != 1 {
		t.Errorf("%d rows", len(b.here.rows))
	}
}

func TestAForeignMessageUnderTheIDIsNotTakenForOurs(t *testing.T) {
	b := connect(t)
	r := request("p")
	r.Call.Params = []byte{9}
	if _, err := b.there.Push(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	b.push("p")
	b.want(b.at(100), vigil.MessageCancelled, "another message under its ID")
}

// The answer of a push is lost; the message is there, and is found by its ID.
func TestAnAnswerThatIsLostIsNoSecondMessage(t *testing.T) {
	there := &desk{t: t, head: 100}
	var mu sync.Mutex // a connection that is cut does not order what was before it before what is after
	lost := 0
	s, tokens := servedThrough(t, there, func(inner http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			before := len(there.rows)
			record := httptest.NewRecorder()
			inner.ServeHTTP(record, r)
			if len(there.rows) > before {
				lost++
				panic(http.ErrAbortHandler)
			}
			for name, values := range record.Header() {
				w.Header()[name] = values
			}
			w.WriteHeader(record.Code)
			w.Write(record.Body.Bytes())
		})
	})
	b := connectTo(t, s, tokens, there)
	b.push("p")
	if m := b.at(100); m.State != vigil.MessageQueued || m.Problem == "" {
		t.Errorf("after the loss: %+v", m)
	}
	b.want(b.at(101), vigil.MessageQueued, "")
	mu.Lock()
	defer mu.Unlock()
	if lost != 1 || len(there.rows) != 1 {
		t.Errorf("%d answers were lost, %d messages are there", lost, len(there.rows))
	}
}

func TestTheOtherMessagerIsAwayForAWhile(t *testing.T) {
	there := &desk{t: t, head: 100}
	var away atomic.Bool
	away.Store(true)
	s, tokens := servedThrough(t, there, func(inner http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if away.Load() {
				http.Error(w, "bad gateway", http.StatusBadGateway)
				return
			}
			inner.ServeHTTP(w, r)
		})
	})
	b := connectTo(t, s, tokens, there)
	b.push("p")
	b.want(b.at(100), vigil.MessageQueued, "does not speak JSON-RPC (HTTP status 502")
	away.Store(false)
	b.want(b.at(101), vigil.MessageQueued, "")
	if len(there.rows) != 1 {
		t.Error("it was not handed over")
	}
}

func TestWhatIsTooLateIsGivenUp(t *testing.T) {
	b := connect(t)
	b.push("never there")
	b.want(b.at(149), vigil.MessageExpired, "never had it")
	b = connect(t)
	b.push("without a nonce")
	b.at(140)
	b.want(b.at(150), vigil.MessageExpired, "no nonce")
	if got := strings.Join(b.there.said, ", "); got != "cancel without a nonce" {
		t.Errorf("the other messager was told %q", got)
	}
}

func TestWhatTheOtherMessagerSaysOfAnEnd(t *testing.T) {
	b := connect(t)
	b.push("p")
	b.at(100)
	b.there.set("p", func(m *vigil.Message) { m.State, m.Problem = vigil.MessageCancelled, "an operator" })
	b.want(b.at(101), vigil.MessageCancelled, "given it up: an operator")
}

func TestNoSenderThatTheOtherMessagerHas(t *testing.T) {
	b := connect(t)
	r := request("p")
	r.Senders = r.Senders[:2]
	if _, err := b.Push(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	b.want(b.at(100), vigil.MessageQueued, "has the key of none of the senders")
}

func TestPeoplesWishesGoToTheOtherMessager(t *testing.T) {
	b := connect(t)
	b.push("p")
	b.push("q")
	b.at(100)
	b.there.set("p", b.there.attempt)
	ctx := t.Context()
	if err := errors.Join(b.Replace(ctx, "p", nil), b.Replace(ctx, "p", &vigil.Gas{Limit: 7, FeeCap: big.NewInt(900), Premium: big.NewInt(800)}), b.Republish(ctx, "p"), b.Cancel(ctx, "q")); err != nil {
		t.Error(err)
	}
	var wish *vigil.WishError
	if err := b.Cancel(ctx, "p"); !errors.As(err, &wish) {
		t.Errorf("cancelled one that has a nonce: %v", err)
	}
	if got := strings.Join(b.there.said, ", "); got != "replace p, replace p 900, republish p, cancel q" {
		t.Errorf("it was told %q", got)
	}
	if found, err := b.Find(ctx, vigil.MessageQuery{ID: "p"}); err != nil || len(found) != 1 {
		t.Errorf("%v, %v", found, err)
	}
}

func TestRunHandsOverAtOnceAndFollowsHeads(t *testing.T) {
	b := connect(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- b.Run(ctx) }()
	b.push("p")
	for len(b.there.where(func(vigil.Message) bool { return true })) == 0 {
		b.heads <- vigil.Head{} // the push alone is enough; a head more does no harm
	}
	b.there.landed("p", 101, 0)
	b.there.to(106)
	b.heads <- vigil.Head{Epoch: 106}
	<-b.changed
	for len(b.here.where(func(m vigil.Message) bool { return m.State == vigil.MessageConfirmed })) == 0 {
		b.heads <- vigil.Head{Epoch: 106}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
