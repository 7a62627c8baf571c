package main

import (
	"context"
	"fmt"
	"io"

	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil/app"
)

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "look at everything that the daemon needs, and say what to do about what is not well",
		Description: "Looks at the configuration, this machine, the data folder, the storages, each node, and each miner's sectors, keys and\n" +
			"parameters. It changes nothing, and may be used while the daemon runs. It exits with 1 if something is ill: if power\n" +
			"is lost with it.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config", Usage: "the configuration `FILE`", Required: true, Sources: cli.EnvVars(configVariable)},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		},
		OnUsageError: onUsageError,
		Action:       does(doctor),
	}
}

func doctor(ctx context.Context, c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	if c.String("config") == "" {
		return &usageError{"--config needs a file"}
	}
	w := c.Root().Writer
	all := []app.Examined{}
	counts := map[app.Health]int{}
	app.Examine(ctx, c.String("config"), func(e app.Examined) {
		all = append(all, e)
		counts[e.Health]++
		if !c.Bool("json") {
			sayExamined(w, e)
		}
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.Bool("json") {
		if err := writeJSON(w, all); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(w, "\n%d well, %d unwell, %d ill\n", counts[app.Well], counts[app.Unwell], counts[app.Ill])
	}
	if counts[app.Ill] > 0 {
		return errReported
	}
	return nil
}

func sayExamined(w io.Writer, e app.Examined) {
	sign := map[app.Health]string{app.Well: "✓", app.Unwell: "!", app.Ill: "✗"}[e.Health]
	fmt.Fprintf(w, "%s %s: %s\n", sign, e.About, e.Said)
	if e.Remedy != "" {
		fmt.Fprintf(w, "  → %s\n", e.Remedy)
	}
}
