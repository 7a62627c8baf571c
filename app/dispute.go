package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"golang.org/x/sync/errgroup"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/audit"
	"github.com/vigil-post/vigil/chain"
	"github.com/vigil-post/vigil/messager"
	"github.com/vigil-post/vigil/prover/native"
	"github.com/vigil-post/vigil/store"
)

// DisputeWanted says whose posts are judged, and what is done about wrong ones.
type DisputeWanted struct {
	Miners []abi.ActorID   // none: all of the network
	From   address.Address // the account that disputes; not needed for a dry run
	MaxFee abi.TokenAmount // the most that a dispute may cost in gas
	DryRun bool            // nothing is sent
	Once   bool            // it ends when all that can be disputed now is done with
}

// Disputed is a post that was judged, and the message that disputes it.
type Disputed struct {
	Miner      string             `json:"miner"`
	Deadline   uint64             `json:"deadline"`
	Open       abi.ChainEpoch     `json:"open"`
	Post       uint64             `json:"post"` // its index among the deadline's posts
	Partitions []uint64           `json:"partitions"`
	Verdict    vigil.AuditVerdict `json:"verdict"`
	Problem    string             `json:"problem,omitempty"`
	Until      abi.ChainEpoch     `json:"until"`             // it can be disputed before this epoch
	Message    string             `json:"message,omitempty"` // its ID, for vigil's log
	Seed       string             `json:"seed,omitempty"`    // the challenge seed that it was judged with, in hex
}

// Dispute judges other miners' posts from the chain's own record, and disputes
// those that are wrong, until ctx ends. say is told of each post when it is judged,
// and of each wrong one when its dispute is on the way.
//
// It has a folder of its own in the configured data folder, so that it can run
// beside the daemon; what was judged and sent is there, and a restart repeats neither.
func Dispute(ctx context.Context, c Config, wanted DisputeWanted, log *slog.Logger, say func(Disputed)) error {
	maths := native.New(c.Proofs.Parameters, 1, 0)
	err := dispute(ctx, c, wanted, maths, log, say)
	return errors.Join(err, maths.Close())
}

func dispute(ctx context.Context, c Config, wanted DisputeWanted, verifier vigil.Verifier, log *slog.Logger, say func(Disputed)) error {
	d := &disputer{wanted: wanted, own: c.Miners, log: log, say: say, told: map[string]bool{}}
	err := d.open(ctx, c, verifier)
	if err == nil {
		err = d.run(ctx)
	}
	return errors.Join(err, d.close())
}

// disputer is what a Dispute is made of.
type disputer struct {
	wanted   DisputeWanted
	own      []abi.ActorID // the configured miners: a dispute would fine ourselves
	log      *slog.Logger
	say      func(Disputed)
	nodes    *chain.Nodes
	store    *store.Store
	messager *messager.Messager // nil in a dry run
	watch    *audit.Watch
	network  vigil.Network
	closing  []func() error

	// What follows is the watch's.
	all   []abi.ActorID   // the network's miners
	asked time.Time       // when they were listed
	told  map[string]bool // whose verdict was said, by their evidence
}

func (d *disputer) close() error {
	var errs []error
	for i := len(d.closing) - 1; i >= 0; i-- {
		errs = append(errs, d.closing[i]())
	}
	return errors.Join(errs...)
}

// disputesKept is how long it is known which disputes were sent.
const disputesKept = 365 * 24 * time.Hour

// open makes every object, in the order in which they need each other.
func (d *disputer) open(ctx context.Context, c Config, verifier vigil.Verifier) error {
	data := filepath.Join(c.Data, "dispute")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("make the disputer's data folder: %w", err)
	}
	var err error
	if d.store, err = store.Open(ctx, filepath.Join(data, "vigil.db")); err != nil {
		return err
	}
	d.closing = append(d.closing, d.store.Close)
	if _, err := d.store.Prune(ctx, time.Now().Add(-disputesKept)); err != nil {
		return err
	}
	known, err := readOrigin(data)
	if err != nil {
		return err
	}
	if d.nodes, err = chain.Open(ctx, nodeConfigs(c.Nodes, known, d.log)...); err != nil {
		return err
	}
	d.closing = append(d.closing, d.nodes.Close)
	if d.network, err = meet(ctx, d.nodes, d.log, nobody); err != nil {
		return err
	}
	if err := writeOrigin(data, d.network); err != nil {
		return err
	}
	if !d.wanted.DryRun {
		if err := d.openMessager(ctx, c); err != nil {
			return err
		}
	}
	d.watch, err = audit.New(audit.Config{
		Judge: audit.Judge{Records: d.nodes, Randomness: d.nodes, Verifier: verifier},
		Heads: d.nodes, Store: d.store, Every: auditEvery, Confidence: c.Messager.Confidence, Log: d.log,
		Miners: d.miners, Judged: func(_ context.Context, a vigil.Audit) { d.tell(a) }, Disputable: d.dispute,
	})
	return err
}

