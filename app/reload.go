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

// Compare gives what of a file's settings is not in use.
func (d *Daemon) Compare(prints map[string]Setting) []Change {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	return d.inUse.changes(valuesFrom(prints))
}

// Paths of the daemon's HTTP API. With a token, ConfigPath gives the changes of a
// configuration file that are not in use, and ReloadPath takes over those of the
// daemon's own that can be, and gives all that there were. The query's file is
// which one is meant, by its whole path; when it is another than the daemon's own,
// its settings are the body: the daemon does not read files for others.
const (
	ConfigPath = "/api/config"
	ReloadPath = "/api/reload"
)

func (d *Daemon) configAsked(w http.ResponseWriter, r *http.Request) {
	d.answerChanges(w, r, "read", func(_ context.Context, meant map[string]Setting) ([]Change, error) {
		if meant != nil {
			return d.Compare(meant), nil
		}
		c, err := loadAgain(d.config.file)
		if err != nil {
			return nil, err
		}
		return d.Compare(c.Prints()), nil
	})
}

func (d *Daemon) reloadWish(w http.ResponseWriter, r *http.Request) {
	d.answerChanges(w, r, "write", func(ctx context.Context, meant map[string]Setting) ([]Change, error) {
		if err := d.isMine(meant); err != nil {
			return nil, err
		}
		return d.Reload(ctx)
	})
}

// isMine says whether another file's settings are those of the daemon's own, which
// has another path where the daemon sees it in a container. A file with something
// wrong in it is left to Reload, which says what that is.
func (d *Daemon) isMine(meant map[string]Setting) error {
	c, err := loadAgain(d.config.file)
	if meant == nil || err != nil || len(c.values.changes(valuesFrom(meant))) == 0 {
		return nil
	}
	return fmt.Errorf("the daemon's file is %s, and it does not say what yours says: put yours there first; nothing was changed", d.config.file)
}

// meantBy are the settings of the file that is meant; none if it is the daemon's own.
func (d *Daemon) meantBy(w http.ResponseWriter, r *http.Request) (map[string]Setting, error) {
	file := r.URL.Query().Get("file")
	own, err := os.Stat(d.config.file)
	if err == nil && file != "" {
		if other, err := os.Stat(file); err == nil && os.SameFile(own, other) {
			return nil, nil
		}
	}
	if file == "" || file == d.config.file {
		return nil, nil
	}
	var meant map[string]Setting
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostSettings)).Decode(&meant); err != nil || meant == nil {
		return nil, fmt.Errorf("the daemon's file is %s, and %s is another one, whose settings did not come with the question", d.config.file, file)
	}
	return meant, nil
}

// mostSettings is how long a file's settings may be.
const mostSettings = 16 << 20

func (d *Daemon) answerChanges(w http.ResponseWriter, r *http.Request, permission auth.Permission, changes func(context.Context, map[string]Setting) ([]Change, error)) {
	if !d.permits(r, permission) {
		http.Error(w, fmt.Sprintf("a token that permits to %s is needed: the file token in the daemon's data folder has one", permission), http.StatusUnauthorized)
		return
	}
	meant, err := d.meantBy(w, r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	list, err := changes(r.Context(), meant)
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(append([]Change{}, list...)) // who does not listen any more asks again
}
