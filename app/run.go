package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"golang.org/x/sync/errgroup"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/alive"
	"github.com/vigil-post/vigil/audit"
	"github.com/vigil-post/vigil/chain"
	"github.com/vigil-post/vigil/dashboard"
	"github.com/vigil-post/vigil/measure"
	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/prover/native"
	"github.com/vigil-post/vigil/runner"
	"github.com/vigil-post/vigil/sector"
	"github.com/vigil-post/vigil/shadow"
	"github.com/vigil-post/vigil/spans"
	"github.com/vigil-post/vigil/store"
	"github.com/vigil-post/vigil/wallet"
)

// Run is the daemon from its start to its end, when ctx ends, which is no error.
func Run(ctx context.Context, c Config, log *slog.Logger) error {
	log.Info("vigil starts", "version", c.Version, "config", c.file, "miners", len(c.Miners), "in_shadow", len(c.Shadow), "nodes", len(c.Nodes), "storages", len(c.Storages), "data", c.Data)
	starting, started := context.WithCancel(ctx)
	go feedWatchdog(starting, func() bool { return true }) // the start may wait for a node, however long
	d, err := New(ctx, c, log)
	started()
	if err != nil && ctx.Err() != nil {
		return nil // it was stopped while it waited for the node
	}
	if err != nil {
		return err
	}
	return d.Run(ctx)
}

// Daemon is all of Vigil, ready to run. It is a vigil.StatusSource.
type Daemon struct {
	log     *slog.Logger
	config  Config
	nodes   *chain.Nodes
	store   *store.Store
	journal *store.Notebook
	before  abi.ChainEpoch // the newest epoch that an earlier process saw
	prover  *counted
	courier courier
	keys    keyring // that messages are sent with
	runner  *runner.Runner
	audit   *audit.Watch
	shadow  *shadow.Watch // of the miners that somebody else posts for
	sectors vigil.SectorReader
	page    net.Listener             // nil without a dashboard
	front   front                    // what people meet, there and elsewhere
	waits   *waits                   // for what the start waits
	claimed map[address.Address]bool // keys of the keystore that are ours alone
	meter   *measure.Meter
	spans   *spans.Tracer // nil without a collector
	machine *machine
	dog     *watchdog
	alarms  alarms
	closing []func() error

	used      atomic.Pointer[Config] // what config has become by reloads
	reloading sync.Mutex             // guards what follows
	inUse     values                 // of the settings
}

// New makes every object, in the order in which they need each other. It waits
// until the node answers, however long that takes, and fails on what waiting
// cannot mend: a network that is not the configured one, a miner that does not
// exist, a key or proof parameters that are missing. Run must follow, or Close.
func New(ctx context.Context, c Config, log *slog.Logger) (*Daemon, error) {
	return assemble(ctx, c, log, (*Daemon).tools)
}

// tools are what makes proofs and signatures.
type tools struct {
	keys    vigil.Signer
	sectors vigil.SectorReader
	maths   maths
}

// maths makes and judges proofs.
type maths interface {
	vigil.Prover
	vigil.Verifier
	parameters
	Close() error
}

// tools opens those of the configuration.
func (d *Daemon) tools() (tools, error) {
	c := d.config
	for _, said := range c.Wallet.exposed() {
		d.log.Warn("keys are not well kept", "problem", said)
	}
	sources, err := keySources(c.Wallet)
	if err != nil {
		return tools{}, err
	}
	d.sayKernels(groth16.Kernels())
	maths := native.New(c.Proofs.Parameters, c.Proofs.AtOnce, c.Proofs.Memory)
	maths.Log = d.log
	return tools{guarded{sources, func() wallet.Policy { return d.settings().Wallet.Policy }}, reader(c), maths}, nil
}

// reader reads the configured storages.
func reader(c Config) *sector.Reader {
	r := sector.NewReader(c.Storages...)
	r.AtOnce = c.Reading.AtOnce
	return r
}

// signer opens the keystore and the remote wallets, behind the policy.
func signer(c Wallet) (vigil.Signer, error) {
	sources, err := keySources(c)
	return wallet.Guard{Policy: c.Policy, Sources: sources}, err
}

