package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil/app"
	"github.com/vigil-post/vigil/forecast"
)

func planCommand() *cli.Command {
	return &cli.Command{
		Name:  "plan",
		Usage: "say which deadlines of the next day will fit, and which will not",
		Description: "For each deadline: the time that reading, proving and posting need, going by what earlier posts took, and the time there is from\n" +
			"its challenge to its end. It asks the running daemon; where none runs it reads the database and the node itself. It exits with 1\n" +
			"if a deadline will not fit. docs/forecast.md explains it.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config", Usage: "the configuration `FILE`"},
			&cli.StringFlag{Name: "url", Usage: "the daemon's `URL`, in place of --config, for example http://127.0.0.1:8748"},
			&cli.StringSliceFlag{Name: "miner", Usage: "only of the miner `ADDRESS`"},
			&cli.IntFlag{Name: "workers", Usage: "suppose that `N` proofs are made at the same time", DefaultText: "as many as are"},
			&cli.IntFlag{Name: "hours", Usage: "the next `N` hours, 24 at most", Value: 24},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		},
		OnUsageError: onUsageError,
		Action:       does(planAhead),
	}
}

func planAhead(ctx context.Context, c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	if c.IsSet("workers") && (c.Int("workers") < 1 || c.Int("workers") > 10_000) {
		return &usageError{"--workers is a number from 1 to 10000"}
	}
	if c.Int("hours") < 1 || c.Int("hours") > 24 {
		return &usageError{"--hours is a number from 1 to 24"}
	}
	var miners []abi.ActorID
	for _, text := range c.StringSlice("miner") {
		id, err := minerOf(text)
		if err != nil {
			return err
		}
		miners = append(miners, id)
	}
	plan, err := askPlan(ctx, c)
	if err != nil {
		return err
	}
	if plan, err = narrowPlan(plan, miners, time.Duration(c.Int("hours"))*time.Hour); err != nil {
		return err
	}
	if c.Bool("json") {
		err = writeJSON(c.Root().Writer, plan)
	} else {
		err = printPlan(c.Root().Writer, plan, time.Now())
	}
	if err == nil && len(misfits(plan)) > 0 {
		return errReported
	}
	return err
}

// askPlan asks the daemon or, where none listens, makes the plan here.
func askPlan(ctx context.Context, c *cli.Command) (forecast.Plan, error) {
	a, err := newAsker(c)
	if err != nil {
		return forecast.Plan{}, err
	}
	if a.place.URL != "" {
		path := "/api/plan"
		if workers := c.Int("workers"); workers > 0 {
			path += fmt.Sprintf("?workers=%d", workers)
		}
		plan, err := served[forecast.Plan](ctx, a, path)
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return plan, err
		}
		if configOf(c) == "" {
			return plan, fmt.Errorf("no daemon answers at %s: --url says where it is, and with --config the plan is made without it", a.place.URL)
		}
	}
	config, err := app.LoadForReading(configOf(c))
	if err != nil {
		return forecast.Plan{}, err
	}
	log := slog.New(slog.NewTextHandler(c.Root().ErrWriter, &slog.HandlerOptions{Level: slog.LevelWarn}))
	return app.PlanAhead(ctx, config, c.Int("workers"), log)
}

// narrowPlan keeps the deadlines of the miners, or of all, that open in the time ahead.
func narrowPlan(plan forecast.Plan, miners []abi.ActorID, ahead time.Duration) (forecast.Plan, error) {
	if plan.Epoch <= 0 {
		return plan, errors.New("the daemon has not heard of the chain yet: its log says why")
	}
	last := plan.Now + abi.ChainEpoch(ahead/plan.Epoch)
	plan.Deadlines = slices.DeleteFunc(plan.Deadlines, func(e forecast.Expected) bool {
		return e.Deadline.Open >= last || len(miners) > 0 && !slices.ContainsFunc(miners, func(id abi.ActorID) bool { return isMiner(e.Miner, id) })
	})
	return plan, nil
}

// isMiner compares by number: the daemon's network may write addresses with another letter.
func isMiner(text string, id abi.ActorID) bool {
	a, err := address.NewFromString(text)
	if err != nil {
		return false
	}
	n, err := address.IDFromAddress(a)
	return err == nil && abi.ActorID(n) == id
}

