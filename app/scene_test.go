package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/crypto"

	"github.com/vigil-post/vigil"
)

// What the scenarios of docs/scenarios.md are told with: the whole daemon, a
// chain that waits for it in every epoch, and a workshop in which things go wrong.

// step is a place in the daemon's work at which something can be made to happen.
type step string

const (
	reading   step = "a sector is read"
	proving   step = "a proof is made"
	verifying step = "a proof is verified"
	signing   step = "a message is signed"
	checking  step = "the parameters are looked at"
)

// errWrong makes a prover give a proof of nothing.
var errWrong = errors.New("a wrong proof")

// workshop is the daemon's tools, to which something may happen.
type workshop struct {
	hashProofs
	keys vigil.Signer

	mu      sync.Mutex // guards what follows
	silent  string     // a storage that does not answer
	happens func(ctx context.Context, at step, sector abi.SectorNumber) error
}

// tools puts the workshop in place of what always works.
func (w *workshop) tools(t tools) tools {
	w.keys = t.keys
	return tools{w, w, w}
}

// let says what happens from now on; nil is nothing.
func (w *workshop) let(happens func(ctx context.Context, at step, sector abi.SectorNumber) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.happens = happens
}

// silence lets a storage with all sectors fall silent, which reading finds out, as package
// sector does.
func (w *workshop) silence(path string) {
	w.let(func(_ context.Context, at step, _ abi.SectorNumber) error {
		if at != reading {
			return nil
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.silent = path
		return fmt.Errorf("the storage %s does not answer", path)
	})
}

// Status tells of the silent storage.
func (w *workshop) Status() []vigil.StorageStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.silent == "" {
		return nil
	}
	return []vigil.StorageStatus{{Path: w.silent, State: vigil.StorageSilent, Why: "reads of it were given up"}}
}

// lose makes these sectors bad, and no others.
func (w *workshop) lose(sectors ...abi.SectorNumber) {
	w.let(func(_ context.Context, at step, n abi.SectorNumber) error {
		for _, lost := range sectors {
			if at == reading && n == lost {
				return &vigil.SectorError{Sector: n, Cause: "replica: missing"}
			}
		}
		return nil
	})
}

func (w *workshop) at(ctx context.Context, s step, sector abi.SectorNumber) error {
	w.mu.Lock()
	happens := w.happens
	w.mu.Unlock()
	if happens == nil {
		return nil
	}
	return happens(ctx, s, sector)
}

func (w *workshop) Read(ctx context.Context, r vigil.ReadRequest) (vigil.VanillaProof, error) {
	if err := w.at(ctx, reading, r.Sector.Number); err != nil {
		return nil, err
	}
	return w.hashProofs.Read(ctx, r)
}

func (w *workshop) Prove(ctx context.Context, r vigil.ProveRequest) ([]byte, error) {
	err := w.at(ctx, proving, 0)
	if errors.Is(err, errWrong) {
		return make([]byte, 192), nil
	}
	if err != nil {
		return nil, err
	}
	return w.hashProofs.Prove(ctx, r)
}

func (w *workshop) Verify(ctx context.Context, s vigil.Statement, proof []byte) (bool, error) {
	if err := w.at(ctx, verifying, 0); err != nil {
		return false, err
	}
	return w.hashProofs.Verify(ctx, s, proof)
}

func (w *workshop) Check(abi.RegisteredPoStProof) error {
	return w.at(context.Background(), checking, 0)
}

func (w *workshop) Has(ctx context.Context, key address.Address) (bool, error) {
	return w.keys.Has(ctx, key)
}

func (w *workshop) Sign(ctx context.Context, m vigil.SignedMessage) (crypto.Signature, error) {
	if err := w.at(ctx, signing, 0); err != nil {
		return crypto.Signature{}, err
	}
	return w.keys.Sign(ctx, m)
}

// notUnderRace leaves a long scene out under the race detector, where the short
// ones do the same with the same parts.
func notUnderRace(t *testing.T) {
	t.Helper()
	info, _ := debug.ReadBuildInfo()
	if info != nil && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		t.Skip("it is too long for the race detector")
	}
}

// newScene is a flock with one node and a workshop.
func newScene(t *testing.T, of flockOf) (*flock, *workshop) {
	if address.CurrentNetwork != address.Testnet { // as the devnet does: now, while no other scene runs
		address.CurrentNetwork = address.Testnet
	}
	t.Parallel() // with other scenes; they mostly wait
	w := &workshop{}
	of.tools, of.lines, of.epoch = w.tools, 1, flockEpoch
	of.miners = max(1, of.miners)
	return newFlock(t, of), w
}

// restart ends the daemon and starts another one on what it has stored.
func (f *flock) restart() {
	f.t.Helper()
	f.stop()
	f.start(f.config, f.tools)
}

// usualPatience is how long an epoch lasts at most while the daemon has work that it
// could do in it. On a machine that is fast enough it plays no part.
const usualPatience = 5 * time.Second

