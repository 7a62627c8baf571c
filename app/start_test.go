package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/crypto"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/chain"
)

var silent = slog.New(slog.NewTextHandler(io.Discard, nil))

// fakeNode is a node whose answers a test sets. What is not set panics.
type fakeNode struct {
	vigil.Heads
	vigil.MinerState
	network func() (vigil.Network, error)
	miner   func() (vigil.MinerInfo, error)
}

func (f fakeNode) Network(context.Context) (vigil.Network, error) { return f.network() }
func (f fakeNode) Head(context.Context) (vigil.Head, error)       { return vigil.Head{Key: "k"}, nil }
func (f fakeNode) Miner(context.Context, abi.ActorID, vigil.TipSetKey) (vigil.MinerInfo, error) {
	return f.miner()
}

// KeyAddress knows every account but 999, which is a multisig.
func (f fakeNode) KeyAddress(_ context.Context, account address.Address, _ vigil.TipSetKey) (address.Address, error) {
	if id, err := address.IDFromAddress(account); err == nil && id == 999 {
		return address.Undef, fmt.Errorf("actor code is not account: multisig: %w", vigil.ErrNotFound)
	}
	return account, nil
}

// heldKeys are the keys of a wallet.
type heldKeys []address.Address

func (k heldKeys) Has(_ context.Context, key address.Address) (bool, error) {
	for _, held := range k {
		if held == key {
			return true, nil
		}
	}
	return false, nil
}

func (heldKeys) Sign(context.Context, vigil.SignedMessage) (crypto.Signature, error) {
	panic("nothing is signed at the start")
}

type haveParameters struct{ err error }

func (h haveParameters) Check(abi.RegisteredPoStProof) error { return h.err }

func (haveParameters) CheckPublished(context.Context, abi.RegisteredPoStProof) error {
	return errors.New("another setup's")
}

func TestTheStartWaitsForANodeThatIsStillDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		node := fakeNode{network: func() (vigil.Network, error) {
			if time.Since(start) < time.Hour {
				return vigil.Network{}, errors.New("connection refused")
			}
			return vigil.Network{Name: "mainnet"}, nil
		}}
		var log strings.Builder
		network, err := meet(t.Context(), node, slog.New(slog.NewTextHandler(&log, nil)), nobody)
		if err != nil || network.Name != "mainnet" {
			t.Fatal(network, err)
		}
		if n := strings.Count(log.String(), "connection refused"); n != 1 {
			t.Errorf("the same trouble was logged %d times", n)
		}
		if got := vigil.MinerAddress(1000).String(); got != "f01000" {
			t.Errorf("on mainnet an address is %s", got)
		}
	})
}

func TestWhatWaitingCannotMendEndsTheStartAtOnce(t *testing.T) {
	for _, trouble := range []error{
		fmt.Errorf("network: %w", &chain.RefusedError{Why: "the token is refused"}),
		fmt.Errorf("network: %w", &chain.StrangerError{Err: errors.New("this is a web page")}),
	} {
		_, err := meet(t.Context(), fakeNode{network: func() (vigil.Network, error) { return vigil.Network{}, trouble }}, silent, nobody)
		if !errors.Is(err, trouble) {
			t.Errorf("%v, want %v", err, trouble)
		}
	}
}

func TestTheStartEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := meet(ctx, fakeNode{network: func() (vigil.Network, error) { return vigil.Network{}, errors.New("down") }}, silent, nobody)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// A command that a timer runs ends while the node is down, and says what is wrong with it.
func TestACommandDoesNotWaitForANodeWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, err := meetSoon(t.Context(), fakeNode{network: func() (vigil.Network, error) { return vigil.Network{}, errors.New("connection refused") }}, slog.New(slog.DiscardHandler))
		if err == nil || err.Error() != "no node answered within 30s: connection refused" {
			t.Errorf("%v", err)
		}
	})
}

