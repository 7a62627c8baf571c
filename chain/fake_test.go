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
}

// newFakeNode knows what a client asks on connecting: network lt2k, and a head.
func newFakeNode(delay time.Duration) *fakeNode {
	n := &fakeNode{methods: map[string]func([]json.RawMessage) (any, error){}, subs: map[chan json.RawMessage]bool{}}
	n.answer("StateNetworkName", `"lt2k"`)
	n.answer("StateNetworkVersion", `28`)
	n.answer("StateGetNetworkParams", fmt.Sprintf(`{"BlockDelaySecs":1,"BlockDelayMillis":%d,"GenesisTimestamp":1795462726}`, delay.Milliseconds()))
	n.handle("ChainHead", func([]json.RawMessage) (any, error) {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.head, nil
	})
	n.grow()
	return n
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
	n.epoch++
	n.head = tipset(n.epoch)
	n.tell(json.RawMessage(`[{"Type":"apply","Val":` + string(n.head) + `}]`))
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

func tipset(epoch int) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(
		`{"Cids":[{"/":%q}],"Blocks":[{"Miner":"t01000","Parents":[{"/":%q}],"Height":%d,"Timestamp":%d,"ParentBaseFee":"100"}],"Height":%[3]d}`,
		blockCID(epoch), blockCID(epoch-1), epoch, 1795462726+epoch))
}

func blockCID(epoch int) string {
	c, err := abi.CidBuilder.Sum(fmt.Appendf(nil, "block %d", epoch))
	if err != nil {
		panic("unreachable: " + err.Error())
	}
	return c.String()
}

// ask is every method's body.
func (n *fakeNode) ask(method string, p jsonrpc.RawParams) (json.RawMessage, error) {
	var params []json.RawMessage
	if err := json.Unmarshal(p, &params); err != nil {
		return nil, err
	}
	n.mu.Lock()
	f := n.methods[method]
	n.mu.Unlock()
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

func (a api) ChainHead(_ ctxT, p rawP) (rawM, error)        { return a.n.ask("ChainHead", p) }
func (a api) ChainGetGenesis(_ ctxT, p rawP) (rawM, error)  { return a.n.ask("ChainGetGenesis", p) }
func (a api) ChainGetTipSet(_ ctxT, p rawP) (rawM, error)   { return a.n.ask("ChainGetTipSet", p) }
func (a api) ChainGetMessage(_ ctxT, p rawP) (rawM, error)  { return a.n.ask("ChainGetMessage", p) }
func (a api) StateNetworkName(_ ctxT, p rawP) (rawM, error) { return a.n.ask("StateNetworkName", p) }
func (a api) StateMinerInfo(_ ctxT, p rawP) (rawM, error)   { return a.n.ask("StateMinerInfo", p) }
func (a api) StateMinerDeadlines(_ ctxT, p rawP) (rawM, error) {
	return a.n.ask("StateMinerDeadlines", p)
}
func (a api) StateMinerPartitions(_ ctxT, p rawP) (rawM, error) {
	return a.n.ask("StateMinerPartitions", p)
}
func (a api) StateMinerSectors(_ ctxT, p rawP) (rawM, error) { return a.n.ask("StateMinerSectors", p) }
func (a api) StateMinerFaults(_ ctxT, p rawP) (rawM, error)  { return a.n.ask("StateMinerFaults", p) }
func (a api) StateMinerRecoveries(_ ctxT, p rawP) (rawM, error) {
	return a.n.ask("StateMinerRecoveries", p)
}
func (a api) StateAccountKey(_ ctxT, p rawP) (rawM, error) { return a.n.ask("StateAccountKey", p) }
func (a api) StateLookupID(_ ctxT, p rawP) (rawM, error)   { return a.n.ask("StateLookupID", p) }
func (a api) StateGetActor(_ ctxT, p rawP) (rawM, error)   { return a.n.ask("StateGetActor", p) }
func (a api) StateSearchMsg(_ ctxT, p rawP) (rawM, error)  { return a.n.ask("StateSearchMsg", p) }
func (a api) MpoolPush(_ ctxT, p rawP) (rawM, error)       { return a.n.ask("MpoolPush", p) }
func (a api) StateNetworkVersion(_ ctxT, p rawP) (rawM, error) {
	return a.n.ask("StateNetworkVersion", p)
}
func (a api) StateGetNetworkParams(_ ctxT, p rawP) (rawM, error) {
	return a.n.ask("StateGetNetworkParams", p)
}
func (a api) ChainGetParentMessages(_ ctxT, p rawP) (rawM, error) {
	return a.n.ask("ChainGetParentMessages", p)
}
func (a api) ChainGetParentReceipts(_ ctxT, p rawP) (rawM, error) {
	return a.n.ask("ChainGetParentReceipts", p)
}
func (a api) ChainGetTipSetByHeight(_ ctxT, p rawP) (rawM, error) {
	return a.n.ask("ChainGetTipSetByHeight", p)
}
func (a api) ChainGetMessagesInTipset(_ ctxT, p rawP) (rawM, error) {
	return a.n.ask("ChainGetMessagesInTipset", p)
}
func (a api) StateMinerProvingDeadline(_ ctxT, p rawP) (rawM, error) {
	return a.n.ask("StateMinerProvingDeadline", p)
}
func (a api) StateGetRandomnessFromBeacon(_ ctxT, p rawP) (rawM, error) {
	return a.n.ask("StateGetRandomnessFromBeacon", p)
}
func (a api) StateGetRandomnessFromTickets(_ ctxT, p rawP) (rawM, error) {
	return a.n.ask("StateGetRandomnessFromTickets", p)
}
func (a api) GasEstimateMessageGas(_ ctxT, p rawP) (rawM, error) {
	return a.n.ask("GasEstimateMessageGas", p)
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
