package app

import (
	"context"
	"os"

	"github.com/vigil-post/vigil/runner"
	"github.com/vigil-post/vigil/sector"
)

// Reload reads the configuration file again, and takes over what can be without
// a restart. It gives all that differs from what is in use: of that, what is not
// live takes effect at the next start. A file with anything wrong in it changes
// nothing, and its error says what that is.
func (d *Daemon) Reload() ([]Change, error) {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	c, err := Load(d.config.file)
	if err != nil {
		return nil, err
	}
	changes := d.inUse.changes(c.values)
	d.config.Log.Level.Set(c.Log.Level.Level())
	if reader, ok := d.sectors.(*sector.Reader); ok {
		reader.Limit(c.Reading.AtOnce)
	}
	d.runner.Adjust(runner.Adjustable{Policy: c.Schedule, NoRehearsals: !c.Reading.Rehearse})
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

// reload does so at each signal until ctx ends. That a file cannot be taken over
// is said, and costs nothing else.
func (d *Daemon) reload(ctx context.Context, signals <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
			changes, err := d.Reload()
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
	c, err := Load(d.config.file)
	if err != nil {
		return nil, err
	}
	return d.inUse.changes(c.values), nil
}
