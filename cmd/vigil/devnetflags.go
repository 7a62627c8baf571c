package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/network"
	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil/devnet"
	"github.com/vigil-post/vigil/devnet/scenario"
)

func devnetFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "data", Usage: "keep everything in `DIR`", DefaultText: "a folder in the user's cache"},
		&cli.IntFlag{Name: "miners", Usage: "`N` miners at genesis", Value: 1},
		&cli.IntFlag{Name: "sectors", Usage: "`N` sectors for each miner at genesis", Value: 92},
		&cli.StringFlag{Name: "sector-size", Usage: "`SIZES` of the miners' sectors in turn, like 2KiB,32GiB; only 2KiB is really proved, the others are shapes with fake proofs", Value: "2KiB"},
		&cli.IntFlag{Name: "onboard", Usage: "`N` sectors that each miner adds per proving period"},
		&cli.DurationFlag{Name: "block-time", Usage: "the length of an epoch, 30s on the real network", Value: 100 * time.Millisecond},
		&cli.BoolFlag{Name: "manual", Usage: "let epochs pass only by the admin API's Devnet.Advance; needs --serve-only"},
		&cli.Float64Flag{Name: "null-rounds", Usage: "the `SHARE` of epochs without a block"},
		&cli.IntFlag{Name: "network-version", Usage: "the network version `N` at genesis", Value: 28},
		&cli.StringFlag{Name: "upgrade", Usage: "plan an upgrade, `VERSION@EPOCH`"},
		&cli.IntFlag{Name: "delay-messages", Usage: "keep every message in the pool for `N` epochs"},
		&cli.Float64Flag{Name: "lose-messages", Usage: "the `SHARE` of messages that are accepted and lost"},
		&cli.BoolFlag{Name: "disputer", Usage: "dispute wrong proofs from an account of the devnet's own", Value: true},
		&cli.BoolFlag{Name: "post-fake", Usage: "keep the miners with fake proofs proven; always so beside the daemon"},
		&cli.StringFlag{Name: "scenario", Usage: "tell a story: its `NAME`, as vigil devnet scenarios lists them, or a file"},
		&cli.IntFlag{Name: "periods", Usage: "run `N` whole proving periods without a terminal view, print what came of them as JSON, and end; 1 if anything was missed"},
		&cli.BoolFlag{Name: "serve-only", Usage: "run the chain alone, for a daemon in a process of its own"},
		&cli.StringFlag{Name: "listen", Usage: "serve the chain's JSON-RPC on `ADDRESS`", Value: "127.0.0.1:0", DefaultText: "a free port on loopback"},
		&cli.StringFlag{Name: "dashboard", Usage: "serve the dashboard on `ADDRESS`", DefaultText: "127.0.0.1:8748, or a free port"},
	}
}

func readDevnetOptions(c *cli.Command) (devnetOptions, error) {
	o := devnetOptions{
		data: c.String("data"), periods: c.Int("periods"), serveOnly: c.Bool("serve-only"), dashboard: c.String("dashboard"), began: time.Now(),
		weather: devnetWeather{delay: abi.ChainEpoch(c.Int("delay-messages")), lose: c.Float64("lose-messages")},
	}
	if err := noArguments(c); err != nil {
		return o, err
	}
	if name := c.String("scenario"); name != "" {
		s, err := scenario.Load(name)
		if err != nil {
			return o, &usageError{err.Error()}
		}
		o.story = &scenario.Player{Scenario: s, Log: slog.Default()}
	}
	var err error
	if o.network, err = networkOf(c, o.story); err != nil {
		return o, err
	}
	if err := o.check(c); err != nil {
		return o, err
	}
	return o, o.place()
}

