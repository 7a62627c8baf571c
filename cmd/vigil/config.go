package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil/app"
)

func configCommand() *cli.Command {
	asJSON := &cli.BoolFlag{Name: "json", Usage: "print JSON"}
	command := func(name, usage, args, description string, action cli.ActionFunc, flags ...cli.Flag) *cli.Command {
		return &cli.Command{
			Name: name, Usage: usage, ArgsUsage: args, Description: description, Flags: flags,
			OnUsageError: onUsageError, Action: does(action),
		}
	}
	return &cli.Command{
		Name:         "config",
		Usage:        "check, compare and take over configuration files",
		Action:       needsCommand,
		OnUsageError: onUsageError,
		Commands: []*cli.Command{
			command("check", "say all that is wrong with a file", "FILE",
				"Every finding is said at once, with its line and what to do. The exit status is 1 if there is one.", configCheck),
			command("show", "say what every setting is, the defaults too", "FILE",
				"Every setting with its value, also those that the file does not have. Tokens are not shown.", configShow, asJSON),
			command("diff", "say what differs between a file and what the daemon uses, or another file", "FILE [OTHER]",
				"With one file the daemon is asked what of it is not in use. What can take effect without a restart is marked.", configDiff, asJSON),
			command("reload", "have the daemon take its file over, as far as it can without a restart", "FILE",
				"The same as SIGHUP, but what took effect and what waits for the next start is said here too. A file with anything wrong\n"+
					"in it changes nothing.", configReload, asJSON),
			command("example", "write a file with every setting, its default and what it does", "",
				"vigil config example > vigil.toml is a beginning.", configExample),
		},
	}
}

// configFile loads the command's n-th argument.
func configFile(c *cli.Command, n int) (app.Config, error) {
	if c.Args().Len() <= n {
		return app.Config{}, &usageError{fmt.Sprintf("%s needs %s", c.FullName(), c.ArgsUsage)}
	}
	return app.Load(c.Args().Get(n))
}

func mostArguments(c *cli.Command, n int) error {
	if c.Args().Len() > n {
		return &usageError{fmt.Sprintf("%s does not need %q", c.FullName(), c.Args().Get(n))}
	}
	return nil
}

func configCheck(_ context.Context, c *cli.Command) error {
	config, err := configFile(c, 0)
	if err = errors.Join(err, mostArguments(c, 1)); err != nil {
		return err
	}
	for _, absent := range config.Absent {
		fmt.Fprintln(c.Root().ErrWriter, "a storage is not there now:", absent)
	}
	fmt.Fprintf(c.Root().Writer, "%s can be run: %s, %s, %s\n", c.Args().First(), countOf(len(config.Miners), "miner"), countOf(len(config.Nodes), "node"), countOf(len(config.Storages), "storage"))
	return nil
}

func countOf(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

func configShow(_ context.Context, c *cli.Command) error {
	config, err := configFile(c, 0)
	if err = errors.Join(err, mostArguments(c, 1)); err != nil {
		return err
	}
	shown := config.Settings()
	if c.Bool("json") {
		return writeJSON(c.Root().Writer, shown)
	}
	for _, key := range slices.Sorted(maps.Keys(shown)) {
		fmt.Fprintf(c.Root().Writer, "%s = %s\n", key, shown[key])
	}
	return nil
}

func configDiff(ctx context.Context, c *cli.Command) error {
	if c.Args().Len() == 1 {
		return daemonChanges(ctx, c, app.ConfigPath, "without a restart")
	}
	was, err := configFile(c, 0)
	if err != nil {
		return err
	}
	is, err := configFile(c, 1)
	if err = errors.Join(err, mostArguments(c, 2)); err != nil {
		return err
	}
	return tellChanges(c, append([]app.Change{}, was.Changes(is)...), "without a restart") // [] in JSON, not null
}

func configReload(ctx context.Context, c *cli.Command) error {
	if c.Args().Len() != 1 {
		return &usageError{c.FullName() + " needs the daemon's file"}
	}
	return daemonChanges(ctx, c, app.ReloadPath, "in use now")
}

// daemonChanges has the daemon of a file compare the file's settings with its
// own, and says what differs; live are the words for what needs no restart. The
// settings go along for when the daemon's file is another one.
func daemonChanges(ctx context.Context, c *cli.Command, path, live string) error {
	file, err := filepath.Abs(c.Args().First())
	if err != nil {
		return err
	}
	config, wrong := app.Load(file)
	var meant []byte
	if wrong == nil {
		if meant, err = json.Marshal(config.Prints()); err != nil {
			return err
		}
	}
	place, err := app.Locate(file)
	if err != nil {
		return err
	}
	if place.URL == "" {
		return errors.New("the daemon serves no HTTP (listen in [dashboard] is empty): kill -HUP has it take its file over")
	}
	token, err := os.ReadFile(filepath.Join(place.Data, "token"))
	if err != nil {
		return fmt.Errorf("read the daemon's token (it writes it at its start): %w", err)
	}
	path += "?" + url.Values{"file": {file}}.Encode()
	body, err := (&asker{place: place}).send(ctx, http.MethodPost, path, strings.TrimSpace(string(token)), bytes.NewReader(meant), http.StatusOK)
	if err != nil && wrong != nil && !errors.Is(err, syscall.ECONNREFUSED) {
		return wrong // with its lines, which the daemon does not show
	}
	if err != nil {
		return err
	}
	changes, err := decoded[[]app.Change](body, place.URL)
	if err != nil {
		return err
	}
	return tellChanges(c, changes, live)
}

// tellChanges says what differs; live are the words for what needs no restart.
func tellChanges(c *cli.Command, changes []app.Change, live string) error {
	if c.Bool("json") {
		return writeJSON(c.Root().Writer, changes)
	}
	sayChanges(c.Root().Writer, changes, live)
	return nil
}

// sayChanges writes what differs, a setting a line.
func sayChanges(w io.Writer, changes []app.Change, live string) {
	if len(changes) == 0 {
		fmt.Fprintln(w, "nothing differs")
	}
	for _, change := range changes {
		when := "at the next start"
		if change.Live {
			when = live
		}
		switch {
		case change.Was == "":
			fmt.Fprintf(w, "+ %s = %s  (%s)\n", change.Key, change.Is, when)
		case change.Is == "":
			fmt.Fprintf(w, "- %s = %s  (%s)\n", change.Key, change.Was, when)
		default:
			fmt.Fprintf(w, "~ %s = %s, was %s  (%s)\n", change.Key, change.Is, change.Was, when)
		}
	}
}

func configExample(_ context.Context, c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	_, err := io.WriteString(c.Root().Writer, app.Example)
	return err
}
