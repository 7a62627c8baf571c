package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/filecoin-project/go-address"
	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/app"
)

func disputeCommand() *cli.Command {
	return &cli.Command{
		Name:  "dispute",
		Usage: "judge other miners' proofs from the chain, and dispute those that are wrong",
		Description: "A proof that the network took unseen can be disputed for 1800 epochs after its deadline closed. Each is taken from the chain's\n" +
			"own record and verified here. For one that is wrong a DisputeWindowedPoSt goes out from --from, if the node's estimate says that\n" +
			"it will succeed: once, also over restarts. It rewards 4 FIL, or what the miner can pay. The verifying keys of the miners' sector\n" +
			"sizes are needed (vigil params list says which are here). It may run beside the daemon, with another key. docs/audit.md tells more.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config", Usage: "the configuration `FILE`; its miners and storages are not needed", Required: true, Sources: cli.EnvVars(configVariable)},
			&cli.StringFlag{Name: "from", Usage: "the account that disputes, by its `ADDRESS`; its key is in the configured wallet"},
			&cli.StringSliceFlag{Name: "miner", Usage: "look at the miner `ADDRESS`; may be given more than once"},
			&cli.BoolFlag{Name: "all", Usage: "look at all miners of the network"},
			&cli.StringFlag{Name: "max-fee", Usage: "what one dispute may cost in gas, at most: `FIL`", Value: "1 FIL"},
			&cli.BoolFlag{Name: "dry-run", Usage: "send nothing"},
			&cli.BoolFlag{Name: "once", Usage: "end when all that can be disputed now is done with"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON, a line for each proof, the right ones too"},
		},
		OnUsageError: onUsageError,
		Action:       does(dispute),
	}
}

func dispute(ctx context.Context, c *cli.Command) error {
	wanted, err := disputeWanted(c)
	if err != nil {
		return err
	}
	config, err := app.LoadForDisputing(c.String("config"), !wanted.DryRun)
	if err != nil {
		return err
	}
	log := config.Log.Logger(c.Root().ErrWriter)
	slog.SetDefault(log)
	report := disputeReport{out: c.Root().Writer, json: c.Bool("json")}
	if err := app.Dispute(ctx, config, wanted, log, report.say); err != nil {
		return err
	}
	return report.end()
}

func disputeWanted(c *cli.Command) (w app.DisputeWanted, err error) {
	w = app.DisputeWanted{DryRun: c.Bool("dry-run"), Once: c.Bool("once")}
	if err := noArguments(c); err != nil {
		return w, err
	}
	if c.Bool("all") == (len(c.StringSlice("miner")) > 0) {
		return w, &usageError{"whose proofs? Give --miner, once for each, or --all"}
	}
	for _, text := range c.StringSlice("miner") {
		id, err := minerOf(text)
		if err != nil {
			return w, err
		}
		w.Miners = append(w.Miners, id)
	}
	if w.MaxFee, err = app.ParseFIL(c.String("max-fee")); err != nil || w.MaxFee.Sign() == 0 {
		return w, &usageError{fmt.Sprintf("--max-fee %q is no amount that a message could be paid with: write it as \"1 FIL\"", c.String("max-fee"))}
	}
	if w.DryRun {
		return w, nil
	}
	if c.String("from") == "" {
		return w, &usageError{"which account disputes? Give --from, or --dry-run to send nothing"}
	}
	if w.From, err = address.NewFromString(c.String("from")); err != nil {
		return w, &usageError{fmt.Sprintf("--from %q is no Filecoin address: %v", c.String("from"), err)}
	}
	return w, nil
}

// disputeReport prints what is found.
type disputeReport struct {
	out  io.Writer
	json bool

	mu                               sync.Mutex // guards what follows
	judged, wrong, unknown, disputed int
	err                              error // of writing
}

func (r *disputeReport) say(d app.Disputed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case d.Message != "":
		r.disputed++
	case d.Verdict == vigil.AuditDisputable:
		r.judged++
		r.wrong++
	case d.Verdict == vigil.AuditUnknown:
		r.unknown++
	default:
		r.judged++
	}
	if r.err != nil {
		return
	}
	if r.json {
		r.err = json.NewEncoder(r.out).Encode(d)
		return
	}
	where := fmt.Sprintf("%s deadline %d (opened at %d) partitions %v", d.Miner, d.Deadline, d.Open, d.Partitions)
	switch {
	case d.Message != "":
		_, r.err = fmt.Fprintf(r.out, "%s: a dispute is on its way: %s\n", where, d.Message)
	case d.Verdict == vigil.AuditDisputable:
		_, r.err = fmt.Fprintf(r.out, "%s: the proof is wrong, and can be disputed before epoch %d: %s\n", where, d.Until, d.Problem)
	case d.Verdict == vigil.AuditUnknown:
		_, r.err = fmt.Fprintf(r.out, "%s: could not be judged: %s\n", where, d.Problem)
	}
}

// end sums up, for people.
func (r *disputeReport) end() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil && !r.json {
		_, r.err = fmt.Fprintf(r.out, "%d proofs judged that were not before, %d of them wrong; %d could not be judged; %d disputes sent\n",
			r.judged, r.wrong, r.unknown, r.disputed)
	}
	return r.err
}