// networkOf is the network that the flags ask for. A scenario has a say where
// nobody set a flag.
func networkOf(c *cli.Command, story *scenario.Player) (devnet.Config, error) {
	n := devnet.Config{
		Listen: c.String("listen"), BlockTime: c.Duration("block-time"), Manual: c.Bool("manual"), Disputer: c.Bool("disputer"),
		PostFake: c.Bool("post-fake") || !c.Bool("serve-only"),
	}
	sectors := func() {
		if n.Sectors = c.Int("sectors"); n.Sectors == 0 {
			n.Sectors = -1 // to the devnet zero means its default
		}
	}
	flags := map[string]func(){
		"miners":          func() { n.Miners = c.Int("miners") },
		"sectors":         sectors,
		"onboard":         func() { n.Onboard = c.Int("onboard") },
		"null-rounds":     func() { n.NullRounds = c.Float64("null-rounds") },
		"network-version": func() { n.NetworkVersion = network.Version(c.Int("network-version")) },
	}
	for _, take := range flags {
		take()
	}
	if story != nil {
		if err := story.Scenario.Network.Apply(&n); err != nil {
			return n, &usageError{err.Error()}
		}
	}
	for name, take := range flags {
		if c.IsSet(name) {
			take()
		}
	}
	if c.IsSet("sector-size") || len(n.SectorSizes) == 0 {
		var err error
		if n.SectorSizes, err = readSizes(c.String("sector-size")); err != nil {
			return n, err
		}
	}
	return n, readUpgrade(c, &n)
}

func readSizes(text string) ([]abi.SectorSize, error) {
	var out []abi.SectorSize
	for name := range strings.SplitSeq(text, ",") {
		size, ok := devnet.SectorSizes[strings.TrimSpace(name)]
		if !ok {
			return nil, &usageError{fmt.Sprintf("--sector-size %q: the sizes are 2KiB, 8MiB, 512MiB, 32GiB and 64GiB, with commas between", name)}
		}
		out = append(out, size)
	}
	return out, nil
}

func readUpgrade(c *cli.Command, n *devnet.Config) error {
	text := c.String("upgrade")
	if text == "" {
		return nil
	}
	version, epoch, ok := strings.Cut(text, "@")
	v, errV := strconv.ParseUint(version, 10, 16)
	e, errE := strconv.ParseInt(epoch, 10, 48)
	if !ok || errV != nil || errE != nil {
		return &usageError{fmt.Sprintf("--upgrade %q: say it like 28@500, the version and the last epoch before it", text)}
	}
	n.Upgrades = []devnet.Upgrade{{Epoch: abi.ChainEpoch(e), Version: network.Version(v)}}
	return nil
}

func (o *devnetOptions) check(c *cli.Command) error {
	n := &o.network
	switch {
	case n.Miners < 1 || n.Miners > devnet.MaxMiners:
		return &usageError{fmt.Sprintf("--miners must be between 1 and %d", devnet.MaxMiners)}
	case c.Int("sectors") < 0 || n.Onboard < 0 || o.periods < 0 || o.weather.delay < 0:
		return &usageError{"--sectors, --onboard, --periods and --delay-messages cannot be negative"}
	case n.NullRounds < 0 || n.NullRounds > 0.9 || o.weather.lose < 0 || o.weather.lose > 1:
		return &usageError{"--null-rounds lies between 0 and 0.9, --lose-messages between 0 and 1"}
	case c.IsSet("periods") && o.periods == 0:
		return &usageError{"--periods must be at least 1"}
	case n.BlockTime < time.Millisecond:
		return &usageError{"--block-time must be at least 1ms"}
	case o.serveOnly && o.periods > 0:
		return &usageError{"--periods needs the daemon, so it does not go with --serve-only"}
	case n.Manual && !o.serveOnly:
		return &usageError{"--manual needs --serve-only: the daemon would wait for ever"}
	case o.story != nil && o.periods > 0:
		return &usageError{"--periods and --scenario do not go together: a scenario says itself when it ends"}
	}
	return nil
}

// place finds the folders. A scenario without a folder of its own begins anew
// each time, with the Groth16 key that the usual devnet has.
func (o *devnetOptions) place() error {
	dir := o.data
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return &usageError{fmt.Sprintf("no folder for the devnet: %v; name one with --data", err)}
		}
		dir = filepath.Join(cache, "vigil", "devnet")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	o.params = filepath.Join(dir, "params")
	if o.data == "" && o.story != nil {
		o.anew = true
		dir = filepath.Join(filepath.Dir(dir), "scenarios", o.story.Scenario.Name)
	}
	o.data = dir
	return nil
}
