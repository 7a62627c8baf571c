package devnet

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

func TestARequestMayBeAsLongAsTheLimitAndNoLonger(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	head := `{"jsonrpc":"2.0","id":1,"method":"Filecoin.ChainHead","params":[]`
	for _, c := range []struct {
		is     string
		length int
		status int
	}{
		{"as long as may be", maxRequest, 200},
		{"a byte more", maxRequest + 1, 500},
		{"a hundred mebibytes", 100 << 20, 500},
	} {
		body := io.MultiReader(strings.NewReader(head), io.LimitReader(spaces{}, int64(c.length-len(head)-1)), strings.NewReader("}"))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+w.Addr()+"/rpc/v1", body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if c.length > 2*maxRequest && err != nil {
			continue // the node hung up while the client was still sending
		}
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != c.status || c.status != 200 && !bytes.Contains(text, []byte("request bigger than maximum")) {
			t.Errorf("%s: status %d, %.200s", c.is, res.StatusCode, text)
		}
	}
	if got := get[TipSet](w, "ChainHead"); got.Height != 0 {
		t.Error("the node does not answer any more")
	}
}

// spaces is JSON that says nothing, without end.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestAWebSocketMessageIsLimitedToo(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	for _, c := range []struct {
		is   string
		send func(ws *websocket.Conn) error
		ok   bool
	}{
		{"a short one", func(ws *websocket.Conn) error { return ws.WriteMessage(websocket.TextMessage, versionCall(300)) }, true},
		{"one of the longest", func(ws *websocket.Conn) error {
			return ws.WriteMessage(websocket.TextMessage, versionCall(maxRequest))
		}, true},
		{"many short ones", func(ws *websocket.Conn) error {
			var err error
			for range 3 * maxRequest / 100_000 {
				err = errors.Join(err, ws.WriteMessage(websocket.TextMessage, []byte(`{"method":"xrpc.cancel","params":["`+strings.Repeat("x", 100_000)+`"]}`)))
			}
			return errors.Join(err, ws.WriteMessage(websocket.TextMessage, versionCall(300)))
		}, true},
		{"one too long", func(ws *websocket.Conn) error {
			return ws.WriteMessage(websocket.TextMessage, versionCall(maxRequest+1))
		}, false},
		{"one too long in many frames", func(ws *websocket.Conn) error {
			m, err := ws.NextWriter(websocket.TextMessage)
			for range maxRequest/50_000 + 1 {
				if err == nil {
					_, err = m.Write(make([]byte, 50_000))
				}
			}
			return err
		}, false},
		{"a frame that says it is endless", func(ws *websocket.Conn) error {
			_, err := ws.NetConn().Write(binary.BigEndian.AppendUint64([]byte{0x81, 0xff}, 1<<62))
			return errors.Join(err, write(ws.NetConn(), make([]byte, 4)))
		}, false},
	} {
		ws := w.websocket()
		if err := c.send(ws); err != nil && c.ok {
			t.Errorf("%s: %v", c.is, err)
		}
		_, text, err := ws.ReadMessage()
		if (err == nil) != c.ok || err == nil && !strings.Contains(string(text), "APIVersion") {
			t.Errorf("%s: answered %.100s, %v", c.is, text, err)
		}
	}
}

func write(to io.Writer, b []byte) error {
	_, err := to.Write(b)
	return err
}

// versionCall is a call of Version in so many bytes.
func versionCall(length int) []byte {
	call := []byte(`{"jsonrpc":"2.0","id":1,"method":"Filecoin.Version","params":[]`)
	return append(append(call, bytes.Repeat([]byte{' '}, length-len(call)-1)...), '}')
}

