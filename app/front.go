package app

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/alive"
	"github.com/vigil-post/vigil/dashboard"
	"github.com/vigil-post/vigil/notify"
	"github.com/vigil-post/vigil/sophon"
)

// What people meet of the daemon is there from its first moment on: the page, the
// API behind the commands, and whoever is told of alarms. A start can wait for a
// node for hours, and somebody should hear of it.

// front is what serves and tells, from the start to Close.
type front struct {
	pages atomic.Pointer[http.Handler] // what is served now
	tells chan notify.Config           // who is told from now on, the newest word only
}

// openFront takes the dashboard's port, so that one that is taken ends the start, and
// begins to serve and to tell.
func (d *Daemon) openFront(ctx context.Context) error {
	if err := d.listen(ctx, d.config.Dashboard.Listen); err != nil {
		return err
	}
	d.front.show(d.lobby())
	d.front.tells = make(chan notify.Config, 1)
	d.front.tells <- d.notifications(d.config)
	ctx, stop := context.WithCancel(ctx)
	var going sync.WaitGroup
	going.Go(func() { _ = alive.Restarted(ctx, d.log, "dashboard", quiet(d.servePage)) })
	going.Go(func() { d.front.tell(ctx, d.log) })
	d.onClose(func() error {
		stop()
		going.Wait()
		return nil
	})
	return nil
}

// show serves these pages from now on.
func (f *front) show(pages http.Handler) { f.pages.Store(&pages) }

// ServeHTTP implements http.Handler.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	(*f.pages.Load()).ServeHTTP(w, r)
}

// tell lets notifiers work until ctx ends, each until there is another word on who is
// told. What was told is in a file between them, so that nothing is told twice.
func (f *front) tell(ctx context.Context, log *slog.Logger) {
	var working sync.WaitGroup
	stop := func() {}
	for {
		select {
		case <-ctx.Done():
			stop()
			working.Wait()
			return
		case config := <-f.tells:
			stop()
			working.Wait()
			var one context.Context
			one, stop = context.WithCancel(ctx)
			working.Go(func() { _ = alive.Restarted(one, log, "notifications", quiet(notify.New(config).Run)) })
		}
	}
}

// lobby is what is served while the start waits: all that can be looked at, and
// nothing that can be done.
func (d *Daemon) lobby() http.Handler {
	_, _ = sophon.OpenTokens(d.config.Data) // so that commands find them; makePages says what is wrong with them
	shown := d.shown()
	shown.Desk, shown.Plan = nil, nil
	mux := http.NewServeMux()
	mux.Handle("/", dashboard.New(shown))
	mux.HandleFunc("POST "+ConfigPath, d.configAsked)
	for _, path := range []string{sophon.Path, "POST " + RecoverPath, "POST " + ReloadPath, "GET /api/plan"} {
		mux.HandleFunc(path, d.notYet)
	}
	return mux
}

// notYet answers what can be done only after the start.
func (d *Daemon) notYet(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "the daemon has not begun its work yet, and can do nothing: "+d.Status().Starting, http.StatusServiceUnavailable)
}

// waits is what the start waits for.
type waits struct {
	mu      sync.Mutex // guards what follows
	what    string
	over    bool
	changed chan struct{} // closed and made anew at every change
}

func newWaits() *waits {
	return &waits{what: "the nodes are asked for their network", changed: make(chan struct{})}
}

// say says what is waited for now.
func (w *waits) say(what string) { w.change(what, false) }

// end says that the start is over: what it made may be used.
func (w *waits) end() { w.change("", true) }

func (w *waits) change(what string, over bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.what == what && w.over == over {
		return
	}
	w.what, w.over = what, over
	close(w.changed)
	w.changed = make(chan struct{})
}

// now gives what is waited for, or that the start is over.
func (w *waits) now() (what string, over bool, changed <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.what, w.over, w.changed
}

// picture is the runner's, and before it is there that the start waits.
func (d *Daemon) picture() vigil.Status {
	if what, over, _ := d.waits.now(); !over {
		return vigil.Status{Version: d.config.Version, Starting: what}
	}
	return d.runner.Status()
}

// Changed implements vigil.StatusSource.
func (d *Daemon) Changed() <-chan struct{} {
	if _, over, changed := d.waits.now(); !over {
		return changed
	}
	return d.runner.Changed()
}