// pass lets an epoch pass, and the daemon do all that it can do in it.
func (f *flock) pass() { f.leap(1) }

// leap lets epochs pass at once.
func (f *flock) leap(epochs abi.ChainEpoch) {
	f.t.Helper()
	f.stepped = f.chain.Epoch()
	if err := f.chain.Advance(f.t.Context(), int(epochs)); err != nil {
		f.t.Fatal(err)
	}
	for began := time.Now(); !f.idle() && time.Since(began) < f.patience; {
		f.pause(flockEpoch / 50)
	}
}

// idle says that the daemon has seen the head and waits for the next one.
func (f *flock) idle() bool {
	s := f.daemon.Status()
	for _, m := range s.Miners {
		if m.Epoch < f.chain.Epoch() {
			return false
		}
		for _, d := range m.Duties {
			if d.Running != "" || d.Message == vigil.MessageQueued || d.Message == vigil.MessageSigned {
				return false
			}
		}
	}
	return len(s.Miners) == len(f.config.Miners)
}

// to lets epochs pass one by one up to an epoch.
func (f *flock) to(epoch abi.ChainEpoch) {
	f.t.Helper()
	for f.chain.Epoch() < epoch {
		f.pass()
	}
}

// through is to for tests in which it does not matter when something is done
// within a deadline: it makes some epochs at once, and leaps over the time in
// which no deadline is near. For a long one the daemon is off, because it looks
// at every tipset; with VIGIL_LONG=1 it is not.
func (f *flock) through(epoch abi.ChainEpoch) {
	f.t.Helper()
	for f.chain.Epoch() < epoch {
		quiet := min(f.quiet(), epoch-f.chain.Epoch())
		if quiet > 2*leap && os.Getenv("VIGIL_LONG") == "" {
			f.off(quiet)
			continue
		}
		f.leap(min(max(10, quiet), leap, epoch-f.chain.Epoch()))
	}
}

// leap is the most epochs at once: a node does not wait for a reader that is
// very far behind.
const leap abi.ChainEpoch = 60

// off lets epochs pass while no daemon runs.
func (f *flock) off(epochs abi.ChainEpoch) {
	f.t.Helper()
	f.stop()
	if err := f.chain.Advance(f.t.Context(), int(epochs)); err != nil {
		f.t.Fatal(err)
	}
	f.start(f.config, f.tools)
}

// quiet is how many epochs there are until a deadline with sectors comes near:
// until it is time to declare what is recovered.
func (f *flock) quiet() abi.ChainEpoch {
	now, quiet := f.chain.Epoch(), provingPeriod
	for _, m := range f.chain.Miners() {
		list, err := f.chain.Deadlines(f.t.Context(), m)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, d := range list {
			if d.Live == 0 {
				continue
			}
			quiet = min(quiet, d.Open-100-now)
			if now < d.Close-provingPeriod+12 { // its outcome is not believed yet
				quiet = 0
			}
		}
	}
	return quiet
}

// power is how many sectors of a miner have power, by the chain.
func (f *flock) power(miner address.Address) int {
	f.t.Helper()
	var answer struct {
		MinerPower struct{ RawBytePower big.Int }
	}
	f.ask(&answer, "StateMinerPower", miner, nil)
	return int(answer.MinerPower.RawBytePower.Int64() / 2048)
}

// ask asks the chain, past the daemon's line to it.
func (f *flock) ask(answer any, method string, params ...any) {
	f.t.Helper()
	if err := f.call(answer, method, params...); err != nil {
		f.t.Fatalf("%s: %v", method, err)
	}
}

func (f *flock) call(answer any, method string, params ...any) error {
	question, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "Filecoin." + method, "params": params})
	if err != nil {
		return err
	}
	post, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, "http://"+f.chain.Addr()+"/rpc/v1", bytes.NewReader(question))
	if err != nil {
		return err
	}
	post.Header.Set("Authorization", "Bearer "+f.chain.Token())
	post.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(post)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var frame struct {
		Result json.RawMessage
		Error  *struct{ Message string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&frame); err != nil {
		return err
	}
	if frame.Error != nil {
		return errors.New(frame.Error.Message)
	}
	return json.Unmarshal(frame.Result, answer)
}

// want compares what became of the partitions with what should have.
func (f *flock) want(what string, confirmed, missed uint64) {
	f.t.Helper()
	s := f.chain.Stats().Total
	if s.PartitionsConfirmed != confirmed || s.PartitionsMissed != missed || s.ProofsInvalid != 0 || s.MessagesFailed != 0 {
		f.t.Fatalf("%s: %d partitions confirmed and %d missed, %d wrong proofs, %d failed messages; want %d and %d and none; the daemon says\n%s", what,
			s.PartitionsConfirmed, s.PartitionsMissed, s.ProofsInvalid, s.MessagesFailed, confirmed, missed, tail(f.log.String(), 12_000))
	}
}
