package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/urfave/cli/v3"
	"golang.org/x/sync/errgroup"

	"github.com/vigil-post/vigil/devnet"
	"github.com/vigil-post/vigil/devnet/scenario"
)

func scenariosCommand() *cli.Command {
	return &cli.Command{
		Name:         "scenarios",
		Usage:        "list the stories that a devnet can be told",
		OnUsageError: onUsageError,
		Action: does(func(_ context.Context, c *cli.Command) error {
			if err := noArguments(c); err != nil {
				return err
			}
			for _, name := range scenario.Names() {
				s, err := scenario.Load(name)
				if err != nil {
					return err
				}
				fmt.Fprintf(c.Root().Writer, "%s\n    %s\n", name, s.About)
			}
			return nil
		}),
	}
}

// tellStory waits until the story ends, and says whether it ended as it should.
func tellStory(ctx context.Context, story *scenario.Player, n *devnet.Network, d watchedDaemon, say func(string)) error {
	say(fmt.Sprintf("scenario %s: %s", story.Scenario.Name, story.Scenario.About))
	if page := d.Page(); page != "" {
		say("the dashboard is at " + page)
	}
	if err := untilItEnds(ctx, story, n); err != nil {
		return err
	}
	return verdict(ctx, story, n, say)
}

func untilItEnds(ctx context.Context, story *scenario.Player, n *devnet.Network) error {
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for until := story.Until(); until == 0 || n.Epoch() < until; until = story.Until() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-look.C:
		}
	}
	return nil
}

func verdict(ctx context.Context, story *scenario.Player, n *devnet.Network, say func(string)) error {
	wrong, err := story.Judge(ctx, n)
	if err != nil {
		return err
	}
	t := n.Stats().Total
	say(fmt.Sprintf("at epoch %d: %d of %d partitions confirmed, %d missed, %d sectors skipped, %d wrong proofs",
		n.Epoch(), t.PartitionsConfirmed, t.PartitionsDue, t.PartitionsMissed, t.SectorsSkipped, t.ProofsInvalid))
	for _, f := range n.Faults() {
		say(fmt.Sprintf("the fault %q of %s struck %d time(s)", f.Kind, orAll(f.Method), f.Hits))
	}
	if len(wrong) > 0 {
		say(fmt.Sprintf("scenario %s did NOT end as it should: %s", story.Scenario.Name, strings.Join(wrong, "; ")))
		return errReported
	}
	say(fmt.Sprintf("scenario %s ended as it should", story.Scenario.Name))
	return errDone
}

func orAll(method string) string {
	if method == "" {
		return "all methods"
	}
	return method
}

// serveStory runs the chain alone. If there is a story, its end is said, and the
// chain goes on.
func serveStory(ctx context.Context, story *scenario.Player, n *devnet.Network, say func(string)) error {
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error { return n.Run(ctx) })
	if story.Ends() {
		all.Go(func() error {
			err := errors.Join(untilItEnds(ctx, story, n))
			if err == nil {
				err = verdict(ctx, story, n, say)
			}
			if errors.Is(err, errDone) || errors.Is(err, errReported) || ctx.Err() != nil {
				return nil
			}
			return err
		})
	}
	return all.Wait()
}

// introduce says how the chain is reached.
func (h *home) introduce(say func(string)) {
	say("the chain is at " + h.nodeURL() + "; start the daemon with:")
	say("  vigil run --config " + h.config())
	if len(h.network.RealMiners()) > 0 {
		say("or have a configuration of your own written and checked first, by")
		say("  " + strings.Join(h.initCommand(), " "))
	}
	say("its token is in " + filepath.Join(h.chain(), "token") + "; other tools take " + h.network.APIInfo())
	if fake := h.network.FakeMiners(); len(fake) > 0 {
		say(fmt.Sprintf("the proofs of %v are FAKE: their sectors have no files", fake))
	}
}

// initCommand is a command that answers all that vigil init asks of this chain.
// What it writes lies beside the chain, and is not what the devnet's own daemon uses.
func (h *home) initCommand() []string {
	mine := filepath.Join(h.dir, "by-init")
	command := []string{
		"vigil", "init", "--config", filepath.Join(mine, "vigil.toml"), "--node", h.nodeURL(), "--token-file", filepath.Join(h.chain(), "token"),
		"--storage", h.network.Storage(), "--parameters", h.params(), "--data", filepath.Join(mine, "data"),
		"--keystore", filepath.Join(mine, "keystore"), "--passphrase-file", filepath.Join(mine, "passphrase"),
	}
	for _, miner := range h.network.RealMiners() {
		command = append(command, "--miner", miner.String(), "--key", h.network.KeyFile("control", miner))
	}
	return command
}

// realMiners is a chain with only the miners that the daemon keeps: the others
// have fake proofs, and the chain itself posts for them.
type realMiners struct{ *devnet.Network }

// Miners lists the miners whose sectors are really proved.
func (r realMiners) Miners() []address.Address { return r.RealMiners() }

// Stats counts what became of their deadlines.
func (r realMiners) Stats() devnet.Stats { return r.StatsOf(r.RealMiners()) }
