package main

import (
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil/app"
)

func notifyCommand() *cli.Command {
	return &cli.Command{
		Name:         "notify",
		Usage:        "who is told of alarms; docs/alarms.md explains it",
		OnUsageError: onUsageError,
		Action:       needsCommand,
		Commands:     []*cli.Command{notifyTestCommand()},
	}
}

// notifyPatience is how long all receivers together may take.
const notifyPatience = time.Minute

func notifyTestCommand() *cli.Command {
	return &cli.Command{
		Name:         "test",
		Usage:        "tell everybody that a configuration names of an alarm that is none, and that it is over",
		Flags:        []cli.Flag{&cli.StringFlag{Name: "config", Usage: "the configuration `FILE`", Required: true, Sources: cli.EnvVars(configVariable)}},
		OnUsageError: onUsageError,
		Action: does(func(ctx context.Context, c *cli.Command) error {
			if err := noArguments(c); err != nil {
				return err
			}
			if c.String("config") == "" {
				return &usageError{"--config needs a file"}
			}
			config, err := app.LoadForReading(c.String("config"))
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(ctx, notifyPatience)
			defer cancel()
			return app.TryNotifications(ctx, config, func(who string, err error) {
				if err != nil {
					fmt.Fprintf(c.Root().Writer, "%s: %v\n", who, err)
					return
				}
				fmt.Fprintf(c.Root().Writer, "%s: told\n", who)
			})
		}),
	}
}
