package devnet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/network"
	"github.com/filecoin-project/go-state-types/proof"

	"github.com/vigil-post/vigil/proofs/post"
)

// VerifyFunc says why a Window PoSt does not prove the sectors it is of; nil if
// it does. It may be called by many at once.
type VerifyFunc func(p proof.WindowPoStVerifyInfo) error

// SectorFunc makes the files of a sector that can be proved, in the layout of
// a storage path (sealed/s-t01000-1, cache/s-t01000-1/…), and returns its CommR.
// Called again for the same sector it returns the same.
type SectorFunc func(ctx context.Context, dir string, miner abi.ActorID, number abi.SectorNumber) (commR [32]byte, err error)

// Config is what a network is made of. The fields without a comment on their
// zero value are required. What a network was born with (miners, sectors of
// genesis) is read from its folder when it goes on.
type Config struct {
	Dir        string         // everything is kept here: the chain, keys, the token, the sectors
	Name       string         // of the network; vigil-devnet if empty
	Listen     string         // address of the API; a free port on loopback if empty
	BlockTime  time.Duration  // of an epoch; 100 ms if zero
	Manual     bool           // epochs pass only by Advance
	Miners     int            // 1 if zero
	Sectors    int            // per miner at genesis; 92, one partition in each of 46 deadlines, if zero; none if negative
	Onboard    int            // sectors that each miner adds per proving period, spread evenly
	NullRounds float64        // the share of epochs without a block
	Proofs     *post.Verifier // judges every proof that the chain took
	Verify     VerifyFunc     // instead of Proofs, for tests without proofs
	ProofsV1   *post.Verifier // judges those of the rule before network version 19
	VerifyV1   VerifyFunc     // instead of ProofsV1
	Sector     SectorFunc     // sectors with real files that Proofs can judge, if nil
	Log        *slog.Logger   // slog.Default if nil

	NetworkVersion network.Version // at genesis; 28 if zero
	Upgrades       []Upgrade       // planned at genesis, in order
	// SectorSizes are given to the miners in turn; 2 KiB if there is none.
	// Sectors of any other size are shapes without files, with fake proofs.
	SectorSizes []abi.SectorSize
	// PostFake lets the network post for its miners with fake proofs, as other
	// providers do for themselves.
	PostFake bool
	// Relay lets every connection pass where faults are injected, from the start
	// on. Without it the first fault ends the connections that are open.
	Relay bool
	// Disputer disputes wrong proofs from an account of its own.
	Disputer bool

	// Script is called before each epoch is made, with nothing locked: it may
	// do to the network whatever its methods offer.
	Script func(ctx context.Context, n *Network, next abi.ChainEpoch) error
}

