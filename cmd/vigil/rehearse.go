package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil/app"
)

func rehearseCommand() *cli.Command {
	return &cli.Command{
		Name:  "rehearse",
		Usage: "read now what the next proofs will read, and with --snark make them too",
		Description: "Reads and verifies exactly the sectors that the next proof of each deadline covers, for random challenges, with the daemon's own code; the\n" +
			"deadline that opens next comes first. With --snark the proof is made and judged as well, at the lowest priority of the system. Nothing is\n" +
			"sent and nothing is stored. It exits with 1 if a proof would leave a sector out or would not verify.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config", Usage: "the configuration `FILE`; its wallet is not needed", Required: true, Sources: cli.EnvVars(configVariable)},
			&cli.StringSliceFlag{Name: "miner", Usage: "of the miner `ADDRESS`"},
			&cli.StringSliceFlag{Name: "deadline", Usage: "of the deadline `N`"},
			&cli.StringSliceFlag{Name: "partition", Usage: "the partition `D/P` alone, number P of deadline D"},
			&cli.BoolFlag{Name: "snark", Usage: "make and verify the proofs too"},
			&cli.IntFlag{Name: "at-once", Usage: "read `N` sectors of a storage at a time", Value: 4},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		},
		OnUsageError: onUsageError,
		Action:       does(rehearse),
	}
}

func rehearse(ctx context.Context, c *cli.Command) error {
	wanted, err := rehearsalWanted(c)
	if err != nil {
		return err
	}
	config, err := app.LoadForReading(c.String("config"))
	if err != nil {
		return err
	}
	if wanted.SNARK {
		if err := leastUrgent(); err != nil {
			return fmt.Errorf("take the lowest priority, so that a daemon here is not held up: %w", err)
		}
		if place, err := app.Locate(c.String("config")); err == nil && listens(ctx, place.URL) {
			fmt.Fprintln(c.Root().ErrWriter, "the daemon runs on this machine: it has the cores before this proof, but the memory that the proof takes (memory in [proofs]) is not its own meanwhile")
		}
	}
	results := []app.Tried{}
	say := func(t app.Tried) {
		results = append(results, t)
		if !c.Bool("json") {
			printTried(c.Root().Writer, t)
		}
	}
	log := slog.New(slog.NewTextHandler(c.Root().ErrWriter, &slog.HandlerOptions{Level: slog.LevelError}))
	if err := app.Rehearse(ctx, config, wanted, log, say); err != nil {
		return err
	}
	return rehearsed(ctx, c, results)
}

// rehearsed ends the command with what came of it.
func rehearsed(ctx context.Context, c *cli.Command, results []app.Tried) error {
	if c.Bool("json") {
		if err := writeJSON(c.Root().Writer, results); err != nil {
			return err
		}
	}
	sectors, out, failed := 0, 0, ctx.Err() != nil
	for _, t := range results {
		sectors += t.Sectors
		out += len(t.Bad) + len(t.Unchecked)
		failed = failed || !t.Good()
	}
	if len(results) == 0 && !failed {
		return errors.New("nothing was rehearsed: no proof is due of what was asked for")
	}
	if !c.Bool("json") {
		stopped := ""
		if ctx.Err() != nil {
			stopped = "stopped; "
		}
		fmt.Fprintf(c.Root().Writer, "%s%d proof(s) rehearsed: %d sectors, of which %d would be left out\n", stopped, len(results), sectors, out)
	}
	if failed {
		return errReported
	}
	return nil
}

func printTried(out io.Writer, t app.Tried) {
	fmt.Fprintf(out, "%s deadline %d, partitions %v: %d sectors read in %v", t.Miner, t.Deadline, t.Partitions, t.Sectors, t.Read.Round(time.Millisecond))
	if t.Proved > 0 {
		fmt.Fprintf(out, "; a proof of %d made and verified in %v", t.Proved, t.Prove.Round(time.Millisecond))
	}
	fmt.Fprintln(out)
	for _, b := range t.Bad {
		fmt.Fprintf(out, "  sector %d is bad: %s\n", b.Number, b.Cause)
	}
	for _, b := range t.Unchecked {
		fmt.Fprintf(out, "  sector %d is unknown: %s\n", b.Number, b.Cause)
	}
	if t.Problem != "" {
		fmt.Fprintf(out, "  %s\n", t.Problem)
	}
}

func rehearsalWanted(c *cli.Command) (app.RehearseWanted, error) {
	w := app.RehearseWanted{SNARK: c.Bool("snark"), AtOnce: c.Int("at-once")}
	if err := noArguments(c); err != nil {
		return w, err
	}
	if w.AtOnce < 1 {
		return w, &usageError{"--at-once is 1 or more"}
	}
	for _, text := range c.StringSlice("miner") {
		id, err := minerOf(text)
		if err != nil {
			return w, err
		}
		w.Miners = append(w.Miners, id)
	}
	var err error
	if w.Deadlines, err = wholeNumbers(c, "deadline"); err != nil {
		return w, err
	}
	for _, text := range c.StringSlice("partition") {
		deadline, index, _ := strings.Cut(text, "/")
		d, err1 := strconv.ParseUint(deadline, 10, 63)
		p, err2 := strconv.ParseUint(index, 10, 63)
		if err1 != nil || err2 != nil {
			return w, &usageError{fmt.Sprintf("--partition %q: write deadline and partition as 12/0", text)}
		}
		w.Partitions = append(w.Partitions, app.PartitionAt{Deadline: d, Partition: p})
	}
	return w, nil
}

// listens says whether something listens where the daemon would.
func listens(ctx context.Context, at string) bool {
	u, err := url.Parse(at)
	if err != nil || u.Host == "" {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return false
	}
	_ = conn.Close() // it was opened only to see that it can be
	return true
}
