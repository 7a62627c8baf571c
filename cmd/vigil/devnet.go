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
	"github.com/urfave/cli/v3"
	"golang.org/x/sync/errgroup"

	"github.com/vigil-post/vigil/app"
	"github.com/vigil-post/vigil/devnet"
)

// devnetOptions is how a devnet is started.
type devnetOptions struct {
	data      string
	miners    int
	sectors   int
	onboard   int
	blockTime time.Duration
	periods   int
	serveOnly bool
	listen    string
	dashboard string
	began     time.Time // of the program
}

func devnetCommand() *cli.Command {
	return &cli.Command{
		Name:  "devnet",
		Usage: "run a Filecoin chain with a miner in this process, and keep the miner proven",
		Description: "Everything is real but small: sectors of 2 KiB, proofs of Filecoin's own kind under a key made here,\n" +
			"the rules of the network, and the very daemon that vigil run starts. Nothing leaves this machine.\n" +
			"A second start goes on where the first one stopped; remove the data folder to begin anew.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "data", Usage: "keep everything in `DIR`", DefaultText: "a folder in the user's cache"},
			&cli.IntFlag{Name: "miners", Usage: "`N` miners at genesis", Value: 1},
			&cli.IntFlag{Name: "sectors", Usage: "`N` sectors for each miner at genesis", Value: 92},
			&cli.IntFlag{Name: "onboard", Usage: "`N` sectors that each miner adds per proving period"},
			&cli.DurationFlag{Name: "block-time", Usage: "the length of an epoch, 30s on the real network", Value: 100 * time.Millisecond},
			&cli.IntFlag{Name: "periods", Usage: "run `N` whole proving periods without a terminal view, print what came of them as JSON, and end; 1 if anything was missed"},
			&cli.BoolFlag{Name: "serve-only", Usage: "run the chain alone, for a daemon in a process of its own"},
			&cli.StringFlag{Name: "listen", Usage: "serve the chain's JSON-RPC on `ADDRESS`", Value: "127.0.0.1:0", DefaultText: "a free port on loopback"},
			&cli.StringFlag{Name: "dashboard", Usage: "serve the dashboard on `ADDRESS`", DefaultText: "127.0.0.1:8748, or a free port"},
		},
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

func readDevnetOptions(c *cli.Command) (devnetOptions, error) {
	o := devnetOptions{
		data: c.String("data"), miners: c.Int("miners"), sectors: c.Int("sectors"), onboard: c.Int("onboard"),
		blockTime: c.Duration("block-time"), periods: c.Int("periods"), serveOnly: c.Bool("serve-only"),
		listen: c.String("listen"), dashboard: c.String("dashboard"), began: time.Now(),
	}
	if err := noArguments(c); err != nil {
		return o, err
	}
	switch {
	case o.miners < 1 || o.miners > devnet.MaxMiners:
		return o, &usageError{fmt.Sprintf("--miners must be between 1 and %d", devnet.MaxMiners)}
	case o.sectors < 0 || o.onboard < 0 || o.periods < 0:
		return o, &usageError{"--sectors, --onboard and --periods cannot be negative"}
	case c.IsSet("periods") && o.periods == 0:
		return o, &usageError{"--periods must be at least 1"}
	case o.blockTime < time.Millisecond:
		return o, &usageError{"--block-time must be at least 1ms"}
	case o.serveOnly && o.periods > 0:
		return o, &usageError{"--periods needs the daemon, so it does not go with --serve-only"}
	}
	if o.data == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return o, &usageError{fmt.Sprintf("no folder for the devnet: %v; name one with --data", err)}
		}
		o.data = filepath.Join(cache, "vigil", "devnet")
	}
	var err error
	o.data, err = filepath.Abs(o.data)
	return o, err
}

// runDevnet runs the chain and, unless it is to be served alone, the daemon.
func runDevnet(ctx context.Context, o devnetOptions, stdout, stderr io.Writer) error {
	out, isTerminal := stdout.(*os.File)
	if !o.serveOnly && o.periods == 0 && isTerminal && term.IsTerminal(out.Fd()) {
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
		say("the chain is at " + h.nodeURL() + "; start the daemon with:")
		say("  vigil run --config " + h.config())
		return h.network.Run(ctx)
	}
	return runBoth(ctx, h, log, func(ctx context.Context, d *app.Daemon) error {
		w := newWatcher(h.network, d, o.began, say)
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
//	DIR/params        the Groth16 key that was made here
//	DIR/keystore      the miners' keys as the daemon holds them, DIR/passphrase
//	DIR/daemon        the daemon's database
//	DIR/daemon.toml   its configuration
type home struct {
	dir     string
	network *devnet.Network
}

func (h *home) config() string     { return filepath.Join(h.dir, "daemon.toml") }
func (h *home) chain() string      { return filepath.Join(h.dir, "chain") }
func (h *home) params() string     { return filepath.Join(h.dir, "params") }
func (h *home) keystore() string   { return filepath.Join(h.dir, "keystore") }
func (h *home) passphrase() string { return filepath.Join(h.dir, "passphrase") }
func (h *home) nodeURL() string    { return "ws://" + h.network.Addr() + "/rpc/v1" }
