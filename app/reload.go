package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/filecoin-project/go-jsonrpc/auth"
)

// Reload reads the configuration file again, and takes over what can be without
// a restart. It gives all that differs from what is in use: of that, what is not
// live takes effect at the next start. A file with anything wrong in it changes
// nothing, and its error says what that is.
func (d *Daemon) Reload(ctx context.Context) ([]Change, error) {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	c, err := loadAgain(d.config.file)
	if err != nil {
		return nil, err
	}
	changes := d.inUse.changes(c.values)
	if err := d.takeOver(ctx, c); err != nil {
		return nil, err
	}
	for _, change := range changes {
		if change.Live {
			d.inUse[change.Key] = c.values[change.Key]
			d.log.Info("a setting was changed", "key", change.Key, "was", change.Was, "is", change.Is)
		} else {
			d.log.Warn("a changed setting takes effect at the next start", "key", change.Key, "was", change.Was, "is", change.Is)
		}
	}
	return changes, nil
}

// loadAgain is Load with an error that may be shown to others than the file's owner.
func loadAgain(path string) (Config, error) {
	c, err := Load(path)
	var found *FindingsError
	if errors.As(err, &found) {
		return c, found.WithoutLines()
	}
	return c, err
}

// reload does so at each signal until ctx ends. That a file cannot be taken over
// is said, and costs nothing else.
func (d *Daemon) reload(ctx context.Context, signals <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
			changes, err := d.Reload(ctx)
			if err != nil {
				d.log.Error("the configuration is not taken over; the daemon goes on with what it has", "problem", err)
			} else if len(changes) == 0 {
				d.log.Info("the configuration was read again, and nothing is different")
			}
		}
	}
}

// Unapplied compares the file, as it is now, with what is in use.
func (d *Daemon) Unapplied() ([]Change, error) {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	c, err := loadAgain(d.config.file)
	if err != nil {
		return nil, err
	}
	return d.inUse.changes(c.values), nil
}

// Paths of the daemon's HTTP API. With a token, ConfigPath gives the changes of
// the configuration file that are not in use, and ReloadPath takes over those that
// can be, and gives all that there were.
const (
	ConfigPath = "/api/config"
	ReloadPath = "/api/reload"
)

func (d *Daemon) configAsked(w http.ResponseWriter, r *http.Request) {
	d.answerChanges(w, r, "read", func(context.Context) ([]Change, error) { return d.Unapplied() })
}

func (d *Daemon) reloadWish(w http.ResponseWriter, r *http.Request) {
	d.answerChanges(w, r, "write", d.Reload)
}

func (d *Daemon) answerChanges(w http.ResponseWriter, r *http.Request, permission auth.Permission, changes func(context.Context) ([]Change, error)) {
	if !d.permits(r, permission) {
		http.Error(w, fmt.Sprintf("a token that permits to %s is needed: the file token in the daemon's data folder has one", permission), http.StatusUnauthorized)
		return
	}
	list, err := changes(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(append([]Change{}, list...)) // who does not listen any more asks again
}
