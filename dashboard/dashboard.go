// Package dashboard shows what the daemon sees: pages that follow along, the
// same as JSON, health for a load balancer and metrics for Prometheus.
// Looking needs no token and can never change what the daemon does: for that
// it knows nothing but a [vigil.StatusSource] and how to look things up. What
// changes something is behind an operator's token: see operator.go.
//
//	GET /              the alarms and the miners
//	GET /alarms        the alarms, each with what to do
//	GET /forecast      when the work on the deadlines to come will be done
//	GET /miners/{miner}                            its deadlines as a dial, duties, faults
//	GET /miners/{miner}/deadlines/{d}              its partitions as the chain has them
//	GET /miners/{miner}/deadlines/{d}/partitions/{p}   down to the sector
//	GET /duties/{duty}   what happened to a duty
//	GET /times         how long reading and proving took
//	GET /system        nodes, storages, provers, senders, and what is being worked on
//	GET /messages      the messages, and one of them with what happened to it
//	GET /api/status    vigil.Status as JSON
//	GET /api/plan      what is expected of the deadlines ahead: see plan.go
//	GET /api/messages  the messages as JSON: see messages.go for what can be asked
//	GET /api/times     the times as JSON
//	GET /api/shadow    vigil.ShadowRecords as JSON: ?since=EPOCH
//	GET /api/…         what happened and how things are, for commands: see books.go
//	/login, POST /messages/…, POST /api/messages/…  for operators: see operator.go and messagewish.go
//	GET /healthz       200, or 503 when the chain has been silent or a loop hangs, and which
//	GET /metrics       Prometheus
//
// The pages are rendered here, whole, and work without JavaScript; the script
// only puts changed parts in place. It asks for a page's own address as
// text/event-stream, and is sent the parts that changed.
package dashboard

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/explain"
	"github.com/vigil-post/vigil/forecast"
)

// Config is what a dashboard needs.
type Config struct {
	Status vigil.StatusSource
	// Messages finds messages and tells of them; nil where there is no messager.
	Messages func(context.Context, vigil.MessageQuery) ([]explain.Message, error)
	// Chain is asked for partitions and sectors; nil where there is no node.
	Chain Chain
	// Times gives what the newest proofs took, about so many; nil where none are kept.
	Times func(ctx context.Context, most int) ([]Times, error)
	// Shadow gives the records of miners in shadow, of deadlines that open at or
	// after an epoch; nil where none are kept.
	Shadow func(ctx context.Context, since abi.ChainEpoch) ([]vigil.ShadowRecord, error)
	// Desk takes operators' wishes for messages; nil where there is no messager.
	Desk vigil.MessageDesk
	// Operator says whether a token permits to change something, or gives an
	// error where it is no token of this daemon's. Without it nothing can be
	// changed here. It may be called concurrently.
	Operator func(token string) (permits bool, err error)
	// Plan forecasts the deadlines ahead, for so many proofs at the same time; 0
	// is as many as there are. It is nil where nothing is forecast.
	Plan func(workers int) forecast.Plan
	// Hosts are the names under which the page may be asked for, besides
	// localhost and plain IP addresses. Any other name is refused, so that a
	// web page elsewhere cannot read this one by pointing its own name here.
	Hosts func() []string // nil: none
	// Measured is shown among the metrics, beside what the status says; may be nil.
	Measured prometheus.Collector
	Log      *slog.Logger
	// Past and Present answer what commands ask; nil: nothing does. See books.go.
	Past    Past
	Present Present
}

//go:embed assets
var assets embed.FS

// New makes the handler of all the dashboard's pages.
func New(c Config) http.Handler {
	d := &dashboard{
		Config: c, metrics: metricsHandler(c.Status, c.Measured),
		deadlines: newPerHead[chainSight](2), stories: newPerHead[explain.Story](1), proofs: newPerHead[[]Times](1),
	}
	mux := http.NewServeMux()
	for pattern, p := range map[string]page{
		"/{$}": d.overview, "/alarms": d.alarmsPage, "/forecast": d.forecastPage, "/times": d.timesPage, "/system": d.systemPage,
		"/miners/{miner}": d.minerPage, "/duties/{duty...}": d.dutyPage,
		"/miners/{miner}/deadlines/{deadline}": d.deadlinePage, "/miners/{miner}/deadlines/{deadline}/partitions/{partition}": d.partitionPage,
	} {
		mux.HandleFunc("GET "+pattern, d.live(p))
	}
	mux.HandleFunc("GET /api/times", d.timesJSON)
	mux.HandleFunc("GET /api/shadow", d.shadowJSON)
	mux.HandleFunc("GET /messages", d.messages)
	mux.HandleFunc("GET /api/status", d.status)
	mux.HandleFunc("GET /api/plan", d.plan)
	mux.HandleFunc("GET /api/messages", d.messagesJSON)
	d.operatorRoutes(mux)
	mux.HandleFunc("GET /healthz", d.health)
	mux.Handle("GET /metrics", d.metrics)
	mux.HandleFunc("GET /assets/{file}", asset)
	d.books(mux)
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
	metrics   http.Handler
	deadlines *perHead[chainSight]
	stories   *perHead[explain.Story]
	proofs    *perHead[[]Times]
	sessions  sessions
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
	s := d.Status.Status()
	problem := headProblem(s, time.Now())
	if len(s.Stuck) > 0 {
		problem = hanging(s.Stuck)
	}
	if problem != "" {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, problem)
		return
	}
	fmt.Fprintln(w, "ok")
}

// hanging says which loops do not come round any more, and since when.
func hanging(stuck []vigil.StuckLoop) string {
	var lines []string
	for _, l := range stuck {
		lines = append(lines, fmt.Sprintf("hangs since %s: %s", l.Since.UTC().Format(time.RFC3339), l.Loop))
	}
	return strings.Join(lines, "\n")
}

func (d *dashboard) broken(w http.ResponseWriter, r *http.Request, err error) {
	if d.Log != nil {
		d.Log.Error("the dashboard could not show a page", "path", r.URL.Path, "error", err)
	}
	http.Error(w, "the page could not be rendered; the log says why", http.StatusInternalServerError)
}

// assetTypes are the kinds of files that are served; templates are not.
var assetTypes = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

// asset serves the embedded file that the request's path names.
func asset(w http.ResponseWriter, r *http.Request) {
	kind, served := assetTypes[path.Ext(r.PathValue("file"))]
	body, err := assets.ReadFile("assets/" + path.Base(r.PathValue("file")))
	if !served || err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", etag(body))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// etag names a file's content, so that a browser that has it is not sent it again.
func etag(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}

// guard refuses names that are not ours and tells the browser to trust only
// what this server itself sent.
func guard(hosts func() []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "+
			"connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin") // with no-referrer a browser's own forms come from Origin: null
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

func knownHost(hostport string, hosts func() []string) bool {
	host := hostport
	if name, _, err := net.SplitHostPort(hostport); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	_, err := netip.ParseAddr(host)
	return err == nil || host == "localhost" || hosts != nil && slices.ContainsFunc(hosts(), func(known string) bool {
		return strings.EqualFold(known, host)
	})
}
