package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/app"
)

func recoverCommand() *cli.Command {
	return &cli.Command{
		Name:  "recover",
		Usage: "show how faulty sectors get their power back, and read them again now",
		Description: "The daemon declares faulty sectors recovered by itself, as soon as they can be read and before their deadline's cutoff; it\n" +
			"tries again every few minutes what could not be read. This asks it to do so at once, because something was mended, and\n" +
			"shows how each deadline stands. With --dry-run the daemon is not needed: sectors are read here, for random challenges, and\n" +
			"what would be declared is shown. It exits with 1 if sectors stay faulty as things are.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config", Usage: "the configuration `FILE` of the daemon"},
			&cli.StringFlag{Name: "url", Usage: "the daemon's `URL`, in place of --config, for example http://127.0.0.1:8748"},
			&cli.StringFlag{Name: "token-file", Usage: "the `FILE` with its token, which --config finds by itself: token in the daemon's data folder"},
			&cli.BoolFlag{Name: "dry-run", Usage: "read the sectors here and declare nothing; needs --config, and not its wallet"},
			&cli.StringSliceFlag{Name: "miner", Usage: "of the miner `ADDRESS`"},
			&cli.StringSliceFlag{Name: "deadline", Usage: "of the deadline `N`"},
			&cli.StringSliceFlag{Name: "sector", Usage: "the sector `N` alone, in a dry run"},
			&cli.IntFlag{Name: "at-once", Usage: "in a dry run read `N` sectors of a storage at a time", Value: 4},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		},
		OnUsageError: onUsageError,
		Action:       does(recoverSectors),
	}
}

func recoverSectors(ctx context.Context, c *cli.Command) error {
	wanted, err := wantedBy(c)
	if err != nil {
		return err
	}
	if c.Bool("dry-run") {
		return recoverDry(ctx, c, wanted)
	}
	if len(wanted.Sectors) > 0 {
		return &usageError{"--sector is for --dry-run: the daemon declares every faulty sector that can be read"}
	}
	a, err := newAsker(c)
	if err != nil {
		return err
	}
	if err := a.wishRecovery(ctx, wanted.Miners); err != nil {
		return err
	}
	status, err := served[vigil.Status](ctx, a, "/api/status")
	if err != nil {
		return err
	}
	s := newStanding(status, wanted)
	if c.Bool("json") {
		err = writeJSON(c.Root().Writer, s)
	} else {
		err = s.print(c.Root().Writer)
	}
	return cmp.Or(err, s.stuck())
}

// wishRecovery asks the daemon to read faulty sectors now.
func (a *asker) wishRecovery(ctx context.Context, miners []abi.ActorID) error {
	token, err := a.token()
	if err != nil {
		return err
	}
	named := url.Values{}
	for _, id := range miners {
		named.Add("miner", vigil.MinerAddress(id).String())
	}
	body, err := a.ask(ctx, http.MethodPost, app.RecoverPath+"?"+named.Encode(), strings.TrimSpace(token), http.StatusAccepted)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%w; it recovers by itself once it runs, and --dry-run shows what it would declare", err)
	}
	if err != nil {
		return err
	}
	return body.Close()
}

// standing is how recoveries stand in the daemon's picture.
type standing struct {
	Head       abi.ChainEpoch  `json:"head"`
	Recoveries []minerRecovery `json:"recoveries"`
}

type minerRecovery struct {
	Miner string        `json:"miner"`
	Left  time.Duration `json:"left"` // until the cutoff
	vigil.RecoveryStatus
}

func newStanding(status vigil.Status, wanted app.CheckWanted) standing {
	s := standing{Head: status.Head, Recoveries: []minerRecovery{}}
	for _, m := range status.Miners {
		id, err := minerOf(m.Miner)
		if err != nil || len(wanted.Miners) > 0 && !slices.Contains(wanted.Miners, id) {
			continue
		}
		for _, r := range m.Recoveries {
			if len(wanted.Deadlines) == 0 || slices.Contains(wanted.Deadlines, r.Deadline) {
				s.Recoveries = append(s.Recoveries, minerRecovery{m.Miner, time.Duration(r.Cutoff-status.Head) * status.Delay, r})
			}
		}
	}
	slices.SortStableFunc(s.Recoveries, func(a, b minerRecovery) int { return int(a.Cutoff - b.Cutoff) })
	return s
}

// stuck is an error where sectors stay faulty as things are.
func (s standing) stuck() error {
	for _, r := range s.Recoveries {
		if len(r.Unreadable) > 0 || r.Faulty > r.Declared && r.Problem != "" {
			return errReported
		}
	}
	return nil
}

