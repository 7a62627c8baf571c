package chain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// maxFrame bounds what one answer may be, and with it the memory that a node
// can make us use: ten times the sectors of the largest message.
const maxFrame = 64 << 20

// link is one WebSocket connection to a node. It lives until anything goes
// wrong with it, and never comes back: a new link is made instead.
type link struct {
	ws  *websocket.Conn
	raw *impatientConn // what ws runs on

	outgoing chan []byte          // to the writing goroutine
	notes    chan json.RawMessage // the subscription's latest value
	noted    atomic.Uint64        // how many values it gave
	repaced  chan struct{}        // the quiet time has changed
	dead     chan struct{}        // closed when the link is over; err is set before
	running  sync.WaitGroup
	observe  func(method string, took time.Duration, err error) // constant once there are calls; may be nil

	mu      sync.Mutex // guards what follows
	err     error      // why the link is over
	lastID  uint64
	pending map[uint64]chan frame
}

// frame is a message on the wire, either way.
type frame struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   json.RawMessage `json:"error,omitempty"`
}

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// dialLink connects; ctx bounds the connecting only.
func dialLink(ctx context.Context, at endpoint, dial dialFunc, quiet time.Duration) (*link, error) {
	var raw *impatientConn
	intact := func() bool { return true } // false once ctx has closed the connection
	dialer := websocket.Dialer{
		Proxy: http.ProxyFromEnvironment,
		NetDialContext: func(dialing context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(dialing, network, address)
			if err != nil {
				return nil, err
			}
			raw = &impatientConn{Conn: conn}
			raw.quiet.Store(int64(quiet))
			intact = context.AfterFunc(ctx, func() { _ = conn.Close() }) // the handshake alone looks at deadlines only
			return raw, nil
		},
	}
	header := http.Header{}
	if at.token != "" {
		header.Set("Authorization", "Bearer "+at.token)
	}
	ws, resp, err := dialer.DialContext(ctx, at.url+at.query, header)
	if !intact() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		if raw != nil {
			_ = raw.Conn.Close()
		}
		return nil, dialError(ctx, resp, err)
	}
	return newLink(ws, raw), nil
}

// dialError says what a failed dial means to the one who runs the daemon.
func dialError(ctx context.Context, resp *http.Response, err error) error {
	if errors.Is(err, websocket.ErrBadHandshake) && resp != nil {
		switch resp.StatusCode {
		case http.StatusUnauthorized, http.StatusForbidden:
			return &RefusedError{fmt.Sprintf("the node refuses the token (HTTP %d): set the node's token to one that it issued, with the permission \"write\" (lotus auth create-token --perm write)", resp.StatusCode)}
		case http.StatusNotFound:
			return &StrangerError{fmt.Errorf("no API is served at this URL (HTTP 404): the path is usually %s", defaultPath)}
		}
		err := fmt.Errorf("the node does not open a WebSocket (HTTP %s): is this the API of a full node?", resp.Status)
		if resp.StatusCode >= http.StatusInternalServerError { // of a proxy whose node is down
			return err
		}
		return &StrangerError{err}
	}
	if cause := ctx.Err(); cause != nil {
		return fmt.Errorf("connect: %w", cause)
	}
	return fmt.Errorf("connect: %w", err)
}

func newLink(ws *websocket.Conn, raw *impatientConn) *link {
	ws.SetReadLimit(maxFrame)
	l := &link{
		ws:       ws,
		raw:      raw,
		outgoing: make(chan []byte),
		notes:    make(chan json.RawMessage, 1),
		repaced:  make(chan struct{}, 1),
		dead:     make(chan struct{}),
		pending:  map[uint64]chan frame{},
	}
	l.running.Go(l.read)
	l.running.Go(l.write)
	return l
}

// fail ends the link: its socket is closed and all that wait for it are told.
func (l *link) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return
	}
	l.err = err
	close(l.dead)
	_ = l.raw.Conn.Close() // at once: closing a TLS connection in good form can wait
}

// setQuiet changes how long nothing may come.
func (l *link) setQuiet(quiet time.Duration) {
	l.raw.quiet.Store(int64(quiet))
	_ = l.raw.SetReadDeadline(time.Now().Add(quiet))
	select {
	case l.repaced <- struct{}{}:
	default:
	}
}

// close ends the link and waits for what it runs.
func (l *link) close() {
	l.fail(errors.New("the connection was given up"))
	l.running.Wait()
}

// why is the reason the link is over.
func (l *link) why() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *link) read() {
	for {
		_, data, err := l.ws.ReadMessage()
		if err != nil {
			l.fail(l.broken(err))
			return
		}
		if err := l.take(data); err != nil {
			l.fail(err)
			return
		}
	}
}

// take brings a frame to the one it is for.
func (l *link) take(data []byte) error {
	var f frame
	if err := json.Unmarshal(data, &f); err != nil {
		return &StrangerError{fmt.Errorf("the node does not speak JSON-RPC: %w", err)}
	}
	switch f.Method {
	case "":
		l.answer(f)
	case "xrpc.ch.val":
		return l.note(f.Params)
	case "xrpc.ch.close":
		return errors.New("the node ended the subscription to its heads")
	}
	return nil // anything else is nothing that was asked for
}

func (l *link) answer(f frame) {
	id, err := strconv.ParseUint(string(f.ID), 10, 64)
	if err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if waiting, ok := l.pending[id]; ok {
		delete(l.pending, id)
		waiting <- f // has room for one, and gets one
	}
}

