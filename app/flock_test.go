package app

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/network"
	"github.com/filecoin-project/go-state-types/proof"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/devnet"
	"github.com/vigil-post/vigil/faultproxy"
	"github.com/vigil-post/vigil/proofs/post"
	"github.com/vigil-post/vigil/schedule"
	"github.com/vigil-post/vigil/wallet"
)

// hashProofs proves a statement by hashing what the chain will compare.
type hashProofs struct{}

func hashOf(seed []byte, numbers []abi.SectorNumber) []byte {
	seed = bytes.Clone(seed)
	seed[31] &= 0x3f // as a field element, which the chain may or may not have made of it
	sum := sha256.Sum256(fmt.Appendf(seed, "%v", numbers))
	return append(sum[:], make([]byte, 160)...)
}

func (hashProofs) Prove(_ context.Context, r vigil.ProveRequest) ([]byte, error) {
	var numbers []abi.SectorNumber
	for _, s := range r.Statement.Sectors {
		numbers = append(numbers, s.Number)
	}
	return hashOf(r.Statement.Randomness[:], numbers), nil
}

func (h hashProofs) Verify(ctx context.Context, s vigil.Statement, proof []byte) (bool, error) {
	want, err := h.Prove(ctx, vigil.ProveRequest{Statement: s})
	return bytes.Equal(want, proof), err
}

func (hashProofs) Check(abi.RegisteredPoStProof) error                           { return nil }
func (hashProofs) CheckPublished(context.Context, abi.RegisteredPoStProof) error { return nil }
func (hashProofs) Close() error                                                  { return nil }

// Read gives a sector's vanilla proof: there are no files.
func (hashProofs) Read(context.Context, vigil.ReadRequest) (vigil.VanillaProof, error) {
	return vigil.VanillaProof{1}, nil
}

func (hashProofs) Recheck(vigil.ReadRequest, vigil.VanillaProof) error { return nil }

