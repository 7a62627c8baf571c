package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/filecoin-project/go-state-types/network"
	golog "github.com/ipfs/go-log/v2"
	"github.com/pelletier/go-toml/v2"

	"github.com/vigil-post/vigil/devnet"
	"github.com/vigil-post/vigil/proofs/params"
	"github.com/vigil-post/vigil/proofs/post"
	"github.com/vigil-post/vigil/wallet"
)

// devnetSectorSize is the size of the devnet's sectors.
const devnetSectorSize = 2 << 10

const readme = `This folder belongs to "vigil devnet". It holds a development network on this
machine: its chain, its miners' sectors and keys, and a Groth16 key that was
made here and whose secret nobody threw away. All of it is worthless outside
this devnet. Remove the folder to begin anew.
`

// settle makes the devnet's folder ready and opens the chain in it. What
// exists is kept, so that a second start is quick and goes on.
func settle(ctx context.Context, o devnetOptions, log *slog.Logger, say func(string)) (*home, error) {
	// go-jsonrpc, which serves the chain, writes to standard error past every
	// logger when a connection ends; nothing in that needs a person.
	golog.SetLogLevel("rpc", "fatal")
	h := &home{dir: o.data, keys: o.params}
	if o.anew {
		if err := h.clear(); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(h.dir, "README"), []byte(readme), 0o644); err != nil {
		return nil, err
	}
	verifier, err := h.key(ctx, say)
	if err != nil {
		return nil, err
	}
	if o.network.NetworkVersion < network.Version19 {
		if o.network.ProofsV1, err = h.verifierV1(); err != nil {
			return nil, err
		}
	}
	o.network.Dir, o.network.Proofs, o.network.Log = h.chain(), verifier, log
	if o.story != nil {
		o.story.Log = log
		o.network.Script = o.story.Step
	}
	if h.network, err = devnet.Open(ctx, o.network); err != nil {
		return nil, err
	}
	if n := len(h.network.Miners()); n != o.network.Miners {
		say(fmt.Sprintf("the chain in %s has %d miner(s) since it began; --miners is for a new one", h.dir, n))
	}
	if err := o.weather.over(h.network); err != nil {
		return nil, errors.Join(err, h.network.Close())
	}
	if err := errors.Join(h.importKeys(), h.writeConfig(o)); err != nil {
		return nil, errors.Join(err, h.network.Close())
	}
	return h, nil
}

// clear removes what an earlier start left, but not the Groth16 key.
func (h *home) clear() error {
	for _, name := range []string{h.chain(), h.keystore(), h.passphrase(), filepath.Join(h.dir, "daemon")} {
		if err := os.RemoveAll(name); err != nil {
			return fmt.Errorf("remove what an earlier start left: %w", err)
		}
	}
	return nil
}

// over lets the weather begin.
func (w devnetWeather) over(n *devnet.Network) error {
	if w.delay > 0 {
		if err := n.DelayMessages(w.delay, 0); err != nil {
			return err
		}
	}
	if w.lose > 0 {
		return n.LoseMessages(w.lose, 0)
	}
	return nil
}

// key makes the Groth16 key if there is none, and gives its verifier.
func (h *home) key(ctx context.Context, say func(string)) (*post.Verifier, error) {
	form, err := post.WindowConfig(devnetSectorSize, post.V1_1)
	if err != nil {
		return nil, err
	}
	vk, err := form.Key().VKFile()
	if err != nil {
		return nil, err
	}
	proving, err := form.Key().ParamsFile()
	if err != nil {
		return nil, err
	}
	if !exists(filepath.Join(h.params(), vk)) || !exists(filepath.Join(h.params(), proving)) {
		start := time.Now()
		say("making the devnet's own Groth16 key, once…")
		if err := os.MkdirAll(h.params(), 0o700); err != nil {
			return nil, err
		}
		if err := params.Generate(ctx, h.params(), form.Key()); err != nil {
			return nil, fmt.Errorf("make the devnet's key: %w", err)
		}
		say(fmt.Sprintf("the key is made; it took %s", time.Since(start).Round(100*time.Millisecond)))
	}
	verifier, err := post.OpenVerifier(form, h.params())
	if err != nil {
		return nil, fmt.Errorf("%w; remove %s to have the key made anew", err, h.params())
	}
	return verifier, nil
}

// verifierV1 judges by the rule before network version 19; the key is the same.
func (h *home) verifierV1() (*post.Verifier, error) {
	form, err := post.WindowConfig(devnetSectorSize, post.V1)
	if err != nil {
		return nil, err
	}
	return post.OpenVerifier(form, h.params())
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// importKeys puts the keys that may send messages for the miners into the daemon's keystore.
func (h *home) importKeys() error {
	secret, err := h.secret()
	if err != nil {
		return err
	}
	// The keys are worth nothing, so opening them may be quick.
	options := wallet.Options{WorkFactor: 10}
	w, err := wallet.Open(h.keystore(), secret, options)
	if errors.Is(err, fs.ErrNotExist) {
		w, err = wallet.Create(h.keystore(), secret, options)
	}
	if err != nil {
		return fmt.Errorf("open the devnet's keystore: %w", err)
	}
	for _, miner := range h.network.RealMiners() {
		for _, role := range []string{"worker", "control"} {
			text, err := os.ReadFile(h.network.KeyFile(role, miner))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			if _, err := w.Import(strings.TrimSpace(string(text))); err != nil {
				return fmt.Errorf("import the %s key of %s: %w", role, miner, err)
			}
		}
	}
	return nil
}

// secret is the keystore's passphrase, drawn at the first start.
func (h *home) secret() (string, error) {
	text, err := os.ReadFile(h.passphrase())
	if errors.Is(err, fs.ErrNotExist) {
		secret := rand.Text()
		return secret, os.WriteFile(h.passphrase(), []byte(secret+"\n"), 0o600)
	}
	return strings.TrimSpace(string(text)), err
}

// writeConfig writes the configuration of a daemon for this chain. The daemon
// of this process reads it too: there is no other way to configure one.
func (h *home) writeConfig(o devnetOptions) error {
	type table = map[string]any
	var miners []table
	for _, m := range h.network.RealMiners() {
		miners = append(miners, table{"address": m.String()})
	}
	text, err := toml.Marshal(table{
		"node":      table{"url": h.nodeURL(), "token_file": filepath.Join(h.chain(), "token")},
		"miner":     miners,
		"storage":   []table{{"path": h.network.Storage()}},
		"wallet":    table{"keystore": h.keystore(), "passphrase_file": h.passphrase()},
		"proofs":    table{"parameters": h.params()},
		"dashboard": table{"listen": dashboardAddress(o.dashboard)},
		"data":      table{"dir": filepath.Join(h.dir, "daemon")},
	})
	if err != nil {
		return err
	}
	head := "# Written by vigil devnet at each start, for the chain it serves.\n"
	return os.WriteFile(h.config(), append([]byte(head), text...), 0o600)
}

// dashboardAddress is what was asked for, or the usual address if it is free.
func dashboardAddress(asked string) string {
	const usual, free = "127.0.0.1:8748", "127.0.0.1:0"
	if asked != "" {
		return asked
	}
	l, err := net.Listen("tcp", usual)
	if err != nil {
		return free
	}
	l.Close()
	return usual
}