func (c Config) withDefaults() (Config, error) {
	if c.Name == "" {
		c.Name = "vigil-devnet"
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	if c.BlockTime == 0 {
		c.BlockTime = 100 * time.Millisecond
	}
	if c.Miners == 0 {
		c.Miners = 1
	}
	if c.Sectors == 0 {
		c.Sectors = 92
	}
	if c.NetworkVersion == 0 {
		c.NetworkVersion = usualVersion
	}
	if len(c.SectorSizes) == 0 {
		c.SectorSizes = []abi.SectorSize{provableSize}
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Verify == nil && c.Proofs != nil {
		c.Verify = verifyWith(c.Proofs)
	}
	if c.VerifyV1 == nil && c.ProofsV1 != nil {
		c.VerifyV1 = verifyWith(c.ProofsV1)
	}
	switch {
	case c.Dir == "":
		return c, errors.New("devnet: no folder to keep the chain in")
	case c.Verify == nil:
		return c, errors.New("devnet: no verifier")
	case c.BlockTime < time.Millisecond:
		return c, fmt.Errorf("devnet: block time of %s is under a millisecond", c.BlockTime)
	case c.Miners < 0 || c.Miners > MaxMiners:
		return c, fmt.Errorf("devnet: %d miners; at most %d", c.Miners, MaxMiners)
	case c.NetworkVersion < network.Version19 && c.VerifyV1 == nil:
		return c, fmt.Errorf("devnet: no verifier of V1 proofs, which network version %d asks for", c.NetworkVersion)
	case c.NetworkVersion < oldestVersion || c.NetworkVersion > newestVersion:
		return c, fmt.Errorf("devnet: network version %d; it can have %d to %d", c.NetworkVersion, oldestVersion, newestVersion)
	case c.Onboard < 0:
		return c, fmt.Errorf("devnet: %d sectors to add per proving period", c.Onboard)
	case c.NullRounds < 0 || c.NullRounds > maxNullShare:
		return c, fmt.Errorf("devnet: a share of null rounds of %v; at most %v", c.NullRounds, maxNullShare)
	}
	return c, nil
}

// MaxMiners is the most that a devnet has: it keeps the IDs of accounts below those of miners.
const MaxMiners = 256

// maxNullShare is the largest share of null rounds.
const maxNullShare = 0.9

// keepEpochs is how far back tipsets can be read: more than the dispute window
// and a proving period.
const keepEpochs = 4000

// Network is a running chain. Its methods may be called by many at once.
type Network struct {
	cfg     Config
	log     *slog.Logger
	db      *db
	blocks  *blocks
	chain   *chain
	pool    *pool
	weather *weather
	faults  *faults
	notify  notifier

	disputer disputer
	tokens   tokens
	listen   net.Listener

	fast atomic.Int64 // how far the blocks' times are ahead of this machine's clock, in nanoseconds

	making sync.Mutex // held by whoever changes the chain: the producer, a reorg

	upgradesMu sync.Mutex // guards upgrades
	upgrades   []Upgrade  // the first one is what the network was born with

	markMu sync.Mutex // guards mark
	mark   *tipset    // counts are since this one
}

// Open opens the chain in cfg.Dir, or makes one if there is none, and starts to
// listen; nothing is served and no epoch passes before Run. It sets
// go-address's network prefix for the whole process: this is a test network.
func Open(ctx context.Context, cfg Config) (*Network, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if address.CurrentNetwork != address.Testnet { // another network of this process may be reading it
		address.CurrentNetwork = address.Testnet
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, err
	}
	n := &Network{
		cfg: cfg, log: cfg.Log, blocks: newBlocks(), chain: newChain(), pool: newPool(), weather: newWeather(1), faults: newFaults(2, cfg.Relay),
	}
	if n.db, err = openDB(ctx, cfg.Dir); err != nil {
		return nil, err
	}
	if err := n.open(ctx); err != nil {
		return nil, errors.Join(err, n.db.close())
	}
	return n, nil
}

func (n *Network) open(ctx context.Context) error {
	var err error
	if n.tokens, err = openTokens(n.cfg.Dir); err != nil {
		return err
	}
	if err := n.load(ctx); err != nil {
		return fmt.Errorf("load the chain in %s: %w", n.cfg.Dir, err)
	}
	if err := errors.Join(n.readSeed(ctx), n.readUpgrades(ctx)); err != nil {
		return err
	}
	if n.chain.head == nil {
		if err := n.makeGenesis(ctx); err != nil {
			return fmt.Errorf("make genesis: %w", err)
		}
	}
	if err := n.findDisputer(); err != nil {
		return err
	}
	n.mark = n.chain.head
	if n.listen, err = (&net.ListenConfig{}).Listen(ctx, "tcp", n.cfg.Listen); err != nil {
		return fmt.Errorf("listen for the API: %w", err)
	}
	if fake := n.FakeMiners(); len(fake) > 0 {
		n.log.Warn("the proofs of these miners are FAKE: their sectors have no files", "miners", fake)
	}
	n.log.Info("devnet opened", "network", n.cfg.Name, "epoch", n.Epoch(), "api", "http://"+n.Addr()+"/rpc/v1")
	return nil
}

// Addr is where the API is served, host:port.
func (n *Network) Addr() string { return n.listen.Addr().String() }

// Token permits everything. It is also in the file token of the folder.
func (n *Network) Token() string { return n.tokens.full }

// Epoch is the head's.
func (n *Network) Epoch() abi.ChainEpoch { return n.chain.current().height() }

// Miners lists the miners.
func (n *Network) Miners() []address.Address {
	var out []address.Address
	for _, id := range n.chain.current().after.miners() {
		out = append(out, idAddress(id))
	}
	return out
}

// Storage is the storage path that holds the sectors of all miners.
func (n *Network) Storage() string { return filepath.Join(n.cfg.Dir, "storage") }

// KeyFile is the exported key of a miner's role: owner, worker or control.
func (n *Network) KeyFile(role string, miner address.Address) string {
	id, err := address.IDFromAddress(miner)
	if err != nil {
		return ""
	}
	return filepath.Join(n.cfg.Dir, "keys", fmt.Sprintf("%s-t0%d.key", role, id))
}

// due says that the next tipset is due when so many epochs have passed since the head.
func (n *Network) due(waited abi.ChainEpoch) bool {
	head := n.chain.current()
	return n.nextHeight(head.height(), seedOf(head)) <= head.height()+waited
}

// Run serves the API and lets epochs pass until ctx ends, which is no error.
// Then the network is closed.
func (n *Network) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, 1)
	go func() {
		served <- n.serve(ctx)
		cancel()
	}()
	made := n.tick(ctx)
	cancel()
	return errors.Join(made, <-served, n.close())
}

// Close is for a network that is not run.
func (n *Network) Close() error {
	return errors.Join(n.listen.Close(), n.close())
}

func (n *Network) close() error {
	n.making.Lock()
	defer n.making.Unlock()
	return n.db.close()
}

// tick lets an epoch pass each block time; those without a block take theirs too.
func (n *Network) tick(ctx context.Context) error {
	if n.cfg.Manual {
		<-ctx.Done()
		return nil
	}
	clock := time.NewTicker(n.cfg.BlockTime)
	defer clock.Stop()
	waited := abi.ChainEpoch(0) // epochs since the head, or since it was last changed by someone else
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-clock.C:
			if n.weather.stands() {
				continue
			}
			if waited++; !n.due(waited) {
				continue
			}
			waited = 0
			if err := n.step(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}