// note keeps the latest value of the subscription: the node is never held up.
func (l *link) note(params json.RawMessage) error {
	var p []json.RawMessage
	if err := json.Unmarshal(params, &p); err != nil || len(p) != 2 {
		return errors.New("the node sent a subscription's value in a shape that is not understood")
	}
	select {
	case <-l.notes:
	default:
	}
	l.notes <- p[1] // only the reading goroutine sends
	l.noted.Add(1)
	return nil
}

// write sends what is to be sent, and pings in between: a live node says
// something three times in each quiet time, and the conn does the rest.
func (l *link) write() {
	for {
		ping := time.NewTimer(time.Duration(l.raw.quiet.Load()) / 3)
		var err error
		select {
		case <-l.dead:
			ping.Stop()
			return
		case <-l.repaced:
		case data := <-l.outgoing:
			err = l.ws.WriteMessage(websocket.TextMessage, data)
		case <-ping.C:
			err = l.ws.WriteMessage(websocket.PingMessage, nil)
		}
		ping.Stop()
		if err != nil { // half a frame may be on the wire
			l.fail(l.broken(err))
			return
		}
	}
}

func (l *link) broken(err error) error {
	if errors.Is(err, websocket.ErrReadLimit) {
		return &StrangerError{fmt.Errorf("the node sent an answer of more than %d MiB, which nothing that was asked for can be", maxFrame>>20)}
	}
	var slow net.Error // gorilla gives no more of a deadline's error than its kind
	if errors.As(err, &slow) && slow.Timeout() {
		return fmt.Errorf("the node was silent for %s, to pings too", time.Duration(l.raw.quiet.Load()))
	}
	return fmt.Errorf("the connection to the node broke: %w", err)
}

// call asks and waits for the answer, until ctx ends or the link does.
func (l *link) call(ctx context.Context, method string, params ...any) (json.RawMessage, error) {
	if params == nil {
		params = []any{}
	}
	if err := ctx.Err(); err != nil {
		return nil, unasked(err)
	}
	start := time.Now()
	p, err := json.Marshal(params)
	if err != nil {
		return nil, fmt.Errorf("encode parameters: %w", err)
	}
	id, reply := l.expect()
	defer l.forget(id)
	name := json.RawMessage(strconv.FormatUint(id, 10))
	if err := l.send(ctx, frame{Version: "2.0", ID: name, Method: "Filecoin." + method, Params: p}); err != nil {
		return nil, err
	}
	select {
	case f := <-reply:
		return f.outcome()
	case <-l.dead:
		return nil, &lostError{l.why()}
	case <-ctx.Done():
		l.cancel(name)
		return nil, unanswered(time.Since(start), ctx.Err())
	}
}

// unasked is the error of a call whose context had ended before it began.
func unasked(ended error) error {
	if errors.Is(ended, context.Canceled) {
		return fmt.Errorf("not asked, for nobody waits for it any more: %w", ended)
	}
	return fmt.Errorf("not asked, for its time was over: %w", ended)
}

// unanswered is the error of a call whose context ended before an answer came:
// it is the node's fault only if the time was over.
func unanswered(after time.Duration, ended error) error {
	after = after.Round(time.Millisecond)
	if errors.Is(ended, context.Canceled) {
		return fmt.Errorf("not waited for any more after %s: %w", after, ended)
	}
	return fmt.Errorf("no answer within %s: %w", after, ended)
}

func (l *link) expect() (uint64, chan frame) {
	reply := make(chan frame, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lastID++
	l.pending[l.lastID] = reply
	return l.lastID, reply
}

func (l *link) forget(id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.pending, id)
}

// cancel tells the node that an answer is not wanted any more, if that costs no waiting.
func (l *link) cancel(id json.RawMessage) {
	select {
	case l.outgoing <- []byte(`{"jsonrpc":"2.0","method":"xrpc.cancel","params":[` + string(id) + `]}`):
	default:
	}
}

func (l *link) send(ctx context.Context, f frame) error {
	data, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("encode the request: %w", err)
	}
	select {
	case l.outgoing <- data:
		return nil
	case <-l.dead:
		return &lostError{l.why()}
	case <-ctx.Done():
		return unasked(ctx.Err())
	}
}

// lostError is that of a call whose connection came to its end: whether the
// node is to blame is told by whether it can be connected to again.
type lostError struct{ why error }

func (e *lostError) Error() string { return e.why.Error() }

func (e *lostError) Unwrap() error { return e.why }

// outcome is what a frame answers.
func (f frame) outcome() (json.RawMessage, error) {
	if len(f.Error) > 0 && !isNull(f.Error) {
		e := &nodeError{}
		if err := json.Unmarshal(f.Error, e); err != nil {
			return nil, fmt.Errorf("the node answered with an error that is not understood: %.200s", f.Error)
		}
		return nil, e
	}
	if len(f.Result) == 0 {
		return nil, errors.New("the node's answer has neither a result nor an error")
	}
	return f.Result, nil
}

// impatientConn fails a read or a write that nothing comes of for the quiet time.
type impatientConn struct {
	net.Conn
	quiet atomic.Int64 // a time.Duration
}

func (c *impatientConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(c.deadline()); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *impatientConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(c.deadline()); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

func (c *impatientConn) deadline() time.Time {
	return time.Now().Add(time.Duration(c.quiet.Load()))
}
