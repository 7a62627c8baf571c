package faultproxy

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// ServeHTTP is a connection of a client.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !p.held(r.Context()) {
		return
	}
	p.mu.Lock()
	upstream := p.upstream
	p.mu.Unlock()
	switch {
	case p.strikes(BadGateway):
		http.Error(w, "the node behind this proxy is down", http.StatusBadGateway)
	case websocket.IsWebSocketUpgrade(r):
		p.serveSocket(w, r, upstream)
	default:
		p.servePost(w, r, upstream)
	}
}

// servePost passes one question by plain HTTP.
func (p *Proxy) servePost(w http.ResponseWriter, r *http.Request, upstream string) {
	question, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	ask, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+upstream+r.URL.RequestURI(), bytes.NewReader(question))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ask.Header = r.Header.Clone()
	resp, err := http.DefaultClient.Do(ask)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return
	}
	l := &line{p: p, ctx: r.Context(), methods: map[string]string{}}
	l.asked(question)
	frames, cut := l.spoil(answer)
	w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
	w.WriteHeader(resp.StatusCode)
	if cut {
		_, _ = w.Write(answer[:len(answer)/2])
		panic(http.ErrAbortHandler) // the connection ends, as it is meant to
	}
	for _, f := range frames {
		_, _ = w.Write(f)
	}
}

// line is a WebSocket from a client to the node.
type line struct {
	p            *Proxy
	client, node *websocket.Conn
	ctx          context.Context
	end          context.CancelFunc

	writing sync.Mutex // held while something is written to the client

	mu      sync.Mutex        // guards what follows
	methods map[string]string // of questions without an answer, by ID
	kept    []byte            // an answer that comes after the next one
}

func (l *line) close() { l.end() }

func (p *Proxy) serveSocket(w http.ResponseWriter, r *http.Request, upstream string) {
	node, resp, err := websocket.DefaultDialer.DialContext(r.Context(), "ws://"+upstream+r.URL.RequestURI(), http.Header{"Authorization": r.Header["Authorization"]})
	if err != nil {
		status := http.StatusBadGateway
		if resp != nil {
			status = resp.StatusCode
		}
		http.Error(w, err.Error(), status)
		return
	}
	client, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
	if err != nil {
		_ = node.Close()
		return
	}
	l := &line{p: p, client: client, node: node, methods: map[string]string{}}
	l.ctx, l.end = context.WithCancel(p.ctx)
	p.mu.Lock()
	p.lines[l] = struct{}{}
	p.mu.Unlock()
	l.carry()
	p.mu.Lock()
	delete(p.lines, l)
	p.mu.Unlock()
}

// carry passes everything on until either end is gone.
func (l *line) carry() {
	defer context.AfterFunc(l.ctx, func() {
		_ = l.client.Close()
		_ = l.node.Close()
	})()
	l.client.SetPingHandler(func(data string) error {
		if l.p.strikes(Hang) {
			return nil
		}
		return l.client.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(time.Second))
	})
	var both sync.WaitGroup
	both.Go(l.questions)
	both.Go(l.answers)
	both.Wait()
	_ = l.client.Close()
	_ = l.node.Close()
}

func (l *line) questions() {
	defer l.end()
	for {
		_, data, err := l.client.ReadMessage()
		if err != nil || !l.p.held(l.ctx) {
			return
		}
		l.asked(data)
		if fake, ok := l.pretend(data); ok {
			_ = l.write(fake)
			continue
		}
		if err := l.node.WriteMessage(websocket.TextMessage, data); err != nil {
			return
		}
	}
}

func (l *line) answers() {
	defer l.end()
	for {
		_, data, err := l.node.ReadMessage()
		if err != nil || !l.p.held(l.ctx) {
			return
		}
		frames, cut := l.spoil(data)
		if cut {
			l.breakOff(data)
			return
		}
		for _, f := range frames {
			if err := l.write(f); err != nil {
				return
			}
		}
	}
}

func (l *line) write(data []byte) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	return l.client.WriteMessage(websocket.TextMessage, data)
}

// breakOff sends the beginning of an answer, and then nothing any more.
func (l *line) breakOff(data []byte) {
	const text, length16 = 0x81, 126
	head := []byte{text, length16, byte(len(data) >> 8), byte(len(data))}
	_, _ = l.client.NetConn().Write(append(head, data[:min(len(data)/2, 1<<15)]...))
}

// frame is a question or an answer as far as it matters here.
type frame struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   json.RawMessage `json:"error,omitempty"`
}

// asked counts a question and remembers its method.
func (l *line) asked(data []byte) {
	var f frame
	if json.Unmarshal(data, &f) != nil || f.Method == "" {
		return
	}
	method := strings.TrimPrefix(f.Method, "Filecoin.")
	l.p.mu.Lock()
	l.p.calls[method]++
	l.p.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.methods[string(f.ID)] = method
}