// pipes is a network of its own, whose time is the test's.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// TestWhoSendsSlowlyIsCutOff has a client that never ends its request, one that
// never ends its head and one that asks nothing.
func TestWhoSendsSlowlyIsCutOff(t *testing.T) {
	for _, c := range []struct {
		is    string
		says  string
		after time.Duration
		want  string
	}{
		{"a body that does not end", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{", bodyPatience, "500 Internal"},
		{"a head that does not end", "POST / HTTP/1.1\r\nHost: x\r\n", headerPatience, ""},
		{"a client that says nothing", "", headerPatience, ""},
	} {
		t.Run(c.is, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := make(pipes, 1)
				srv := server(t.Context(), limited(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if _, err := io.ReadAll(r.Body); err != nil {
						w.WriteHeader(500)
					}
				})), slog.New(slog.DiscardHandler))
				done := make(chan error)
				go func() { done <- srv.Serve(network) }()
				theirs, ours := net.Pipe()
				network <- theirs
				began := time.Now()
				go func() { _ = write(ours, []byte(c.says)) }()
				text, _ := io.ReadAll(ours)
				if took := time.Since(began); took != c.after || !strings.Contains(string(text), c.want) {
					t.Errorf("after %v: %q, want %q after %v", took, text, c.want, c.after)
				}
				_ = srv.Close()
				<-done
			})
		})
	}
}

// TestABatchIsAnsweredAsALotusNodeDoes: in its order, each call for itself,
// notifications not at all.
func TestABatchIsAnsweredAsALotusNodeDoes(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+w.Addr()+"/rpc/v1", strings.NewReader(`[
		{"jsonrpc":"2.0","id":"a","method":"Filecoin.StateNetworkVersion","params":[null]},
		{"jsonrpc":"2.0","method":"Filecoin.StateNetworkVersion","params":[null]},
		{"jsonrpc":"2.0","id":2,"method":"Filecoin.NoSuchMethod","params":[]},
		{"jsonrpc":"2.0","id":3,"method":"Filecoin.StateGetActor","params":["t09999",null]},
		{"jsonrpc":"2.0","id":4,"method":"Filecoin.StateNetworkName","params":[]}]`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range decode[[]struct {
		ID     any
		Result json.RawMessage
		Error  *struct{ Code int }
	}](t, text) {
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(b))
	}
	want := `{"ID":"a","Result":28,"Error":null} {"ID":2,"Result":null,"Error":{"Code":-32601}} {"ID":3,"Result":null,"Error":{"Code":1}} {"ID":4,"Result":"vigil-devnet","Error":null}`
	if res.StatusCode != 200 || strings.Join(got, " ") != want {
		t.Errorf("status %d\n got %s\nwant %s", res.StatusCode, strings.Join(got, " "), want)
	}
}

// TestAClientThatDoesNotReadHoldsUpNobody subscribes over a connection without
// buffers and never reads again: the chain goes on, others are served, and the
// node can still end.
func TestAClientThatDoesNotReadHoldsUpNobody(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	network, a := make(pipes, 1), newAPI(w.Network)
	ctx, cancel := context.WithCancel(t.Context())
	srv := server(ctx, limited(a.rpc(a)), slog.New(slog.DiscardHandler))
	served := make(chan error)
	go func() { served <- srv.Serve(network) }()
	theirs, ours := net.Pipe()
	network <- theirs
	dialer := websocket.Dialer{NetDialContext: func(context.Context, string, string) (net.Conn, error) { return ours, nil }}
	ws, res, err := dialer.DialContext(t.Context(), "ws://pipe/", http.Header{"Authorization": {"Bearer " + w.Token()}})
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if err := ws.WriteMessage(websocket.TextMessage, []byte(`{"jsonrpc":"2.0","id":1,"method":"Filecoin.ChainNotify","params":[]}`)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ws.ReadMessage(); err != nil { // the channel; what follows is not read
		t.Fatal(err)
	}
	w.pass(2*notifyBuffer + 10)
	w.notify.mu.Lock()
	if n := len(w.notify.subs); n != 0 {
		t.Errorf("%d subscribers are kept", n)
	}
	w.notify.mu.Unlock()
	if got := get[TipSet](w, "ChainHead"); got.Height != 2*notifyBuffer+10 {
		t.Errorf("the chain is at %d", got.Height)
	}
	cancel()
	_ = srv.Close()
	<-served
	for { // what was under way comes, then the connection ends
		if _, _, err := ws.ReadMessage(); err != nil {
			break
		}
	}
}
