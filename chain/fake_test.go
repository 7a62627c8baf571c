package chain_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-jsonrpc"
	"github.com/filecoin-project/go-state-types/abi"
	logging "github.com/ipfs/go-log/v2"

	"github.com/vigil-post/vigil/chain"
)

// TestMain writes addresses as the recorded network does, and silences
// go-jsonrpc's server: it reports every connection that a test breaks.
func TestMain(m *testing.M) {
	address.CurrentNetwork = address.Testnet
	_ = logging.SetLogLevel("*", "fatal")
	m.Run()
}

// fakeNode is a node behind go-jsonrpc's own server: what it answers is a
// function for each method, and every answer is raw JSON.
type fakeNode struct {
	token string // if set, the one it wants

	mu      sync.Mutex // guards what follows
	methods map[string]func(params []json.RawMessage) (any, error)
	subs    map[chan json.RawMessage]bool
	mute    bool // subscriptions get nothing
	head    json.RawMessage
	epoch   int
	stopped bool          // it does not grow
	missed  int           // by so many epochs
	salt    string        // its blocks since the fork are others'
	forked  int           // the epoch of the fork
	stalled time.Duration // every answer takes so long
}

// newFakeNode knows what a client asks on connecting: network lt2k, and a head.
func newFakeNode(delay time.Duration) *fakeNode {
	n := &fakeNode{methods: map[string]func([]json.RawMessage) (any, error){}, subs: map[chan json.RawMessage]bool{}}
	n.answer("StateNetworkName", `"lt2k"`)
	n.answer("StateNetworkVersion", `28`)
	n.answer("StateGetNetworkParams", fmt.Sprintf(`{"BlockDelaySecs":1,"BlockDelayMillis":%d,"GenesisTimestamp":1795462726}`, delay.Milliseconds()))
	n.handle("ChainHead", n.sayHead)
	n.grow()
	return n
}

func (n *fakeNode) sayHead([]json.RawMessage) (any, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.head, nil
}

func (n *fakeNode) handle(method string, f func(params []json.RawMessage) (any, error)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.methods[method] = f
}

func (n *fakeNode) answer(method, raw string) {
	n.handle(method, func([]json.RawMessage) (any, error) { return json.RawMessage(raw), nil })
}

// grow adds a tipset to the chain and tells the subscribers.
func (n *fakeNode) grow() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stopped {
		n.missed++
		return
	}
	n.epoch++
	n.head = n.make(n.epoch)
	n.tell(json.RawMessage(`[{"Type":"apply","Val":` + string(n.head) + `}]`))
}

// make makes the tipset of an epoch in the node's own chain. n.mu is held.
func (n *fakeNode) make(epoch int) json.RawMessage {
	salt := func(epoch int) string {
		if epoch > n.forked {
			return n.salt
		}
		return ""
	}
	return saltedTipset(epoch, salt(epoch), salt(epoch-1))
}

func (n *fakeNode) tipsetAt(epoch int) json.RawMessage {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.make(epoch)
}

// frozen keeps the chain from growing; afterwards it catches up.
func (n *fakeNode) frozen(yes bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stopped = yes
	if !yes {
		n.epoch, n.missed = n.epoch+n.missed, 0
	}
}

// leap moves the head; fork makes what comes from now on another chain.
func (n *fakeNode) leap(epochs int) {
	n.mu.Lock()
	n.epoch += epochs - 1
	n.mu.Unlock()
	n.grow()
}

func (n *fakeNode) fork(salt string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.salt, n.forked = salt, n.epoch
}

// stall makes every answer take so long.
func (n *fakeNode) stall(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stalled = d
}

func (n *fakeNode) tell(value json.RawMessage) {
	for sub := range n.subs {
		if n.mute {
			continue
		}
		select {
		case sub <- value:
		default: // its client hangs
		}
	}
}

func (n *fakeNode) height() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.epoch
}

// mine grows the chain once an epoch until ctx ends.
func (n *fakeNode) mine(ctx context.Context, delay time.Duration) {
	ticker := time.NewTicker(delay)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			n.grow()
		}
	}
}

func tipset(epoch int) json.RawMessage { return saltedTipset(epoch, "", "") }

func saltedTipset(epoch int, salt, parent string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(
		`{"Cids":[{"/":%q}],"Blocks":[{"Miner":"t01000","Parents":[{"/":%q}],"Height":%d,"Timestamp":%d,"ParentBaseFee":"100"}],"Height":%[3]d}`,
		saltedCID(epoch, salt), saltedCID(epoch-1, parent), epoch, 1795462726+epoch))
}