func TestOnATestNetworkAddressesAreWrittenSo(t *testing.T) {
	node := fakeNode{network: func() (vigil.Network, error) { return vigil.Network{Name: "calibrationnet"}, nil }}
	if _, err := meet(t.Context(), node, silent, nobody); err != nil {
		t.Error(err)
	}
	if got := vigil.MinerAddress(1000).String(); got != "t01000" {
		t.Errorf("on a test network an address is %s", got)
	}
}

func TestADataFolderKeepsItsNetwork(t *testing.T) {
	dir := t.TempDir()
	mine := vigil.Network{Name: "mainnet", Genesis: time.Unix(1598306400, 0)}
	if n, err := readOrigin(dir); err != nil || n.Name != "" {
		t.Errorf("a new folder is of %v, %v", n, err)
	}
	for _, n := range []vigil.Network{mine, {Name: "other"}} { // what is written stays
		if err := writeOrigin(dir, n); err != nil {
			t.Fatal(err)
		}
		if n, err := readOrigin(dir); err != nil || !n.Same(mine) {
			t.Errorf("it is of %v, %v", n, err)
		}
	}
	if err := os.WriteFile(originFile(dir), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readOrigin(dir); err == nil || !strings.Contains(err.Error(), "remove the file if you know") {
		t.Errorf("a damaged file: %v", err)
	}
}

// keyTest is a messager whose test of a key has the given end.
type keyTest struct{ err error }

func (keyTest) Watch(...address.Address)                                {}
func (k keyTest) TestSign(ctx context.Context, _ address.Address) error { return k.err }

func TestAKeyThatCannotSignHoldsTheStartUp(t *testing.T) {
	worker, err := address.NewIDAddress(101)
	if err != nil {
		t.Fatal(err)
	}
	node := fakeNode{miner: func() (vigil.MinerInfo, error) { return vigil.MinerInfo{Worker: worker}, nil }}
	s := stand{"devnet", node, heldKeys{worker}, keyTest{errors.New("the wallet is locked")}, unclaimed, haveParameters{}, silent, nil, nobody}
	if err := s.fit(t.Context(), 1000, ""); err == nil || !strings.Contains(err.Error(), "the wallet is locked") {
		t.Errorf("got %v", err)
	}
}

func TestAMinerThatCannotBeServedEndsTheStart(t *testing.T) {
	account := func(id uint64) address.Address {
		a, err := address.NewIDAddress(id)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	info := vigil.MinerInfo{Worker: account(101), Control: []address.Address{account(999), account(102)}}
	for _, c := range []struct {
		sentence string
		miner    error
		params   error
		keys     heldKeys
		network  string
		says     string // nothing: the start goes on
	}{
		{"the worker's key is enough", nil, nil, heldKeys{account(101)}, "devnet", ""},
		{"a control address's key is enough", nil, nil, heldKeys{account(102)}, "devnet", ""},
		{"another key is not", nil, nil, heldKeys{account(103)}, "devnet", "t0101, t0999 has no key, t0102"},
		{"a miner that does not exist", vigil.ErrNotFound, nil, heldKeys{account(101)}, "devnet", "is the address right"},
		{"parameters that are missing", nil, errors.New("no parameters"), heldKeys{account(101)}, "devnet", "no parameters"},
		{"parameters of a setup of one's own on a public network", nil, nil, heldKeys{account(101)}, "calibrationnet", "another setup's"},
		{"an answer that is none", &chain.StrangerError{Err: errors.New("it is null")}, nil, nil, "devnet", "miner t01000"},
	} {
		node := fakeNode{miner: func() (vigil.MinerInfo, error) { return info, c.miner }}
		address.CurrentNetwork = address.Testnet
		err := fit(t.Context(), []abi.ActorID{1000}, stand{c.network, node, c.keys, keyTest{}, unclaimed, haveParameters{c.params}, silent, nil, nobody})
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.sentence, err)
		}
	}
}

func unclaimed(address.Address) error { return nil }
