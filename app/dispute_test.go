package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/wallet"
)

// stranger is somebody who disputes: with the owner's key, and a folder of its own.
type stranger struct {
	f      *flock
	config Config
	wanted DisputeWanted
	judge  vigil.Verifier
}

// keyless verifies nothing.
type keyless struct{}

func (keyless) Verify(context.Context, vigil.Statement, []byte) (bool, error) {
	return false, errors.New("no key for sectors of 2KiB")
}

func newStranger(f *flock) *stranger {
	f.t.Helper()
	dir := f.t.TempDir()
	s := &stranger{f: f, config: f.config, judge: hashProofs{}}
	s.config.Data, s.config.Wallet = dir, Wallet{Keystore: filepath.Join(dir, "keystore"), Passphrase: "open"}
	keys, err := wallet.Create(s.config.Wallet.Keystore, "open", wallet.Options{WorkFactor: 10})
	if err != nil {
		f.t.Fatal(err)
	}
	text, err := os.ReadFile(f.chain.KeyFile("owner", f.chain.Miners()[0]))
	if err != nil {
		f.t.Fatal(err)
	}
	from, err := keys.Import(strings.TrimSpace(string(text)))
	if err != nil {
		f.t.Fatal(err)
	}
	s.wanted = DisputeWanted{From: from, MaxFee: abi.NewTokenAmount(1e18), Once: true}
	return s
}

// dispute lets epochs pass until the stranger is done, and gives what was said.
func (s *stranger) dispute() (said []Disputed) {
	s.f.t.Helper()
	var mu sync.Mutex
	ended := make(chan error, 1)
	go func() {
		ended <- dispute(s.f.t.Context(), s.config, s.wanted, s.judge, slog.New(slog.DiscardHandler), func(d Disputed) {
			mu.Lock()
			defer mu.Unlock()
			said = append(said, d)
		})
	}()
	for {
		select {
		case err := <-ended:
			if err != nil {
				s.f.t.Fatal(err)
			}
			return said
		case <-time.After(flockEpoch): // an epoch, as the nodes say it is
			s.f.pass()
		}
	}
}

// nonce is how many messages an account has sent.
func (f *flock) nonce(a address.Address) uint64 {
	f.t.Helper()
	var answer struct{ Nonce uint64 }
	f.ask(&answer, "StateGetActor", a, nil)
	return answer.Nonce
}

func TestAWrongPostOfAnotherMinerIsDisputedOnce(t *testing.T) {
	notUnderRace(t)
	f, w := newScene(t, flockOf{sectors: 92})
	w.unable()
	f.to(opens(0) + 1)
	if _, err := f.chain.WrongPost(t.Context(), f.chain.Miners()[0], 0); err != nil {
		t.Fatal(err)
	}
	f.to(opens(0) + 4)
	w.let(nil)
	f.to(opens(2) + 10)
	s := newStranger(f)
	before := f.nonce(s.wanted.From)

	dry := *s
	dry.wanted.DryRun = true
	dry.config.Data = t.TempDir()
	dry.judge = keyless{}
	if said := dry.dispute(); len(said) != 2 || said[1].Verdict != vigil.AuditUnknown || !strings.Contains(said[1].Problem, "no key") {
		t.Errorf("without a key it says %+v", said)
	}
	dry.judge = hashProofs{}
	said := dry.dispute()
	if len(said) != 2 || said[0].Verdict != vigil.AuditValid || said[1].Verdict != vigil.AuditDisputable || said[1].Message != "" || said[1].Until != opens(0)+60+1800 {
		t.Errorf("a dry run says %+v", said)
	}
	if said := dry.dispute(); len(said) != 1 || said[0].Open != opens(0) {
		t.Errorf("a second dry run says %+v", said)
	}
	if f.nonce(s.wanted.From) != before || f.faulty() > 0 {
		t.Error("a dry run has sent something")
	}

	own := *s // a provider with all miners in view: its own are among them
	own.config.Data = t.TempDir()
	said = own.dispute()
	if len(said) != 2 || said[1].Verdict != vigil.AuditDisputable || f.nonce(s.wanted.From) != before {
		t.Errorf("of a miner of its own it says %+v, and has sent %d messages", said, f.nonce(s.wanted.From)-before)
	}

	s.config.Miners = nil
	said = s.dispute()
	if len(said) != 3 || said[2].Message == "" || said[2].Open != opens(0) {
		t.Errorf("it says %+v", said)
	}
	f.leap(2)
	if n := f.faulty(); n != 2 {
		t.Errorf("%d sectors are faulty, want the two of the wrong post", n)
	}
	if got := f.nonce(s.wanted.From); got != before+1 {
		t.Errorf("%d messages were sent, want 1", got-before)
	}

	said = s.dispute()
	if len(said) != 0 || f.nonce(s.wanted.From) != before+1 {
		t.Errorf("after a restart it says %+v and has sent %d messages", said, f.nonce(s.wanted.From)-before)
	}
}

func TestADisputerNeedsAKeyThatNobodyUses(t *testing.T) {
	f, _ := newScene(t, flockOf{sectors: 92})
	s := newStranger(f)
	fails := func(want string) {
		t.Helper()
		err := dispute(t.Context(), s.config, s.wanted, hashProofs{}, slog.New(slog.DiscardHandler), func(Disputed) {})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	release, err := claimKey(s.config.Wallet.Keystore, s.wanted.From, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	fails("another vigil on this machine sends with the key")
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if s.wanted.From, err = address.NewSecp256k1Address([]byte("nobody")); err != nil {
		t.Fatal(err)
	}
	fails("no wallet has the key of")
}

func TestADisputersFileNeedsNeitherMinersNorStorages(t *testing.T) {
	dir := place(t)
	load := func(text string, signs bool) error {
		_, err := LoadForDisputing(put(t, filepath.Join(dir, "vigil.toml"), text), signs)
		return err
	}
	const file = "[node]\nurl = \"ws://127.0.0.1:1234/rpc/v1\"\n[proofs]\nparameters = \"params\"\n[data]\ndir = \"data\"\n"
	if err := load(file, false); err != nil {
		t.Error(err)
	}
	if err := load(file, true); err == nil || !strings.Contains(err.Error(), "no keystore is given") || strings.Contains(err.Error(), "no miner") {
		t.Errorf("without a wallet: %v", err)
	}
	if err := load(file+"[wallet]\nkeystore = \"keystore\"\npassphrase_file = \"pass\"\n", true); err != nil {
		t.Error(err)
	}
	if err := load(file+"[[miner]]\naddress = 5\n", false); err == nil || !strings.Contains(err.Error(), "miner") {
		t.Errorf("a file that cannot be read: %v", err)
	}
	if err := load("[proofs]\nparameters = \"params\"\n", false); err == nil || !strings.Contains(err.Error(), "no node") {
		t.Errorf("without a node: %v", err)
	}
}
