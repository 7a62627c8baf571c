package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/charmbracelet/x/term"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/urfave/cli/v3"
	"golang.org/x/sync/errgroup"

	"github.com/vigil-post/vigil/app"
	"github.com/vigil-post/vigil/devnet"
	"github.com/vigil-post/vigil/devnet/scenario"
)

// devnetOptions is how a devnet is started.
type devnetOptions struct {
	data      string
	network   devnet.Config // but for what its folder decides
	weather   devnetWeather
	story     *scenario.Player // nil if none is told
	anew      bool             // what an earlier start left of the chain is removed
	params    string           // where the Groth16 key is
	periods   int
	serveOnly bool
	dashboard string
	began     time.Time // of the program
}

// devnetWeather is what lasts as long as the process does.
type devnetWeather struct {
	delay abi.ChainEpoch // of every message
	lose  float64        // the share of messages that vanish
}

func devnetCommand() *cli.Command {
	return &cli.Command{
		Name:  "devnet",
		Usage: "run a Filecoin chain with a miner in this process, and keep the miner proven",
		Description: "Everything is real but small: sectors of 2 KiB, proofs of Filecoin's own kind under a key made here,\n" +
			"the rules of the network, and the very daemon that vigil run starts. Nothing leaves this machine.\n" +
			"A second start goes on where the first one stopped; remove the data folder to begin anew.",
		Flags:        devnetFlags(),
		Commands:     []*cli.Command{scenariosCommand()},
		OnUsageError: onUsageError,
		Action: does(func(ctx context.Context, c *cli.Command) error {
			o, err := readDevnetOptions(c)
			if err != nil {
				return err
			}
			return runDevnet(ctx, o, c.Root().Writer, c.Root().ErrWriter)
		}),
	}
}

// runDevnet runs the chain and, unless it is to be served alone, the daemon.
func runDevnet(ctx context.Context, o devnetOptions, stdout, stderr io.Writer) error {
	out, isTerminal := stdout.(*os.File)
	if !o.serveOnly && o.periods == 0 && !o.story.Ends() && isTerminal && term.IsTerminal(out.Fd()) {
		return runOnScreen(ctx, o, out)
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	slog.SetDefault(log)
	say := func(sentence string) { fmt.Fprintln(stdout, sentence) }
	h, err := settle(ctx, o, log, say)
	if err != nil {
		return err
	}
	if o.serveOnly {
		h.introduce(say)
		return serveStory(ctx, o.story, h.network, say)
	}
	return runBoth(ctx, h, log, func(ctx context.Context, d *app.Daemon) error {
		if o.story.Ends() {
			return tellStory(ctx, o.story, h.network, d, say)
		}
		w := newWatcher(realMiners{h.network}, d, o.began, say)
		found, err := w.watch(ctx, o.periods)
		if err != nil || o.periods == 0 {
			return err
		}
		line, err := json.Marshal(found)
		if err != nil {
			return err
		}
		say(string(line))
		if found.failed() {
			return errReported
		}
		return errDone
	})
}

// errDone ends the chain and the daemon because all that was asked for happened.
var errDone = errors.New("done")

// runBoth runs the chain, the daemon and what looks at them until one ends.
func runBoth(ctx context.Context, h *home, log *slog.Logger, look func(context.Context, *app.Daemon) error) error {
	config, err := app.Load(h.config())
	if err != nil {
		return errors.Join(fmt.Errorf("read the devnet's own configuration: %w", err), h.network.Close())
	}
	config.Version = version()
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error { return ended("the chain", h.network.Run(ctx)) })
	all.Go(func() error {
		daemon, err := app.New(ctx, config, log)
		if err != nil {
			return ended("the daemon", err)
		}
		all.Go(func() error { return look(ctx, daemon) })
		return ended("the daemon", daemon.Run(ctx))
	})
	if err := all.Wait(); !errors.Is(err, errDone) && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// ended names who ended; that nobody stopped it is no reason to go on without it.
func ended(who string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", who, err)
	}
	return nil
}

// home is the devnet's folder, with all a daemon needs to work on its chain.
//
//	DIR/chain         the chain, its miners' keys and their sectors
//	DIR/params        the Groth16 key that was made here, unless it is elsewhere
//	DIR/keystore      the miners' keys as the daemon holds them, DIR/passphrase
//	DIR/daemon        the daemon's database
//	DIR/daemon.toml   its configuration
type home struct {
	dir     string
	keys    string // of Groth16
	network *devnet.Network
}

func (h *home) config() string     { return filepath.Join(h.dir, "daemon.toml") }
func (h *home) chain() string      { return filepath.Join(h.dir, "chain") }
func (h *home) params() string     { return h.keys }
func (h *home) keystore() string   { return filepath.Join(h.dir, "keystore") }
func (h *home) passphrase() string { return filepath.Join(h.dir, "passphrase") }
func (h *home) nodeURL() string    { return "ws://" + h.network.Addr() + "/rpc/v1" }