// keySources opens the keystore and the remote wallets.
func keySources(c Wallet) ([]wallet.Source, error) {
	var sources []wallet.Source
	if c.Keystore != "" {
		keys, err := wallet.Open(c.Keystore, string(c.Passphrase), wallet.Options{})
		if err != nil {
			return nil, err
		}
		sources = append(sources, keys)
	}
	for _, r := range c.Remotes {
		remote, err := wallet.NewRemote(r.URL, string(r.Token), r.Timeout)
		if err != nil {
			return nil, err
		}
		sources = append(sources, remote)
	}
	return sources, nil
}

// sayKernels says what proofs will be computed with.
func (d *Daemon) sayKernels(k groth16.Choice) {
	if k.Problem != nil {
		d.log.Warn("proofs are right, but are made without the CPU's vector unit", "kernels", k.Name, "problem", k.Problem)
		return
	}
	d.log.Info("proofs will be computed", "kernels", k.Name)
}

// shelf opens what keeps vanilla proofs over a restart: without it they are read
// again, which is no reason not to prove.
func (d *Daemon) shelf() vigil.VanillaShelf {
	dir := filepath.Join(d.config.Data, "vanilla")
	vanilla, err := store.OpenVanilla(dir)
	if err != nil {
		d.log.Warn("what is read of sectors cannot be kept, so that it is read again after a restart; look after the folder", "folder", dir, "error", err)
		return nil
	}
	d.onClose(vanilla.Close)
	return vanilla
}

func assemble(ctx context.Context, c Config, log *slog.Logger, open func(*Daemon) (tools, error)) (*Daemon, error) {
	d := &Daemon{log: log, config: c, inUse: maps.Clone(c.values), waits: newWaits()}
	d.used.Store(&c)
	if err := d.wire(ctx, c, log, open); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Daemon) wire(ctx context.Context, c Config, log *slog.Logger, open func(*Daemon) (tools, error)) error {
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return fmt.Errorf("make the data folder (set dir in [data]): %w", err)
	}
	var err error
	if d.store, err = store.Open(ctx, filepath.Join(c.Data, "vigil.db")); err != nil {
		return err
	}
	d.onClose(d.store.Close)
	if d.before, _, err = d.store.LastSign(ctx); err != nil {
		return err
	}
	d.journal = d.store.OpenNotebook(ctx, c.Journal, log)
	d.onClose(func() error { d.journal.Close(); return nil })
	with, err := open(d)
	if err != nil {
		return err
	}
	d.onClose(with.maths.Close)
	d.meter = measure.New(c.Miners...)
	d.machine = &machine{parameters: with.maths, data: c.Data}
	if err := d.openSpans(ctx); err != nil {
		return err
	}
	d.prover = &counted{Prover: d.spans.Prover(d.meter.Prover(with.maths)), maker: with.maths}
	d.sectors = with.sectors

	known, err := readOrigin(c.Data)
	if err != nil {
		return err
	}
	configs := nodeConfigs(c.Nodes, known, log)
	for i := range configs {
		configs[i].Observe = d.meter.Call
	}
	if d.nodes, err = chain.Open(ctx, configs...); err != nil {
		return err
	}
	d.onClose(d.nodes.Close)
	for _, problem := range c.Absent {
		log.Warn("a storage is not there: its sectors cannot be proved until it is", "problem", problem)
	}
	if known.Name != "" {
		writeAddressesOf(known)
	}
	if err := d.openFront(ctx); err != nil {
		return err
	}
	network, err := meet(ctx, d.nodes, log, d.waits.say)
	if err != nil {
		return err
	}
	if err := writeOrigin(c.Data, network); err != nil {
		return err
	}
	if d.courier, d.keys, err = d.newCourier(network, with.keys); err != nil {
		return err
	}
	d.courier = withheld{d.courier, c.Shadow}
	if err := fit(ctx, c.Miners, stand{network.Name, d.nodes, d.keys, d.courier, d.claim, d.machine, log, c.Shadow, d.waits.say}); err != nil {
		return err
	}
	d.runner, err = runner.New(runner.Config{
		Heads: d.nodes, State: d.nodes, Randomness: d.nodes,
		Sectors: with.sectors, Prover: d.prover, Verifier: d.spans.Verifier(with.maths), Span: d.spans.Span,
		Messager: d.spans.Messager(d.meter.Messager(d.courier, network.BlockDelay)), Store: d.spans.Store(d.meter.Store(d.store, d.left)),
		Vanilla: d.shelf(), Standing: d.nodes, Gas: d.nodes, Rehearsals: d.store, NoRehearsals: !c.Reading.Rehearse,
		Miners: c.Miners, Shadow: c.Shadow, Policy: c.Schedule, AtOnce: func() int { return c.Proofs.AtOnce }, Log: log, Version: c.Version, Journal: d.journal, Before: d.before,
	})
	if err != nil {
		return err
	}
	d.dog = d.newWatchdog(with.maths)
	if d.audit, err = d.newAudit(with.maths); err != nil {
		return err
	}
	if d.shadow, err = d.newShadow(); err != nil {
		return err
	}
	d.waits.end()
	d.front.show(d.makePages())
	return nil
}