// judgeHash judges as the network does: a sector that stands in for another
// one is in the chain's list twice, and counts once.
func judgeHash(p proof.WindowPoStVerifyInfo) error {
	var numbers []abi.SectorNumber
	for _, s := range p.ChallengedSectors {
		numbers = append(numbers, s.SectorNumber)
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	if !bytes.Equal(p.Proofs[0].ProofBytes, hashOf(p.Randomness, numbers)) {
		return errors.New("the proof is of another statement")
	}
	return nil
}

// flock is a chain, three lines to it and the daemon that reads them.
type flock struct {
	t      *testing.T
	chain  *devnet.Network
	other  *devnet.Network // the same chain until before the daemon began, then another; nil if not asked for
	lines  []*faultproxy.Proxy
	daemon *Daemon
	stop   func() // ends the daemon, and waits for its end
	log    *journal
	config Config
	tools  tools

	mends    []func()       // what ends mishaps that nothing else ends
	stepped  abi.ChainEpoch // before the last step
	patience time.Duration  // how long pass waits for the daemon; shorter where it cannot finish its work
}

// flockEpoch is how long the nodes say that an epoch is; how long one is, step decides.
const flockEpoch = 100 * time.Millisecond

func openChain(t *testing.T, dir string, of flockOf) *devnet.Network {
	t.Helper()
	c := devnet.Config{
		Dir: dir, Manual: true, BlockTime: of.epoch, Miners: of.miners, Sectors: of.sectors,
		NetworkVersion: of.version, Upgrades: of.upgrades, Disputer: of.disputer,
		NullRounds: of.nulls, SectorSizes: of.sizes, Verify: judgeHash, VerifyV1: judgeHash, Log: slog.New(slog.DiscardHandler),
		Sector: func(_ context.Context, _ string, m abi.ActorID, s abi.SectorNumber) ([32]byte, error) {
			return sha256.Sum256(fmt.Appendf(nil, "sector %d of %d", s, m)), nil
		},
	}
	if of.real != nil {
		c.Proofs, c.Verify, c.VerifyV1, c.Sector = of.real, nil, nil, nil
	}
	n, err := devnet.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	runs(t, n.Run)
	return n
}

// flockOf says what flock is wanted.
type flockOf struct {
	miners, sectors int
	nulls           float64 // the share of epochs without a block
	epoch           time.Duration
	forked          bool
	lines           int // to nodes; 3 if 0
	version         network.Version
	upgrades        []devnet.Upgrade
	disputer        bool
	sizes           []abi.SectorSize // of the miners' sectors, in turn; 2 KiB if there is none
	change          func(*Config)    // of the daemon's configuration
	rehearse        bool
	tools           func(tools) tools // in place of those that always work
	real            *post.Verifier    // of proofs; nil: sectors and proofs are numbers
}

// usual is a miner with a partition in each of 46 deadlines.
var usual = flockOf{miners: 1, sectors: 92, epoch: flockEpoch}

func newFlock(t *testing.T, of flockOf) *flock {
	t.Helper()
	dir := t.TempDir()
	f := &flock{t: t, chain: openChain(t, filepath.Join(dir, "chain"), of), log: &journal{}, patience: usualPatience}
	if of.forked { // before the daemon: opening a devnet sets how addresses are written
		f.other = fork(t, f)
	}
	c := Config{
		Storages: []string{dir}, Schedule: schedule.DefaultPolicy, Data: filepath.Join(dir, "data"),
		Messager: Messager{MaxFee: abi.NewTokenAmount(5e18), Confidence: 5}, Reading: Reading{Rehearse: of.rehearse},
	}
	for i := range cmp.Or(of.lines, 3) {
		line, err := faultproxy.New(f.chain.Addr(), uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = line.Close() })
		line.Slowness = 2 * time.Second
		f.lines = append(f.lines, line)
		c.Nodes = append(c.Nodes, Node{URL: "http://" + line.Addr(), Token: Secret(f.chain.Token())})
	}
	keys, err := wallet.Create(filepath.Join(dir, "keystore"), "open", wallet.Options{WorkFactor: 10})
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range f.chain.Miners() {
		c.Miners = append(c.Miners, 1000+abi.ActorID(i))
		for _, role := range []string{"worker", "control"} {
			if text, err := os.ReadFile(f.chain.KeyFile(role, m)); err == nil {
				if _, err := keys.Import(strings.TrimSpace(string(text))); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if of.change != nil {
		of.change(&c)
	}
	f.config, f.tools = c, tools{keys, hashProofs{}, hashProofs{}}
	if of.tools != nil {
		f.tools = of.tools(f.tools)
	}
	f.start(f.config, f.tools)
	return f
}

// start starts the daemon and waits for its first picture of every miner.
func (f *flock) start(c Config, with tools) {
	f.t.Helper()
	log := slog.New(slog.NewTextHandler(f.log, nil))
	daemon, err := assemble(f.t.Context(), c, log, func(*Daemon) (tools, error) { return with, nil })
	if err != nil {
		f.t.Fatal(err)
	}
	f.daemon, f.stop = daemon, runs(f.t, daemon.Run)
	for f.read() < f.chain.Epoch() || len(f.daemon.Status().Miners) < len(c.Miners) {
		f.pause(flockEpoch)
	}
}

// read is the epoch at which the daemon has read its last miner.
func (f *flock) read() abi.ChainEpoch {
	epoch := abi.ChainEpoch(1 << 40)
	for _, m := range f.daemon.Status().Miners {
		epoch = min(epoch, m.Epoch)
	}
	return epoch
}

func (f *flock) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-f.daemon.Changed():
	case <-f.t.Context().Done():
		f.t.Fatal("the test is over")
	}
}

// step lets an epoch pass: it lasts until the daemon has seen it, but no longer
// than patience, so that a fault costs the daemon epochs and not the test hours.
func (f *flock) step(patience time.Duration) (kept bool) {
	f.t.Helper()
	f.stepped = f.chain.Epoch()
	if err := f.chain.Advance(f.t.Context(), 1); err != nil {
		f.t.Fatal(err)
	}
	for began := time.Now(); time.Since(began) < patience; f.pause(5 * time.Millisecond) {
		if f.read() >= f.chain.Epoch() {
			return true
		}
	}
	return false
}

// journal keeps a log.
type journal struct {
	mu   sync.Mutex // guards text
	text []byte
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.text = append(j.text, p...)
	return len(p), nil
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return string(j.text)
}

// keepUp lets epochs pass on a fork until it is as high as the chain.
func (f *flock) keepUp() {
	f.t.Helper()
	for f.other != nil && f.other.Epoch() < f.chain.Epoch() {
		if err := f.other.Advance(f.t.Context(), 1); err != nil {
			f.t.Fatal(err)
		}
	}
}

// fork is a node whose chain is the same up to now and another one from here
// on, with fewer blocks, as a fork has that only some follow.
func fork(t *testing.T, f *flock) *devnet.Network {
	t.Helper()
	if err := f.chain.Advance(t.Context(), 8); err != nil { // past null rounds, so that there is a tipset to come off
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "fork")
	if err := os.CopyFS(dir, os.DirFS(filepath.Dir(f.chain.Storage()))); err != nil {
		t.Fatal(err)
	}
	n := openChain(t, dir, flockOf{miners: 1, sectors: 92, nulls: 0.4, epoch: flockEpoch})
	if err := n.Reorg(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	return n
}

// calls counts the questions that came through all lines, by method.
func (f *flock) calls() map[string]int {
	all := map[string]int{}
	for _, line := range f.lines {
		for method, n := range line.Calls() {
			all[method] += n
		}
	}
	return all
}