func (s standing) print(out io.Writer) error {
	if len(s.Recoveries) == 0 {
		_, err := fmt.Fprintf(out, "no sector is faulty at epoch %d\n", s.Head)
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MINER\tDEADLINE\tFAULTY\tDECLARED\tUNREADABLE\tRETURNED\tON CHAIN BEFORE\tLEFT\t")
	for _, r := range s.Recoveries {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t\n", r.Miner, r.Deadline, r.Faulty, r.Declared, len(r.Unreadable), r.Returned, r.Cutoff, countdown(r.Left))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, r := range s.Recoveries {
		if r.Problem != "" {
			fmt.Fprintf(out, "deadline %d of %s: %s\n", r.Deadline, r.Miner, r.Problem)
		}
	}
	_, err := fmt.Fprintln(out, "the daemon was asked to read again now what is faulty and not declared")
	return err
}

// countdown writes the time until a cutoff in hours, minutes and seconds.
func countdown(left time.Duration) string {
	if left < 0 {
		return "-"
	}
	return fmt.Sprintf("%d:%02d:%02d", int(left.Hours()), int(left.Minutes())%60, int(left.Seconds())%60)
}

// recoverDry reads sectors here, and shows what would be declared.
func recoverDry(ctx context.Context, c *cli.Command, wanted app.CheckWanted) error {
	if configOf(c) == "" {
		return &usageError{"--dry-run needs --config, which says where the sectors are"}
	}
	config, err := app.LoadForReading(configOf(c))
	if err != nil {
		return err
	}
	n, began := 0, time.Now()
	say := func(app.Checked) {
		if n++; n%1000 == 0 {
			fmt.Fprintf(c.Root().ErrWriter, "%d sectors read in %v\n", n, time.Since(began).Round(time.Second))
		}
	}
	log := slog.New(slog.NewTextHandler(c.Root().ErrWriter, &slog.HandlerOptions{Level: slog.LevelWarn}))
	list, err := app.PlanRecoveries(ctx, config, wanted, log, say)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		err = writeJSON(c.Root().Writer, slices.Concat([]app.Recovery{}, list))
	} else {
		err = printDry(c.Root().Writer, list)
	}
	if err == nil && slices.ContainsFunc(list, func(r app.Recovery) bool { return len(r.Unreadable) > 0 || r.Hindrance != "" && len(r.Readable) > 0 }) {
		return errReported
	}
	return err
}

// shownSectors is how many sectors of a deadline the table names.
const shownSectors = 20

func printDry(out io.Writer, list []app.Recovery) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "no sector is faulty")
		return err
	}
	for _, r := range list {
		fmt.Fprintf(out, "deadline %d of %s: on chain before epoch %d, %s from now\n", r.Deadline, r.Miner, r.Cutoff, countdown(r.Left))
		if r.Hindrance != "" {
			fmt.Fprintf(out, "  nothing can be declared: %s\n", r.Hindrance)
		}
		if r.Declared > 0 {
			fmt.Fprintf(out, "  %d sectors are declared already\n", r.Declared)
		}
		fmt.Fprintf(out, "  %d sectors would be declared%s\n", len(r.Readable), some(r.Readable))
		for _, m := range r.Messages {
			fmt.Fprintf(out, "    a message for %d sectors of %d partitions: %d bytes, %s\n", m.Sectors, m.Partitions, m.Bytes, gasOf(m))
		}
		for i, bad := range r.Unreadable {
			if i == shownSectors {
				fmt.Fprintf(out, "  and %d more cannot be read: --json names all\n", len(r.Unreadable)-i)
				break
			}
			fmt.Fprintf(out, "  sector %d cannot be read: %s\n", bad.Number, bad.Cause)
		}
	}
	_, err := fmt.Fprintln(out, "nothing was sent")
	return err
}

// some names a few sectors.
func some(sectors []abi.SectorNumber) string {
	switch {
	case len(sectors) == 0:
		return ""
	case len(sectors) > shownSectors:
		return fmt.Sprintf(": %v and %d more", sectors[:shownSectors], len(sectors)-shownSectors)
	}
	return fmt.Sprintf(": %v", sectors)
}

func gasOf(m app.RecoveryMessage) string {
	if m.Problem != "" {
		return "the node proposes no gas: " + m.Problem
	}
	return fmt.Sprintf("%d gas", m.Gas)
}
