package devnet

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/filecoin-project/go-jsonrpc"
	"github.com/filecoin-project/go-jsonrpc/auth"
)

// permissions in the order of their power; a daemon's token has them all but
// the last two.
var (
	readOnly   = []auth.Permission{"read"}
	allowed    = []auth.Permission{"read", "write"}
	everything = []auth.Permission{"read", "write", "sign", "admin"}
)

// serve answers the API until ctx ends. No call outlives it.
func (n *Network) serve(ctx context.Context) error {
	mux := http.NewServeMux()
	var calls sync.RWMutex // held for reading by every call
	inner := newInnerServer()
	innerMux := http.NewServeMux()
	for path, version := range map[string]int{"/rpc/v0": apiVersion0, "/rpc/v1": apiVersion1} {
		direct := n.rpc(version)
		innerMux.Handle(path, n.tracked(&calls, direct))
		mux.Handle(path, n.tracked(&calls, n.faulty(direct, inner)))
	}
	defer serveInner(ctx, inner, innerMux)()
	srv := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() }) // what is open is cut: its context has ended
	defer stop()
	err := srv.Serve(n.listen)
	calls.Lock()
	defer calls.Unlock()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve the API: %w", err)
}

func (n *Network) tracked(calls *sync.RWMutex, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.RLock()
		defer calls.RUnlock()
		h.ServeHTTP(w, r)
	})
}

// rpc is one version's endpoint, with tokens checked as a node checks them.
func (n *Network) rpc(version int) http.Handler {
	srv := jsonrpc.NewServer(jsonrpc.WithMaxRequestSize(4 << 20))
	srv.Register("Filecoin", &api{n: n, version: version})
	srv.Register("Devnet", &admin{n: n})
	return &auth.Handler{
		Verify: func(_ context.Context, token string) ([]auth.Permission, error) {
			if subtle.ConstantTimeCompare([]byte(token), []byte(n.adminToken)) == 1 {
				return everything, nil
			}
			if subtle.ConstantTimeCompare([]byte(token), []byte(n.token)) != 1 {
				return nil, errors.New("unknown token")
			}
			return allowed, nil
		},
		Next: func(w http.ResponseWriter, r *http.Request) {
			if !permitted(r) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusBadRequest)
				_, _ = w.Write([]byte(`{"error":{"code":-32600,"message":"Invalid request"},"id":null,"jsonrpc":"2.0"}` + "\n"))
				return
			}
			srv.ServeHTTP(w, r)
		},
	}
}

// permitted refuses a plain POST that a web page of another site could make:
// no token, and not declared as JSON.
func permitted(r *http.Request) bool {
	if strings.Contains(strings.ToLower(r.Header.Get("Connection")), "upgrade") {
		return true
	}
	return auth.HasPerm(r.Context(), readOnly, "write") ||
		strings.HasPrefix(r.Header.Get("Content-Type"), "application/json")
}

// need refuses a call without the permission, in the words of a node.
func need(ctx context.Context, perm auth.Permission, method string) error {
	if auth.HasPerm(ctx, readOnly, perm) {
		return nil
	}
	return fmt.Errorf("missing permission to invoke '%s' (need '%s')", method, perm)
}

// api is the methods of a node. A method's name and parameters are the
// network's; it is registered by reflection, so everything exported is served.
type api struct {
	n       *Network
	version int
}

// at finds the tipset of a key.
func (a *api) at(key TipSetKey) (*tipset, error) { return a.n.chain.tipset(key) }

// revertedError is a call that the VM refused, as clients of a node know it:
// code 3 with the data of an Ethereum revert.
type revertedError struct{ text string }

func (e *revertedError) Error() string { return e.text }

// ToJSONRPCError gives the error its code on the wire.
func (e *revertedError) ToJSONRPCError() (jsonrpc.JSONRPCError, error) {
	return jsonrpc.JSONRPCError{Code: 3, Message: e.text, Data: "0x"}, nil
}

// FromJSONRPCError is there because the library asks for the pair.
func (e *revertedError) FromJSONRPCError(j jsonrpc.JSONRPCError) error {
	e.text = j.Message
	return nil
}
