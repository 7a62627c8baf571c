package devnet

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/gorilla/websocket"
)

// innerServer is the API behind the fault layer, for the connections that the
// layer relays. It is reached by pipes in memory.
type innerServer struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newInnerServer() *innerServer {
	return &innerServer{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Accept gives the API's end of a pipe.
func (s *innerServer) Accept() (net.Conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (s *innerServer) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// Addr has no meaning here.
func (s *innerServer) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

func (s *innerServer) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case s.conns <- theirs:
		return ours, nil
	case <-s.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serveInner serves the API to the fault layer until what it returns is called.
func serveInner(ctx context.Context, inner *innerServer, api http.Handler) (end func()) {
	srv := &http.Server{Handler: api, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(inner) // ends with the listener
	}()
	return func() {
		_ = srv.Close()
		<-done
	}
}

// relayed is a WebSocket connection to the API with the fault layer in its middle.
type relayed struct {
	n      *Network
	client lockedConn
	node   lockedConn

	mu      sync.Mutex // guards pending
	pending map[string]spoiled
}

// spoiled is a call whose answer will not be what it should.
type spoiled struct {
	fault  Fault
	method string
}

// lockedConn is a connection that several may write to.
type lockedConn struct {
	*websocket.Conn
	mu *sync.Mutex
}

func locked(c *websocket.Conn) lockedConn { return lockedConn{c, &sync.Mutex{}} }

func (c lockedConn) send(text []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.WriteMessage(websocket.TextMessage, text)
}

// relay connects a client with the API.
func (n *Network) relay(w http.ResponseWriter, r *http.Request, inner *innerServer) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if f, struck := n.faultOf(faultyCall{}); struck && (f.Kind == FaultRefuse || f.Kind == FaultHang) {
		if f.Kind == FaultHang {
			<-ctx.Done()
		}
		cutOff(w, nil)
		return
	}
	dialer := websocket.Dialer{NetDialContext: inner.dial}
	header := http.Header{}
	if token := r.Header.Get("Authorization"); token != "" {
		header.Set("Authorization", token)
	}
	u := *r.URL
	u.Scheme, u.Host = "ws", "inner"
	node, refused, err := dialer.DialContext(ctx, u.String(), header)
	if err != nil {
		passOn(w, refused)
		return
	}
	defer node.Close()
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	client, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	defer client.Close()
	context.AfterFunc(ctx, func() { _ = errors.Join(client.Close(), node.Close()) })
	x := &relayed{n: n, client: locked(client), node: locked(node), pending: map[string]spoiled{}}
	client.SetPingHandler(x.pong)
	var both sync.WaitGroup
	both.Go(func() { defer cancel(); x.down(ctx) })
	both.Go(func() { defer cancel(); x.up(ctx) })
	both.Wait()
}

// passOn gives a client the answer of the API to an upgrade that it refused.
func passOn(w http.ResponseWriter, refused *http.Response) {
	if refused == nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	defer refused.Body.Close()
	w.WriteHeader(refused.StatusCode)
	_, _ = io.Copy(w, refused.Body)
}

// pong answers a ping, unless the node is silent.
func (x *relayed) pong(data string) error {
	if x.n.faults.silent(x.n.Epoch()) {
		return nil
	}
	err := x.client.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(time.Second))
	if errors.Is(err, websocket.ErrCloseSent) {
		return nil
	}
	return err
}

// up carries requests to the API until the connection ends.
func (x *relayed) up(ctx context.Context) {
	var later sync.WaitGroup
	defer later.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for {
		_, text, err := x.client.ReadMessage()
		if err != nil {
			return
		}
		var call faultyCall
		_ = json.Unmarshal(text, &call) // what cannot be read is for the API to refuse
		f, struck := x.n.faultOf(call)
		switch {
		case !struck:
			err = x.node.send(text)
		case f.Kind == FaultRefuse:
			return
		case f.Kind == FaultHang:
		case f.Kind == FaultError:
			err = x.client.send(errorAnswer(call.ID))
		case f.Kind == FaultLag && call.name() == "ChainHead":
			err = x.node.send(x.n.older(text, f.By))
		case f.Kind == FaultSlow:
			later.Go(func() {
				if wait(ctx, f.Delay) {
					_ = x.node.send(text) // if the connection has ended, so will up
				}
			})
		default:
			x.expect(call, f)
			err = x.node.send(text)
		}
		if err != nil {
			return
		}
	}
}

// expect remembers to spoil the answer of a call.
func (x *relayed) expect(c faultyCall, f Fault) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.pending[string(c.ID)] = spoiled{f, c.name()}
}

func (x *relayed) expected(id json.RawMessage) (spoiled, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s, ok := x.pending[string(id)]
	delete(x.pending, string(id))
	return s, ok
}

func (x *relayed) waits() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.pending) > 0
}

// down carries answers and changes of the head to the client.
func (x *relayed) down(ctx context.Context) {
	var held []heldChange // of a head that lags, the oldest first
	for {
		_, text, err := x.node.ReadMessage()
		if err != nil {
			return
		}
		now := x.n.Epoch()
		for len(held) > 0 && (held[0].until <= now || !x.n.faults.any(now)) {
			if x.client.send(held[0].text) != nil {
				return
			}
			held = held[1:]
		}
		if !x.waits() && !x.n.faults.any(now) {
			if x.client.send(text) != nil {
				return
			}
			continue
		}
		out, hold, ok := x.judge(text)
		switch {
		case !ok:
			return
		case hold > 0:
			held = append(held, heldChange{out, now + hold})
		case out != nil && x.client.send(out) != nil:
			return
		}
		if ctx.Err() != nil {
			return
		}
	}
}

type heldChange struct {
	text  []byte
	until abi.ChainEpoch
}

// judge says what becomes of something that the API sent: what is to be sent in
// its place, for how many epochs it is to be held, and whether the connection
// goes on.
func (x *relayed) judge(text []byte) (out []byte, hold abi.ChainEpoch, ok bool) {
	var call faultyCall
	if json.Unmarshal(text, &call) != nil {
		return text, 0, true
	}
	if call.Method == "" {
		s, spoilt := x.expected(call.ID)
		if !spoilt && x.n.faults.silent(x.n.Epoch()) {
			return nil, 0, true // the answer to a call that came before the silence
		}
		return s.answer(text, spoilt)
	}
	f, struck := x.n.faultOf(faultyCall{Method: "ChainNotify"})
	if !struck {
		return text, 0, true
	}
	switch f.Kind {
	case FaultHang, FaultError:
		return nil, 0, true
	case FaultRefuse, FaultCut:
		return nil, 0, false
	case FaultLag:
		return text, f.By, true
	case FaultTruncate:
		return text[:len(text)/2], 0, true
	case FaultGarbage:
		return []byte(garbage), 0, true
	case FaultLie:
		return f.lieInChange(text), 0, true
	}
	return text, 0, true
}

// answer is what is left of an answer.
func (s spoiled) answer(text []byte, spoilt bool) (out []byte, hold abi.ChainEpoch, ok bool) {
	if !spoilt {
		return text, 0, true
	}
	switch s.fault.Kind {
	case FaultCut:
		return nil, 0, false
	case FaultTruncate:
		return text[:len(text)/2], 0, true
	case FaultGarbage:
		return []byte(garbage), 0, true
	case FaultLie:
		return s.fault.lie(s.method, text), 0, true
	}
	return text, 0, true
}
