package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil/app"
)

func checkCommand() *cli.Command {
	return &cli.Command{
		Name:  "check",
		Usage: "read sectors as a proof would, for random challenges, and verify them against the chain",
		Description: "Checks all live sectors, or those of --deadline, --partition and --sector. It may run beside the daemon: it reads few\n" +
			"sectors of a storage at a time. Sectors are good; bad, with evidence that was seen twice; or unknown, when they could not be\n" +
			"checked. It exits with 1 if one is not good.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config", Usage: "the configuration `FILE`; its wallet is not needed", Required: true, Sources: cli.EnvVars(configVariable)},
			&cli.StringSliceFlag{Name: "miner", Usage: "of the miner `ADDRESS`"},
			&cli.StringSliceFlag{Name: "deadline", Usage: "of the deadline `N`"},
			&cli.StringSliceFlag{Name: "partition", Usage: "of the partition `N` of those deadlines (vigil rehearse takes both in one, as 17/0)"},
			&cli.StringSliceFlag{Name: "sector", Usage: "the sector `N` alone"},
			&cli.IntFlag{Name: "at-once", Usage: "read `N` sectors of a storage at a time", Value: 4},
			&cli.BoolFlag{Name: "all", Usage: "list the good sectors too"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		},
		OnUsageError: onUsageError,
		Action:       does(check),
	}
}

func check(ctx context.Context, c *cli.Command) error {
	wanted, err := wantedBy(c)
	if err != nil {
		return err
	}
	config, err := app.LoadForReading(c.String("config"))
	if err != nil {
		return err
	}
	began, n := time.Now(), 0
	say := func(r app.Checked) {
		n++
		if r.Verdict != app.VerdictGood && !c.Bool("json") {
			fmt.Fprintf(c.Root().ErrWriter, "sector %d is %s: %s\n", r.Sector, r.Verdict, r.Cause)
		}
		if n%1000 == 0 {
			fmt.Fprintf(c.Root().ErrWriter, "%d sectors checked in %v\n", n, time.Since(began).Round(time.Second))
		}
	}
	log := slog.New(slog.NewTextHandler(c.Root().ErrWriter, &slog.HandlerOptions{Level: slog.LevelWarn}))
	results, err := app.CheckSectors(ctx, config, wanted, log, say)
	if err != nil {
		return err
	}
	report := newReport(results, time.Since(began))
	report.Stopped = ctx.Err() != nil
	if c.Bool("json") {
		err = writeJSON(c.Root().Writer, report)
	} else {
		err = report.print(c.Root().Writer, c.Bool("all"))
		printCoverage(ctx, c.Root().Writer, c.String("config"))
	}
	switch {
	case err != nil:
		return err
	case len(results) == 0:
		return errors.New("no sector was checked: the miner has none there")
	case report.Bad+report.Unknown > 0 || report.Stopped:
		return errReported
	}
	return nil
}

func wantedBy(c *cli.Command) (app.CheckWanted, error) {
	w := app.CheckWanted{AtOnce: c.Int("at-once")}
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
	if w.Partitions, err = wholeNumbers(c, "partition"); err != nil {
		return w, err
	}
	sectors, err := wholeNumbers(c, "sector")
	for _, n := range sectors {
		w.Sectors = append(w.Sectors, abi.SectorNumber(n))
	}
	return w, err
}

func wholeNumbers(c *cli.Command, flag string) ([]uint64, error) {
	var list []uint64
	for _, text := range c.StringSlice(flag) {
		n, err := strconv.ParseUint(text, 10, 63)
		if err != nil {
			return nil, &usageError{fmt.Sprintf("--%s %q is no number", flag, text)}
		}
		list = append(list, n)
	}
	return list, nil
}

// report is what check prints.
type report struct {
	Checked int           `json:"checked"`
	Good    int           `json:"good"`
	Bad     int           `json:"bad"`
	Unknown int           `json:"unknown"`
	Stopped bool          `json:"stopped,omitempty"` // it was ended before all were checked
	Took    time.Duration `json:"took"`
	Sectors []app.Checked `json:"sectors"`
}

func newReport(results []app.Checked, took time.Duration) report {
	r := report{Checked: len(results), Took: took, Sectors: results}
	for _, s := range results {
		switch s.Verdict {
		case app.VerdictGood:
			r.Good++
		case app.VerdictBad:
			r.Bad++
		default:
			r.Unknown++
		}
	}
	return r
}

func (r report) print(out io.Writer, all bool) error {
	if all || r.Bad+r.Unknown > 0 {
		table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "MINER\tDEADLINE\tPARTITION\tSECTOR\tVERDICT\tCAUSE\t")
		for _, s := range r.Sectors {
			if all || s.Verdict != app.VerdictGood {
				fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\t\n", s.Miner, known(s.Deadline), known(s.Partition), s.Sector, s.Verdict, s.Cause)
			}
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	stopped := ""
	if r.Stopped {
		stopped = "stopped; "
	}
	_, err := fmt.Fprintf(out, "%s%d sectors checked in %v: %d good, %d bad, %d unknown\n", stopped, r.Checked, r.Took.Round(time.Millisecond), r.Good, r.Bad, r.Unknown)
	return err
}

func known(n *uint64) string {
	if n == nil {
		return "-"
	}
	return strconv.FormatUint(*n, 10)
}