func (d *disputer) openMessager(ctx context.Context, c Config) error {
	sources, err := keySources(c.Wallet)
	if err != nil {
		return err
	}
	keys := disputeKeys{sources, d.wanted.MaxFee}
	if err := d.fitKey(ctx, c, keys); err != nil {
		return err
	}
	d.messager, err = messager.New(messager.Config{
		Heads: d.nodes, Node: d.nodes, Signer: keys, Store: d.store, Log: d.log,
		Epoch: d.network.BlockDelay, Confidence: c.Messager.Confidence, ReplaceAfter: c.Messager.ReplaceAfter,
		MaxFee: d.wanted.MaxFee, LowFeeCap: c.Messager.LowFeeCap,
		GasOverEstimation: c.Messager.GasOverEstimation, GasOverPremium: c.Messager.GasOverPremium,
	})
	return err
}

// fitKey sees that the account's key is held, and that no daemon sends with it.
func (d *disputer) fitKey(ctx context.Context, c Config, keys vigil.Signer) error {
	var key address.Address
	err := patiently(ctx, d.log, nobody, "the account cannot be read", func() (err error) {
		key, err = d.nodes.KeyAddress(ctx, d.wanted.From, "")
		if errors.Is(err, vigil.ErrNotFound) {
			return unfit{err}
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("the account %s that disputes: %w", d.wanted.From, err)
	}
	held, err := keys.Has(ctx, key)
	if err != nil {
		return err
	}
	if !held {
		return fmt.Errorf("no wallet has the key of %s, which is to dispute: vigil wallet import takes it over", key)
	}
	if c.Wallet.Keystore == "" {
		return nil
	}
	release, err := claimKey(c.Wallet.Keystore, key, d.log)
	if err == nil {
		d.closing = append(d.closing, release)
	}
	return err
}

// listEvery is how often the network's miners are listed.
const listEvery = 30 * time.Minute

// miners are those that are watched.
func (d *disputer) miners(ctx context.Context, key vigil.TipSetKey) ([]abi.ActorID, error) {
	if len(d.wanted.Miners) > 0 {
		return d.wanted.Miners, nil
	}
	if len(d.all) > 0 && time.Since(d.asked) < listEvery {
		return d.all, nil
	}
	list, err := d.nodes.Miners(ctx, key)
	if err == nil {
		d.all, d.asked = list, time.Now()
	}
	return list, err
}

// run watches, and sends what there is to send.
func (d *disputer) run(ctx context.Context) error {
	ctx, done := context.WithCancel(ctx)
	defer done()
	all, ctx := errgroup.WithContext(ctx)
	if d.messager != nil {
		all.Go(func() error { return d.messager.Run(ctx) })
	}
	all.Go(func() error {
		defer done()
		if d.wanted.Once {
			return d.once(ctx)
		}
		return d.watch.Run(ctx)
	})
	return all.Wait()
}

// once judges what can be disputed now, and waits until its disputes are done with.
func (d *disputer) once(ctx context.Context) error {
	ticker := time.NewTicker(d.network.BlockDelay)
	defer ticker.Stop()
	for {
		if head, err := d.nodes.Head(ctx); err == nil {
			left, unseen := d.watch.Round(ctx, head)
			open, err := d.unfinished(ctx)
			if err != nil {
				return err
			}
			if left+unseen+open == 0 {
				return d.tellUnknown(ctx, head)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// tellUnknown says what could not be judged.
func (d *disputer) tellUnknown(ctx context.Context, head vigil.Head) error {
	ids, err := d.miners(ctx, head.Key)
	for _, id := range ids {
		for _, p := range d.watch.Posts(id) {
			if p.Verdict == vigil.AuditUnknown {
				d.tell(p.Audit)
			}
		}
	}
	return err
}

// unfinished counts the disputes on their way.
func (d *disputer) unfinished(ctx context.Context) (n int, err error) {
	if d.messager == nil {
		return 0, nil
	}
	open, err := d.store.OpenMessages(ctx)
	for _, m := range open {
		if !m.State.Done() {
			n++
		}
	}
	return n, err
}
