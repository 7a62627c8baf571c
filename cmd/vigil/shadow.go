package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/app"
	"github.com/vigil-post/vigil/explain"
	"github.com/vigil-post/vigil/shadow"
)

func shadowCommand() *cli.Command {
	return &cli.Command{
		Name:         "shadow",
		Usage:        "compare Vigil in shadow with what posts for a miner today",
		OnUsageError: onUsageError,
		Action:       needsCommand,
		Commands: []*cli.Command{{
			Name:  "report",
			Usage: "say of each deadline who did better, and why",
			Description: "For a miner with shadow = true Vigil does everything but sign and send. When a deadline has closed, what it would have posted is\n" +
				"compared with what was posted. A post is late when its message is on chain more than --late-after epochs after the deadline\n" +
				"opened, or in the last --late-before epochs before it closes. It may be asked for while the daemon runs and while it does not;\n" +
				"what was compared is kept when the miner goes live. docs/shadow.md tells more.",
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "config", Usage: "the daemon's configuration `FILE`", Required: true, Sources: cli.EnvVars(configVariable)},
				&cli.StringSliceFlag{Name: "miner", Usage: "only of the miner `ADDRESS`; may be given more than once"},
				&cli.Int64Flag{Name: "since", Usage: "only deadlines that open at or after the `EPOCH`"},
				&cli.Int64Flag{Name: "late-after", Usage: "epochs after the opening from which a post is late: `N`", Value: int64(shadow.DefaultLate.After)},
				&cli.Int64Flag{Name: "late-before", Usage: "epochs before the close from which a post is late: `N`", Value: int64(shadow.DefaultLate.Before)},
				&cli.BoolFlag{Name: "json", Usage: "print JSON, with all that the chain said"},
			},
			OnUsageError: onUsageError,
			Action:       does(shadowReport),
		}},
	}
}

func shadowReport(ctx context.Context, c *cli.Command) error {
	late, miners, err := shadowWanted(c)
	if err != nil {
		return err
	}
	records, err := shadowRecords(ctx, c.String("config"), c.Int64("since"))
	if err != nil {
		return err
	}
	if len(miners) > 0 {
		records = slices.DeleteFunc(records, func(r vigil.ShadowRecord) bool { return !slices.Contains(miners, r.Miner) })
	}
	report := shadow.NewReport(records, late)
	if c.Bool("json") {
		return printJSON(c.Root().Writer, shadowAnswer{report, records})
	}
	return printShadow(c.Root().Writer, report, late)
}

// shadowAnswer is what --json prints.
type shadowAnswer struct {
	shadow.Report
	Records []vigil.ShadowRecord `json:"records"`
}

func shadowWanted(c *cli.Command) (late shadow.Late, miners []abi.ActorID, err error) {
	late = shadow.Late{After: abi.ChainEpoch(c.Int64("late-after")), Before: abi.ChainEpoch(c.Int64("late-before"))}
	if err := noArguments(c); err != nil {
		return late, nil, err
	}
	if late.After < 0 || late.Before < 0 || c.Int64("since") < 0 {
		return late, nil, &usageError{"--since, --late-after and --late-before are epochs, 0 or more"}
	}
	for _, text := range c.StringSlice("miner") {
		id, err := minerOf(text)
		if err != nil {
			return late, nil, err
		}
		miners = append(miners, id)
	}
	return late, miners, nil
}

// shadowRecords asks the daemon or, where none listens, its database.
func shadowRecords(ctx context.Context, config string, since int64) ([]vigil.ShadowRecord, error) {
	place, err := app.Locate(config)
	if err != nil {
		return nil, err
	}
	if err := app.WriteAddressesAs(config); err != nil {
		return nil, err
	}
	if place.URL != "" {
		records, err := served[[]vigil.ShadowRecord](ctx, &asker{place: place}, fmt.Sprintf("/api/shadow?since=%d", since))
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return records, err
		}
	}
	records, err := app.StoredShadows(ctx, config, abi.ChainEpoch(since))
	if err != nil {
		return nil, fmt.Errorf("the daemon does not answer at %s, and its database cannot be read: %w", orNone(place.URL), err)
	}
	return records, nil
}

// printShadow is a report for people.
func printShadow(w io.Writer, r shadow.Report, late shadow.Late) error {
	if len(r.Lines) == 0 {
		_, err := fmt.Fprintln(w, "nothing is compared yet: a deadline's line comes a few epochs after it has closed, for miners with shadow = true")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "MINER\tDEADLINE\tOPEN\tPARTITION\tVERDICT\tTHEIRS\tVIGIL")
	for _, l := range r.Lines {
		part := fmt.Sprint(l.Partition)
		if l.Recovery {
			part = "recovery"
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\t%s\t%s\t%s\n", l.Miner, l.Deadline, l.Open, part, l.Verdict, l.Theirs, l.Ours)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	var b strings.Builder
	b.WriteByte('\n')
	for _, l := range r.Lines {
		if l.Verdict == shadow.NotCompared {
			continue // for the same reason, all of them
		}
		for _, why := range l.Why {
			fmt.Fprintf(&b, "%s deadline %d (opened at %d): %s\n\n", l.Miner, l.Deadline, l.Open, why)
		}
	}
	s := r.Summary
	fmt.Fprintf(&b, "%d partitions of %d deadlines: %d the same, %d where Vigil was better, %d where it was worse, %d mixed, %d not compared.\n", s.Partitions, s.Deadlines,
		s.Verdicts[shadow.Same], s.Verdicts[shadow.Better], s.Verdicts[shadow.Worse], s.Verdicts[shadow.Mixed], s.Verdicts[shadow.NotCompared])
	fmt.Fprintf(&b, "Their posts: %d messages, %d of them failed, for %s of gas; %d partitions' proofs are not audited (yet).\n", s.Messages, s.Failed, explain.FIL(s.Paid), s.Unjudged)
	fmt.Fprintf(&b, "Late is more than %d epochs after the opening, or in the last %d before the close.\n", late.After, late.Before)
	_, err := io.WriteString(w, b.String())
	return err
}