// listen takes the dashboard's port, so that one that is taken ends the start.
func (d *Daemon) listen(ctx context.Context, address string) (err error) {
	if address == "" {
		return nil
	}
	if d.page, err = new(net.ListenConfig).Listen(ctx, "tcp", address); err != nil {
		return fmt.Errorf("the dashboard cannot listen on %s: stop what listens there, or set listen in [dashboard] to another port: %w", address, err)
	}
	return nil
}

func (d *Daemon) onClose(f func() error) { d.closing = append(d.closing, f) }

// Run works until ctx ends, which is no error, and then closes everything.
func (d *Daemon) Run(ctx context.Context) error {
	all, ctx := errgroup.WithContext(ctx)
	loop := func(name string, run func(context.Context) error) { // a bug in one ends none of the others
		all.Go(func() error { return alive.Restarted(ctx, d.log, name, run) })
	}
	loop("messages", d.courier.Run)
	all.Go(func() error { return d.runner.Run(ctx) }) // it guards its loops itself
	loop("audit", d.audit.Run)
	loop("shadow", d.shadow.Run)
	loop("watchdog", quiet(func(ctx context.Context) { feedWatchdog(ctx, d.dog.good) }))
	loop("systemd", quiet(d.tellSystemd))
	loop("reload", quiet(func(ctx context.Context) { d.reload(ctx, d.config.Reloads) }))
	loop("machine", quiet(d.machine.run))
	loop("chronicle", quiet((&chronicle{journal: d.journal, status: d.Status, changed: d.Changed, last: d.before}).keep))
	err := all.Wait()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

// quiet is a loop that ends only with ctx.
func quiet(run func(context.Context)) func(context.Context) error {
	return func(ctx context.Context) error { run(ctx); return nil }
}

// servePage serves the dashboard. That it ends is no reason to stop proving.
func (d *Daemon) servePage(ctx context.Context) {
	if d.page == nil {
		return
	}
	d.log.Info("dashboard", "url", d.Page())
	if err := dashboard.Serve(ctx, d.page, &d.front); err != nil {
		d.log.Error("the dashboard is gone; proving goes on", "error", err)
	}
}

// Close gives up what New opened, the last first. Run does it too.
func (d *Daemon) Close() error {
	var errs []error
	for i := len(d.closing) - 1; i >= 0; i-- {
		errs = append(errs, d.closing[i]())
	}
	d.closing = nil
	return errors.Join(errs...)
}

// Status implements vigil.StatusSource.
func (d *Daemon) Status() vigil.Status {
	s := d.picture()
	s.Nodes, s.Upgrade = d.nodes.Status(), d.nodes.NextUpgrade()
	if s.Starting == "" {
		s.Senders = d.courier.Senders()
	}
	if storages, ok := d.sectors.(interface{ Status() []vigil.StorageStatus }); ok {
		s.Storages = storages.Status()
	}
	d.showAudits(&s)
	return d.judge(s)
}

// Page is the dashboard's URL, or nothing.
func (d *Daemon) Page() string {
	if d.page == nil {
		return ""
	}
	return "http://" + d.page.Addr().String()
}

// ProofsMade is how many proofs were finished since the start, good or not.
func (d *Daemon) ProofsMade() uint64 { return d.prover.made.Load() }

// counted is a prover whose finished proofs are counted.
type counted struct {
	vigil.Prover
	maker vigil.Prover // the same without what times it: it knows what it is and does
	made  atomic.Uint64
}

// Prove implements vigil.Prover.
func (c *counted) Prove(ctx context.Context, r vigil.ProveRequest) ([]byte, error) {
	proof, err := c.Prover.Prove(ctx, r)
	if err == nil {
		c.made.Add(1)
	}
	return proof, err
}
