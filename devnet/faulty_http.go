package devnet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// adminSpace is the namespace that no fault reaches.
const adminSpace = "Devnet."

// faultyCall is what the fault layer reads of a call.
type faultyCall struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
}

// name is the method without its namespace.
func (c faultyCall) name() string { return strings.TrimPrefix(c.Method, "Filecoin.") }

// faultOf says what goes wrong with a request, if anything does.
func (n *Network) faultOf(c faultyCall) (Fault, bool) {
	if strings.HasPrefix(c.Method, adminSpace) {
		return Fault{}, false
	}
	return n.faults.strike(c.name(), n.Epoch())
}

// faulty stands before the API and does to its calls what it was told.
func (n *Network) faulty(next http.Handler, inner *innerServer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(strings.ToLower(r.Header.Get("Connection")), "upgrade") {
			n.relay(w, r, inner)
			return
		}
		n.faultyPost(w, r, next)
	})
}

// faultyPost answers one call over HTTP.
func (n *Network) faultyPost(w http.ResponseWriter, r *http.Request, next http.Handler) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
	if err != nil {
		return // whoever called is gone
	}
	rest := r.Body
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), rest))
	var call faultyCall
	_ = json.Unmarshal(body, &call) // what cannot be read is for the API to refuse
	f, struck := n.faultOf(call)
	if !struck {
		next.ServeHTTP(w, r)
		return
	}
	switch f.Kind {
	case FaultHang:
		<-r.Context().Done()
	case FaultRefuse:
		cutOff(w, nil)
	case FaultError:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(errorAnswer(call.ID))
	case FaultGarbage:
		_, _ = w.Write([]byte(garbage))
	case FaultSlow:
		if wait(r.Context(), f.Delay) {
			next.ServeHTTP(w, r)
		}
	case FaultLag:
		r.Body = io.NopCloser(bytes.NewReader(n.older(body, f.By)))
		next.ServeHTTP(w, r)
	case FaultCut, FaultTruncate, FaultLie:
		answer := &heldAnswer{header: http.Header{}, status: http.StatusOK}
		next.ServeHTTP(answer, r)
		answer.spoil(w, f, call.name())
	}
}

// spoil gives an answer that was recorded, or what is left of it.
func (a *heldAnswer) spoil(w http.ResponseWriter, f Fault, method string) {
	switch f.Kind {
	case FaultCut:
		cutOff(w, nil)
	case FaultTruncate:
		head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", a.body.Len())
		cutOff(w, append([]byte(head), a.body.Bytes()[:a.body.Len()/2]...))
	default:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(a.status)
		_, _ = w.Write(f.lie(method, a.body.Bytes()))
	}
}

// garbage is what a broken proxy may answer.
const garbage = "<html><body><h1>502 Bad Gateway</h1></body></html>\n"

// errorAnswer is a node that cannot carry out a call.
func errorAnswer(id json.RawMessage) []byte {
	if id == nil {
		id = json.RawMessage("null")
	}
	return strictJSON(map[string]any{
		"jsonrpc": "2.0", "id": id,
		"error": map[string]any{"code": 1, "message": "the devnet was told to fail this call"},
	}, nil)
}

// cutOff closes a connection, after some last bytes.
func cutOff(w http.ResponseWriter, last []byte) {
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		panic(http.ErrAbortHandler) // the server closes the connection
	}
	conn, _, err := hijacker.Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_, _ = conn.Write(last)
	_ = conn.Close()
}

// wait lets time pass, unless ctx ends.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// heldAnswer keeps an answer from whoever asked.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *heldAnswer) Header() http.Header         { return a.header }
func (a *heldAnswer) WriteHeader(status int)      { a.status = status }
func (a *heldAnswer) Write(p []byte) (int, error) { return a.body.Write(p) }
