package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/charmbracelet/x/term"
	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil/app"
)

// forLog is what a configuration is refused with, as it may be written there: a file's
// own lines can have secrets in them, and a journal is read by others than a terminal.
func forLog(err error, w io.Writer) error {
	var found *app.FindingsError
	if file, ok := w.(*os.File); errors.As(err, &found) && !(ok && term.IsTerminal(file.Fd())) {
		return found.WithoutLines()
	}
	if errors.Is(err, fs.ErrNotExist) && !errors.As(err, &found) {
		return fmt.Errorf("there is no such configuration; vigil init writes one: %w", err)
	}
	return err
}

func runCommand() *cli.Command {
	return &cli.Command{
		Name:         "run",
		Usage:        "keep the miners of a configuration proven, against a Filecoin node",
		Description:  "It reads the configuration again at SIGHUP, and says in the log what took effect.",
		Flags:        []cli.Flag{&cli.StringFlag{Name: "config", Usage: "the configuration `FILE`; docs/config.md explains it", Required: true, Sources: cli.EnvVars(configVariable)}},
		OnUsageError: onUsageError,
		Action: does(func(ctx context.Context, c *cli.Command) error {
			if err := noArguments(c); err != nil {
				return err
			}
			if c.String("config") == "" {
				return &usageError{"--config needs a file"}
			}
			config, err := app.Load(c.String("config"))
			if err != nil {
				return forLog(err, c.Root().ErrWriter)
			}
			if err := app.WriteAddressesAs(c.String("config")); err != nil {
				return err
			}
			config.Version = version()
			log := config.Log.Logger(c.Root().ErrWriter)
			slog.SetDefault(log)
			reloads := make(chan os.Signal, 1)
			signal.Notify(reloads, syscall.SIGHUP)
			defer signal.Stop(reloads)
			config.Reloads = reloads
			return app.Run(ctx, config, log)
		}),
	}
}