func blockCID(epoch int) string { return saltedCID(epoch, "") }

func saltedCID(epoch int, salt string) string {
	c, err := abi.CidBuilder.Sum(fmt.Appendf(nil, "%sblock %d", salt, epoch))
	if err != nil {
		panic("unreachable: " + err.Error())
	}
	return c.String()
}

// ask is every method's body.
func (n *fakeNode) ask(ctx context.Context, method string, p jsonrpc.RawParams) (json.RawMessage, error) {
	var params []json.RawMessage
	if err := json.Unmarshal(p, &params); err != nil {
		return nil, err
	}
	n.mu.Lock()
	f, stalled := n.methods[method], n.stalled
	n.mu.Unlock()
	if stalled > 0 {
		select {
		case <-time.After(stalled):
		case <-ctx.Done():
		}
	}
	if f == nil {
		return nil, &answerError{-32601, "method 'Filecoin." + method + "' not found"}
	}
	v, err := f(params)
	if err != nil {
		return nil, err
	}
	return v.(json.RawMessage), nil
}

// answerError is an error as a node answers it.
type answerError struct {
	code    int
	message string
}

func (e *answerError) Error() string { return e.message }

func (e *answerError) ToJSONRPCError() (jsonrpc.JSONRPCError, error) {
	return jsonrpc.JSONRPCError{Code: jsonrpc.ErrorCode(e.code), Message: e.message}, nil
}

func (e *answerError) FromJSONRPCError(jsonrpc.JSONRPCError) error { return nil }

// api is the fake node as go-jsonrpc registers it.
type api struct{ n *fakeNode }

type (
	ctxT = context.Context
	rawP = jsonrpc.RawParams
	rawM = json.RawMessage
)

func (a api) ChainHead(x ctxT, p rawP) (rawM, error)        { return a.n.ask(x, "ChainHead", p) }
func (a api) ChainGetGenesis(x ctxT, p rawP) (rawM, error)  { return a.n.ask(x, "ChainGetGenesis", p) }
func (a api) ChainGetTipSet(x ctxT, p rawP) (rawM, error)   { return a.n.ask(x, "ChainGetTipSet", p) }
func (a api) ChainGetMessage(x ctxT, p rawP) (rawM, error)  { return a.n.ask(x, "ChainGetMessage", p) }
func (a api) StateNetworkName(x ctxT, p rawP) (rawM, error) { return a.n.ask(x, "StateNetworkName", p) }
func (a api) StateMinerInfo(x ctxT, p rawP) (rawM, error)   { return a.n.ask(x, "StateMinerInfo", p) }
func (a api) StateMinerPower(x ctxT, p rawP) (rawM, error)  { return a.n.ask(x, "StateMinerPower", p) }
func (a api) StateMinerSectorCount(x ctxT, p rawP) (rawM, error) {
	return a.n.ask(x, "StateMinerSectorCount", p)
}
func (a api) StateMinerDeadlines(x ctxT, p rawP) (rawM, error) {
	return a.n.ask(x, "StateMinerDeadlines", p)
}
func (a api) StateMinerPartitions(x ctxT, p rawP) (rawM, error) {
	return a.n.ask(x, "StateMinerPartitions", p)
}
func (a api) StateMinerSectors(x ctxT, p rawP) (rawM, error) {
	return a.n.ask(x, "StateMinerSectors", p)
}
func (a api) StateReadState(x ctxT, p rawP) (rawM, error)   { return a.n.ask(x, "StateReadState", p) }
func (a api) StateMinerFaults(x ctxT, p rawP) (rawM, error) { return a.n.ask(x, "StateMinerFaults", p) }
func (a api) StateMinerRecoveries(x ctxT, p rawP) (rawM, error) {
	return a.n.ask(x, "StateMinerRecoveries", p)
}
func (a api) StateAccountKey(x ctxT, p rawP) (rawM, error) { return a.n.ask(x, "StateAccountKey", p) }
func (a api) StateLookupID(x ctxT, p rawP) (rawM, error)   { return a.n.ask(x, "StateLookupID", p) }
func (a api) StateGetActor(x ctxT, p rawP) (rawM, error)   { return a.n.ask(x, "StateGetActor", p) }
func (a api) ChainReadObj(x ctxT, p rawP) (rawM, error)    { return a.n.ask(x, "ChainReadObj", p) }
func (a api) StateListMiners(x ctxT, p rawP) (rawM, error) { return a.n.ask(x, "StateListMiners", p) }
func (a api) StateSearchMsg(x ctxT, p rawP) (rawM, error)  { return a.n.ask(x, "StateSearchMsg", p) }
func (a api) MpoolPush(x ctxT, p rawP) (rawM, error)       { return a.n.ask(x, "MpoolPush", p) }
func (a api) MpoolGetNonce(x ctxT, p rawP) (rawM, error)   { return a.n.ask(x, "MpoolGetNonce", p) }
func (a api) StateNetworkVersion(x ctxT, p rawP) (rawM, error) {
	return a.n.ask(x, "StateNetworkVersion", p)
}
func (a api) StateGetNetworkParams(x ctxT, p rawP) (rawM, error) {
	return a.n.ask(x, "StateGetNetworkParams", p)
}
func (a api) ChainGetParentMessages(x ctxT, p rawP) (rawM, error) {
	return a.n.ask(x, "ChainGetParentMessages", p)
}
func (a api) ChainGetParentReceipts(x ctxT, p rawP) (rawM, error) {
	return a.n.ask(x, "ChainGetParentReceipts", p)
}
func (a api) ChainGetTipSetByHeight(x ctxT, p rawP) (rawM, error) {
	return a.n.ask(x, "ChainGetTipSetByHeight", p)
}
func (a api) ChainGetMessagesInTipset(x ctxT, p rawP) (rawM, error) {
	return a.n.ask(x, "ChainGetMessagesInTipset", p)
}
func (a api) StateMinerProvingDeadline(x ctxT, p rawP) (rawM, error) {
	return a.n.ask(x, "StateMinerProvingDeadline", p)
}
func (a api) StateGetRandomnessFromBeacon(x ctxT, p rawP) (rawM, error) {
	return a.n.ask(x, "StateGetRandomnessFromBeacon", p)
}
func (a api) StateGetRandomnessFromTickets(x ctxT, p rawP) (rawM, error) {
	return a.n.ask(x, "StateGetRandomnessFromTickets", p)
}
func (a api) GasEstimateMessageGas(x ctxT, p rawP) (rawM, error) {
	return a.n.ask(x, "GasEstimateMessageGas", p)
}