func misfits(plan forecast.Plan) (list []forecast.Expected) {
	for _, e := range plan.Deadlines {
		if e.Forecast != nil && !e.Done && !e.Forecast.Fits {
			list = append(list, e)
		}
	}
	return list
}

func printPlan(out io.Writer, plan forecast.Plan, now time.Time) error {
	if len(plan.Deadlines) == 0 {
		_, err := fmt.Fprintln(out, "nothing is to be proved in that time")
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MINER\tDEADLINE\tOPENS\t\tPARTITIONS\tSECTORS\tREAD\tPROVE\tPOST\tNEEDED\tTHERE IS\tSLACK\tVERDICT\t")
	for _, e := range plan.Deadlines {
		fmt.Fprintln(table, planLine(e, plan, now))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprint(out, planWords(plan))
	return err
}

func planLine(e forecast.Expected, plan forecast.Plan, now time.Time) string {
	opens := plan.Time.Add(time.Duration(e.Deadline.Open-plan.Now) * plan.Epoch)
	line := []string{
		e.Miner, fmt.Sprint(e.Deadline.Index), opensIn(opens.Sub(now)), opens.Local().Format("Mon 15:04:05"),
		fmt.Sprint(e.Partitions), fmt.Sprint(e.Sectors),
	}
	f := e.Forecast
	if f == nil {
		return strings.Join(append(line, "-", "-", "-", "-", "-", "-", fate(e), ""), "\t")
	}
	there, slack := time.Duration(e.Deadline.Close-f.Start)*plan.Epoch, time.Duration(e.Deadline.Close-f.Finish)*plan.Epoch
	for _, d := range []time.Duration{f.Read, f.Prove, f.Post, f.Read + f.Prove + f.Post, there, slack} {
		line = append(line, minutes(d))
	}
	return strings.Join(append(line, fate(e), ""), "\t")
}

func opensIn(d time.Duration) string {
	if d <= 0 {
		return "open"
	}
	return "in " + minutes(d)
}

// minutes is a duration as a table has room for it.
func minutes(d time.Duration) string {
	if d < 0 {
		return "-" + minutes(-d)
	}
	switch {
	case d < 10*time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d.Round(time.Second) < time.Hour:
		d = d.Round(time.Second)
		return fmt.Sprintf("%d:%02d", d/time.Minute, d%time.Minute/time.Second)
	}
	d = d.Round(time.Minute)
	return fmt.Sprintf("%dh%02d", d/time.Hour, d%time.Hour/time.Minute)
}

func fate(e forecast.Expected) string {
	switch f := e.Forecast; {
	case e.Done:
		return "on chain"
	case f == nil:
		return "no history yet"
	case !f.Fits:
		return "WILL NOT FIT"
	case f.Slow >= e.Deadline.Close:
		return "tight"
	}
	return "fits"
}

// namedMisfits is how many deadlines are named with what is in the way: the table has all.
const namedMisfits = 10

// planWords says what the table does not: why something does not fit, and what would help.
func planWords(plan forecast.Plan) string {
	var b strings.Builder
	bad := misfits(plan)
	for _, e := range bad[:min(len(bad), namedMisfits)] {
		fmt.Fprintf(&b, "%s deadline %d will not fit: %s\n", e.Miner, e.Deadline.Index, e.Forecast.Why)
	}
	if more := len(bad) - namedMisfits; more > 0 {
		fmt.Fprintf(&b, "… and %d more\n", more)
	}
	workers := "one proof is made at a time"
	if plan.Workers > 1 {
		workers = fmt.Sprintf("%d proofs are made at the same time", plan.Workers)
	}
	switch {
	case len(bad) == 0:
		fmt.Fprintf(&b, "%s; %s\n", allFit(plan), workers)
	case plan.Enough > plan.Workers:
		fmt.Fprintf(&b, "%s; as many deadlines as can fit do with %d at the same time, each as fast as now\n", workers, plan.Enough)
	default:
		fmt.Fprintf(&b, "%s, and more would not help\n", workers)
	}
	return b.String()
}

func allFit(plan forecast.Plan) string {
	unknown := 0
	for _, e := range plan.Deadlines {
		if e.Forecast == nil {
			unknown++
		}
	}
	switch unknown {
	case 0:
		return "all fit"
	case len(plan.Deadlines):
		return "no history yet: nothing was proved that tells how long it takes; vigil bench prover measures this machine"
	}
	return fmt.Sprintf("no history yet for %d of %d; all others fit", unknown, len(plan.Deadlines))
}
