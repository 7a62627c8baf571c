// Package dashboard shows what the daemon sees: one page that follows along,
// the same as JSON, health for a load balancer and metrics for Prometheus. It
// is read-only and knows nothing but a [vigil.StatusSource] and how to find
// messages, so that looking can never change what the daemon does.
//
//	GET /            the page; it keeps itself current over /events
//	GET /events      server-sent events: the parts of the page that changed
//	GET /messages    the messages, and one of them with what happened to it
//	GET /api/status  vigil.Status as JSON
//	GET /api/plan    what is expected of the deadlines ahead: see plan.go
//	GET /api/messages  the messages as JSON: see messages.go for what can be asked
//	GET /healthz     200, or 503 when the chain has been silent
//	GET /metrics     Prometheus
//
// The page is rendered here, whole, and works without JavaScript; the script
// only puts changed parts in place.
package dashboard

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/explain"
	"github.com/vigil-post/vigil/forecast"
)

// Config is what a dashboard needs.
type Config struct {
	Status vigil.StatusSource
	// Messages finds messages and tells of them; nil where there is no messager.
	Messages func(context.Context, vigil.MessageQuery) ([]explain.Message, error)
	// Plan forecasts the deadlines ahead, for so many proofs at the same time; 0
	// is as many as there are. It is nil where nothing is forecast.
	Plan func(workers int) forecast.Plan
	// Hosts are the names under which the page may be asked for, besides
	// localhost and plain IP addresses. Any other name is refused, so that a
	// web page elsewhere cannot read this one by pointing its own name here.
	Hosts []string
	Log   *slog.Logger
}

//go:embed assets
var assets embed.FS

// New makes the handler of all the dashboard's pages.
func New(c Config) http.Handler {
	d := &dashboard{Config: c, metrics: metricsHandler(c.Status)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", d.page)
	mux.HandleFunc("GET /events", d.events)
	mux.HandleFunc("GET /messages", d.messages)
	mux.HandleFunc("GET /api/status", d.status)
	mux.HandleFunc("GET /api/plan", d.plan)
	mux.HandleFunc("GET /api/messages", d.messagesJSON)
	mux.HandleFunc("GET /healthz", d.health)
	mux.Handle("GET /metrics", d.metrics)
	mux.HandleFunc("GET /assets/vigil.css", asset("text/css; charset=utf-8"))
	mux.HandleFunc("GET /assets/vigil.js", asset("text/javascript; charset=utf-8"))
	mux.HandleFunc("GET /assets/icon.svg", asset("image/svg+xml"))
	return guard(c.Hosts, http.NewCrossOriginProtection().Handler(mux))
}

// Serve serves a handler on a listener until ctx ends; open event streams end with it.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if server.Shutdown(patience) != nil {
			server.Close()
		}
	})
	err := server.Serve(l)
	if !stop() {
		<-stopped
	}
	if ctx.Err() != nil && errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve the dashboard on %s: %w", l.Addr(), err)
}

type dashboard struct {
	Config
	metrics http.Handler
}

func (d *dashboard) page(w http.ResponseWriter, r *http.Request) {
	page, err := renderPage(d.Status.Status(), time.Now())
	if err != nil {
		d.broken(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(page)
}

func (d *dashboard) status(w http.ResponseWriter, r *http.Request) {
	body, err := json.MarshalIndent(d.Status.Status(), "", "  ")
	if err != nil {
		d.broken(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(append(body, '\n'))
}

func (d *dashboard) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if problem := headProblem(d.Status.Status(), time.Now()); problem != "" {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, problem)
		return
	}
	fmt.Fprintln(w, "ok")
}

func (d *dashboard) broken(w http.ResponseWriter, r *http.Request, err error) {
	if d.Log != nil {
		d.Log.Error("the dashboard could not show a page", "path", r.URL.Path, "error", err)
	}
	http.Error(w, "the page could not be rendered; the log says why", http.StatusInternalServerError)
}

// asset serves the embedded file that the request's path names.
func asset(contentType string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := assets.ReadFile(strings.TrimPrefix(r.URL.Path, "/"))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", contentType)
		w.Write(body)
	}
}

// guard refuses names that are not ours and tells the browser to trust only
// what this server itself sent.
func guard(hosts []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "+
			"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !knownHost(r.Host, hosts) {
			http.Error(w, "this name is not known here: ask by IP address, or add the name to hosts in [dashboard]", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func knownHost(hostport string, hosts []string) bool {
	host := hostport
	if name, _, err := net.SplitHostPort(hostport); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	_, err := netip.ParseAddr(host)
	return err == nil || host == "localhost" || slices.ContainsFunc(hosts, func(known string) bool {
		return strings.EqualFold(known, host)
	})
}