// ChainNotify sends the current head and then what the node tells.
func (a api) ChainNotify(ctx ctxT) (<-chan rawM, error) {
	a.n.mu.Lock()
	defer a.n.mu.Unlock()
	sub := make(chan json.RawMessage, 64)
	sub <- json.RawMessage(`[{"Type":"current","Val":` + string(a.n.head) + `}]`)
	a.n.subs[sub] = true
	out := make(chan json.RawMessage)
	go func() {
		defer close(out)
		defer func() {
			a.n.mu.Lock()
			delete(a.n.subs, sub)
			a.n.mu.Unlock()
		}()
		for {
			select {
			case <-ctx.Done():
				return
			case v := <-sub:
				if v == nil { // Lotus ends the subscription of a slow client
					return
				}
				select {
				case <-ctx.Done():
					return
				case out <- v:
				}
			}
		}
	}()
	return out, nil
}

// handler serves the node as Lotus does, the token included.
func (n *fakeNode) handler() http.Handler {
	rpc := jsonrpc.NewServer()
	rpc.Register("Filecoin", api{n})
	mux := http.NewServeMux()
	mux.HandleFunc("/rpc/v1", func(w http.ResponseWriter, r *http.Request) {
		if n.token != "" && r.Header.Get("Authorization") != "Bearer "+n.token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		rpc.ServeHTTP(w, r)
	})
	return mux
}

// serve runs the node's API on a listener until the test ends or stop is called.
func (n *fakeNode) serve(t testing.TB, l net.Listener) (stop func()) {
	server := &http.Server{Handler: n.handler(), ErrorLog: log.New(io.Discard, "", 0)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			_ = server.Close()
			<-done
		})
	}
	t.Cleanup(stop)
	return stop
}

// pipes is a network in memory: what is dialled is accepted.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1234} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.closed:
		return nil, fmt.Errorf("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// dialNode connects a client to a fake node on a network in memory.
func dialNode(t testing.TB, n *fakeNode, change ...func(*chain.Config)) *chain.Client {
	t.Helper()
	network := newPipes()
	n.serve(t, network)
	c := chain.Config{URL: "ws://127.0.0.1:1234", DialContext: network.dial}
	for _, f := range change {
		f(&c)
	}
	client, err := chain.Dial(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}
