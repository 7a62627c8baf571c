package devnet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/filecoin-project/go-jsonrpc"
	"github.com/filecoin-project/go-jsonrpc/auth"
	"github.com/google/uuid"
)

// namespace begins the name of every method.
const namespace = "Filecoin"

// APIInfo is the API's token and address in one, as other tools take it:
// token:/ip4/127.0.0.1/tcp/1234/http, for FULLNODE_API_INFO and the like.
func (n *Network) APIInfo() string {
	at, ok := n.listen.Addr().(*net.TCPAddr)
	if !ok {
		return n.Token() + ":http://" + n.Addr()
	}
	kind, ip := "ip6", at.IP
	if v4 := ip.To4(); v4 != nil {
		kind, ip = "ip4", v4
	}
	return fmt.Sprintf("%s:/%s/%s/tcp/%d/http", n.Token(), kind, ip, at.Port)
}

// serve answers the API until ctx ends. No call outlives it.
func (n *Network) serve(ctx context.Context) error {
	mux := http.NewServeMux()
	var calls sync.RWMutex // held for reading by every call
	inner := newInnerServer()
	innerMux := http.NewServeMux()
	a := newAPI(n)
	for path, methods := range map[string]any{"/rpc/v0": &apiV0{a}, "/rpc/v1": a, "/rpc/v2": &apiV2{a}} {
		direct := a.rpc(methods)
		innerMux.Handle(path, n.tracked(&calls, direct))
		mux.Handle(path, n.tracked(&calls, limited(n.faulty(direct, inner))))
	}
	defer serveInner(ctx, inner, innerMux)()
	srv := server(ctx, mux, n.log)
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

// server has patience for so long and no longer. All calls' contexts end with ctx.
func server(ctx context.Context, h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerPatience,
		IdleTimeout:       idlePatience,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

func (n *Network) tracked(calls *sync.RWMutex, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.RLock()
		defer calls.RUnlock()
		h.ServeHTTP(w, r)
	})
}

// rpc is one version's endpoint, with tokens checked as a node checks them.
func (a *api) rpc(methods any) http.Handler {
	srv := jsonrpc.NewServer(jsonrpc.WithMaxRequestSize(maxRequest))
	srv.Register(namespace, methods)
	srv.Register("Devnet", &admin{n: a.n})
	srv.AliasMethod("rpc.discover", namespace+".Discover")
	return &auth.Handler{
		Verify: func(_ context.Context, token string) ([]auth.Permission, error) { return a.n.tokens.permissions(token) },
		Next:   srv.ServeHTTP,
	}
}

// need refuses a call without the permission, in the words of a node.
func need(ctx context.Context, perm auth.Permission, method string) error {
	if auth.HasPerm(ctx, readOnly, perm) {
		return nil
	}
	return fmt.Errorf("missing permission to invoke '%s' (need '%s')", method, perm)
}

// api is the methods of a node, version 1. A method's name and parameters are
// the network's; it is registered by reflection, so everything exported is
// served.
type api struct {
	n       *Network
	session uuid.UUID
	started time.Time
	pushes  pushes
	pool    bell // rings when a message comes into the pool or leaves it by a call
}

func newAPI(n *Network) *api {
	return &api{n: n, session: uuid.New(), started: time.Now()}
}
